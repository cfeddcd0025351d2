"""Who changed what, when, and how it was before: a row for every change of a rule, a limit, a team or a right."""

import json
from dataclasses import dataclass
from datetime import datetime

from bot.clock import moment
from bot.storage.connection import Connection, Row


@dataclass(frozen=True, slots=True)
class By:
    """Who does it: the id of a person, and the name that they have just now."""

    id: str
    name: str


OPERATOR = By("operator", "operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One change: what it was about (`space model`), and its value before and after.

    seq: its number, by which older ones are asked for. by: the person's id. space: "" for what is the operator's.
    """

    at: datetime
    name: str
    what: str
    before: object
    after: object
    seq: int = 0
    by: str = ""
    space: str = ""


def note(connection: Connection, space: str, by: By, what: str, before: object, after: object, at: int) -> None:
    """before, after: anything that JSON can say. space: "" for what is the operator's."""
    connection.execute(
        "INSERT INTO audit (at, space, person, name, what, before, after)"
        " VALUES (:at, :space, :person, :name, :what, :before, :after)",
        at=at,
        space=space,
        person=by.id,
        name=by.name,
        what=what,
        before=json.dumps(before, ensure_ascii=False),
        after=json.dumps(after, ensure_ascii=False),
    )


def entries(connection: Connection, space: str | None, most: int, before_seq: int = 0) -> list[Audited]:
    """The last changes in a space (None: everywhere), the newest first; before_seq: only older ones than that."""
    older = " AND seq<:before" if before_seq else ""
    where = "space=:space" if space is not None else "1=1"
    rows = connection.rows(
        f"SELECT * FROM audit WHERE {where}{older} ORDER BY seq DESC LIMIT :most",
        **({"space": space} if space is not None else {}),
        **({"before": before_seq} if before_seq else {}),
        most=most,
    )
    return [audited(row) for row in rows]


def audited(row: Row) -> Audited:
    """A row of the table."""
    return Audited(
        at=moment(row["at"]),
        name=row["name"],
        what=row["what"],
        before=json.loads(row["before"]),
        after=json.loads(row["after"]),
        seq=row["seq"],
        by=row["person"],
        space=row["space"],
    )

"""Who changed what, when, and what it was before."""

from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from bot.audit import Audited, audited
from bot.commands.audited import Names, in_words, names_in
from bot.errors import UsageError
from bot.i18n import Text, text
from bot.ops.board.rights import SPACE, Rights, Where, not_yours
from bot.storage.connection import Connection, Row

PAGE, MOST = 50, 200
_ROWS = "SELECT * FROM audit WHERE seq<:last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """space: "" for what is the operator's own. words: who did what, as chats tell it. before, after: as they were
    stored, any JSON.
    """

    seq: int
    at: datetime
    space: str
    person: str
    name: str
    what: str
    words: Text
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """before: what asks for the older ones, 0 where there are none."""

    rows: tuple[Changed, ...]
    before: int


def audit(connection: Connection, viewer: Rights, *, before: int = 0, most: int = PAGE) -> Audit:
    """The newest first. Only for the operator and the admins of a space: that of others is nobody's business."""
    if not 0 < most <= MOST or before < 0:
        raise UsageError(text("There is no such page."))
    rows: list[Row] = []
    for term in terms(viewer):
        rows += connection.rows(
            f"{_ROWS} AND {term.sql} ORDER BY seq DESC LIMIT :most",
            **term.values,
            last=before or 2**62,
            most=most + 1,
        )
    newest = nlargest(most + 1, rows, key=lambda row: int(row["seq"]))
    kept = newest[:most]
    changes = [audited(row) for row in kept]
    names = names_in(connection, changes)
    return Audit(
        rows=tuple(_changed(each, names) for each in changes), before=kept[-1]["seq"] if len(newest) > most else 0
    )


def terms(viewer: Rights) -> list[Where]:
    """What of it is in sight, as one condition for each run of the index."""
    if viewer.operates:
        return [Where("0=0", {})]
    if viewer.kind != SPACE:
        raise not_yours()
    return [Where("space=:space", {"space": each}) for each in viewer.spaces]


def _changed(each: Audited, names: Names) -> Changed:
    return Changed(
        seq=each.seq,
        at=each.at,
        space=each.space,
        person=each.by,
        name=each.name,
        what=each.what,
        words=in_words(each, names),
        before=each.before,
        after=each.after,
    )

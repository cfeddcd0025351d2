"""What waits, what runs, and what was possibly billed."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.audit import By, note
from bot.clock import moment
from bot.errors import NotThere, UsageError
from bot.generation import accepting, record, settling
from bot.generation import queue as waiting_line
from bot.generation.states import IN_FLIGHT, WAITING, State, listed
from bot.i18n import text
from bot.ops.board.rights import Rights, in_sight, may_see, may_stop, not_yours, only_operator
from bot.people import Person
from bot.storage.connection import Connection, Row

MOST = 200
_OPEN = f"state IN ({listed((*WAITING, *IN_FLIGHT))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A request that has not ended. place: in the line, from 1; 0 for one that does not stand there. prompt: "" where
    it was made privately by somebody else. stoppable: whether the viewer may cancel it.
    """

    id: str
    person: str
    name: str
    space: str
    team: str
    model: str
    provider: str
    count: int
    state: str
    place: int
    prompt: str
    private: bool
    asked: datetime
    started: datetime | None
    tries: int
    stopping: bool
    stoppable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """rows: what runs, then the line in its order, then what waits for a yes; of many only the first. The numbers are
    of all in sight.
    """

    rows: tuple[Open, ...]
    running: int
    waiting: int
    asked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """Money that a provider may have billed without anybody knowing. usd: micro-USD; decided: when it is charged or
    given back by itself.
    """

    id: str
    person: str
    name: str
    space: str
    provider: str
    model: str
    usd: int
    ended: datetime
    decided: datetime


def queue(connection: Connection, viewer: Rights) -> Queue:
    where = in_sight(viewer)
    rows = connection.rows(f"SELECT * FROM generations WHERE {_OPEN} AND {where.sql} ORDER BY seq", **where.values)
    places = {id: place for place, id in enumerate(waiting_line.places(connection), 1)}

    def order(row: Row) -> tuple[int, int, int]:
        stage = 0 if row["state"] in IN_FLIGHT else 1 if row["state"] == State.QUEUED else 2
        return stage, places.get(row["id"], 0), row["seq"]

    ordered = sorted(rows, key=order)
    return Queue(
        rows=tuple(_open(viewer, row, places) for row in ordered[:MOST]),
        running=sum(row["state"] in IN_FLIGHT for row in rows),
        waiting=sum(row["state"] == State.QUEUED for row in rows),
        asked=sum(row["state"] == State.ASKED for row in rows),
    )


def cancel(connection: Connection, viewer: Rights, id: str, at: int) -> str:
    """Its id as it is stored. Raises `NotThere`, `NotAllowed`, and `UsageError` where it has ended."""
    where = in_sight(viewer)
    row = connection.row(f"SELECT * FROM generations WHERE id=:id AND {where.sql}", id=id.lower(), **where.values)
    if row is None:
        raise NotThere(text("There is no request with the id {id}.", id=id[:40]))
    if not may_stop(viewer, row):
        raise not_yours()
    return accepting.cancel(connection, row["id"], _as_person(viewer, row), at).id


def possibly_billed(connection: Connection, viewer: Rights, after: timedelta) -> tuple[Possible, ...]:
    """The oldest first. after: how long it stays undecided."""
    where = in_sight(viewer)
    rows = connection.rows(
        "SELECT generation, max(amount) AS usd FROM holds WHERE state='possible' AND unit='usd' GROUP BY generation"
    )
    found = []
    for row in rows:
        made = connection.row(
            f"SELECT * FROM generations WHERE id=:id AND {where.sql}", id=row["generation"], **where.values
        )
        if made:
            found.append(_possible(made, row["usd"], after))
    return tuple(sorted(found, key=lambda each: (each.ended, each.id)))


def resolve(connection: Connection, viewer: Rights, id: str, charge: bool, at: int, zone: str) -> None:
    """Charge it to the pools or give it back. Raises `NotAllowed`, and `UsageError` where nothing is to be decided."""
    only_operator(viewer)
    found, who, words = record.load(connection, id), _who(viewer), "charged" if charge else "released"
    reason = f"{words} by {who.name}"
    if not settling.resolve_one(connection, found.id, at, charge=charge, reason=reason, zone=zone):
        raise UsageError(text("{id} is decided already; there is nothing to charge or to give back.", id=found.id))
    note(connection, found.space, who, f"possibly billed {found.id}", "possible", words, at)


def _as_person(viewer: Rights, row: Row) -> Person:
    """As whom the viewer cancels it."""
    own, who = row["person"] in viewer.persons, _who(viewer)
    return Person(
        id=row["person"] if own else who.id,
        name=who.name,
        settings={},
        admin=not own,
        space=row["space"],
        everywhere=viewer.operates,
    )


def _who(viewer: Rights) -> By:
    return By(viewer.persons[0] if viewer.persons else viewer.kind, viewer.name or viewer.kind)


def _open(viewer: Rights, row: Row, places: dict[str, int]) -> Open:
    return Open(
        id=row["id"],
        person=row["person"],
        name=row["person_name"],
        space=row["space"],
        team=row["team"],
        model=row["model"],
        provider=row["provider"],
        count=row["count"],
        state=row["state"],
        place=places.get(row["id"], 0),
        prompt=json.loads(row["request"])["prompt"] if may_see(viewer, row) else "",
        private=bool(row["private"]),
        asked=moment(row["created_at"]),
        started=moment(row["started_at"]) if row["started_at"] else None,
        tries=row["tries"],
        stopping=bool(row["cancelled"]),
        stoppable=may_stop(viewer, row) and not row["cancelled"],
    )


def _possible(row: Row, usd: int, after: timedelta) -> Possible:
    ended = moment(row["finished_at"])
    return Possible(
        id=row["id"],
        person=row["person"],
        name=row["person_name"],
        space=row["space"],
        provider=row["provider"],
        model=row["model"],
        usd=usd,
        ended=ended,
        decided=ended + after,
    )

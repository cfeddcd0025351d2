"""The rules of a space (a server, a tenant), as its admins set them: where, for whom, and with which defaults.

They are stored with an audit row for every change, and kept in memory: what has to be decided before a platform's first
answer, or while somebody types, waits for no database.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from bot.clock import moment
from bot.people import Person
from bot.storage.connection import Connection
from bot.storage.database import Database

Change = Callable[["SpaceRules"], "SpaceRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRules:
    """model, size, private ("yes", "no") and language hold for those who chose none; "" where the operator's do.

    rooms: the only ones where something is drawn for all to see; none named: everywhere. log: the room that is told
    what was made, "" for none. blocked: ids of people whose requests are refused, with the names that they had.
    """

    rooms: tuple[str, ...] = ()
    model: str = ""
    size: str = ""
    private: str = ""
    language: str = ""
    log: str = ""
    blocked: Mapping[str, str] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, str]:
        """What is set of the defaults, under the names that a person's own have."""
        named = {"model": self.model, "size": self.size, "private": self.private, "language": self.language}
        return {name: value for name, value in named.items() if value}

    def allows(self, room: str) -> bool:
        """A place without a room is nowhere where a rule could forbid it."""
        return not self.rooms or not room or room in self.rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One change: what it was about (`space model`), and its value before and after."""

    at: datetime
    name: str
    what: str
    before: object
    after: object


NO_RULES = SpaceRules()


@dataclass
class Spaces:
    """All rules, in memory since `load` and as of the last change.

    told: called with a space whose rules have changed.
    """

    database: Database
    told: Callable[[str], object] = lambda space: None
    _rules: dict[str, SpaceRules] = field(default_factory=dict)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)  # what was stored last is what is known

    async def load(self) -> None:
        async with self._changing:
            self._rules = await self.database.read(_all)

    def of(self, space: str) -> SpaceRules:
        """space: `adapter/space`, as in `Person.space`."""
        return self._rules.get(space, NO_RULES)

    async def change(self, space: str, change: Change, *, by: Person, at: int) -> tuple[SpaceRules, bool]:
        """The rules after a change, and whether it changed anything."""
        async with self._changing:
            before, after = await self.database.transaction(change_rules, space, change, by, at)
            self._rules[space] = after
        if before != after:
            self.told(space)
        return after, before != after

    async def audit(self, space: str, most: int) -> list[Audited]:
        """The last changes, the newest first."""
        return await self.database.read(_audited, space, most)


def change_rules(
    connection: Connection, space: str, change: Change, by: Person, at: int
) -> tuple[SpaceRules, SpaceRules]:
    """Rules before and after; every rule that differs leaves an audit row."""
    connection.lock(f"rules of {space}")  # the first change finds no row
    before = rules_of(connection, space)
    after = change(before)
    was, now = asdict(before), asdict(after)
    for name in (each.name for each in fields(SpaceRules)):
        if was[name] != now[name]:
            connection.execute(
                "INSERT INTO audit (at, space, person, name, what, before, after)"
                " VALUES (:at, :space, :person, :name, :what, :before, :after)",
                at=at,
                space=space,
                person=by.id,
                name=by.name,
                what=f"space {name}",
                before=json.dumps(was[name], ensure_ascii=False),
                after=json.dumps(now[name], ensure_ascii=False),
            )
    if was != now:
        connection.execute(
            "INSERT INTO spaces (id, rules) VALUES (:id, :rules) ON CONFLICT (id) DO UPDATE SET rules=:rules",
            id=space,
            rules=json.dumps(now, ensure_ascii=False),
        )
    return before, after


def rules_of(connection: Connection, space: str) -> SpaceRules:
    row = connection.row("SELECT rules FROM spaces WHERE id=:id", id=space)
    return _read(row["rules"]) if row else NO_RULES


def named_rooms(connection: Connection) -> dict[str, list[str]]:
    """The rooms that rules name, of each platform: where it is to draw, and where it keeps its log."""
    found: dict[str, list[str]] = {}
    for space, rules in _all(connection).items():
        rooms = found.setdefault(space.partition("/")[0], [])
        rooms += [room for room in (*rules.rooms, rules.log) if room and room not in rooms]
    return found


def name_of(connection: Connection, adapter: str, user: str) -> str:
    """What a person of a platform is called, "" for one who never asked for anything."""
    row = connection.row(
        "SELECT p.name FROM actors a JOIN people p ON p.id=a.person WHERE a.adapter=:adapter AND a.user_id=:user",
        adapter=adapter,
        user=user,
    )
    return str(row["name"]) if row else ""


def _all(connection: Connection) -> dict[str, SpaceRules]:
    return {row["id"]: _read(row["rules"]) for row in connection.rows("SELECT id, rules FROM spaces")}


def _audited(connection: Connection, space: str, most: int) -> list[Audited]:
    rows = connection.rows(
        "SELECT * FROM audit WHERE space=:space ORDER BY seq DESC LIMIT :most", space=space, most=most
    )
    return [
        Audited(
            at=moment(row["at"]),
            name=row["name"],
            what=row["what"],
            before=json.loads(row["before"]),
            after=json.loads(row["after"]),
        )
        for row in rows
    ]


def _read(stored: str) -> SpaceRules:
    """A rule that a later version added is left out, one that an earlier one did not know is not set."""
    kept = json.loads(stored)
    known = {each.name: kept[each.name] for each in fields(SpaceRules) if each.name in kept}
    return SpaceRules(**{**known, "rooms": tuple(known.get("rooms", ()))})

"""The rules of a space (a server, a tenant), as its admins set them: where, for whom, and with which defaults.

They are stored with an audit row for every change, and kept in memory: what has to be decided before a platform's first
answer, or while somebody types, waits for no database.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from bot.audit import Audited, By, entries, note
from bot.clock import recent
from bot.errors import UsageError
from bot.i18n import text
from bot.people import Person
from bot.storage.connection import Connection
from bot.storage.database import Database

Change = Callable[["SpaceRules"], "SpaceRules"]


@dataclass(frozen=True, slots=True)
class WordRule:
    """words: a word or phrase in which `*` stands for any letters, or a pattern `/…/`.

    verdict: "allow", "refuse" or "review", for requests that contain it.
    """

    words: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRules:
    """model, size, private ("yes", "no") and language hold for those who chose none; "" where the operator's do.

    rooms: the only ones where something is drawn for all to see; none named: everywhere. log: the room that is told
    what was made, "" for none. blocked: ids of people whose requests are refused, with the names that they had.

    zone: where its days begin, "" for the bot's own. zones: every (zone, micros since when), the newest last; before
    the first one it was the bot's. models: the only ones that may be used; none named: all. watermark: "always",
    "never", or "" where whoever asks decides. review: the room where results are looked at before anybody sees them,
    "" for none; review_all: every result, and not only those of words that are to be reviewed. alerts: the room that
    is told when something runs short, "" for none. digest: "weekly" or "".
    """

    rooms: tuple[str, ...] = ()
    model: str = ""
    size: str = ""
    private: str = ""
    language: str = ""
    log: str = ""
    blocked: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    zones: tuple[tuple[str, int], ...] = ()
    words: tuple[WordRule, ...] = ()
    models: tuple[str, ...] = ()
    watermark: str = ""
    review: str = ""
    review_all: bool = False
    alerts: str = ""
    digest: str = ""

    @property
    def defaults(self) -> dict[str, str]:
        """What is set of the defaults, under the names that a person's own have."""
        named = {"model": self.model, "size": self.size, "private": self.private, "language": self.language}
        return {name: value for name, value in named.items() if value}

    def allows(self, room: str) -> bool:
        """A place without a room is nowhere where a rule could forbid it."""
        return not self.rooms or not room or room in self.rooms

    @property
    def moderation(self) -> tuple[object, ...]:
        """What decides whether something may be made, and who may see it when."""
        marks = (self.words, self.models, self.watermark, self.review, self.review_all)
        return (*marks, self.rooms, set(self.blocked))


NO_RULES = SpaceRules()


class RulesChanged(UsageError):
    """Somebody changed them between the moment when a request was checked by them and the one when it is accepted."""

    def __init__(self) -> None:
        super().__init__(text("The rules here have just changed. Please ask again."))


Follow = Callable[[Connection, str, SpaceRules, SpaceRules, By, int], None]
"""Given the space, its rules before and after, who changed them and when."""


@dataclass
class Spaces:
    """All rules, in memory since `load` and as of the last change.

    told: called with a space whose rules have changed. follow: does what a change brings with it, in its transaction.
    """

    database: Database
    told: Callable[[str], object] = lambda space: None
    follow: Follow = lambda connection, space, before, after, by, at: None
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
            before, after = await self.database.transaction(change_rules, space, change, by, at, self.follow)
            self._rules[space] = after
        if before != after:
            self.told(space)
        return after, before != after

    async def audit(self, space: str, most: int) -> list[Audited]:
        """The last changes, the newest first."""
        return await self.database.read(entries, space, most)


def change_rules(
    connection: Connection, space: str, change: Change, by: Person, at: int, follow: Follow | None = None
) -> tuple[SpaceRules, SpaceRules]:
    """Rules before and after; every rule that differs leaves an audit row."""
    connection.lock(f"rules of {space}")  # the first change finds no row
    before = rules_of(connection, space)
    after = _noting_zone(before, change(before), at)
    was, now = asdict(before), asdict(after)
    for name in (each.name for each in fields(SpaceRules)):
        if was[name] != now[name] and name != "zones":  # which follows from the zone
            note(connection, space, By(by.id, by.name), f"space {name}", was[name], now[name], at)
    if was != now:
        connection.execute(
            "INSERT INTO spaces (id, rules) VALUES (:id, :rules) ON CONFLICT (id) DO UPDATE SET rules=:rules",
            id=space,
            rules=json.dumps(now, ensure_ascii=False),
        )
        if follow is not None:
            follow(connection, space, before, after, By(by.id, by.name), at)
    return before, after


def check_same(stored: str, checked: SpaceRules) -> None:
    """Raises `RulesChanged` where what is stored ("" for nothing) is not what a request was checked by."""
    if (read(stored) if stored else NO_RULES).moderation != checked.moderation:
        raise RulesChanged


def rules_of(connection: Connection, space: str) -> SpaceRules:
    row = connection.row("SELECT rules FROM spaces WHERE id=:id", id=space)
    return read(row["rules"]) if row else NO_RULES


def named_rooms(connection: Connection) -> dict[str, list[str]]:
    """The rooms that rules name, of each platform: where it is to draw, and where it tells admins something."""
    found: dict[str, list[str]] = {}
    for space, rules in _all(connection).items():
        rooms = found.setdefault(space.partition("/")[0], [])
        named = (*rules.rooms, rules.log, rules.review, rules.alerts)
        rooms += [room for room in named if room and room not in rooms]
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
    return {row["id"]: read(row["rules"]) for row in connection.rows("SELECT id, rules FROM spaces")}


def _noting_zone(before: SpaceRules, after: SpaceRules, at: int) -> SpaceRules:
    """With the zone's own history, of which only the newest of all that are long past can still count."""
    if after.zone == before.zone:
        return after
    return replace(after, zones=recent((*before.zones, (after.zone, at)), at))


def read(stored: str) -> SpaceRules:
    """As stored: a rule that a later version added is left out, one that an earlier one did not know is not set."""
    kept = json.loads(stored)
    known = {each.name: kept[each.name] for each in fields(SpaceRules) if each.name in kept}
    for name in ("rooms", "models"):
        known[name] = tuple(known.get(name, ()))
    known["zones"] = tuple((zone, since) for zone, since in known.get("zones", ()))
    known["words"] = tuple(WordRule(**rule) for rule in known.get("words", ()))
    return SpaceRules(**known)

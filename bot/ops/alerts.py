"""Tells those who can do something that a pool runs short, at 50, 80 and 100 %, and so does a provider's own balance.

Once for each period and threshold: the row that says so and the posting that tells it are one transaction. A space's
news go to its alert room, else its log room, else privately to its admins, as far as they are known; a team's to the
alert room of its home, else privately to each owner, else to whoever hears of its home; everybody's, and what the
providers lack, privately to the operators who are named in the settings, and to the log.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot import people
from bot.chat import AccountLine, Reply
from bot.clock import micros, moment
from bot.generation import health, notices
from bot.generation.notices import Receiver
from bot.i18n import Text, text, verbatim
from bot.ops.credits import OPERATORS
from bot.ops.rounds import Rounds
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.quota.limits import amount, window_name
from bot.quota.usage import day_of
from bot.spaces import Spaces
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

THRESHOLDS = (50, 80, 100)
MOST_ADMINS = 5  # are told; a large server has more of them
REMEMBERED = 100_000  # crossings that need not be looked up again


@dataclass(frozen=True, slots=True, order=True)
class Crossed:
    """A threshold that a pool has reached in a period."""

    account: str
    unit: str
    window: str
    period: str
    percent: int


@dataclass(frozen=True, slots=True)
class Short:
    """A provider that will not serve for long. credits: what is left, None where its account or key fails."""

    provider: str
    day: str
    credits: int | None


@dataclass(kw_only=True)
class Alerts(Rounds):
    """Use as an asynchronous context manager.

    operators: as (adapter, user). credits: what each provider had when it was asked last, of those that count; low:
    below so many they run short. told: called when there is something to post.
    """

    every = 15.0

    database: Database
    spaces: Spaces
    rules: Callable[[], Rules]
    operators: Collection[tuple[str, str]] = ()
    credits: Callable[[], Mapping[str, int]] = dict
    low: int = 0
    language: str = "en"
    told: Callable[[], object] = lambda: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _known: set[Crossed | Short] = field(default_factory=set)

    async def round(self) -> None:
        rules = self.rules()
        lines = await self.database.read(_pools, rules)
        crossed = {each: line for line in lines for each in _crossed(line) if each not in self._known}
        short = [each for each in await self._short(rules) if each not in self._known]
        if not crossed and not short:
            return
        wanted = await self.database.transaction(self._tell, crossed, short, rules.at)
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known.update(crossed, short)
        if wanted:
            self.told()

    async def _short(self, rules: Rules) -> list[Short]:
        day = day_of(rules.now, rules.zone)
        rests = await self.database.read(health.resting, micros(self.now()))
        dry = [Short(each.provider, day, None) for each in rests if each.reason == OPERATORS]
        return dry + [Short(name, day, left) for name, left in sorted(self.credits().items()) if left < self.low]

    def _tell(
        self, connection: Connection, crossed: Mapping[Crossed, AccountLine], short: Sequence[Short], at: int
    ) -> int:
        """Note what is new, and want it posted; returns how many postings that makes."""
        wanted = 0
        highest: dict[tuple[str, str, str, str], Crossed] = {}
        for each in sorted(crossed):
            if _note(connection, each, at):
                highest[each.account, each.unit, each.window, each.period] = each
        for each in highest.values():
            log.warning("a pool runs short", account=each.account, unit=each.unit, percent=each.percent)
            receivers = self._receivers(connection, each.account, at)
            wanted += _want(connection, receivers, "alert", _said(each, crossed[each]))
        for lacking in short:
            # Once a day for each provider, whatever it has left by then.
            if _note(connection, Crossed(f"provider:{lacking.provider}", "credits", "day", lacking.day, 0), at):
                said = {"provider": lacking.provider, "day": lacking.day, "credits": lacking.credits}
                wanted += _want(connection, self._all_operators(connection), "credits", said)
        return wanted

    def _receivers(self, connection: Connection, account: str, at: int) -> list[Receiver]:
        kind, _, name = account.partition(":")
        if kind == "space":
            return self._of_space(connection, name, at)
        if kind == "team":
            team = connection.row("SELECT space FROM teams WHERE id=:id", id=name)
            home = str(team["space"]) if team else ""
            return (
                self._room(connection, home, self.spaces.of(home).alerts)
                or self._owners(connection, name)
                or self._of_space(connection, home, at)
            )
        return self._all_operators(connection)

    def _of_space(self, connection: Connection, space: str, at: int) -> list[Receiver]:
        rules = self.spaces.of(space)
        return (
            self._room(connection, space, rules.alerts or rules.log)
            or self._each_privately(connection, people.admins_of(connection, space, at))[:MOST_ADMINS]
        )

    def _room(self, connection: Connection, space: str, room: str) -> list[Receiver]:
        found = notices.room_in(connection, space, room, self.spaces.of(space).language or self.language)
        return [found] if found else []

    def _owners(self, connection: Connection, team: str) -> list[Receiver]:
        rows = connection.rows(
            "SELECT DISTINCT m.person, p.linked FROM team_members m JOIN people p ON p.id=m.person"
            " WHERE m.team=:team AND m.role='owner' ORDER BY m.person",
            team=team,
        )
        humans: dict[str, set[str]] = {}
        for row in rows:
            humans.setdefault(row["linked"] or row["person"], set()).add(row["person"])
        return self._each_privately(connection, humans.values())

    def _all_operators(self, connection: Connection) -> list[Receiver]:
        persons = set()
        for adapter, user in self.operators:
            row = connection.row(
                "SELECT person FROM actors WHERE adapter=:adapter AND user_id=:user", adapter=adapter, user=user
            )
            if row:
                persons.add(str(row["person"]))
        return self._each_privately(connection, [(person,) for person in sorted(persons)])

    def _each_privately(self, connection: Connection, humans: Iterable[Collection[str]]) -> list[Receiver]:
        """humans: the accounts of each."""
        found = [notices.privately(connection, persons, self.language) for persons in humans]
        return [each for each in found if each]


def kinds(database: Database) -> dict[str, notices.Words]:
    """What puts these notices into words."""

    async def alert(said: Mapping[str, Any]) -> Reply:
        return _alerted(said, await database.read(_named, said["account"], private=bool(said["private"])))

    async def credits(said: Mapping[str, Any]) -> Reply:
        return _lacking(said)

    return {"alert": alert, "credits": credits}


def _pools(connection: Connection, rules: Rules) -> list[AccountLine]:
    """The limited pools that were used today or yesterday: no other can have reached anything since."""
    rows = connection.rows(
        "SELECT DISTINCT space, team FROM usage_days WHERE day>=:since",
        since=day_of(rules.now - timedelta(days=1), rules.zone),
    )
    if not rows:
        return []
    names = {"all", *(f"space:{row['space']}" for row in rows), *(f"team:{row['team']}" for row in rows if row["team"])}
    return [line for line in ledger.account_lines(connection, sorted(names), rules) if line.limit]


def _crossed(line: AccountLine) -> list[Crossed]:
    """What is only held may still be given back, so it does not count."""
    limit = line.limit or 0
    return [
        Crossed(line.account, line.unit, line.window, line.period, percent)
        for percent in THRESHOLDS
        if line.used * 100 >= limit * percent
    ]


def _note(connection: Connection, crossed: Crossed, at: int) -> bool:
    """False where it was noted before."""
    return bool(
        connection.execute(
            "INSERT INTO alerts (account, unit, win, period, percent, at)"
            " VALUES (:account, :unit, :window, :period, :percent, :at) ON CONFLICT DO NOTHING",
            account=crossed.account,
            unit=crossed.unit,
            window=crossed.window,
            period=crossed.period,
            percent=crossed.percent,
            at=at,
        )
    )


def _want(connection: Connection, receivers: Sequence[Receiver], kind: str, said: Mapping[str, Any]) -> int:
    return sum(notices.want(connection, each, kind, said) for each in receivers)


def _said(crossed: Crossed, line: AccountLine) -> dict[str, Any]:
    return {
        "account": crossed.account,
        "unit": crossed.unit,
        "window": crossed.window,
        "period": crossed.period,
        "percent": crossed.percent,
        "used": line.used,
        "limit": line.limit,
        "resets": micros(line.resets) if line.resets else 0,
    }


def _named(connection: Connection, account: str, *, private: bool) -> Text:
    """private: told to one person, wherever they last asked, which may be in another space."""
    kind, _, name = account.partition(":")
    match kind:
        case "team":
            row = connection.row("SELECT name FROM teams WHERE id=:id", id=name)
            return text("Team {name}", name=verbatim(row["name"] if row else name))
        case "space":
            return text("Space {space}", space=name) if private else text("This space")
    return text("Everyone")


def _alerted(said: Mapping[str, Any], account: Text) -> Reply:
    values = {
        "account": account,
        "percent": said["used"] * 100 // said["limit"],
        "used": amount(said["unit"], said["used"]),
        "limit": amount(said["unit"], said["limit"]),
        "window": window_name(said["window"]),
    }
    words = text("{account}: {percent} % of {limit} {window} is used ({used}).", **values)
    if said["percent"] == 100:
        words = text("{account}: all of {limit} {window} is used, and nothing more is made for now.", **values)
    notes = [text("/usage person shows who used it.")]
    if said["resets"]:
        notes.insert(0, text("It starts anew at {resets}.", resets=moment(said["resets"])))
    return Reply(text=words, notes=tuple(notes))


def _lacking(said: Mapping[str, Any]) -> Reply:
    values = {"provider": said["provider"], "credits": said["credits"]}
    if said["credits"] is None:
        return Reply(text=text("{provider} takes no requests: look at its key, and at what is left there.", **values))
    return Reply(text=text("{provider} runs short: {credits} credits are left there.", **values))

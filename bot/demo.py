"""The demonstration: people to talk as, and switches that make a provider's bad day and the next month visible.

A data folder that a demonstration made is marked, and is good for nothing else.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from bot.chat import Actor
from bot.clock import Clock
from bot.people import find
from bot.providers.sandbox.server import Sandbox
from bot.quota import ledger, standing
from bot.quota.limits import of_person
from bot.quota.standing import Payer, Rules
from bot.quota.windows import periods, resets
from bot.storage.connection import Connection
from bot.storage.database import Database

PEOPLE = ("alice", "bob", "carol")
ADMIN, EMPTY = "alice", "carol"
CAROLS = 5  # pictures a month, all of them spent
FAULTS = ("busy", "failing", "refuse_words", "refuse_result", "slow", "silent")


def is_demo(connection: Connection) -> bool:
    return connection.row("SELECT 1 FROM meta WHERE name='demo'") is not None


def is_used(connection: Connection) -> bool:
    """Somebody has asked for something here."""
    return connection.row("SELECT 1 FROM people LIMIT 1") is not None


def prepare(connection: Connection, people: list[Actor], rules: Rules) -> None:
    """Mark the folder, make the people, and see to it that carol has nothing left this month."""
    connection.execute("INSERT INTO meta (name, value) VALUES ('demo', '1') ON CONFLICT (name) DO NOTHING")
    known = {actor.user: find(connection, actor, rules.at) for actor in people}
    carol = known[EMPTY]
    ledger.set_limit(connection, of_person(carol.id).name, "images", "month", CAROLS)
    _spend_all(connection, Payer(person=carol.id, space=carol.space), rules)


def clock_offset(connection: Connection) -> timedelta:
    row = connection.row("SELECT value FROM meta WHERE name='clock'")
    return timedelta(seconds=float(row["value"])) if row else timedelta()


def _spend_all(connection: Connection, payer: Payer, rules: Rules) -> None:
    """An ordinary hold and settlement of what is left, so that the books stay true; at most once a day.

    On the person's own account alone: nobody else is to have less for it.
    """
    account = of_person(payer.person)
    key = f"opening:{account.name}:{periods(rules.now, rules.zone)['day']}"
    lines = ledger.account_lines(connection, (account.name,), rules)
    left = min(line.left for line in lines if line.unit == "images" and line.left is not None)
    if left and connection.row("SELECT 1 FROM holds WHERE generation=:key", key=key) is None:
        amounts = {"images": left, "usd": 0}
        own = replace(standing.of(connection, payer, rules), accounts=(account,), grants=())
        ledger.take(connection, key, own, amounts, rules)
        ledger.settle(connection, key, amounts, rules.at, reason="spent before the demonstration")


class Controls:
    """The switches on the page, for an admin."""

    def __init__(self, *, sandbox: Sandbox | None, clock: Clock, zone: str, database: Database) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._zone = zone
        self._database = database

    @property
    def fault(self) -> str:
        if self._sandbox is None:
            return "none"
        return next((name for name in FAULTS if getattr(self._sandbox.faults, name)), "none")

    @fault.setter
    def fault(self, name: str) -> None:
        if self._sandbox is None:
            return
        self._sandbox.faults.clear()
        if name in FAULTS:
            setattr(self._sandbox.faults, name, True)

    def now(self) -> datetime:
        return self._clock()

    async def shift_clock(self, to: Literal["day", "month", "now"]) -> None:
        """Forward to the beginning of the next day or month, or back to the true time; it outlives a restart."""
        if to == "now":
            self._clock.offset = timedelta()
        else:
            start = resets(to, self._clock(), self._zone)
            if start is not None:
                self._clock.offset += start - self._clock() + timedelta(seconds=1)
        await self._database.transaction(_keep_offset, self._clock.offset.total_seconds())


def _keep_offset(connection: Connection, seconds: float) -> None:
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('clock', :value) ON CONFLICT (name) DO UPDATE SET value=:value",
        value=str(seconds),
    )

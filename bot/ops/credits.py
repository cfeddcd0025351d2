"""What an operator must know of the providers before people do: credits that run out, a key or account that fails."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from bot.clock import micros
from bot.generation import health
from bot.generation.health import Resting
from bot.ops.rounds import Rounds
from bot.providers.base import Probed, Provider
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

ASK_EVERY = timedelta(minutes=15)
PATIENCE = 15.0
OPERATORS = "misconfigured"  # the kind of an error that only the operator can cure; an empty account is one


@dataclass(kw_only=True)
class Credits(Rounds):
    """Use as an asynchronous context manager. counting: the providers that count in credits; asking them is free.

    low: below so many a warning is logged. left: what each had when it was asked last.
    now: the machine's own time, as a provider's rest is.
    """

    every = 30.0

    database: Database
    counting: Mapping[str, Provider]
    low: int
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    left: dict[str, int] = field(default_factory=dict)
    _ask_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))
    _failures: dict[str, int] = field(default_factory=dict)
    _rests: dict[str, int] = field(default_factory=dict)

    async def round(self) -> None:
        now = self.now()
        rests, failures = await self.database.read(_troubles, micros(now))
        self._report(rests, micros(now))
        due = set(self.counting) if self._ask_at <= now else set()
        # An account that has just run dry fails like this; its operator should not wait a quarter of an hour.
        due |= {name for name in self.counting if failures.get(name, 0) > self._failures.get(name, 0)}
        self._failures = failures
        if self._ask_at <= now:
            self._ask_at = now + ASK_EVERY
        async with asyncio.TaskGroup() as group:
            for name in sorted(due):
                group.create_task(self._ask(name))

    def _report(self, rests: tuple[Resting, ...], now: int) -> None:
        for rest in rests:
            if rest.reason != OPERATORS:
                continue
            if self._rests.get(rest.provider, 0) <= now:
                log.error("operator must look", provider=rest.provider, reason=rest.reason)
            self._rests[rest.provider] = rest.until  # it may have been prolonged: that is still the same rest

    async def _ask(self, name: str) -> None:
        told = await probe(self.counting[name])
        if told.credits is None:
            log.warning("provider credits are unknown", provider=name, told=told.told)
            return
        self.left[name] = told.credits
        tell = log.warning if told.credits < self.low else log.info
        tell("provider credits", provider=name, credits=told.credits)


async def probe(provider: Provider) -> Probed:
    """The provider's free question, with an end."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await provider.probe()
    except TimeoutError:
        return Probed(well=False, told=f"no answer within {PATIENCE:g} seconds")


def _troubles(connection: Connection, now: int) -> tuple[tuple[Resting, ...], dict[str, int]]:
    """Who rests, and how often in a row each failed that only the operator can cure."""
    failing = connection.rows("SELECT provider, failures FROM provider_health WHERE reason=:reason", reason=OPERATORS)
    return health.resting(connection, now), {row["provider"]: int(row["failures"]) for row in failing}

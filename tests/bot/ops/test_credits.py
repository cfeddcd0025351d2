"""What the operator reads in the log before people notice: credits that run out, a provider that needs a hand."""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.clock import micros
from bot.ops.credits import Credits
from bot.providers.base import Probed
from bot.storage.database import Database
from tests.fakes import FakeClock, FakeProvider

Lines = list[MutableMapping[str, Any]]


@dataclass
class Counting(FakeProvider):
    """Says how many credits are left, None for no answer."""

    name: str = "apiframe"
    credits: int | None = 500
    probes: list[int | None] = field(default_factory=list)

    async def probe(self) -> Probed:
        self.probes.append(self.credits)
        return Probed(well=self.credits is not None, told="no connection to apiframe", credits=self.credits)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def provider() -> Counting:
    return Counting()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def credits(database: Database, provider: Counting, clock: FakeClock) -> Credits:
    return Credits(database=database, counting={"apiframe": provider}, low=100, now=clock)


async def fails(database: Database, clock: FakeClock, reason: str, *, failures: int, rests: float = 0) -> None:
    """As many failures in a row, the last of this kind; rests: seconds that it is left alone from now on."""
    until = micros(clock() + timedelta(seconds=rests)) if rests else 0
    await database.transaction(
        lambda connection: connection.execute(
            "INSERT INTO provider_health (provider, failures, until, reason, changed_at)"
            " VALUES ('apiframe', :failures, :until, :reason, 0) ON CONFLICT (provider)"
            " DO UPDATE SET failures=:failures, until=:until, reason=:reason",
            failures=failures,
            until=until,
            reason=reason,
        )
    )


def events(lines: Lines, event: str) -> Lines:
    return [line for line in lines if line["event"] == event]


async def test_credits_are_told_at_the_start_and_every_quarter_of_an_hour(
    credits: Credits, provider: Counting, clock: FakeClock, lines: Lines
) -> None:
    for _ in range(61):
        await credits.round()
        clock.forward(seconds=30)

    assert provider.probes == [500] * 3
    assert lines[0] == {"event": "provider credits", "provider": "apiframe", "credits": 500, "log_level": "info"}
    assert credits.left == {"apiframe": 500}


@pytest.mark.parametrize(("left", "level"), [(100, "info"), (99, "warning"), (0, "warning")])
async def test_few_credits_are_a_warning(
    credits: Credits, provider: Counting, lines: Lines, left: int, level: str
) -> None:
    provider.credits = left
    await credits.round()

    assert [line["log_level"] for line in lines] == [level]


async def test_a_provider_that_does_not_tell_leaves_what_was_known(
    credits: Credits, provider: Counting, clock: FakeClock, lines: Lines
) -> None:
    await credits.round()
    provider.credits = None
    clock.forward(minutes=15)
    await credits.round()

    assert credits.left == {"apiframe": 500}
    assert events(lines, "provider credits are unknown")[0]["told"] == "no connection to apiframe"


@pytest.mark.parametrize(("reason", "asked"), [("misconfigured", 2), ("busy", 1)])
async def test_a_refusal_for_want_of_credits_makes_it_ask_at_once(
    credits: Credits, provider: Counting, clock: FakeClock, database: Database, reason: str, asked: int
) -> None:
    await credits.round()
    await fails(database, clock, reason, failures=1)
    clock.forward(seconds=30)
    await credits.round()
    clock.forward(seconds=30)
    await credits.round()

    assert len(provider.probes) == asked


async def test_the_operator_is_called_once_for_each_rest(
    credits: Credits, clock: FakeClock, database: Database, lines: Lines
) -> None:
    async def called() -> int:
        await credits.round()
        return len(events(lines, "operator must look"))

    await fails(database, clock, "misconfigured", failures=2)
    assert await called() == 0
    await fails(database, clock, "misconfigured", failures=3, rests=30)
    assert await called() == 1
    clock.forward(seconds=20)
    await fails(database, clock, "misconfigured", failures=4, rests=60)  # prolonged, while it lasts
    assert await called() == 1
    clock.forward(seconds=50)
    assert await called() == 1
    clock.forward(seconds=20)
    await fails(database, clock, "misconfigured", failures=5, rests=120)
    assert await called() == 2
    assert events(lines, "operator must look")[0]["log_level"] == "error"


async def test_a_busy_provider_is_nothing_to_call_the_operator_for(
    credits: Credits, clock: FakeClock, database: Database, lines: Lines
) -> None:
    await fails(database, clock, "busy", failures=3, rests=30)
    await credits.round()

    assert events(lines, "operator must look") == []

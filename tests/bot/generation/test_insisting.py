"""What a runner has is written down however long that takes, and what nobody wants any more is not sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.errors import OutcomeUnknown
from bot.generation import queue, settling
from bot.generation.queue import Capacity
from bot.generation.states import JobState, State
from bot.providers.base import Job, Prepared, Produced
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.bot.storage.cable import until
from tests.fakes import DONE, FakeBlobs, FakeProvider, Make, Ticket, Wait


@dataclass
class StuckBlobs(FakeBlobs):
    """Nobody can fetch anything from it."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def copy_to(self, key: str, file: Path) -> None:
        self.asked.set()
        await asyncio.Event().wait()


@asynccontextmanager
async def running(core: Core, **wanted: Any) -> AsyncIterator[str]:
    """A request that is being run, until the end of the block, by which it has ended."""
    generation = await core.accepted(**wanted)
    (mine,) = await core.admitted()
    task = asyncio.create_task(core.runner.run(mine))
    yield generation
    async with asyncio.timeout(60):
        await task


async def test_a_cancel_reaches_one_whose_references_are_fetched(database: Database, tmp_path: Path) -> None:
    core = Core(database=database, folder=tmp_path, blobs=(blobs := StuckBlobs()))
    async with running(core, references=(await core.stored(),)) as generation:
        await blobs.asked.wait()
        await core.service.cancel(generation, await core.person())

    assert (await core.load(generation)).state is State.CANCELLED
    assert core.provider.asked == []
    await core.nothing_is_held()


async def test_a_cancel_reaches_one_that_is_being_prepared(database: Database, tmp_path: Path) -> None:
    core = Core(database=database, folder=tmp_path, provider=FakeProvider(idempotent=600))
    core.provider.scripts.append((Wait(asyncio.Event()),))
    async with running(core) as generation:
        await until(lambda: bool(core.provider.asked))
        await core.service.cancel(generation, await core.person())

    assert (await core.load(generation)).state is State.CANCELLED
    await core.nothing_is_held()


async def test_what_was_prepared_when_the_cancel_came_is_not_sent(database: Database, tmp_path: Path) -> None:
    core = Core(database=database, folder=tmp_path, provider=FakeProvider(idempotent=600))
    sent = []

    async def cancel(job: Job) -> None:
        await core.service.cancel(job.id.partition(":")[0], await core.person())

    async def send(job: Job) -> None:
        sent.append(job)

    core.provider.scripts.append((cancel, Prepared("what is sent"), send, Make(), DONE))
    async with running(core) as generation:
        pass

    assert sent == []
    assert (await core.load(generation)).state is State.CANCELLED
    await core.nothing_is_held()


async def test_a_cancel_reaches_one_that_waits_for_the_pace_of_its_provider(database: Database, tmp_path: Path) -> None:
    slow = Capacity(per_person=50, running=50, images_per_minute=1)
    core = Core(database=database, folder=tmp_path, capacity=slow)
    await core.run()
    # As if it had been admitted in time, and held up since.
    await core.database.transaction(_forget_admissions)
    async with running(core) as generation:
        await core.service.cancel(generation, await core.person())

    assert (await core.load(generation)).state is State.CANCELLED
    assert core.provider.paid == 1
    await core.nothing_is_held()


async def test_what_is_paid_is_kept_although_it_was_cancelled(core: Core) -> None:
    core.provider.scripts.append((Ticket("a ticket"), Wait(go := asyncio.Event()), Make(), DONE))
    async with running(core) as generation:
        await until(lambda: bool(core.provider.asked))
        await core.service.cancel(generation, await core.person())
        go.set()

    found = await core.load(generation)
    assert (found.state, len(found.images)) == (State.SETTLED, 1)


async def test_a_request_that_is_sent_in_a_crowd_waits_for_its_turn(database: Database, tmp_path: Path) -> None:
    core = Core(
        database=database, folder=tmp_path, capacity=Capacity(per_person=50, running=50, images_per_minute=1200)
    )
    for _ in range(2):  # as if it had all been admitted long ago
        for _ in range(20):
            await core.accepted()
        await core.database.transaction(_forget_admissions)
        admitted = await core.admitted()
        await asyncio.gather(*(core.runner.run(mine) for mine in admitted))

    sent = sorted(row["sent_at"] for row in await database.fetch("SELECT sent_at FROM jobs"))
    assert len(sent) == core.provider.paid == 40
    assert sent[-1] - sent[0] >= 20 * 60_000_000 // (1200 - queue.BURST + 1)


def _forget_admissions(connection: Connection) -> None:
    connection.execute("DELETE FROM rates WHERE provider='sandbox'")


REPEATED = {
    "prepared": lambda connection, mine, made: settling.prepared(connection, mine, 0, "what was sent"),
    "submitted": lambda connection, mine, made: settling.submitted(connection, mine, 0, "ticket", 0),
    "produced": lambda connection, mine, made: settling.produced(connection, mine, 0, 0, made, "b" * 64, 1, 1, 0),
    "end_job": lambda connection, mine, made: settling.end_job(
        connection, mine, 0, JobState.UNKNOWN, OutcomeUnknown(), 1, 0
    ),
    "ready again": lambda connection, mine, made: settling.end_job(connection, mine, 0, JobState.READY, None, 0, 0),
    "put_back": lambda connection, mine, made: settling.put_back(connection, mine, 0, 0),
    "conclude": lambda connection, mine, made: settling.conclude(connection, mine, 0),
}
TABLES = ("generations", "jobs", "images", "blobs", "events", "holds", "entries", "balances", "postings")


@pytest.mark.parametrize("step", REPEATED)
async def test_what_was_done_may_be_done_again(core: Core, tmp_path: Path, step: str) -> None:
    await core.accepted()
    (mine,) = await core.admitted()
    assert await core.database.transaction(settling.sending, mine, 0, "sandbox", 0)
    made = Produced(0, tmp_path, "image/png", 1, 1)

    async def everything() -> list[Any]:
        return [[tuple(row) for row in await core.database.fetch(f"SELECT * FROM {table}")] for table in TABLES]

    await core.database.transaction(REPEATED[step], mine, made)
    once = await everything()
    await core.database.transaction(REPEATED[step], mine, made)
    assert await everything() == once


class Forgetful:
    """A database that does each of these steps once more than it says: the first answer is lost."""

    def __init__(self, database: Database, steps: set[str]) -> None:
        self._database = database
        self.steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def transaction(self, function: Any, *given: Any, **named: Any) -> Any:
        result = await self._database.transaction(function, *given, **named)
        if function.__name__ in self.steps:
            self.steps.remove(function.__name__)
            raise self._database.passing[0]("the connection is lost")
        return result


@pytest.mark.slow
async def test_whatever_answer_is_lost_it_is_paid_once_and_noted_once(database: Database, tmp_path: Path) -> None:
    steps = {"take_up", "sending", "submitted", "produced", "worked", "end_job", "conclude"}
    forgetful = Forgetful(database, set())
    core = Core(database=forgetful, folder=tmp_path)  # type: ignore[arg-type]
    core.provider.scripts.append((Ticket("a ticket"), Make(), DONE))
    forgetful.steps = steps
    generation = await core.run()

    assert steps == set()
    assert (generation.state, generation.charged, core.provider.paid) == (State.SETTLED, 1, 1)
    happened = [kind for kind in await core.happened(generation.id) if kind not in ("sending", "job ready")]
    assert happened == ["accepted", "admitted", "submitted", "produced", "job done", "settled"]
    await core.nothing_is_held()

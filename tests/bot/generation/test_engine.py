"""Workers of several processes over one PostgreSQL database: each generation is run once, whoever dies."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from bot.generation import engine, queue
from bot.generation.engine import SharedWorkers
from bot.generation.queue import Admitted, Capacity
from bot.generation.resuming import MOST_ATTEMPTS
from bot.generation.states import ENDED, State, listed
from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import WIDE, Core
from tests.bot.storage.cable import Cable, until
from tests.fakes import DONE, Make, Ticket, Wait
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks, pytest.mark.slow]

SECOND = 1_000_000
SHORT = 4 * SECOND  # a lease that a test can wait for


@dataclass
class Ran:
    """Runs generations by the real runner, and notes which. held: those that wait before they begin."""

    core: Core
    ran: list[Admitted] = field(default_factory=list)
    hold: Callable[[int], bool] = lambda number: False
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, mine: Admitted) -> None:
        self.ran.append(mine)
        if self.hold(len(self.ran)):
            await self.go.wait()
        await self.core.runner.run(mine)


@dataclass
class Site:
    """Where several work on one database. Each has its own provider, which answers at once unless told otherwise."""

    url: str
    folder: Path
    stack: AsyncExitStack
    cores: list[Core] = field(default_factory=list)

    async def core(self, url: str = "", capacity: Capacity = WIDE) -> Core:
        folder = self.folder / str(len(self.cores))
        folder.mkdir()
        database = await self.stack.enter_async_context(PostgresDatabase(url or self.url))
        core = Core(database=database, folder=folder, capacity=capacity, most_waiting=100_000)
        self.cores.append(core)
        return core

    def workers(self, core: Core, **changed: Any) -> tuple[SharedWorkers, Ran]:
        ran = Ran(core)
        given: dict[str, Any] = {
            "database": core.database,
            "run": ran,
            "capacity": core.capacity,
            "owner": f"worker {len(self.cores)}",
            "patience": 10.0,
            "line_moved": lambda: None,
            "clock": core.clock,
            "url": self.url,
            **changed,
        }
        return SharedWorkers(**given), ran

    async def at_work(self, capacity: Capacity = WIDE, **changed: Any) -> tuple[SharedWorkers, Ran]:
        """One more, until the test is over."""
        workers, ran = self.workers(await self.core(capacity=capacity), **changed)
        return await self.stack.enter_async_context(workers), ran


@pytest_asyncio.fixture
async def site(emptied: Emptied, tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        yield Site(emptied(), tmp_path, stack)


async def ended(core: Core) -> bool:
    return not await core.database.fetch(f"SELECT 1 FROM generations WHERE state NOT IN ({listed(ENDED)}) LIMIT 1")


async def all_end(core: Core) -> None:
    await until(lambda: ended(core))


async def no_job_is_left(core: Core) -> None:
    async def gone() -> bool:
        return not await core.database.fetch("SELECT 1 FROM procrastinate_jobs")

    await until(gone)


async def end_connections(core: Core) -> None:
    def end(connection: Connection) -> None:
        connection.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname=current_database() AND pid<>pg_backend_pid()"
        )

    await core.database.transaction(end)


@asynccontextmanager
async def closed(site: Site) -> AsyncIterator[None]:
    """Nobody is let into the database, and whoever was in it is out."""
    name = urlsplit(site.url).path.removeprefix("/")
    with postgres.connected(site.url, dbname="postgres") as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=%(name)s", {"name": name}
            )
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


@dataclass
class Child:
    """A worker in a process of its own (`engine_child`)."""

    process: Process
    said: list[str] = field(default_factory=list)

    def took(self, generation: str) -> bool:
        return f"took {generation}" in self.said

    def dropped(self, generation: str) -> bool:
        return f"dropped {generation}" in self.said

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line.decode().strip())

    def send(self, number: int) -> None:
        os.kill(self.process.pid, number)


@asynccontextmanager
async def child(site: Site, lease: int = SHORT) -> AsyncIterator[Child]:
    folder = site.folder / "child"
    folder.mkdir()
    command = "-m", "tests.bot.generation.engine_child", site.url, str(folder), "the child", str(lease / SECOND)
    started = Child(await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE))
    listening = asyncio.create_task(started.listen())
    try:
        yield started
    finally:
        if started.process.returncode is None:
            started.process.kill()
            await started.process.wait()
        await listening


# --- who runs what


async def test_what_is_admitted_is_run_once_by_whichever_of_three(site: Site) -> None:
    core = await site.core()
    ids = [await core.accepted(by=f"person {number % 20}") for number in range(200)]
    three = [await site.at_work() for _ in range(3)]
    await all_end(core)

    assert Counter(mine.id for _, each in three for mine in each.ran) == Counter(ids)
    assert sum(each.provider.paid for each in site.cores) == 200
    assert all(each.ran for _, each in three)
    await no_job_is_left(core)
    await core.check_books()


async def test_a_request_is_run_soon_by_workers_that_are_only_told_by_the_database(site: Site) -> None:
    core = await site.core()
    _, ran = await site.at_work()
    for _ in range(3):
        generation = await core.accepted()
        await all_end(core)
        assert (await core.load(generation)).state is State.SETTLED
    assert len(ran.ran) == 3


async def test_whoever_has_many_waiting_delays_nobody_beyond_one_turn(site: Site) -> None:
    capacity = Capacity(per_person=4, running=4, images_per_minute=WIDE.images_per_minute)
    core = await site.core()
    await asyncio.gather(*(core.accepted(by="flooder", event=f"flood {number}") for number in range(1000)))
    two = [await site.at_work(capacity, patience=0) for _ in range(2)]
    await until(lambda: sum(len(ran.ran) for _, ran in two) > 8)
    for number in range(3):
        generation = await core.accepted(by=f"other {number}")

        async def settled(id: str = generation) -> bool:
            return (await core.load(id)).state is State.SETTLED

        await until(settled)
        rows = await core.database.fetch(
            "SELECT seq, kind, generation FROM events WHERE kind IN ('accepted', 'admitted')"
        )
        mine = {row["kind"]: row["seq"] for row in rows if row["generation"] == generation}
        before = [row for row in rows if mine["accepted"] < row["seq"] < mine["admitted"]]
        assert len(before) <= capacity.running
    for workers, _ in two:
        workers.stop_admitting()
    assert (await core.database.fetch("SELECT count(*) AS n FROM generations WHERE state='queued'"))[0]["n"] > 500


async def test_three_that_admit_never_let_more_run_than_may(site: Site) -> None:
    capacity = Capacity(per_person=2, running=5, images_per_minute=WIDE.images_per_minute)
    core = await site.core()
    for number in range(60):
        await core.accepted(by=f"person {number % 6}")
    most: defaultdict[str, int] = defaultdict(int)

    async def look() -> bool:
        rows = await core.database.fetch(
            "SELECT person, count(*) AS n FROM generations WHERE state IN ('running', 'sending', 'submitted')"
            " GROUP BY person"
        )
        most["all"] = max(most["all"], sum(row["n"] for row in rows))
        most["person"] = max(most["person"], *(row["n"] for row in rows), 0)
        return await ended(core)

    for _ in range(3):
        await site.at_work(capacity)
    await until(look)

    assert 1 <= most["all"] <= 5
    assert 1 <= most["person"] <= 2


async def test_the_pace_of_a_provider_is_kept_by_all_together_even_where_runners_were_held_up(site: Site) -> None:
    capacity = Capacity(per_person=100, running=100, images_per_minute=600)
    core = await site.core(capacity=capacity)
    for number in range(80):
        await core.accepted(by=f"person {number % 20}")
    three = [await site.at_work(capacity) for _ in range(3)]
    for _, ran in three:  # what was admitted first is only sent when the rest is on its way
        ran.hold = lambda number: number <= 6
    await until(lambda: sum(len(ran.ran) for _, ran in three) >= 50)
    for _, ran in three:
        ran.go.set()
    await all_end(core)

    sent = sorted(row["sent_at"] for row in await core.database.fetch("SELECT sent_at FROM jobs"))
    gap = 60_000_000 / (600 - queue.BURST + 1)
    assert len(sent) == 80
    for first in range(80):
        for last in range(first, 80):
            assert last - first + 1 <= queue.BURST + (sent[last] - sent[first]) / gap + 0.001


# --- who is gone


async def test_what_a_killed_worker_ran_is_taken_over_by_another(site: Site) -> None:
    core = await site.core()
    generation = await core.accepted()
    async with child(site) as gone:
        await until(lambda: gone.took(generation))
        gone.send(signal.SIGKILL)
        await gone.process.wait()
        _, ran = await site.at_work(lease=SHORT)
        await all_end(core)

    assert ran.ran == [Admitted(generation, 2)]
    assert ran.core.provider.asked[0][1] == "a ticket"  # followed, and not sent again
    assert ran.core.provider.paid == 0
    assert (await core.load(generation)).state is State.SETTLED
    await core.check_books()


async def test_a_worker_that_was_paused_past_its_lease_stops_what_is_no_longer_its_own(site: Site) -> None:
    core = await site.core()
    generation = await core.accepted()
    async with child(site) as paused:
        await until(lambda: paused.took(generation))
        paused.send(signal.SIGSTOP)
        _, ran = await site.at_work(lease=SHORT)
        ran.core.provider.scripts.append((Wait(go := asyncio.Event()), Make(), DONE))
        await until(lambda: bool(ran.ran))
        paused.send(signal.SIGCONT)
        await until(lambda: paused.dropped(generation))
        found = await core.load(generation)
        go.set()
        await all_end(core)

    assert (found.state, found.attempt) == (State.SUBMITTED, 2)
    found = await core.load(generation)
    assert (found.state, found.attempt, found.charged) == (State.SETTLED, 2, 1)
    await core.check_books()


async def test_what_is_left_when_a_worker_stops_is_taken_over_at_once(site: Site) -> None:
    core = await site.core()
    generation = await core.accepted()
    first = await site.core()
    first.provider.scripts.append((Ticket("a ticket"), Wait(asyncio.Event())))
    workers, before = site.workers(first, patience=0)

    async def submitted() -> bool:
        return (await core.load(generation)).state is State.SUBMITTED

    async with workers:
        await until(submitted)
        assert workers.runs(generation)
        assert not workers.runs("another")
    assert not workers.running
    rows = await core.database.fetch("SELECT lease_until FROM generations")
    assert [row["lease_until"] for row in rows] == [0]

    _, after = await site.at_work()
    await all_end(core)
    assert (before.ran, after.ran) == ([Admitted(generation, 1)], [Admitted(generation, 2)])


async def test_a_request_that_nobody_came_for_is_handed_out_again_as_it_was(site: Site) -> None:
    core = await site.core()
    generation = await core.accepted()
    capacity = core.capacity
    now = (await core.database.transaction(lambda connection: connection.now())) - 10**12
    for lost in range(MOST_ATTEMPTS + 5):  # admitted, but its job is lost each time
        moment = now + lost * 10 * queue.LEASE
        assert await core.database.transaction(queue.admit, "", moment, 9, capacity) == [Admitted(generation, 1)]

    _, ran = await site.at_work()
    await all_end(core)
    assert ran.ran == [Admitted(generation, 1)]
    assert (await core.load(generation)).state is State.SETTLED


async def test_a_job_that_is_there_twice_or_late_does_nothing(site: Site) -> None:
    core = await site.core()
    ids = [await core.accepted() for _ in range(3)]
    _, ran = await site.at_work()
    await all_end(core)
    stale = [Admitted(id, attempt) for id in ids for attempt in (1, 1, 2)]
    await core.database.transaction(_defer, stale)
    await no_job_is_left(core)

    assert Counter(ran.ran) == Counter(Admitted(id, 1) for id in ids)


async def test_two_that_come_for_the_same_are_not_both_let(site: Site) -> None:
    core = await site.core()
    await core.accepted()
    (mine,) = await core.database.transaction(queue.admit, "", None, 9, core.capacity)
    came = await asyncio.gather(
        *(core.database.transaction(queue.start, mine, f"worker {number}") for number in range(6))
    )

    assert sorted(came) == [False] * 5 + [True]


async def test_one_that_admits_no_more_takes_no_more_but_ends_what_it_runs(site: Site) -> None:
    core = await site.core()
    first = await core.accepted()
    workers, ran = await site.at_work()
    ran.hold = lambda number: True
    await until(lambda: bool(ran.ran))
    workers.stop_admitting()
    await until(lambda: nobody_fetches(core))
    await core.accepted()
    (mine,) = await core.database.transaction(queue.admit, "", None, 9, WIDE)
    await core.database.transaction(_defer, [mine])
    _, other = await site.at_work()
    await until(lambda: bool(other.ran))
    ran.go.set()
    await all_end(core)

    assert ([each.id for each in ran.ran], other.ran) == ([first], [mine])


async def nobody_fetches(core: Core) -> bool:
    return not await core.database.fetch("SELECT 1 FROM procrastinate_workers")


# --- the database is away


async def test_ended_connections_cost_nobody_anything(site: Site) -> None:
    core = await site.core()
    ids = [await core.accepted(by=f"person {number % 10}") for number in range(90)]
    three = [await site.at_work() for _ in range(3)]
    for done in (10, 30, 50, 70):
        await until(lambda done=done: sum(len(ran.ran) for _, ran in three) >= done)
        await end_connections(core)
    await all_end(core)

    assert Counter(mine.id for _, ran in three for mine in ran.ran) == Counter(ids)
    assert {(await core.load(id)).state for id in ids} == {State.SETTLED}
    assert sum(each.provider.paid for each in site.cores) == 90
    await core.check_books()


async def test_a_picture_that_comes_while_the_database_is_away_is_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 0.1)
    core = await site.core()
    _, ran = await site.at_work()
    generation = await core.accepted()
    ran.core.provider.scripts.append((Wait(go := asyncio.Event()), Make(), DONE))
    await until(lambda: bool(ran.core.provider.asked))
    with capture_logs() as logs:
        async with closed(site):
            go.set()
            await until(lambda: sum(line.get("step") == "produced" for line in logs) >= 2)
            await until(lambda: any("taken from the queue" in line["event"] for line in logs))
        await all_end(core)
        after = await core.accepted()
        await all_end(core)

    assert ran.ran == [Admitted(generation, 1), Admitted(after, 1)]
    assert ran.core.provider.paid == 2
    assert [(await core.load(id)).state for id in (generation, after)] == [State.SETTLED] * 2
    await core.check_books()


async def test_whoever_comes_back_first_after_an_outage_lets_the_others_renew_their_leases(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 0.1)
    core = await site.core()
    generation = await core.accepted()
    (others,) = await core.database.transaction(queue.admit, "another", None, 9, WIDE)
    _, ran = await site.at_work(lease=60 * SECOND)

    def nearly_over(connection: Connection) -> None:
        connection.execute("UPDATE generations SET lease_until=:until", until=connection.now() + 4 * SECOND)

    await core.database.transaction(nearly_over)
    with capture_logs() as logs:
        async with closed(site):
            await until(lambda: sum("could be admitted" in line["event"] for line in logs) > 3)
    late = "SELECT 1 FROM generations WHERE lease_until<:now AND state='running'"
    await until(lambda: core.database.read(lambda connection: bool(connection.rows(late, now=connection.now()))))
    after = await core.accepted()
    await until(lambda: bool(ran.ran))
    kept = await core.database.transaction(queue.renew, [others])

    assert ran.ran == [Admitted(after, 1)]
    assert kept == {generation}


async def test_who_starts_after_an_outage_lets_those_that_live_renew_their_leases(site: Site) -> None:
    core = await site.core()
    await core.accepted()
    (others,) = await core.database.transaction(queue.admit, "another", None, 9, WIDE)

    def run_out(connection: Connection) -> None:
        connection.execute("UPDATE generations SET lease_until=:until", until=connection.now() - 1)

    await core.database.transaction(run_out)
    _, ran = await site.at_work(lease=120 * SECOND)
    after = await core.accepted()
    await until(lambda: bool(ran.ran))
    kept = await core.database.transaction(queue.renew, [others])

    assert ran.ran == [Admitted(after, 1)]
    assert kept == {others.id}


async def test_after_an_outage_that_was_longer_than_all_leases_everybody_keeps_its_own(site: Site) -> None:
    core, lease = await site.core(), 2 * SECOND
    ids = [await core.accepted() for _ in range(8)]
    go = asyncio.Event()
    async with Cable(site.url) as cable:
        for _ in range(2):
            cut_off = await site.core(cable.url)
            cut_off.provider.scripts.extend([(Wait(go), Make(), DONE)] * 8)
            workers, _ = site.workers(cut_off, url=cable.url, lease=lease)
            await site.stack.enter_async_context(workers)
        await until(lambda: sum(each.provider.paid for each in site.cores) == 8)
        cable.cut()

        def run_out(connection: Connection) -> bool:
            return not connection.rows("SELECT 1 FROM generations WHERE lease_until>:now", now=connection.now())

        await until(lambda: core.database.read(run_out))
        go.set()  # what was paid comes while nobody can write it down
        cable.mend()
        await all_end(core)
        await site.stack.aclose()

    async with PostgresDatabase(site.url) as database:
        rows = await database.fetch("SELECT state, attempt, charged FROM generations")
    assert [(row["state"], row["attempt"], row["charged"]) for row in rows] == [("settled", 1, 1)] * len(ids)


# --- the engine's own tables


async def test_jobs_that_a_killed_worker_left_are_swept(site: Site) -> None:
    core = await site.core()

    def leave(connection: Connection) -> None:
        _defer(connection, [Admitted("gone", 1), Admitted("just now", 1), Admitted("waits", 1)])
        connection.execute("UPDATE procrastinate_jobs SET status='doing' WHERE args->>'generation'<>'waits'")
        connection.execute(
            "UPDATE procrastinate_events SET at=at-interval '1 hour'"
            " WHERE job_id IN (SELECT id FROM procrastinate_jobs WHERE args->>'generation'='gone')"
        )
        connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()-interval '1 hour')")

    await core.database.transaction(leave)
    await core.database.transaction(engine._sweep)

    rows = await core.database.fetch("SELECT args->>'generation' AS id FROM procrastinate_jobs ORDER BY id")
    assert [row["id"] for row in rows] == ["just now", "waits"]
    assert await core.database.fetch("SELECT 1 FROM procrastinate_workers") == []


async def test_nothing_stays_of_those_that_came_and_went(site: Site) -> None:
    core = await site.core()
    for _ in range(3):
        await core.accepted()
        workers, _ = site.workers(await site.core())
        async with workers:
            await all_end(core)

    for table in ("jobs", "events", "workers"):
        assert await core.database.fetch(f"SELECT * FROM procrastinate_{table}") == []


def _defer(connection: Connection, admitted: list[Admitted]) -> None:
    for mine in admitted:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('generations', 'generations',"
            " jsonb_build_object('generation', CAST(:id AS TEXT), 'attempt', CAST(:attempt AS BIGINT)))",
            id=mine.id,
            attempt=mine.attempt,
        )

"""Delivery by several processes over one database: each posting by one of them at a time, whoever dies or is paused.

Run by itself (`python -m tests.bot.generation.test_delivery_together`) it is such a process for the tests.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from bot.chat import Invocation, Post, Reply
from bot.generation import accepting, delivery, outbox
from bot.generation.delivery import Delivery
from bot.generation.presenting import present
from bot.generation.record import load
from bot.generation.states import State
from bot.i18n import text
from bot.request import Mode
from bot.storage.connection import Connection, Row
from bot.storage.database import Database, open_database
from tests.bot.generation.core import Core
from tests.crash.waiting import until
from tests.fakes import DONE, FakeAdapter, Make, Step, Wait
from tests.postgres import BOTH, NEEDED

pytestmark = pytest.mark.slow

shared = pytest.mark.parametrize("engine", [pytest.param("postgres", marks=NEEDED)], indirect=True)
both = pytest.mark.parametrize("engine", BOTH, indirect=True)

ROOT = Path(__file__).parents[3]
SECONDS = 60.0  # that anything may take on a busy machine; a paused process may keep a row for half of it


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses twenty times shorter than in real life."""
    for name in ("FIRST_PAUSE", "LOOK_AGAIN", "PLACE_PACE", "TAKEN_PAUSE"):
        monkeypatch.setattr(delivery, name, getattr(delivery, name) / 20)


@dataclass
class By:
    """One process's way to the platform that all share: `posts` are those that it made itself.

    slow: how long it takes there, and back again, at most.
    """

    platform: FakeAdapter
    name: str = "fake"
    pace: float = 0.0
    slow: float = 0.0
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    posts: list[Post] = field(default_factory=list)

    async def post(self, post: Post) -> str:
        self.posts.append(post)
        await asyncio.sleep(self.dice.uniform(0, self.slow))
        message = await self.platform.post(post)
        await asyncio.sleep(self.dice.uniform(0, self.slow))
        return message

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        raise NotImplementedError


@dataclass
class Bus:
    """Processes in one: what one tells, the others hear."""

    others: list["Bus"] = field(default_factory=list)
    heard: dict[str, list[Callable[[str], object]]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)

    def on(self, topic: str, hear: Callable[[str], object]) -> None:
        self.heard.setdefault(topic, []).append(hear)

    def tell(self, topic: str, what: str = "") -> None:
        self.told.append((topic, what))
        for other in self.others:
            for hear in other.heard.get(topic, ()):
                hear(what)

    @classmethod
    def joined(cls, count: int) -> "list[Bus]":
        buses = [cls() for _ in range(count)]
        for bus in buses:
            bus.others = [other for other in buses if other is not bus]
        return buses


def another(core: Core, adapter: By | FakeAdapter, owner: str, **more: Any) -> Delivery:
    """The delivery of one more process."""
    fields: dict[str, Any] = {
        "database": core.database,
        "adapters": {"fake": adapter},
        "present": core._show,
        "present_log": core.delivery.present_log,
        **more,
    }
    return Delivery(owner=owner, **fields)


async def row(core: Core, generation: str) -> dict[str, Any]:
    (found,) = await core.database.fetch("SELECT * FROM postings WHERE generation=:id", id=generation)
    return dict(found)


async def until_row(core: Core, generation: str, **wanted: Any) -> dict[str, Any]:
    """The posting's row as soon as it says this."""
    async with asyncio.timeout(SECONDS):
        while not wanted.items() <= (found := await row(core, generation)).items():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    return found


# --- each once


@shared
async def test_two_workers_post_three_hundred_once_each(core: Core) -> None:
    ids = [await core.accepted(by=f"person {number % 60}") for number in range(300)]
    ways = [By(core.adapter, slow=0.02, dice=random.Random(seed)) for seed in range(2)]
    one, two = (another(core, way, str(number), leads=lambda: False) for number, way in enumerate(ways))
    async with one, two:
        await core.adapter.until(lambda: len(core.adapter.messages) == len(ids), seconds=2 * SECONDS)

    assert sorted(post.key for way in ways for post in way.posts) == sorted(map(outbox.own_key, ids))
    assert all(way.posts for way in ways)
    rows = await core.database.fetch("SELECT DISTINCT state, lease_until, tried_at FROM postings")
    assert [tuple(dict(each).values()) for each in rows] == [("posted", 0, 0)]


@shared
async def test_the_end_of_a_generation_is_posted_by_one_of_those_who_find_it(core: Core) -> None:
    ways = [By(core.adapter, slow=0.01, dice=random.Random(seed)) for seed in range(3)]
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(another(core, way, str(way))) for way in ways]
        for _ in range(10):
            before = len(core.adapter.calls)
            generation = await core.accepted()
            await until_row(core, generation, state="posted", lease_until=0)
            (mine,) = await core.admitted()
            await core.runner.run(mine)
            for worker in workers:
                worker.changed(generation)
            await asyncio.gather(*(worker.end_of(generation) for worker in workers))

            finals = [post for post in core.adapter.calls[before:] if post.reply.state == State.SETTLED]
            assert len(finals) == 1


@shared
async def test_progress_never_comes_after_the_end_nor_after_newer_progress(core: Core) -> None:
    dice = random.Random(4)
    ways = [By(core.adapter, slow=0.02, dice=random.Random(seed)) for seed in range(3)]
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(another(core, way, str(way))) for way in ways]

        async def draw(by: str) -> str:
            shown = [asyncio.Event() for _ in range(4)]
            script: list[Step] = [step for index in range(4) for step in (Make(index), Wait(shown[index]))]
            core.provider.scripts.append((*script, DONE))
            generation = await core.accepted(by=by, mode=Mode.SERIES, count=4)
            (mine,) = await core.admitted()
            running = asyncio.ensure_future(core.runner.run(mine))
            for event in shown:
                for _ in range(dice.randrange(6)):
                    dice.choice(workers).changed(generation)
                    await asyncio.sleep(dice.uniform(0, 0.02))
                event.set()
            await running
            for _ in range(3):
                dice.choice(workers).changed(generation)
            await dice.choice(workers).end_of(generation)
            return generation

        ids = [await draw(f"person {number}") for number in range(25)]

    progress = 0
    for generation in ids:
        shown = [(reply.state == State.SETTLED, len(reply.pictures)) for reply in core.adapter.replies(generation)]
        assert shown == sorted(shown)
        assert shown.count((True, 4)) == 1
        progress += len(shown) - 1
    assert progress > 2 * len(ids)  # there was something to go wrong
    assert sum(bool(way.posts) for way in ways) == 3


@shared
async def test_the_end_waits_for_the_progress_that_another_shows(core: Core) -> None:
    generation = await core.accepted()
    one, two = By(core.adapter), By(core.adapter)
    async with another(core, one, "one") as first, another(core, two, "two", leads=lambda: False) as second:
        await core.adapter.until(lambda: core.adapter.shown, seconds=SECONDS)
        core.adapter.open.clear()
        (mine,) = await core.admitted()
        first.changed(generation)
        await core.adapter.until(lambda: core.adapter.calls[-1].reply.state == State.RUNNING, seconds=SECONDS)
        await core.runner.run(mine)
        second.changed(generation)
        for _ in range(3):
            await second._round()
        assert core.adapter.calls[-1].reply.state == State.RUNNING

        core.adapter.open.set()
        async with asyncio.timeout(SECONDS):
            await second.end_of(generation)
    assert [reply.state for reply in core.adapter.replies(generation)][-2:] == [State.RUNNING, State.SETTLED]


@shared
async def test_what_moves_while_another_posts_is_shown_after_it(core: Core) -> None:
    generation = await core.accepted()
    one, two = By(core.adapter), By(core.adapter)
    core.adapter.open.clear()
    async with another(core, one, "one"):
        await core.adapter.until(lambda: core.adapter.calls, seconds=SECONDS)
        await core.admitted()
        async with another(core, two, "two", leads=lambda: False) as second:
            second.changed(generation)
            for _ in range(3):
                await second._round()
            assert len(core.adapter.calls) == 1

            core.adapter.open.set()
            await core.adapter.until(lambda: len(core.adapter.shown) == 2, seconds=SECONDS)
    assert [post.reply.state for post in two.posts] == [State.RUNNING]


# --- leases


@both
async def test_what_takes_longer_than_a_lease_is_not_begun_by_another(core: Core) -> None:
    generation = await core.accepted()
    core.adapter.open.clear()
    lease = 4_000_000
    async with AsyncExitStack() as stack:
        for owner in ("one", "two") if core.database.shared else ("one",):
            process = another(core, core.adapter, owner, lease=lease, leads=lambda: False)
            await stack.enter_async_context(process)
        await core.adapter.until(lambda: core.adapter.calls, seconds=SECONDS)
        first = int((await row(core, generation))["lease_until"])
        while await core.database.read(_now) <= first:  # noqa: ASYNC110 - it is the database's clock
            await asyncio.sleep(0.05)
        assert len(core.adapter.calls) == 1
        core.adapter.open.set()
        found = await until_row(core, generation, state="posted", lease_until=0)

    assert found["attempt"] == 1
    assert {post.tried for post in core.adapter.calls} == {None}


@shared
async def test_a_lease_that_cannot_be_renewed_in_time_cuts_the_post_off(core: Core, database_url: str) -> None:
    """Another transaction holds the posting's row, so no renewal comes through."""
    generation = await core.accepted()
    cut = asyncio.Event()

    class Hanging(By):
        async def post(self, post: Post) -> str:
            self.posts.append(post)
            if len(self.posts) > 1:
                return await self.platform.post(post)
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cut.set()
                raise
            raise AssertionError("unreachable")

    begun = asyncio.Event()
    way = Hanging(core.adapter)
    async with another(core, way, "one", lease=800_000):
        await begun.wait()
        async with open_database(database_url) as blocking:
            await blocking.transaction(_hold, [outbox.own_key(generation)], cut, asyncio.get_running_loop())
        await core.adapter.until(lambda: core.adapter.shown, seconds=SECONDS)

    assert cut.is_set()
    assert len(core.adapter.shown) == 1
    assert {post.key for post in way.posts} == {outbox.own_key(generation)}
    assert way.posts[-1].tried is not None  # it may have been shown


def _now(connection: Connection) -> int:
    return connection.now()


def _hold(connection: Connection, keys: list[str], until: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    for key in keys:
        connection.lock_row("SELECT * FROM postings WHERE key=:key", key=key)
    asyncio.run_coroutine_threadsafe(asyncio.wait_for(until.wait(), SECONDS), loop).result()


@shared
async def test_a_transaction_that_goes_no_further_keeps_nobody_from_other_postings(
    core: Core, database_url: str
) -> None:
    """As that of a process that was paused in the middle of it."""
    left, wanted, free = [await core.accepted() for _ in range(3)]
    assert await core.database.transaction(outbox.claim, outbox.own_key(left), "paused", 1, 1) is not None
    go_on = asyncio.Event()
    keys = [outbox.own_key(left), outbox.own_key(wanted)]
    async with open_database(database_url) as paused:
        holding = asyncio.ensure_future(paused.transaction(_hold, keys, go_on, asyncio.get_running_loop()))
        async with asyncio.timeout(SECONDS):
            while len(await core.database.transaction(_free)) > 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        async with another(core, core.adapter, "one", leads=lambda: False):
            await core.adapter.until(lambda: core.adapter.replies(free), seconds=SECONDS)
            late = await core.accepted()
            await core.adapter.until(lambda: core.adapter.replies(late), seconds=SECONDS)
            assert not core.adapter.replies(left) + core.adapter.replies(wanted)

            go_on.set()
            await holding
            await core.adapter.until(lambda: len(core.adapter.messages) == 4, seconds=SECONDS)


def _free(connection: Connection) -> list[Row]:
    return connection.free_rows("SELECT key FROM postings")


@shared
async def test_what_was_not_finished_at_a_stop_is_free_at_once(core: Core) -> None:
    generation = await core.accepted()
    core.adapter.open.clear()
    async with another(core, core.adapter, "one", patience=0.0, lease=3_600_000_000):
        await core.adapter.until(lambda: core.adapter.calls, seconds=SECONDS)
    found = await row(core, generation)
    assert (found["state"], found["lease_until"]) == ("to post", 0)

    core.adapter.open.set()
    async with another(core, core.adapter, "two"):
        await core.adapter.until(lambda: core.adapter.shown, seconds=SECONDS)
    assert core.adapter.shown[0].key == core.adapter.calls[0].key
    assert core.adapter.shown[0].tried is not None


@shared
async def test_who_was_too_late_for_a_posting_keeps_the_next_claim_of_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits to look again what the other did, it has begun to show progress there itself."""
    monkeypatch.setattr(delivery, "TAKEN_PAUSE", 2.0)
    generation = await core.accepted()
    key = outbox.own_key(generation)
    with capture_logs() as logged:
        async with another(core, core.adapter, "one") as first:
            await until_row(core, generation, state="posted", lease_until=0)
            other = await core.database.transaction(outbox.claim_progress, key, "two", 60_000_000)
            assert other is not None
            await first._post_wanted(key)
            look_again = first._left[key]  # later than progress begins, else this proves nothing
            await core.database.transaction(outbox.release, other, other.message)
            core.adapter.open.clear()
            await core.admitted()
            first.changed(generation)
            await core.adapter.until(lambda: core.adapter.calls[-1].reply.state == State.RUNNING, seconds=SECONDS)
            assert key in first._left
            await until(lambda: time.monotonic() > look_again, "the moment to look again")
            await first._round()
            held = await row(core, generation)
            core.adapter.open.set()
            await core.adapter.until(lambda: len(core.adapter.shown) == 2, seconds=SECONDS)
            await until_row(core, generation, lease_until=0)

    assert (held["owner"], held["lease_until"] > 0) == ("one", True)
    assert not [entry for entry in logged if entry["log_level"] == "error"]


@both
async def test_an_adapter_is_told_that_another_process_was_at_it_in_between(core: Core) -> None:
    """What it remembers of a message is true only as long as it was the last who changed it."""
    key = outbox.own_key(await core.accepted())
    one, two = (another(core, core.adapter, owner) for owner in ("one", "two"))
    for who in (one, one, two, two, one):
        await who._post_wanted(key)
        await core.database.transaction(accepting.want_post, key.partition(":")[0])

    told = [post.elsewhere for post in core.adapter.shown]
    assert told == ([True, False, True, False, True] if core.database.shared else [False] * 5)


# --- who leads, who is told


@shared
async def test_only_who_leads_corrects_places_and_all_know_them(core: Core) -> None:
    buses = Bus.joined(2)
    one, two = By(core.adapter), By(core.adapter)
    leader = ["one"]
    async with (
        another(core, one, "one", leads=lambda: leader == ["one"], runs=lambda _: False, bus=buses[0]) as first,
        another(core, two, "two", leads=lambda: leader == ["two"], runs=lambda _: False, bus=buses[1]) as second,
    ):
        ids = [await core.accepted(by=name) for name in ("ann", "bob", "cid", "dan")]
        first.line_moved()
        await core.adapter.until(lambda: len(core.adapter.messages) == 4, seconds=SECONDS)
        places = [str(core.adapter.replies(generation)[0].text) for generation in ids]
        assert [words.rpartition(" ")[2] for words in places] == ["next.", "2.", "3.", "4."]

        one.posts.clear()
        two.posts.clear()
        await core.admitted(free=1)
        second.line_moved()
        await core.adapter.until(lambda: "3" in str(core.adapter.replies(ids[3])[-1].text), seconds=SECONDS)
        assert two.posts == []

        leader[:] = ["two"]
        await core.admitted(free=1)
        first.line_moved()
        await core.adapter.until(lambda: "2" in str(core.adapter.replies(ids[3])[-1].text), seconds=SECONDS)
        assert ids[3] in {post.reply.generation for post in two.posts}


@shared
async def test_a_process_that_does_not_deliver_posts_nothing_and_is_told_of_an_end_all_the_same(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LOOK_AGAIN", 3600.0)
    buses = Bus.joined(2)
    one, two = By(core.adapter), By(core.adapter)
    async with another(core, one, "web", delivers=False, bus=buses[0]) as web_process:
        done = await core.run()
        waiting = asyncio.ensure_future(web_process.end_of(done.id))
        web_process.changed(done.id)
        web_process.line_moved()
        await web_process.answer(Post(key="answer", place=core.invocation().place, reply=Reply(text=text("here"))))
        assert [post.key for post in one.posts] == ["answer"]
        assert buses[0].told == [("changed", done.id), ("line", "")]
        assert not waiting.done()

        async with another(core, two, "worker", bus=buses[1]), asyncio.timeout(SECONDS):
            reply = await waiting
    assert reply.state == State.SETTLED
    assert [post.key for post in two.posts] == [outbox.own_key(done.id)]
    assert ("changed", done.id) in buses[1].told


@shared
async def test_who_may_have_missed_something_looks_at_all_that_it_waits_for(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LOOK_AGAIN", 3600.0)
    bus = Bus()
    done = await core.run()
    async with another(core, core.adapter, "web", delivers=False, bus=bus) as web_process:
        waiting = asyncio.ensure_future(web_process.end_of(done.id))
        await until(lambda: done.id in web_process._waiting, "somebody waits")
        async with another(core, core.adapter, "worker"):
            await until_row(core, done.id, state="posted")
        assert not waiting.done()
        for hear in bus.heard["changed"]:
            hear("")
        async with asyncio.timeout(SECONDS):
            assert (await waiting).state == State.SETTLED


@both
async def test_progress_is_written_down_only_where_another_could_come_between(core: Core) -> None:
    counted = Counted(core.database)
    generation = await core.accepted()
    async with another(core, core.adapter, "one", database=counted, leads=lambda: False) as one:
        await core.adapter.until(lambda: core.adapter.shown, seconds=SECONDS)
        await core.admitted()
        for _ in range(3):
            before = len(core.adapter.shown)
            one.changed(generation)
            await core.adapter.until(partial(_has_shown, core, before + 1), seconds=SECONDS)
    assert {post.reply.state for post in core.adapter.shown[1:]} == {State.RUNNING}

    made = len(core.adapter.shown) - 1 if core.database.shared else 0
    assert counted.of(outbox.claim_progress, outbox.release, outbox.moved) == [made, made, 0]


def _has_shown(core: Core, count: int) -> bool:
    return len(core.adapter.shown) >= count


class Counted:
    """A database that knows which functions were run as transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._run: list[object] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def transaction(self, function: Any, *arguments: Any, **named: Any) -> Any:
        self._run.append(function)
        return await self._database.transaction(function, *arguments, **named)

    def of(self, *functions: object) -> list[int]:
        return [self._run.count(function) for function in functions]


@shared
async def test_who_waits_hears_of_an_end_that_nobody_told(core: Core) -> None:
    done = await core.run()
    async with another(core, core.adapter, "web", delivers=False) as web_process:
        waiting = asyncio.ensure_future(web_process.end_of(done.id))
        async with another(core, core.adapter, "worker"), asyncio.timeout(SECONDS):
            assert (await waiting).state == State.SETTLED


@shared
async def test_who_waits_outlives_a_database_that_fails_for_a_moment(core: Core) -> None:
    done = await core.run()

    async def rename(table: str, name: str) -> None:
        await core.database.transaction(lambda connection: connection.execute(f"ALTER TABLE {table} RENAME TO {name}"))

    with capture_logs() as logged:
        async with another(core, core.adapter, "web", delivers=False) as web_process:
            waiting = asyncio.ensure_future(web_process.end_of(done.id))
            async with asyncio.timeout(SECONDS):
                await until(lambda: done.id in web_process._waiting, "somebody waits")
                await rename("generations", "away")
                try:
                    await until(lambda: any(entry["log_level"] == "info" for entry in logged), "a look that failed")
                finally:
                    await rename("away", "generations")
                async with another(core, core.adapter, "worker"):
                    assert (await waiting).state == State.SETTLED


@shared
async def test_who_is_told_looks_only_at_what_it_runs(core: Core) -> None:
    buses = Bus.joined(3)
    ways = [By(core.adapter) for _ in range(3)]
    generation = await core.accepted()
    async with (
        another(core, ways[0], "gateway", delivers=False, bus=buses[0]) as gateway,
        another(core, ways[1], "runs", runs=lambda name: name == generation, bus=buses[1]),
        another(core, ways[2], "idle", runs=lambda _: False, leads=lambda: False, bus=buses[2]) as idle,
    ):
        await core.adapter.until(lambda: core.adapter.shown, seconds=SECONDS)
        for way in ways:
            way.posts.clear()
        await core.admitted()
        gateway.changed(generation)
        assert idle._dirty == {}
        await core.adapter.until(lambda: core.adapter.calls[-1].reply.state == State.RUNNING, seconds=SECONDS)

    assert [len(way.posts) for way in ways] == [0, 1, 0]


# --- processes that end, and that are paused


@dataclass(frozen=True)
class Request:
    by: str
    key: str
    tried: bool


@dataclass
class Remote:
    """A platform on a socket; a post is so many requests, one after the other.

    pauses_after: with so many sent the process pauses itself, at the very moment when the next one is to be sent.
    """

    http: aiohttp.ClientSession
    server: str
    by: str
    requests: int = 1
    pauses_after: int = 0
    name: str = "fake"
    pace: float = 0.0

    async def post(self, post: Post) -> str:
        said = {"by": self.by, "key": post.key, "tried": post.tried is not None}
        try:
            for number in range(self.requests):
                if number and number == self.pauses_after:
                    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGSTOP)
                    await asyncio.sleep(0)
                async with self.http.post(self.server, json=said) as answer:
                    await answer.read()
        except asyncio.CancelledError:
            print(f"cut off {post.key}", flush=True)  # noqa: T201 - to the test
            raise
        return f"message of {post.key}"

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        raise NotImplementedError


@dataclass
class Desk:
    """The server of that platform, with what came in. While `open` is not set it answers nobody."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(Request(**await request.json()))
        await self.open.wait()
        return web.Response()

    def of(self, by: str, generation: str) -> list[Request]:
        return [each for each in self.requests if (each.by, each.key) == (by, outbox.own_key(generation))]

    async def until(self, by: str, generation: str, count: int) -> None:
        await until(lambda: len(self.of(by, generation)) >= count, f"{count} requests of {by}")


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    desk.open.set()
    application = web.Application()
    application.router.add_post("/", desk.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    desk.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield desk
    finally:
        desk.open.set()
        await runner.cleanup()


@asynccontextmanager
async def child(**given: Any) -> AsyncIterator[Process]:
    """A process that delivers, until it is killed at the end."""
    command = (sys.executable, "-m", "tests.bot.generation.test_delivery_together", json.dumps(given))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def here(core: Core, desk: Desk, *, lease: int) -> AsyncIterator[Delivery]:
    """This process as one that delivers, too."""
    async with aiohttp.ClientSession() as http:
        way: Any = Remote(http, desk.url, "here")
        async with another(core, way, "here", lease=lease) as delivery:
            yield delivery


@shared
async def test_what_a_killed_process_was_posting_is_posted_by_another_under_the_same_key(
    core: Core, desk: Desk, database_url: str
) -> None:
    generation = (await core.run()).id
    desk.open.clear()
    lease = 1_500_000
    async with child(database=database_url, server=desk.url, by="there", lease=lease) as process:
        await desk.until("there", generation, 1)
        process.kill()
        await process.wait()
    desk.open.set()
    assert (await row(core, generation))["state"] == "posting"

    async with here(core, desk, lease=lease):
        found = await until_row(core, generation, state="posted")
    assert [each.tried for each in desk.of("there", generation)] == [False]
    assert [each.tried for each in desk.of("here", generation)] == [True]
    assert found["tried_at"] == 0


async def pause(process: Process, *, itself: bool) -> None:
    """Until it is paused: somewhere, or where it pauses itself."""
    if not itself:
        os.kill(process.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{process.pid}/stat")
    await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the process is paused")


@shared
@pytest.mark.parametrize("itself", [True, False], ids=["between two requests", "anywhere"])
async def test_a_process_that_was_paused_for_longer_than_its_lease_sends_nothing_more(
    core: Core, desk: Desk, database_url: str, itself: bool
) -> None:
    lease = 1_500_000
    sent = {}
    given = {"database": database_url, "server": desk.url, "by": "there", "lease": lease}
    async with child(**given, requests=1_000_000, pauses_after=5 if itself else 0) as process:
        assert process.stdout is not None
        for _ in range(2):
            generation = (await core.run()).id
            await desk.until("there", generation, 5)
            await pause(process, itself=itself)
            async with here(core, desk, lease=lease):
                await until_row(core, generation, state="posted")
            sent[generation] = desk.of("there", generation)
            os.kill(process.pid, signal.SIGCONT)
            async with asyncio.timeout(SECONDS):
                while outbox.own_key(generation) not in (await process.stdout.readline()).decode():
                    pass
            assert (await row(core, generation))["state"] == "posted"
        last = (await core.run()).id
        await desk.until("there", last, 5)  # it has long gone on

    for generation, before in sent.items():
        more = desk.of("there", generation)[len(before) :]
        assert len(more) <= (0 if itself else 1)  # one that was already begun leaves, wherever it was paused
        assert [each.tried for each in desk.of("here", generation)] == [True]


async def _deliver(given: dict[str, Any]) -> None:
    """Be a process that delivers."""
    async with open_database(given["database"]) as database, aiohttp.ClientSession() as http:

        async def show(generation: str, place: int = 0) -> Reply:
            return present(await database.read(load, generation), place=place)

        way = Remote(http, given["server"], given["by"], given.get("requests", 1), given.get("pauses_after", 0))
        async with Delivery(
            database=database,
            adapters={way.name: way},
            present=show,
            present_log=show,
            owner=given["by"],
            lease=given["lease"],
        ):
            await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_deliver(json.loads(sys.argv[1])))

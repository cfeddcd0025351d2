"""What one process of all does: never two at a time, and never nobody for long, whatever becomes of its holder."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import count, pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.storage.held import Claim, Held
from bot.storage.postgres import connected
from bot.storage.session import certain_time
from tests.bot.ops.processes import ROOT, environment
from tests.bot.storage.cable import Cable, until
from tests.bot.storage.holder import TABLE
from tests.postgres import Emptied, needs_postgres, new_schema

pytestmark = pytest.mark.slow

ONE = [Claim("one")]
BEAT, IDLE = 0.2, 1.5


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    with new_schema(emptied.url) as url:
        with connected(url) as raw:
            raw.execute(TABLE)
        yield url


class Holder:
    """A process of `tests.bot.storage.holder`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self, words: str) -> None:
        assert self._process.stdout
        async with asyncio.timeout(60):
            while words not in (line := (await self._process.stdout.readline()).decode()):
                assert line, "it ended"

    def signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def pauses(self) -> float:
        """Returns a moment in which it does nothing any more."""
        self.signal(signal.SIGSTOP)
        await until(self._is_paused)
        return certain_time()

    async def _is_paused(self) -> bool:
        asked = ("ps", "-o", "stat=", "-p", str(self._process.pid))
        process = await asyncio.create_subprocess_exec(*asked, stdout=asyncio.subprocess.PIPE)
        return (await process.communicate())[0].startswith(b"T")


@asynccontextmanager
async def holding(
    url: str, name: str, *, beat: float = BEAT, idle: float = IDLE, after: Holder | None = None
) -> AsyncIterator[Holder]:
    """after: who has it already; then this one stands by when the block begins."""
    if after:
        await after.says("has")
    words = (sys.executable, "-m", "tests.bot.storage.holder", url, name, str(beat), str(idle))
    process = await asyncio.create_subprocess_exec(*words, env=environment(), cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    holder = Holder(process)
    try:
        if after:
            await holder.says("stands by")
        yield holder
    finally:
        holder.signal(signal.SIGKILL)
        await process.communicate()


def terms(url: str, paused: Mapping[str, float] | None = None) -> list[str]:
    """Who had it, one after the other; fails where two had it at a time.

    paused: since when these knew nothing. What each was in the middle of writing then may have come through later.
    """
    with connected(url) as raw:
        rows = raw.execute("SELECT * FROM claimed ORDER BY knew").fetchall()
    had: dict[str, list[datetime]] = {}
    for row in rows:
        had.setdefault(row["term"], []).append(row["at"])
    for term, stopped in (paused or {}).items():
        assert not [row for row in rows if row["term"] == term and row["knew"] > stopped], "it went on"
        del had[term][-1]
    spans = sorted((min(at), max(at), term) for term, at in had.items() if at)
    for (_, ended, one), (began, _, following) in pairwise(spans):
        assert ended < began, (one, following)
    return [term for _, _, term in spans]


async def latest(url: str, *, other_than: str = "") -> str:
    """Who has it now."""
    found = {"term": other_than}

    async def changed() -> bool:
        sql = "SELECT term FROM claimed ORDER BY at DESC LIMIT 1"
        found.update(await asyncio.to_thread(first_row, url, sql) or {})
        return found["term"] != other_than

    await until(changed)
    return found["term"]


def first_row(url: str, sql: str) -> dict[str, Any] | None:
    with connected(url) as raw:
        return raw.execute(sql).fetchone()


def end_sessions(url: str) -> None:
    """As a restart of the server ends them; returns when they are gone."""
    with connected(url) as raw:
        raw.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
            " AND datname=current_database() AND application_name LIKE 'seedream-bot %'"
        )


async def entered(held: Held) -> Held:
    async with asyncio.timeout(60):
        return await held.__aenter__()


async def told(lines: list[Any], event: str, times: int = 1) -> None:
    await until(lambda: sum(line["event"] == event for line in lines) >= times)


async def stands_by(lines: list[Any], times: int = 1) -> None:
    await told(lines, "stands by", times)


# --- claims


@needs_postgres
async def test_the_next_one_waits_until_the_first_has_left_and_says_for_whom(url: str) -> None:
    with capture_logs() as lines:
        async with Held(url, ONE) as first:
            assert first.proven
            second = asyncio.create_task(entered(Held(url, ONE)))
            await stands_by(lines)
            assert not second.done()
        held = await second
    assert held.proven
    assert not held.lost.is_set()
    assert first.lost.is_set()
    assert not first.proven
    await held.__aexit__()

    (line,) = [line for line in lines if line["event"] == "stands by"]
    assert line["log_level"] == "info"
    assert line["holder"] == f"seedream-bot {os.getpid()} on {socket.gethostname()}"
    assert line["claims"] == ["one"]


@needs_postgres
@pytest.mark.parametrize(
    ("had", "wanted", "together"),
    [
        (Claim("a"), Claim("a"), False),
        (Claim("a"), Claim("b"), True),
        (Claim("a", shared=True), Claim("a", shared=True), True),
        (Claim("a", shared=True), Claim("a"), False),
        (Claim("a"), Claim("a", shared=True), False),
    ],
)
async def test_a_claim_goes_together_with(url: str, had: Claim, wanted: Claim, together: bool) -> None:
    with capture_logs() as lines:
        async with Held(url, [had]):
            waiting = asyncio.create_task(entered(Held(url, [wanted])))
            await asyncio.wait((waiting, asyncio.create_task(stands_by(lines))), return_when="FIRST_COMPLETED")
            assert waiting.done() is together
        await (await waiting).__aexit__()


@needs_postgres
async def test_shards_are_shared_out_and_a_bot_without_them_is_kept_apart(url: str) -> None:
    def shard(number: int) -> list[Claim]:
        return [Claim("bot", shared=True), Claim(f"bot {number} of 2")]

    async with Held(url, shard(0)), Held(url, shard(1)):
        with capture_logs() as lines:
            waiting = [asyncio.create_task(entered(Held(url, claims))) for claims in (shard(1), [Claim("bot")])]
            await stands_by(lines, 2)
        for each in waiting:
            each.cancel()
        assert {type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)} == {
            asyncio.CancelledError
        }


@needs_postgres
async def test_who_cannot_have_all_takes_nothing_from_others(url: str) -> None:
    a, b = Claim("a"), Claim("b")
    async with Held(url, [b]):
        with capture_logs() as lines:
            waiting = asyncio.create_task(entered(Held(url, [a, b])))
            await stands_by(lines)
        async with asyncio.timeout(60), Held(url, [a]):
            assert not waiting.done()
    await (await waiting).__aexit__()


@needs_postgres
async def test_who_no_longer_waits_leaves_nothing_behind(url: str) -> None:
    async with Held(url, ONE):
        with capture_logs() as lines:
            waiting = asyncio.create_task(entered(Held(url, ONE)))
            await stands_by(lines)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(60), Held(url, ONE):
        pass


@needs_postgres
async def test_it_is_told_who_has_it(url: str) -> None:
    (claim,) = ONE
    assert await asyncio.to_thread(Held.holder, url, claim) == ""
    async with Held(url, ONE):
        holder = await asyncio.to_thread(Held.holder, url, claim)

    assert holder == f"seedream-bot {os.getpid()} on {socket.gethostname()}"


@needs_postgres
async def test_two_bots_in_one_database_have_claims_of_their_own(emptied: Emptied, url: str) -> None:
    with new_schema(emptied.url) as other:
        async with asyncio.timeout(60), Held(url, ONE), Held(other, ONE):
            pass


# --- holders that are lost


@needs_postgres
async def test_a_lost_connection_is_noticed_at_once_and_another_takes_over(url: str) -> None:
    with capture_logs() as lines:
        async with Held(url, ONE, beat=3600, idle=7200) as first:
            second = asyncio.create_task(entered(Held(url, ONE)))
            await stands_by(lines)
            await asyncio.to_thread(end_sessions, url)
            async with asyncio.timeout(60):
                await first.lost.wait()
            assert not first.proven
        await (await second).__aexit__()

    assert any(line["event"] == "claims may be lost" for line in lines)


@needs_postgres
async def test_a_holder_that_is_cut_off_knows_before_the_next_one_has_it(url: str) -> None:
    with capture_logs() as lines:
        async with Cable(url) as cable, Held(cable.url, ONE, beat=BEAT, idle=IDLE) as first:
            second = asyncio.create_task(entered(Held(url, ONE, beat=BEAT, idle=IDLE)))
            await stands_by(lines)
            cable.cut()
            async with asyncio.timeout(60):
                await asyncio.wait((second, asyncio.create_task(first.lost.wait())), return_when="FIRST_COMPLETED")
            assert first.lost.is_set()
            assert not first.proven
            await (await second).__aexit__()
            cable.mend()
            assert not first.proven


@needs_postgres
async def test_a_stop_waits_for_no_network(url: str) -> None:
    async with Cable(url) as cable, asyncio.timeout(60):
        async with Held(cable.url, ONE, beat=600, idle=3600):
            cable.cut()
        waiting = asyncio.create_task(entered(Held(cable.url, ONE)))
        await asyncio.sleep(0)  # it has begun
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        cable.mend()


@needs_postgres
async def test_who_waits_goes_on_waiting_without_a_server(url: str) -> None:
    async with Cable(url) as cable:
        with capture_logs() as lines:
            async with Held(url, ONE):
                waiting = asyncio.create_task(entered(Held(cable.url, ONE)))
                await stands_by(lines)
                await asyncio.to_thread(end_sessions, url)
                await told(lines, "the database does not answer")
        await (await waiting).__aexit__()


@needs_postgres
async def test_a_killed_holder_is_followed(url: str) -> None:
    async with holding(url, "first") as first, holding(url, "second", after=first):
        first.signal(signal.SIGKILL)
        await latest(url, other_than="first 1")

    assert terms(url) == ["first 1", "second 1"]


@needs_postgres
async def test_a_paused_holder_is_followed_and_knows_it_before_it_does_anything_else(url: str) -> None:
    async with holding(url, "first") as first, holding(url, "second", after=first):
        stopped = await first.pauses()
        await latest(url, other_than="first 1")
        first.signal(signal.SIGCONT)
        await first.says("lost")
        await first.says("stands by")

    assert terms(url, {"first 1": stopped}) == ["first 1", "second 1"]


@needs_postgres
async def test_a_short_pause_changes_nothing(url: str) -> None:
    async with holding(url, "first", idle=60) as first, holding(url, "second", idle=60, after=first):
        stopped = await first.pauses()
        first.signal(signal.SIGCONT)
        await until(lambda: first_row(url, f"SELECT 1 FROM claimed WHERE knew>{stopped}") is not None)

    assert terms(url) == ["first 1"]


@needs_postgres
@pytest.mark.slow
async def test_there_are_never_two_whatever_happens_to_them(url: str) -> None:
    names = (f"process-{number}" for number in count())
    paused: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        holders: dict[str, Holder] = {}

        async def start() -> None:
            name = next(names)
            holders[name] = await stack.enter_async_context(holding(url, name))

        for _ in range(3):
            await start()
        term = await latest(url)
        for number in range(9):
            holder = holders[term.split()[0]]
            match number % 3:
                case 0:
                    paused[term] = await holder.pauses()
                case 1:
                    holder.signal(signal.SIGKILL)
                    await start()
                case 2:
                    await asyncio.to_thread(end_sessions, url)
            term = await latest(url, other_than=term)
            holder.signal(signal.SIGCONT)

    assert len(terms(url, paused)) > 5

"""What processes tell each other, over a real server and through a network that is cut."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.errors import CannotStart
from bot.storage.bus import Alone, Bus
from bot.storage.postgres import connected
from bot.storage.postgres_bus import LONGEST, MOST_WAITING, PostgresBus
from tests.bot.storage.cable import Cable, until
from tests.postgres import Emptied, needs_postgres, new_schema

pytestmark = pytest.mark.slow


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    with new_schema(emptied.url) as url:
        yield url


class Ear:
    """What came in, in order."""

    def __init__(self, bus: Bus, topic: str = "line") -> None:
        self._came: asyncio.Queue[str] = asyncio.Queue()
        bus.on(topic, self._came.put_nowait)

    async def next(self) -> str:
        async with asyncio.timeout(30):
            return await self._came.get()

    async def until(self, last: str) -> list[str]:
        heard = [await self.next()]
        while heard[-1] != last:
            heard.append(await self.next())
        return heard

    @property
    def quiet(self) -> bool:
        return self._came.empty()


def end_ears(url: str) -> None:
    """As a restart of the server ends all that listen; returns when they are gone."""
    ended = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
        " AND datname=current_database() AND (query LIKE 'LISTEN%%' OR query LIKE '%%pg_notify%%')"
    )
    with connected(url) as raw:
        raw.execute(ended)


@needs_postgres
async def test_the_others_are_told_and_oneself_is_not(url: str) -> None:
    async with PostgresBus(url) as one, PostgresBus(url) as two, PostgresBus(url) as three:
        own, second, third, elsewhere = Ear(one), Ear(two), Ear(three), Ear(two, "changed")
        one.tell("line", "a b 狐")
        assert [await second.next(), await third.next()] == ["a b 狐", "a b 狐"]

        two.tell("line")
        assert [await own.next(), await third.next()] == ["", ""]  # nothing of its own came before
        assert second.quiet
        assert elsewhere.quiet


@needs_postgres
async def test_equal_ones_within_a_moment_are_told_once(url: str) -> None:
    async with PostgresBus(url) as one, PostgresBus(url) as two:
        ear = Ear(two)
        for _ in range(100):
            one.tell("line", "x")
            one.tell("line", "y")
        one.tell("line", "end")

        assert await ear.until("end") == ["x", "y", "end"]


@needs_postgres
async def test_two_bots_in_one_database_do_not_hear_each_other(emptied: Emptied, url: str) -> None:
    with new_schema(emptied.url) as other:
        async with PostgresBus(url) as one, PostgresBus(url) as two, PostgresBus(other) as stranger:
            ear, strange = Ear(two), Ear(stranger)
            one.tell("line", "ours")
            assert await ear.next() == "ours"
            async with PostgresBus(other) as known:
                known.tell("line", "theirs")
                assert await strange.next() == "theirs"


@needs_postgres
async def test_what_is_too_long_to_be_told_is_told_as_something(url: str) -> None:
    async with PostgresBus(url) as one, PostgresBus(url) as two:
        ear = Ear(two)
        one.tell("line", "x" * LONGEST)
        one.tell("line", "x" * (LONGEST + 1))
        one.tell("line", "end")

        assert await ear.until("end") == ["x" * LONGEST, "", "end"]


@needs_postgres
async def test_one_that_fails_keeps_nobody_from_hearing(url: str) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("broken")

    async with PostgresBus(url) as one, PostgresBus(url) as two:
        two.on("line", broken)
        ear = Ear(two)
        with structlog.testing.capture_logs() as lines:
            one.tell("line", "a")
            assert await ear.next() == "a"
            one.tell("line", "b")
            assert await ear.next() == "b"

    assert [line["log_level"] for line in lines] == ["error", "error"]


@needs_postgres
async def test_after_a_lost_connection_everybody_is_called(url: str) -> None:
    async with PostgresBus(url) as one, PostgresBus(url) as two:
        ears = [Ear(one), Ear(two), Ear(two, "changed")]
        one.tell("line", "before")
        assert await ears[1].next() == "before"

        await asyncio.to_thread(end_ears, url)
        assert [await ear.next() for ear in ears] == ["", "", ""]

        one.tell("line", "after")
        two.tell("changed", "nobody")
        two.tell("line", "back")
        assert await ears[1].next() == "after"
        assert await ears[0].next() == "back"
        assert ears[2].quiet


@needs_postgres
async def test_a_cut_network_stops_nobody_and_is_noticed_afterwards(url: str) -> None:
    async with (
        Cable(url) as cable,
        PostgresBus(url) as far,
        PostgresBus(cable.url, look_every=0.1, limit=0.3) as near,
    ):
        here, there = Ear(near), Ear(far)
        with structlog.testing.capture_logs() as lines:
            cable.cut()
            near.tell("line", "while it was cut")
            far.tell("line", "missed")
            await until(lambda: any("not heard" in line["event"] for line in lines))
            cable.mend()

        assert await there.next() == "while it was cut"
        assert await here.until("")
        far.tell("line", "again")
        assert await here.until("again")


@needs_postgres
async def test_a_stop_waits_for_no_network(url: str) -> None:
    async with Cable(url) as cable:
        async with asyncio.timeout(60):  # the limit of each question is ten times as long
            async with PostgresBus(cable.url, look_every=600, limit=600) as bus:
                cable.cut()
                bus.tell("line", "lost")
        cable.mend()


@needs_postgres
async def test_what_is_told_before_a_stop_still_goes_out(url: str) -> None:
    async with PostgresBus(url) as two:
        ear = Ear(two)
        async with PostgresBus(url) as one:
            one.tell("line", "first")
            assert await ear.next() == "first"
            one.tell("line", "last")
        assert await ear.next() == "last"


@needs_postgres
async def test_what_cannot_be_told_for_long_takes_no_more_room(url: str) -> None:
    async with Cable(url) as cable, PostgresBus(url) as far:
        ear = Ear(far, "changed")
        async with PostgresBus(cable.url, look_every=0.1, limit=0.3) as near:
            cable.cut()
            for number in range(10 * MOST_WAITING - 10):
                near.tell("changed", f"{number}")
            near.tell("changed", "end")
            cable.mend()

            heard = await ear.until("end")
            assert "" in heard  # look at all of them
            assert len(heard) <= MOST_WAITING + 1


@needs_postgres
async def test_a_server_that_is_not_there_at_the_start_is_told(url: str) -> None:
    async with Cable(url) as cable:
        cable.cut()
        with pytest.raises(CannotStart, match="cannot be reached"):
            await PostgresBus(cable.url, limit=0.2).__aenter__()


async def test_nobody_is_told_where_there_is_nobody() -> None:
    heard: list[Any] = []
    async with Alone() as bus:
        bus.on("line", heard.append)
        bus.tell("line", "x")

    assert heard == []

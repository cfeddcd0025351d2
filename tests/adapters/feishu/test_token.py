"""The app's key: one request for all who wait, renewed in time, never lost to a renewal that fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.feishu.codes import Unreachable
from adapters.feishu.token import Fresh, Token


class Platform:
    """Gives keys t-1, t-2 ...; `open` is cleared while it shall not answer, `broken` set while it fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 1000.0
        self.broken = False
        self.open = asyncio.Event()
        self.open.set()

    async def give(self) -> Fresh:
        self.asked += 1
        await self.open.wait()
        if self.broken:
            raise Unreachable("ClientConnectorError")
        return Fresh(value=f"t-{self.asked}", lasts=7200)


async def landed() -> None:
    """Wait until the renewals that nobody waits for have ended."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=2)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def token(platform: Platform) -> AsyncIterator[Token]:
    async with Token(platform.give, clock=lambda: platform.now) as token:
        yield token


async def test_however_many_wait_it_is_asked_for_once(platform: Platform, token: Token) -> None:
    assert await asyncio.gather(*(token.get() for _ in range(50))) == ["t-1"] * 50
    assert platform.asked == 1


async def test_who_gives_up_waiting_leaves_it_to_the_others(platform: Platform, token: Token) -> None:
    platform.open.clear()
    impatient, patient = asyncio.create_task(token.get()), asyncio.create_task(token.get())
    await asyncio.wait([impatient, patient], timeout=0.01)
    impatient.cancel()
    platform.open.set()

    assert await patient == "t-1"
    assert platform.asked == 1


async def test_it_is_renewed_ten_minutes_ahead_while_the_old_one_is_used(platform: Platform, token: Token) -> None:
    await token.get()
    platform.now += 7200 - 601
    assert await token.get() == "t-1"
    assert platform.asked == 1

    platform.now += 2
    assert await token.get() == "t-1"
    await landed()
    assert await token.get() == "t-2"
    assert platform.asked == 2


async def test_a_renewal_that_fails_does_not_cost_the_key_that_works(platform: Platform, token: Token) -> None:
    await token.get()
    platform.broken = True
    platform.now += 7200 - 599
    assert await token.get() == "t-1"
    await landed()
    assert await token.get() == "t-1"
    assert platform.asked == 2  # not again at once

    platform.now += 31
    assert await token.get() == "t-1"
    await landed()
    assert platform.asked == 3


async def test_once_it_has_ended_the_error_is_everybodys(platform: Platform, token: Token) -> None:
    await token.get()
    platform.broken = True
    platform.now += 7200

    with pytest.raises(Unreachable):
        await token.get()


async def test_a_spoiled_key_is_replaced_once_however_late_others_tell(platform: Platform, token: Token) -> None:
    old = await token.get()
    token.spoiled(old)
    assert await token.get() == "t-2"
    token.spoiled(old)

    assert await token.get() == "t-2"
    assert platform.asked == 2


async def test_leaving_it_ends_the_request_that_is_under_way(platform: Platform) -> None:
    platform.open.clear()
    before = asyncio.all_tasks()
    async with Token(platform.give, clock=lambda: platform.now) as token:
        waiting = asyncio.create_task(token.get())
        await asyncio.wait([waiting], timeout=0.01)
        assert platform.asked == 1

    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert asyncio.all_tasks() == before

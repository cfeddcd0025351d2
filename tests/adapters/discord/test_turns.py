"""Events that come all at once begin in their order, a few in each step of the loop."""

import asyncio
from typing import Any

import aiohttp

from adapters.discord.turns import FRAMES_AT_ONCE, Paced, Turns


class Crowd:
    """begun: who had a turn, step by step of the loop."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[list[int]] = []

    async def one(self, number: int) -> None:
        await self.turns.come()
        self.begun[-1].append(number)

    async def all(self, count: int) -> None:
        tasks = [asyncio.create_task(self.one(number)) for number in range(count)]
        while not all(task.done() for task in tasks):
            self.begun.append([])
            await asyncio.sleep(0)
        self.begun = [step for step in self.begun if step]


async def test_a_crowd_begins_in_its_order_a_few_in_each_step() -> None:
    crowd = Crowd(Turns(at_once=3))
    await crowd.all(8)

    assert crowd.begun == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_who_comes_later_does_not_overtake_and_waits_for_nobody_once_the_line_is_gone() -> None:
    crowd = Crowd(Turns(at_once=3))
    first = asyncio.create_task(crowd.all(8))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    crowd.begun.append([])
    late = asyncio.create_task(crowd.one(8))
    await asyncio.gather(first, late)
    async with asyncio.timeout(5):
        await crowd.one(9)

    assert [number for step in crowd.begun for number in step] == [*range(10)]


async def test_who_leaves_the_line_keeps_nobody_from_a_turn() -> None:
    crowd = Crowd(Turns(at_once=1))
    crowd.begun.append([])
    tasks = [asyncio.create_task(crowd.one(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, return_exceptions=True)

    assert crowd.begun == [[0, 2]]


class Full:
    """A socket in which everything has come already."""

    closed = False

    def __init__(self) -> None:
        self.read = 0

    async def receive(self, **options: Any) -> aiohttp.WSMessage:
        self.read += 1
        return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, str(self.read), None)


async def test_what_came_in_one_piece_is_read_a_few_at_a_time() -> None:
    full: Any = Full()
    seen = []

    async def looks() -> None:
        while full.read < 100:
            seen.append(full.read)
            await asyncio.sleep(0)

    other = asyncio.create_task(looks())
    socket = Paced(full)
    read = [(await socket.receive()).data for _ in range(100)]
    await other

    assert read == [str(number) for number in range(1, 101)]
    assert max(after - before for before, after in zip(seen, [*seen[1:], 100], strict=True)) <= FRAMES_AT_ONCE
    assert socket.closed is False

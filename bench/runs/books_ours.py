"""Accepting and settling through the product's own functions, durably, for many persons at once.

closed: everybody asks at the same moment and has been settled before they ask again. open: askings arrive at a fixed
rate whatever happens, the product's own workers admit them, and what is admitted is settled at once.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.runs import product
from bench.runs.meter import main, measured, percentiles
from bot.clock import micros
from bot.generation import queue, settling
from bot.generation.queue import Admitted, Capacity
from bot.generation.workers import Workers
from bot.people import Person
from bot.providers.base import Produced
from bot.quota.audit import verify
from bot.storage.database import Database

PROVIDERS_RATE = 60_000_000
ENOUGH = Capacity(per_person=1000, running=1_000_000, images_per_minute=PROVIDERS_RATE)
MADE = Produced(0, Path("picture"), "image/png", 1024, 1024)


async def work(*, mode: str, persons: int, rate: int = 0, seconds: float = 0) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with product.database(Path(folder)) as opened:
            askers = await make_known(opened, persons)
            if mode == "closed":
                found = await _closed(opened, askers)
            else:
                found = await _open(opened, askers, rate, seconds)
            [row] = await opened.fetch("SELECT count(*) AS n FROM generations WHERE state='settled'")
            books = await opened.read(verify)
    return {**found, "settled": row["n"] - persons, "wrong": len(books.problems)}


async def make_known(opened: Database, persons: int) -> list[Person]:
    """People who have each had a picture today: the first one opens their accounts, which is not what is measured."""
    askers = await asyncio.gather(*(product.person(opened, number) for number in range(persons)))
    await asyncio.gather(*(ask(opened, asker, f"first {number}") for number, asker in enumerate(askers)))
    await asyncio.gather(*(settle(opened, each) for each in await admit_all(opened, persons)))
    return askers


async def _closed(opened: Database, askers: list[Person]) -> dict[str, Any]:
    accepting, settling_ = Phase(), Phase()
    await accepting.run([partial(ask, opened, asker, str(number)) for number, asker in enumerate(askers)])
    begun = time.perf_counter()
    admitted = await admit_all(opened, len(askers))
    admitting = time.perf_counter() - begun
    await settling_.run([partial(settle, opened, each) for each in admitted])
    return {
        "actions": len(askers),
        "wall": accepting.wall + settling_.wall,
        "cpu": accepting.cpu + settling_.cpu,
        "admit_wall": admitting,
        "accept_ms": percentiles(accepting.took),
        "settle_ms": percentiles(settling_.took),
    }


async def _open(opened: Database, askers: list[Person], rate: int, seconds: float) -> dict[str, Any]:
    whole: dict[str, float] = {}
    begun: dict[str, float] = {}
    accepting = Phase()
    count = round(rate * seconds)
    all_settled = asyncio.Event()

    async def run(mine: Admitted) -> None:
        await settle(opened, mine)
        whole[mine.id] = time.perf_counter()
        if len(whole) == count:
            all_settled.set()

    async def arrive(number: int) -> None:
        started = time.perf_counter()
        generation = await ask(opened, askers[number % len(askers)], str(number))
        accepting.took.append(time.perf_counter() - started)
        begun[generation] = started
        workers.wake()

    workers = Workers(database=opened, run=run, capacity=ENOUGH, owner="bench", patience=60, line_moved=lambda: None)
    with measured() as found:
        async with workers:
            async with asyncio.TaskGroup() as tasks:
                start = time.perf_counter()
                for number in range(count):
                    # Due by the clock, not after the one before: a stall delays nobody's arrival.
                    if (early := start + number / rate - time.perf_counter()) > 0:
                        await asyncio.sleep(early)
                    tasks.create_task(arrive(number))
            async with asyncio.timeout(60):
                await all_settled.wait()
    took = [whole[each] - begun[each] for each in whole]
    return {**found, "actions": count, "accept_ms": percentiles(accepting.took), "whole_ms": percentiles(took)}


class Phase:
    """Many things at once: how long each took, and all together."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.wall = self.cpu = 0.0

    async def run(self, things: list[Callable[[], Awaitable[object]]]) -> None:
        with measured() as found:
            await asyncio.gather(*map(self._timed, things))
        self.wall, self.cpu = found["wall"], found["cpu"]

    async def _timed(self, thing: Callable[[], Awaitable[object]]) -> None:
        begun = time.perf_counter()
        await thing()
        self.took.append(time.perf_counter() - begun)


async def ask(opened: Database, asker: Person, name: str) -> str:
    return (await product.ask(opened, product.draft(f"event-{name}", asker))).generation


async def admit_all(opened: Database, count: int) -> list[Admitted]:
    """The product admits at most a burst of pictures at a time."""
    admitted: list[Admitted] = []
    while len(admitted) < count:
        free = count - len(admitted)
        now = micros(datetime.now(UTC))
        admitted += await opened.transaction(queue.admit, "bench", now, free, ENOUGH)
    return admitted


async def settle(opened: Database, mine: Admitted) -> None:
    """A picture was made and stored; the generation ends, and is charged for it."""
    at = micros(datetime.now(UTC))
    await opened.transaction(settling.produced, mine, 0, 0, MADE, f"blob of {mine.id}", 1_000_000, 30_000, at)
    await opened.transaction(settling.conclude, mine, at)


if __name__ == "__main__":
    main(work)

"""What runs in a bot's process while people ask: pictures are made to fit, and a clock sees how late the loop is."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.runs.meter import percentiles
from bot.media.fit import Fitter

AT_ONCE = 2  # as many as the product's own fitter has threads
TICK = 0.005  # s
GRACE = 1.0  # s in which everything has been used once


class Beside:
    """fitted: pictures that were finished. late: seconds by which the loop was late, at each tick."""

    def __init__(self) -> None:
        self.fitted = 0
        self.late: list[float] = []

    async def fit(self, fitter: Fitter, picture: Path, folder: Path, most: int) -> None:
        while True:
            done = await fitter.fit(picture, max_bytes=most, folder=folder)
            self.fitted += 1
            done.file.unlink()

    async def tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - due)

    def begin(self) -> None:
        self.fitted = 0
        self.late.clear()


@asynccontextmanager
async def fitting(*, picture: str, most: int) -> AsyncIterator[Beside]:
    work = Beside()
    with TemporaryDirectory() as folder:
        async with Fitter(threads=AT_ONCE) as fitter:
            tasks = [asyncio.create_task(work.fit(fitter, Path(picture), Path(folder), most)) for _ in range(AT_ONCE)]
            tasks.append(asyncio.create_task(work.tick()))
            try:
                yield work
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def report(work: Beside) -> None:
    """Say that the pictures are under way, and once standard input ends, what was seen since."""
    await asyncio.sleep(GRACE)
    work.begin()
    cpu = time.process_time()
    print("fitting", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    late = {f"lag_{name}": value for name, value in percentiles(work.late).items()}
    print(json.dumps({**late, "fitted": work.fitted, "cpu": time.process_time() - cpu}), flush=True)

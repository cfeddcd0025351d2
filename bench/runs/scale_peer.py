"""Bare procrastinate as a process of its own: it defers jobs that do nothing, or works on them."""

import asyncio
import json
import logging
import sys
import time
from contextlib import AsyncExitStack

import procrastinate
from procrastinate.types import JSONDict
from psycopg_pool import AsyncConnectionPool

from bench.runs.scale_crew import Answer, obey
from bot.storage.postgres import parameters

CONNECTIONS = 6  # as many as write in a process of the bot


async def work(*, url: str, number: int) -> None:
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    started: dict[str, float] = {}
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())

    @app.task(name="nothing", queue="bench")
    async def nothing(job: str) -> None:
        started[job] = time.monotonic()

    pool = AsyncConnectionPool(
        kwargs=parameters(url), min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, configure=_autocommit
    )
    async with pool, app.open_async(pool), AsyncExitStack() as at_work:

        async def defer(count: int, at_once: int, batch: int) -> Answer:
            """Seconds for all, and for each call; a call defers a batch, or one without."""
            took: list[float] = []
            begun, cpu = time.perf_counter(), time.process_time()
            waiting = iter(range(0, count, batch or 1))

            async def caller() -> None:
                for first in waiting:
                    before = time.perf_counter()
                    if batch:
                        jobs: list[JSONDict] = [{"job": f"{first + each}"} for each in range(batch)]
                        await nothing.batch_defer_async(*jobs)
                    else:
                        await nothing.defer_async(job=f"{first}")
                    took.append(time.perf_counter() - before)

            await asyncio.gather(*(caller() for _ in range(at_once)))
            return {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "took": took}

        async def one(name: str) -> Answer:
            """When it was to be deferred and when it was; times by a clock that all processes share."""
            begun = time.monotonic()
            await nothing.defer_async(job=name)
            return {"begun": begun, "accepted": time.monotonic(), "generation": name}

        async def begin(concurrency: int) -> Answer:
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=["bench"],
                    concurrency=concurrency,
                    fetch_job_polling_interval=1.0,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            at_work.push_async_callback(_ended, working)
            return {}

        async def told() -> Answer:
            return {"cpu": time.process_time(), "started": started}

        await obey(defer=defer, one=one, begin=begin, told=told)


async def _autocommit(connection: object) -> None:
    await connection.set_autocommit(True)  # type: ignore[attr-defined]


async def _ended(working: "asyncio.Task[None]") -> None:
    """It takes the first cancellation as a wish."""
    working.cancel()
    await asyncio.wait([working], timeout=10)


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

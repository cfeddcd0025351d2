"""A worker as a process of its own: it begins when it is told to, and says what it has done and what that has cost."""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.runs.meter import resident
from bench.runs.scale_crew import Answer, obey
from bench.runs.scale_parts import parts
from bot.roles import Role


async def work(*, url: str, folder: str, number: int, **more: Any) -> None:
    own = Path(folder) / f"worker-{number}"
    own.mkdir()
    async with parts(url, Role.WORKER, own, **more) as mine, AsyncExitStack() as at_work:

        async def begin() -> Answer:
            await at_work.enter_async_context(mine.delivery)
            await at_work.enter_async_context(mine.workers)
            return {}

        async def wake() -> Answer:
            mine.workers.wake()
            return {}

        async def told() -> Answer:
            """In all: seconds of CPU; what was started, and when."""
            return {"cpu": time.process_time(), "posts": mine.platform.posts, "started": mine.started}

        async def idle(seconds: float) -> Answer:
            before = time.process_time()
            await asyncio.sleep(seconds)
            return {"cpu": time.process_time() - before, "mib": resident("VmRSS")}

        await obey(begin=begin, wake=wake, told=told, idle=idle)


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

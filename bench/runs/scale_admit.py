"""A process that admits what is next, again and again, and times that."""

import asyncio
import json
import sys
import time

from bench.runs.scale_crew import Answer, obey
from bench.runs.scale_parts import RATE
from bot.generation import queue
from bot.generation.queue import Capacity
from bot.storage.postgres import PostgresDatabase

ENOUGH = Capacity(per_person=1000, running=1_000_000, images_per_minute=RATE)


async def work(*, url: str, number: int) -> None:
    async with PostgresDatabase(url) as database:

        async def admit(rounds: int, free: int) -> Answer:
            took, admitted = [], 0
            for _ in range(rounds):
                before = time.perf_counter()
                admitted += len(await database.transaction(queue.admit, f"bench {number}", None, free, ENOUGH))
                took.append(time.perf_counter() - before)
            return {"took": took, "admitted": admitted}

        async def told() -> Answer:
            return {"cpu": time.process_time()}

        await obey(admit=admit, told=told)


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

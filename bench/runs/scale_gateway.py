"""A gateway as a process of its own, without a platform: it notes events and has them accepted, as they come or at
once.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.runs import product
from bench.runs.scale_crew import Answer, obey
from bench.runs.scale_parts import Parts, parts
from bot.clock import micros
from bot.generation import inbox, queue
from bot.people import Person
from bot.roles import Role

PERSONS = 50


async def work(*, url: str, folder: str, number: int, name: str) -> None:
    own = Path(folder) / f"gateway-{number}"
    own.mkdir()
    asked = 0
    async with parts(url, Role.GATEWAY, own, running=0) as mine:
        askers = await asyncio.gather(*(product.person(mine.database, each) for each in range(PERSONS)))

        async def accept(count: int, at_once: int) -> Answer:
            """Seconds for all, and for each, of which the CPU is this process's."""
            nonlocal asked
            names = [f"{name} {number} {each}" for each in range(asked, asked + count)]
            asked += count
            took: list[float] = []
            begun, cpu = time.perf_counter(), time.process_time()
            waiting = iter(enumerate(names))

            async def caller() -> None:
                for each, event in waiting:
                    before = time.perf_counter()
                    await _ask(mine, askers[each % PERSONS], event)
                    took.append(time.perf_counter() - before)

            await asyncio.gather(*(caller() for _ in range(at_once)))
            return {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "took": took}

        async def one() -> Answer:
            """When it was asked for, when it was accepted, and its id; times by a clock that all processes share."""
            nonlocal asked
            asked += 1
            begun = time.monotonic()
            generation = await _ask(mine, askers[asked % PERSONS], f"{name} {number} {asked - 1}")
            return {"begun": begun, "accepted": time.monotonic(), "generation": generation}

        await obey(accept=accept, one=one)


async def _ask(mine: Parts, asker: Person, event: str) -> str:
    """What a platform's event goes through: noted durably, then accepted with its holds."""
    at, raw = micros(datetime.now(UTC)), {"message": event}
    owner = mine.together.id
    await mine.database.transaction(inbox.receive, event, product.SPACE, raw, at, owner, queue.LEASE)
    accepted = await mine.service.accept(product.draft(event, asker))
    assert accepted
    return accepted.generation


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

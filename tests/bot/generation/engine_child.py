"""A worker whose provider takes every request and never answers, until the process is killed.

    python -m tests.bot.generation.engine_child URL FOLDER OWNER LEASE

It prints a line "took ID ATTEMPT" for each generation of which the provider has given a ticket, and "dropped ID" for
each that it stops running.
"""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.generation.engine import SharedWorkers
from bot.generation.queue import Admitted
from bot.providers.base import Job
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import WIDE, Core
from tests.fakes import FakeProvider, Step, Ticket


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


@dataclass
class Silent(FakeProvider):
    def _script(self, job: Job) -> Iterable[Step]:
        async def never(job: Job) -> None:
            say("took", job.id.partition(":")[0])
            await asyncio.Event().wait()

        return Ticket("a ticket"), never


async def work(url: str, folder: Path, owner: str, lease: float) -> None:
    async with PostgresDatabase(url) as database:
        core = Core(database=database, folder=folder, provider=Silent())

        async def run(mine: Admitted) -> None:
            try:
                await core.runner.run(mine)
            finally:
                say("dropped", mine.id)

        workers = SharedWorkers(
            database=database,
            run=run,
            capacity=WIDE,
            owner=owner,
            patience=0,
            line_moved=lambda: None,
            lease=round(lease * 1_000_000),
            url=url,
        )
        async with workers:
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])))

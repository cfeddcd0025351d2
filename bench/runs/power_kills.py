"""A process that works on the books is killed again and again, and the next one goes on where it was.

It writes through the product's own writer, and tells every acknowledgement over a pipe, which keeps what was told by a
process that is no more. The file must be whole then, the books balanced, and all that was ever told must be there.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from bench.runs.power_books import damage, faults, missing, opened
from bench.runs.power_work import Work
from bot.storage import schema
from bot.storage.database import SQLiteConnection, SQLiteDatabase

PERSONS = 16
WITHOUT_END = 10**9
MOST_TOLD = 80  # before it is killed
A_MOMENT = 0.005  # seconds, at most, that it then still has: a few commits


def work(*, kills: int, seed: int) -> dict[str, Any]:
    random = Random(seed)
    told: set[tuple[str, str]] = set()
    found: dict[str, Any] = {"crashes": kills, "losing": 0, "most_lost": 0, "broken": []}
    begun, cpu = time.perf_counter(), _cpu()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bot.db"
        schema.migrate(file)
        for life in range(1, kills + 1):
            told |= _one_life(file, f"life {life}", random)
            with closing(opened(file)) as raw:
                connection = SQLiteConnection(raw)
                found["broken"] += [f"after life {life}: {words}" for words in damage(raw) or faults(connection)]
                lost = len(missing(connection, told))
            found["losing"] += lost > 0
            found["most_lost"] = max(found["most_lost"], lost)
    return {**found, "acknowledged": len(told), "seconds": time.perf_counter() - begun, "cpu": _cpu() - cpu}


def _cpu() -> float:
    """Of this process and of all that were killed."""
    return sum(os.times()[:4])


def _one_life(file: Path, name: str, random: Random) -> set[tuple[str, str]]:
    """What a process told until it was killed. It is forked, as what it needs is imported already."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        try:
            asyncio.run(_live(file, name, writing))
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = list(islice(lines, random.randint(1, MOST_TOLD)))
        time.sleep(random.uniform(0, A_MOMENT))
        os.kill(process, signal.SIGKILL)
        told += lines
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"{name} ended by itself")
    return {(word, id) for word, id in map(json.loads, told)}


async def _live(file: Path, name: str, writing: int) -> None:
    def tell(word: str, id: str) -> None:
        os.write(writing, json.dumps((word, id)).encode() + b"\n")

    async with SQLiteDatabase(file) as database:
        bot = Work(database=database, told=tell)
        await bot.take_up()
        await bot.people(name, PERSONS, WITHOUT_END)


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

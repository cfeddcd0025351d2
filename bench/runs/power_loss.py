"""The power fails at hundreds of moments of a recorded life of the bot, and the product reads what is left.

What it reads must be, row for row, the database as one of the commits left it, and none that is older than what had
been acknowledged when the power failed.
"""

import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apsw

from bench.runs.meter import main
from bench.runs.power_books import contents, damage, faults, opened
from bench.runs.power_disk import Acknowledged, Disk, Event, Fate, Synced, crash_points, write
from bench.runs.power_recorder import Recorded
from bench.runs.power_work import Work
from bot.storage import schema
from bot.storage.database import SQLiteConnection

FILE = "bot.db"
PERSONS, ROUNDS = 8, 2
OFTEN, DEFAULT = "wal_autocheckpoint=100", "wal_autocheckpoint=1000"


@dataclass(frozen=True, slots=True)
class Recording:
    """before: the files when it began, and they were on the disk."""

    before: dict[str, bytes] = field(repr=False)
    events: list[Event] = field(repr=False)


@dataclass(kw_only=True)
class Outcome:
    """points: at which the power failed. lost: at how many of them acknowledged transactions were gone.

    most_lost: how many at the worst of them. broken: what else was wrong, in words.
    """

    points: int = 0
    lost: int = 0
    most_lost: int = 0
    broken: list[str] = field(default_factory=list)


async def work(*, pragmas: Sequence[str], points: int, seed: int) -> dict[str, Any]:
    begun, cpu = time.perf_counter(), time.process_time()
    recording = await record(*pragmas, seed=seed)
    found = replay(recording, points=points, seed=seed)
    acknowledged = [event.transactions for event in recording.events if isinstance(event, Acknowledged)]
    return {
        "crashes": found.points,
        "losing": found.lost,
        "most_lost": found.most_lost,
        "broken": found.broken,
        "acknowledged": sum(acknowledged),
        "commits": len(acknowledged) - 1,
        "checkpoints": recording.events.count(Synced(FILE)),
        "sqlite": apsw.sqlite_lib_version(),
        "read_by": sqlite3.sqlite_version,
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
    }


async def record(*pragmas: str, seed: int = 0) -> Recording:
    """A bot that starts, works and is stopped. Half of the time its log is copied into the database often.

    pragmas: instead of the product's.
    """
    events: list[Event] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        schema.migrate(file)
        before = {FILE: file.read_bytes()}
        async with Recorded(file, events, pragmas=(*pragmas, OFTEN), seed=seed) as database:
            bot = Work(database=database)
            await bot.take_up()
            await bot.people("early", PERSONS, ROUNDS)
            database.pragma(DEFAULT)
            await bot.people("late", PERSONS, ROUNDS)
    return Recording(before, events)


def replay(recording: Recording, *, points: int, seed: int = 0, syncing: bool = True) -> Outcome:
    """syncing: False for a disk that says so and does not."""
    random = Random(seed)
    kept = _by_contents(recording.events)
    disk = Disk(recording.before, syncing=syncing)
    outcome = Outcome()
    reached = acknowledged = 0
    with tempfile.TemporaryDirectory() as name:
        reader = _Reader(Path(name))
        for point in crash_points(recording.events, points):
            for event in recording.events[reached:point]:
                disk.apply(event)
                acknowledged += event.transactions if isinstance(event, Acknowledged) else 0
            reached = point
            fate = random.choices((Fate.GONE, Fate.KEPT, Fate.TORN), (2, 1, 5))[0]
            found, wrong = reader.read(disk.after_power_loss(fate, random))
            if not wrong and found not in kept:
                wrong = ["it is as no commit left it"]
            outcome.points += 1
            outcome.broken += [f"after {point} events ({fate.value}): {words}" for words in wrong]
            if found in kept and (lost := acknowledged - kept[found]) > 0:
                outcome.lost += 1
                outcome.most_lost = max(outcome.most_lost, lost)
    return outcome


def _by_contents(events: Sequence[Event]) -> dict[str, int]:
    """How many transactions had been acknowledged when the database had these contents."""
    kept, transactions = {}, 0
    for event in events:
        if isinstance(event, Acknowledged):
            transactions += event.transactions
            kept[event.contents] = transactions
    return kept


@dataclass(slots=True)
class _Reader:
    """The next start, in a folder of nothing else. The same contents are audited once."""

    folder: Path
    audited: dict[str, list[str]] = field(default_factory=dict)

    def read(self, files: Mapping[str, bytes]) -> tuple[str, list[str]]:
        """The contents, "" where they cannot be read, and what is wrong with them."""
        write(files, self.folder)
        try:
            with closing(opened(self.folder / FILE)) as raw:
                if wrong := damage(raw):
                    return "", wrong
                if (found := contents(raw.execute)) not in self.audited:
                    self.audited[found] = faults(SQLiteConnection(raw))
                raw.execute("PRAGMA synchronous=OFF")  # closing copies the log, which nobody needs any more
                return found, self.audited[found]
        except sqlite3.DatabaseError as error:
            return "", [str(error)]


if __name__ == "__main__":
    main(work)

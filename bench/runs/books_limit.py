"""The limit: the same statements, ready made, straight through sqlite3 in one thread, so many to a commit.

No event loop, no queue, no ids, no JSON, nothing decided: only what the database itself takes.
"""

import shutil
import sqlite3
import tempfile
import time
from typing import Any

from bench.runs.meter import main, measured, percentiles
from bench.runs.replay import Action, recorded


async def work(*, folder: str, pragmas: list[str], batch: int) -> dict[str, Any]:
    phases = recorded(folder)
    with tempfile.TemporaryDirectory() as own:
        shutil.copyfile(f"{folder}/before.db", f"{own}/bot.db")
        raw = sqlite3.connect(f"{own}/bot.db", isolation_level=None, cached_statements=512)
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")
        results: dict[str, dict[str, Any]] = {}
        took: dict[str, list[float]] = {}
        for phase, actions in phases.items():
            # Everybody's first transaction, then everybody's second: as they reach a database that all wait for.
            turns = [action[turn] for turn in range(max(map(len, actions))) for action in actions if turn < len(action)]
            took[phase] = []
            with measured() as results[phase]:
                begun = time.perf_counter()
                for first in range(0, len(turns), batch):
                    together = turns[first : first + batch]
                    _commit(raw, together)
                    took[phase] += [time.perf_counter() - begun] * len(together)
        [settled] = raw.execute(
            "SELECT count(*) FROM generations WHERE state='settled' AND invocation NOT LIKE '%first%'"
        ).fetchone()
        raw.close()
    return {
        "actions": len(phases["accept"]),
        "wall": results["accept"]["wall"] + results["settle"]["wall"],
        "cpu": results["accept"]["cpu"] + results["settle"]["cpu"],
        # An action is through when its last transaction is.
        "accept_ms": percentiles(took["accept"][-len(phases["accept"]) :]),
        "settle_ms": percentiles(took["settle"][-len(phases["settle"]) :]),
        "settled": settled,
        "wrong": 0,
    }


def _commit(raw: sqlite3.Connection, transactions: Action) -> None:
    raw.execute("BEGIN IMMEDIATE")
    for transaction in transactions:
        raw.execute("SAVEPOINT work")
        for how, sql, values in transaction:
            if how == "execute_many":
                raw.executemany(sql, values)
            else:
                raw.execute(sql, values).fetchall()
        raw.execute("RELEASE work")
    raw.execute("COMMIT")


if __name__ == "__main__":
    main(work)

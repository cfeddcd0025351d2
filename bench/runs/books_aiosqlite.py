"""Bare aiosqlite, used as its documentation shows: one connection, a lock, a commit for each transaction.

It gets the product's statements ready made, with their values: it decides nothing, and makes no id and no JSON.
"""

import asyncio
import shutil
import tempfile
import time
from typing import Any

import aiosqlite

from bench.runs.meter import main, measured, percentiles
from bench.runs.replay import Action, recorded


async def work(*, folder: str, pragmas: list[str]) -> dict[str, Any]:
    phases = recorded(folder)
    with tempfile.TemporaryDirectory() as own:
        shutil.copyfile(f"{folder}/before.db", f"{own}/bot.db")
        async with aiosqlite.connect(f"{own}/bot.db", isolation_level=None, cached_statements=512) as connection:
            for pragma in pragmas:
                await connection.execute(f"PRAGMA {pragma}")
            lock = asyncio.Lock()
            took: dict[str, list[float]] = {}
            results: dict[str, dict[str, Any]] = {}
            for phase, actions in phases.items():
                with measured() as results[phase]:
                    took[phase] = await asyncio.gather(*(_act(connection, lock, action) for action in actions))
            [[settled]] = await connection.execute_fetchall(
                "SELECT count(*) FROM generations WHERE state='settled' AND invocation NOT LIKE '%first%'"
            )
    return {
        "actions": len(phases["accept"]),
        "wall": results["accept"]["wall"] + results["settle"]["wall"],
        "cpu": results["accept"]["cpu"] + results["settle"]["cpu"],
        "accept_ms": percentiles(took["accept"]),
        "settle_ms": percentiles(took["settle"]),
        "settled": settled,
        "wrong": 0,
    }


async def _act(connection: aiosqlite.Connection, lock: asyncio.Lock, action: Action) -> float:
    begun = time.perf_counter()
    for transaction in action:
        async with lock:
            await connection.execute("BEGIN IMMEDIATE")
            for how, sql, values in transaction:
                match how:
                    case "rows":
                        await connection.execute_fetchall(sql, values)
                    case "execute_many":
                        await connection.executemany(sql, values)
                    case _:
                        await connection.execute(sql, values)
            await connection.commit()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(work)

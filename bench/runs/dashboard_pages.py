"""Every page of the dashboard, asked for over and over by somebody of each kind, through the product's own reads."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.runs.dashboard_made import RARE
from bot.command import CommandTable
from bot.generation.service import GenerationService
from bot.ops.board.board import Board
from bot.ops.board.rights import Rights
from bot.quota.usage import BY
from bot.settings import Limits
from bot.storage.database import Database, open_database

Page = Callable[[], Awaitable[object]]


def work(*, url: str, times: int) -> dict[str, Any]:
    return asyncio.run(_work(url, times))


async def _work(url: str, times: int) -> dict[str, Any]:
    async with open_database(url) as database:
        board = _board(database)
        found = {}
        for kind, viewer in (await _viewers(database)).items():
            for name, page in (await _pages(board, database, viewer)).items():
                found[f"{kind}: {name}"] = await _timed(page, times)
        return {"pages": found, **await _exported(board)}


def _board(database: Database) -> Board:
    service = GenerationService(
        database=database,
        policy=Limits().table(),
        zone="UTC",
        clock=lambda: datetime.now(UTC),
        most_waiting=1000,
        ask_above_usd=Decimal("0.15"),
        ask_above_images=4,
        folder=Path(),
        accepted=lambda _: None,
        changed=lambda _: None,
    )
    return Board(
        database=database,
        service=service,
        table=CommandTable(()),
        clock=service.clock,
        zone="UTC",
        providers={"sandbox": "Sandbox"},
    )


async def _viewers(database: Database) -> dict[str, Rights]:
    """The operator, an admin of the busiest space, an owner of the busiest team, and whoever drew the most."""

    async def busiest(column: str) -> str:
        rows = await database.fetch(
            f"SELECT {column} AS id FROM usage_days WHERE {column}<>'' GROUP BY {column} ORDER BY sum(requests) DESC"
            " LIMIT 1"
        )
        return str(rows[0]["id"])

    space, team, person = [await busiest(column) for column in ("space", "team", "person")]
    return {
        "operator": Rights(kind="operator", name="operator"),
        "space": Rights(kind="space", spaces=(space,), persons=(person,), name="admin"),
        "team": Rights(kind="team", teams=(team,), persons=(person,), name="owner"),
        "person": Rights(kind="person", persons=(person,), name="member"),
    }


async def _pages(board: Board, database: Database, viewer: Rights) -> dict[str, Page]:
    today = datetime.now(UTC).date()
    month, year = ((today - timedelta(days=days)).isoformat() for days in (29, 364))
    now = today.isoformat()
    first = await board.gallery(viewer)
    newest = first.shots[0]
    among = await board.people(viewer)
    pages: dict[str, Page] = {
        "overview": lambda: board.overview(viewer),
        "pools": lambda: board.pools(viewer),
        "people": lambda: board.people(viewer),
        "people by name": lambda: board.people(viewer, sort="name", desc=False),
        "people of a year": lambda: board.people(viewer, since=year),
        "people searched": lambda: board.people(viewer, search="li"),
        "latency": lambda: board.latency(viewer, month, now),
        "latency of a year": lambda: board.latency(viewer, year, now),
        "failures": lambda: board.failures(viewer, month, now),
        "failures of a year": lambda: board.failures(viewer, year, now),
        "queue": lambda: board.queue(viewer),
        "gallery": lambda: board.gallery(viewer),
        "gallery, far back": lambda: board.gallery(viewer, before=max(2, newest.seq // 10)),
        "gallery, a common word": lambda: board.gallery(viewer, words="heron"),
        "gallery, a rare word": lambda: board.gallery(viewer, words=RARE[0]),
        "gallery, no such word": lambda: board.gallery(viewer, words="zeppelin 飞艇"),
        "gallery, a person": lambda: board.gallery(viewer, person=newest.person),
        "gallery, a name and a word": lambda: board.gallery(viewer, person="Alice", words=RARE[0]),
        "gallery, a model": lambda: board.gallery(viewer, model="seedream-3"),
        "gallery, no such model": lambda: board.gallery(viewer, model="seedream-9"),
        "generation": lambda: board.generation(viewer, newest.id),
        "health": lambda: board.health(viewer),
        "possibly billed": lambda: board.possibly_billed(viewer),
    }
    if among.next:
        pages["people, next page"] = lambda: board.people(viewer, page=among.next)
    if among.rows:
        pages["person"] = lambda: board.person(viewer, among.rows[0].id)
        pages["person, a year"] = lambda: board.person(viewer, among.rows[0].id, year)
    for by in BY:
        pages[f"spend by {by}"] = _spend(board, viewer, by, month, now)
        pages[f"spend by {by}, a year"] = _spend(board, viewer, by, year, now)
    if viewer.kind in ("operator", "space"):
        pages["audit"] = lambda: board.audit(viewer)
    return pages


def _spend(board: Board, viewer: Rights, by: str, since: str, until: str) -> Page:
    return lambda: board.spend(viewer, by, since, until)


async def _timed(page: Page, times: int) -> dict[str, list[float]]:
    """Milliseconds of each, and those of the processor (without a server's); the first one finds nothing prepared."""
    wall, cpu = [], []
    for _ in range(times):
        begun, spent = time.perf_counter(), time.process_time()
        await page()
        wall.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    return {"wall": wall, "cpu": cpu}


async def _exported(board: Board) -> dict[str, float]:
    """A week of the ledger: rows, seconds, and how much memory that takes."""
    viewer = Rights(kind="operator")
    today = datetime.now(UTC).date()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, rows = time.perf_counter(), 0
    async for _ in board.export(viewer, "ledger", (today - timedelta(days=6)).isoformat(), today.isoformat()):
        rows += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"rows": rows, "seconds": time.perf_counter() - begun, "mib": grown / 1024}


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

"""Who answers what after an outage: those that live keep what is theirs."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot import dispatch
from bot.chat import Invocation
from bot.generation import inbox
from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import Core
from tests.bot.generation.test_engine import closed
from tests.bot.storage.cable import until
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks, pytest.mark.slow]

LEASE = 40_000_000


async def test_who_comes_back_first_leaves_to_others_what_they_are_answering(
    emptied: Emptied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 0.1)
    monkeypatch.setattr(dispatch, "LOOK_AGAIN", 0.2)
    site: Any = SimpleNamespace(url=emptied())
    answer = asyncio.Event()

    async def wait(invocation: Invocation) -> Invocation:
        await answer.wait()
        return invocation

    async with PostgresDatabase(site.url) as database:
        core = Core(database=database, folder=tmp_path)
        core.adapter.open.set()
        mine = replace(core.dispatcher, owner="first", lease=LEASE)

        def leases(connection: Connection) -> dict[str, int]:
            now = connection.now()
            return {row["id"]: row["lease_until"] - now for row in inbox.still_open(connection)}

        async def has(invocation: str, *, lease: bool) -> bool:
            left = (await database.read(leases))[invocation]
            return left > LEASE / 2 if lease else left < 0

        async with mine:
            asked = core.invocation("/help", id="mine")
            await mine.accept(asked, {"event": "mine"}, wait)
            await database.transaction(inbox.receive, "theirs", "fake", {"event": "theirs"}, core.at, "other", LEASE)
            soon = "UPDATE inbox SET lease_until=:soon"
            await database.transaction(lambda each: each.execute(soon, soon=each.now() + 2_000_000))
            with capture_logs() as lines:
                async with closed(site):
                    await until(lambda: len([each for each in lines if "open messages" in each["event"]]) > 1)
                    await asyncio.to_thread(_passes, site.url, 2_000_000)
            await until(lambda: has("mine", lease=True))
            assert await has("theirs", lease=False)  # it has run out, and is left alone
            await database.transaction(inbox.renew, "other", LEASE, ["theirs"])
            assert await has("theirs", lease=True)
            answer.set()


def _passes(url: str, micros: int) -> None:
    with postgres.connected(url, dbname="postgres") as server:
        server.execute("SELECT pg_sleep(%s)", (micros / 1_000_000,))

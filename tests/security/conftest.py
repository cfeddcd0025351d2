"""A demonstration as a real process, and people who speak to it as their pages do."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot.ops.folder import reading
from tests.bot.ops.processes import Desk
from tests.postgres import settings_of

LIMITS = {
    "BOT_LIMITS__PERSON": '{"images": {"day": 10}}',
    "BOT_LIMITS__SPACE": '{"images": {"month": 15}}',
    "BOT_QUEUE__PER_PERSON": "4",
    "BOT_LOG__LEVEL": "DEBUG",
    "BOT_LOG__FORMAT": "json",
}
BUSY = (
    "SELECT 1 FROM inbox WHERE state='received'",
    "SELECT 1 FROM generations WHERE state IN ('queued', 'running', 'sending', 'submitted')",
    "SELECT 1 FROM postings WHERE state IN ('to post', 'posting')",
)


@dataclass
class House:
    """A process, its data folder, its database where that is not in there, and a way in."""

    folder: Path
    url: str
    pages: aiohttp.ClientSession

    def rows(self, sql: str, *values: object) -> list[Any]:
        named = {f"v{number}": value for number, value in enumerate(values)}
        for name in named:
            sql = sql.replace("?", f":{name}", 1)
        with reading(self.url or self.folder / "bot.db") as connection:
            return [tuple(row[name] for name in row.keys()) for row in connection.rows(sql, **named)]  # noqa: SIM118

    async def say(self, person: str, words: str = "", *, room: str = "design-team", **more: Any) -> str:
        """Say it and wait until everything has come to an end; returns the message's id."""
        id = await self.post(person, words, room=room, **more)
        await self.calm()
        return id

    async def post(self, person: str, words: str = "", *, room: str = "design-team", **more: Any) -> str:
        message = {"id": new_id(), "person": person, "room": room, "words": words, **more}
        async with self.pages.post("/messages", json=message) as response:
            assert response.status == 200, await response.text()
        return str(message["id"])

    async def calm(self) -> None:
        """Fails where nothing has changed for so long: a busy machine takes its time for many."""
        before: list[list[Any]] = []
        while any(left := [self.rows(sql) for sql in BUSY]):
            if left != before:
                before, end = left, time.monotonic() + 60
            assert time.monotonic() < end, left
            await asyncio.sleep(0.02)

    async def get(self, address: str) -> tuple[int, str]:
        async with self.pages.get(address, allow_redirects=False) as response:
            return response.status, await response.text(errors="replace")

    async def page(self, person: str, room: str = "design-team") -> str:
        return (await self.get(f"/?as={person}&room={room}"))[1]

    def answer(self, message: str) -> dict[str, Any]:
        """The one reply to a message."""
        [(reply,)] = self.rows("SELECT reply FROM chat_messages WHERE reply_to=? AND bot=1", message)
        found: dict[str, Any] = json.loads(reply)
        return {"generation": None, **found}

    def standing(self, message: str) -> str:
        """The id of the message that answers this one."""
        [(id,)] = self.rows("SELECT id FROM chat_messages WHERE reply_to=? AND bot=1", message)
        return str(id)

    def blob(self, generation: str) -> str:
        [(blob,)] = self.rows("SELECT blob FROM images WHERE generation=?", generation)
        return str(blob)


def new_id() -> str:
    return "p" + secrets.token_hex(15)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with settings_of() as settings:
        yield Desk(tmp_path, settings)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str]]:
    with settings_of() as settings:
        desk = Desk(tmp_path_factory.mktemp("house"), {**LIMITS, **settings})
        with desk.running("demo", "--no-open") as owner:
            yield owner.address, desk.data_dir, settings.get("BOT_DATABASE_URL", "")


@pytest_asyncio.fixture
async def house(address: tuple[str, Path, str]) -> AsyncIterator[House]:
    page, folder, url = address
    async with aiohttp.ClientSession(page) as pages:
        yield House(folder, url, pages)

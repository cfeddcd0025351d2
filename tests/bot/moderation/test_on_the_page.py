"""Moderation through the chat page's own door, with the whole bot behind it and the sandbox as its provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.web import messages
from bot.app import App, running
from bot.chat import Reply
from bot.ops.sending import Asked, Exit, exit_code
from bot.settings import Settings
from tests.fakes import painted

pytestmark = pytest.mark.slow


@dataclass
class Page:
    """The bot, with ann, who is an admin, and ben, who is not."""

    app: App

    async def says(self, person: str, words: str = "", *, press: str = "", files: tuple[Path, ...] = ()) -> Any:
        return await self.app.sending.send(Asked(person=person, words=words, press=press, files=files, yes=True))

    async def obeys(self, *lines: str) -> None:
        for line in lines:
            told = await self.says("ann", line)
            assert told["error"] is None, told["text"]

    async def seen(self, person: str, room: str, generation: str) -> list[Reply]:
        """What stands of a generation in a room, as this person sees it."""
        rows = await self.app.database.fetch(
            f"{messages.SELECT} WHERE m.bot=1 AND m.room=:room AND {messages.SEEN} ORDER BY m.born",
            person=person,
            room=room,
        )
        found = [messages.from_row(row).reply for row in rows]
        return [reply for reply in found if reply and reply.generation == generation]

    async def shows(self, room: str, generation: str, buttons: tuple[str, ...], pictures: int) -> Reply:
        """Wait until just this stands there."""
        async with asyncio.timeout(20):
            while True:
                for reply in await self.seen("ann", room, generation):
                    if tuple(each.command for each in reply.buttons) == buttons and len(reply.pictures) == pictures:
                        return reply
                await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Page]:
    set_to: dict[str, Any] = {"web": {"port": 0}, "providers": ["sandbox"], "admins": ["ann"]}
    async with running(Settings(data_dir=folder, **set_to), listen=False) as app:
        yield Page(app)


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with opened(tmp_path) as page:
        yield page


async def request_of(page: Page, generation: str) -> dict[str, Any]:
    (row,) = await page.app.database.fetch("SELECT request FROM generations WHERE id=:id", id=generation)
    return dict(json.loads(row["request"]))


@pytest.mark.parametrize(
    "line",
    [
        "/imagine a fox",
        "/series a day in a harbour --count 3",
        "/edit make it night",
        *(
            pytest.param(line, marks=pytest.mark.long)
            for line in ("/imagine a fox --count 3", "/blend put one beside the other")
        ),
        "make it rain",
    ],
)
async def test_every_kind_of_request_waits_and_is_then_shown(page: Page, line: str, tmp_path: Path) -> None:
    files = []
    if not line.startswith(("/imagine", "/series")):
        for number in range(2 if line.startswith("/blend") else 1):
            files.append(tmp_path / f"given-{number}.png")
            files[-1].write_bytes(painted(f"given {number}", 640, 480))
    await page.obeys("/admin space review #marketing all")
    waits = await page.says("ben", line, files=tuple(files))
    generation, count = waits["generation"], 3 if "3" in line else 1
    assert (waits["images"], waits["state"], exit_code(waits)) == ([], "review", Exit.QUESTION)
    assert "waits until an admin" in waits["text"]
    await page.shows("marketing", generation, ("approve", "refuse"), count)
    assert all(reply.pictures == () for reply in await page.seen("ben", "design-team", generation))
    told = await page.says("ann", press=f"approve:{generation}:0")

    assert told["error"] is None
    await page.shows("marketing", generation, (), count)
    shown = await page.says("ben", f"/show {generation}")
    assert len(shown["images"]) == count


async def test_refused_and_given_back(page: Page) -> None:
    await page.obeys("/admin space words add review blood", "/admin space review #marketing")
    free = await page.says("ben", "/imagine a fox")
    waits = await page.says("ben", "/imagine blood")
    await page.shows("marketing", waits["generation"], ("approve", "refuse"), 1)
    foreign = await page.says("ben", press=f"approve:{waits['generation']}:0")
    await page.says("ann", press=f"refuse:{waits['generation']}:0")
    refused = await page.shows("marketing", waits["generation"], ("give-back",), 0)
    back = await page.says("ann", press=f"give-back:{waits['generation']}:0")

    assert len(free["images"]) == 1
    assert foreign["error"] is not None
    assert "refused" in str(refused.text)
    assert back["error"] is None
    (row,) = await page.app.database.fetch(
        "SELECT sum(spent) AS spent FROM entries WHERE generation=:id", id=waits["generation"]
    )
    assert row["spent"] == 0
    await page.shows("marketing", waits["generation"], (), 0)


async def test_lists_models_and_marks_are_obeyed(page: Page) -> None:
    await page.obeys(
        '/admin space words add refuse gore "red light" /n[o0]+pe/ 血腥',
        "/admin space models seedream-4",
        "/admin space watermark always",
    )
    for words in ("/imagine GORE", "a red  light", "/imagine n00pe", "/画 很血腥的画"):
        assert (await page.says("ben", words))["error"] is not None
    assert (await page.says("ben", "/imagine a fox --model seedream-4.5"))["error"] is not None
    drawn = await page.says("ben", "/imagine a fox")
    request = await request_of(page, drawn["generation"])

    assert (request["model"], request["watermark"]) == ("seedream-4", True)
    rows = await page.app.database.fetch("SELECT after FROM audit WHERE what='refused words' ORDER BY seq")
    assert [json.loads(row["after"]) for row in rows] == ["gore", "red light", "/n[o0]+pe/", "血腥"]


async def test_what_waits_is_still_asked_about_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as page:
        await page.obeys("/admin space review #marketing all")
        waits = await page.says("ben", "/imagine a fox")
        await page.shows("marketing", waits["generation"], ("approve", "refuse"), 1)
    async with opened(tmp_path) as page:
        assert (await page.says("ben", f"/show {waits['generation']}"))["error"] is not None
        await page.obeys("/admin space review off")
        await page.shows("marketing", waits["generation"], (), 1)
        assert len((await page.says("ben", f"/show {waits['generation']}"))["images"]) == 1

"""Reports and alerts of the whole bot, as its chat page shows them."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.web import messages
from bot.app import App, running
from bot.chat import Reply
from bot.i18n import say
from bot.ops.sending import Asked
from bot.settings import Settings

pytestmark = pytest.mark.long


async def says(app: App, words: str) -> dict[str, Any]:
    told: dict[str, Any] = await app.sending.send(Asked(person="ann", words=words, press="", files=(), yes=True))
    assert told["error"] is None, told["text"]
    return told


async def shown_in(app: App, room: str) -> list[Reply]:
    rows = await app.database.fetch(
        f"{messages.SELECT} WHERE m.bot=1 AND m.room=:room AND {messages.SEEN} ORDER BY m.born", room=room, person="ann"
    )
    return [found for row in rows if (found := messages.from_row(row).reply)]


async def test_a_pool_that_runs_short_is_told_and_a_chart_is_seen(tmp_path: Path) -> None:
    given: dict[str, Any] = {"web": {"port": 0}, "providers": ["sandbox"], "admins": ["ann"]}
    async with running(Settings(data_dir=tmp_path, **given)) as app:
        await says(app, "/admin space alerts #marketing")
        await says(app, "/admin limit space 2 images per month")
        await says(app, "/imagine a fox")
        await says(app, "/usage model")

        picture = next(
            reply.pictures[0] for reply in await shown_in(app, "design-team") if reply.rows and reply.pictures
        )
        assert picture.alt.startswith("A chart, ")
        assert app.listener is not None
        async with aiohttp.ClientSession(app.listener.url) as session:
            for address in (f"/pictures/{picture.blob}", f"/thumbnails/{picture.blob}/1280"):
                async with session.get(address) as response:
                    assert response.status == 200, address
                    assert response.content_type.startswith("image/")
        async with asyncio.timeout(60):
            while not (told := [each for each in await shown_in(app, "marketing") if not each.private]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    assert [say(each.text, "en") for each in told] == ["This space: 50 % of 2 pictures a month is used (1 picture)."]

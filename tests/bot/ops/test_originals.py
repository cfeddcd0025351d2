"""Links to originals, over a real socket: each shows one picture to whoever has it, for a while, and nothing else."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from bot.app import App, running
from bot.ops.sending import Asked
from bot.settings import Settings

pytestmark = pytest.mark.slow

PUBLIC = "https://bot.example/page"
LINK = re.compile(r"https://[^\s,]+")


@dataclass
class Visitor:
    """Somebody from elsewhere with links, but without the token of the page."""

    app: App
    session: aiohttp.ClientSession

    async def says(self, words: str = "", *, press: str = "") -> dict[str, Any]:
        return await self.app.sending.send(Asked(person="", words=words, press=press, yes=True))

    async def links(self, generation: str) -> list[str]:
        """As Details tells them."""
        return LINK.findall((await self.says(press=f"details:{generation}:0"))["text"])

    async def get(self, link: str, method: str = "GET", *, host: str = "bot.example") -> tuple[int, bytes, Any]:
        path = URL(link.removeprefix(PUBLIC), encoded=True)
        async with self.session.request(method, path, headers={"Host": host}) as response:
            return response.status, await response.read(), response.headers

    async def status(self, link: str) -> int:
        return (await self.get(link))[0]


@asynccontextmanager
async def visited(folder: Path, *, public: str | None = PUBLIC) -> AsyncIterator[Visitor]:
    web = {"port": 0, "token": "a-token-of-the-page", "public_url": public}
    set_to: dict[str, Any] = {"web": web, "providers": ["sandbox"]}
    async with running(Settings(data_dir=folder, **set_to)) as app:
        assert app.listener is not None
        async with aiohttp.ClientSession(app.listener.url) as session:
            yield Visitor(app, session)


@pytest_asyncio.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visited(tmp_path) as one:
        yield one


async def test_a_link_shows_the_picture_as_it_is_kept_without_the_pages_token(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox")
    (link,) = await visitor.links(made["generation"])
    status, body, headers = await visitor.get(link)

    assert (status, sha256(body).hexdigest()) == (200, made["images"][0]["blob"])
    assert headers["Content-Type"] == made["images"][0]["media_type"]
    assert headers["Content-Disposition"].startswith(f'inline; filename="{made["generation"]}-1.')
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await visitor.get(link, "HEAD"))[:2] == (200, b"")


async def test_every_picture_has_a_link_of_its_own(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox --count 3")
    links = await visitor.links(made["generation"])
    bodies = [(await visitor.get(link))[1] for link in links]

    assert [sha256(body).hexdigest() for body in bodies] == [each["blob"] for each in made["images"]]


async def test_it_opens_nothing_else_and_under_no_other_name(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox")
    (link,) = await visitor.links(made["generation"])

    assert (await visitor.get(link, host="evil.example"))[0] == 403
    assert await visitor.status(PUBLIC + "/") == 401
    assert await visitor.status(f"{PUBLIC}/pictures/{made['images'][0]['blob']}") == 401


CHANGES = (
    (r"sig=.", "sig="),
    (r"sig=.*", "sig="),
    (r"&sig=.*", ""),
    (r"sig=.*", "sig=%ED%A0%80"),
    (r"until=\d", "until=9"),
    (r"until=", "until=0"),
    (r"until=\d+", "until=%00"),
    (r"until=\d+&", ""),
    (r":0\?", ":1?"),
    (r":0\?", ":00?"),
    (r":0\?", "?"),
    (r"/p/.", "/p/!"),
)


async def test_a_link_that_was_changed_is_refused(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox --count 2")
    link = (await visitor.links(made["generation"]))[0]
    changed = [re.sub(part, instead, link, count=1) for part, instead in CHANGES]

    assert link not in changed
    assert [await visitor.status(each) for each in changed] == [403] * len(CHANGES)


async def test_it_expires_after_seven_days_and_details_gives_a_new_one(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox")
    (link,) = await visitor.links(made["generation"])
    visitor.app.clock.offset = timedelta(days=7)
    assert await visitor.status(link) == 200

    visitor.app.clock.offset = timedelta(days=8, seconds=1)
    assert await visitor.status(link) == 410
    (later,) = await visitor.links(made["generation"])
    assert await visitor.status(later) == 200


async def test_it_ends_with_the_picture(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox")
    (link,) = await visitor.links(made["generation"])
    await visitor.says(press=f"delete:{made['generation']}:0")

    assert await visitor.status(link) == 404
    assert await visitor.links(made["generation"]) == []


async def test_a_picture_that_was_cleaned_up_is_gone(visitor: Visitor) -> None:
    made = await visitor.says("/imagine a fox --count 2")
    first, second = await visitor.links(made["generation"])
    await visitor.app.database.transaction(
        lambda connection: connection.execute("UPDATE images SET state='cleaned' WHERE position=0")
    )
    assert await visitor.links(made["generation"]) == [second]
    await visitor.app.blobs.delete(made["images"][1]["blob"])

    assert [await visitor.status(link) for link in (first, second)] == [404, 404]


async def test_links_outlive_a_restart(tmp_path: Path) -> None:
    async with visited(tmp_path) as before:
        made = await before.says("/imagine a fox")
        (link,) = await before.links(made["generation"])
    async with visited(tmp_path) as after:
        assert await after.status(link) == 200


async def test_links_of_another_bot_are_strangers(tmp_path: Path) -> None:
    async with visited(tmp_path / "one") as one:
        made = await one.says("/imagine a fox")
        (link,) = await one.links(made["generation"])
    async with visited(tmp_path / "other") as other:
        assert await other.status(link) == 403


async def test_without_a_public_address_there_are_none(tmp_path: Path) -> None:
    async with visited(tmp_path, public=None) as visitor:
        made = await visitor.says("/imagine a fox")

        assert await visitor.links(made["generation"]) == []
        assert (await visitor.get(f"{PUBLIC}/p/{made['generation']}:0", host="127.0.0.1"))[0] == 404

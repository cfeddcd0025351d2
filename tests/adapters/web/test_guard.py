"""Who is let in: by Host, by Origin, by token; and what every answer forbids the browser to do."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from adapters.web.guard import HEADERS, check_binding
from tests.adapters.web.fake_core import FakeCore, core_with_page, serving

TOKEN = "a-token-é"


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A page that asks for a token, and keeps cookies of addresses as a browser would."""
    async with core_with_page(tmp_path, token=TOKEN) as core, serving(core.chat) as address:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(address, cookie_jar=jar) as session:
            yield session


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[::1", "192.168.1.5"]
)
async def test_a_foreign_host_is_refused_for_it_may_be_a_rebound_name(client: aiohttp.ClientSession, host: str) -> None:
    async with client.get("/", headers={"Host": host}) as response:
        assert response.status in (400, 403)


async def test_what_is_signed_may_come_by_any_name(client: aiohttp.ClientSession) -> None:
    """Providers and platforms prove who they are in each call; which name leads here is the operator's business."""
    async with client.post("/hooks/nobody", headers={"Host": "bot.example", "Origin": "null"}) as response:
        assert response.status == 404


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST"])
async def test_every_name_of_loopback_is_ours(client: aiohttp.ClientSession, host: str) -> None:
    async with client.get("/?as=alice", headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_post_from_another_site_is_refused(
    core: FakeCore, client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    message = {"id": "p" * 20, "person": "alice", "room": "design-team", "words": "hello"}
    async with client.post("/messages", json=message, headers=headers) as response:
        assert response.status == 403
    assert core.accepted == []


async def test_a_form_of_another_kind_is_not_read_as_a_message(core: FakeCore, client: aiohttp.ClientSession) -> None:
    async with client.post("/messages", data=b"{}", headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 415
    assert core.accepted == []


@pytest.mark.parametrize("path", ["/", "/?as=alice", "/static/page.css", "/nothing-here", "/stream?as=nobody"])
async def test_every_answer_carries_the_policy(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


async def test_the_page_holds_nothing_that_its_policy_forbids(client: aiohttp.ClientSession) -> None:
    async with client.get("/?as=alice") as response:
        page = await response.text()

    assert "<style" not in page
    assert "style=" not in page
    assert "onclick=" not in page
    assert all("src=" in script for script in page.split("<script")[1:])
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


@pytest.mark.parametrize("path", ["/?as=alice", "/stream?as=alice", "/static/page.js", "/meter?as=alice", "/uploads"])
async def test_without_the_cookie_nothing_is_shown(guarded: aiohttp.ClientSession, path: str) -> None:
    async with guarded.get(path) as response:
        assert response.status == 401
        assert "Seedream" not in await response.text()


@pytest.mark.parametrize("token", ["", "wrong", "é", TOKEN + "x", "\udcff"])
async def test_a_wrong_token_sets_no_cookie(guarded: aiohttp.ClientSession, token: str) -> None:
    address = URL("/?token=" + quote(token, errors="surrogateescape"), encoded=True)
    async with guarded.get(address) as response:
        assert response.status == 403
        assert not response.cookies


async def test_the_links_token_becomes_a_cookie_and_leaves_the_address(guarded: aiohttp.ClientSession) -> None:
    async with guarded.get("/", params={"token": TOKEN}, allow_redirects=False) as response:
        cookie = next(iter(response.cookies.values()))
        assert (response.status, response.headers["Location"]) == (303, "/")
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert TOKEN not in cookie.value
    async with guarded.get("/?as=alice") as response:
        assert response.status == 200


@pytest.mark.parametrize("cookie", ["", "wrong", "ä" * 64])
async def test_an_invented_cookie_is_worth_nothing(guarded: aiohttp.ClientSession, cookie: str) -> None:
    async with guarded.get("/?as=alice", headers={"Cookie": f"seedream-8765={cookie}"}) as response:
        assert response.status == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_needs_no_token(host: str) -> None:
    check_binding(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "bot.example", ""])
def test_anywhere_else_needs_one(host: str) -> None:
    check_binding(host, TOKEN)

    with pytest.raises(ValueError, match="BOT_WEB__TOKEN"):
        check_binding(host, None)


async def test_where_every_address_is_bound_a_bare_address_is_ours_but_no_foreign_name(tmp_path: Path) -> None:
    async with (
        core_with_page(tmp_path, token=TOKEN, host="0.0.0.0", hosts=("bot.example",)) as core,
        serving(core.chat) as address,
        aiohttp.ClientSession(address) as session,
    ):

        async def status(host: str) -> int:
            async with session.get("/", headers={"Host": host}) as response:
                return response.status

        assert await status("192.168.1.5:8765") == 401
        assert await status("bot.example") == 401
        assert await status("evil.example") == 403

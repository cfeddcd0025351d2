"""The listener of a whole bot on a real socket: metrics to those who may read them, calls of providers by signature."""

import asyncio
import hmac
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from bot.app import App, running
from bot.clock import micros
from bot.ops.sending import Asked
from bot.quota import audit
from bot.settings import Settings
from bot.storage.schema import migrate
from tests.simulators.apiframe import ApiframeSim

TOKEN = "a-token-of-the-page"
PUBLIC = "https://bot.example/page"
HOST = {"Host": "bot.example"}
CREDITS = 'seedream_provider_credits{provider="apiframe"}'


@asynccontextmanager
async def bot(
    folder: Path, *, token: str | None = TOKEN, **wanted: Any
) -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    """A running bot, and a session at its address."""
    web = {"port": 0, "token": token, **wanted.pop("web", {})}
    async with running(Settings(data_dir=folder, web=web, **wanted)) as app:
        assert app.listener is not None
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(app.listener.url, cookie_jar=jar) as session:
            yield app, session


async def status(session: aiohttp.ClientSession, path: str | URL, *, method: str = "GET", **more: Any) -> int:
    async with session.request(method, path, allow_redirects=False, **more) as response:
        return response.status


async def metrics(session: aiohttp.ClientSession) -> dict[str, float]:
    async with session.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        text = await response.text()
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+) (\S+)$", text, re.MULTILINE)}


# --- metrics


async def test_metrics_need_the_token_where_there_is_one(tmp_path: Path) -> None:
    async with bot(tmp_path, web={"public_url": PUBLIC}) as (_, session):
        assert await status(session, "/metrics") == 401
        assert await status(session, "/metrics", headers=HOST) == 401
        for wrong in ("Bearer wrong", "Bearer ", f"Basic {TOKEN}", TOKEN):
            assert await status(session, "/metrics", headers={"Authorization": wrong}) == 401
        assert await status(session, "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) == 200

        assert await status(session, "/", params={"token": TOKEN}) == 303
        assert await status(session, "/metrics") == 200  # by the page's cookie


async def test_whoever_bears_the_token_may_call_the_bot_by_any_name(tmp_path: Path) -> None:
    async with bot(tmp_path) as (_, session):
        headers = {"Host": "seedream-bot:8765"}

        assert await status(session, "/metrics", headers=headers) == 403
        assert await status(session, "/metrics", headers={**headers, "Authorization": f"Bearer {TOKEN}"}) == 200


async def test_without_a_token_metrics_are_as_open_as_the_page(tmp_path: Path) -> None:
    async with bot(tmp_path, token=None) as (_, session):
        assert await status(session, "/metrics") == 200
        assert await status(session, "/metrics", headers={"Host": "evil.example"}) == 403
        assert await status(session, "/metrics", headers={"Host": "evil.example", "Authorization": "Bearer "}) == 403


async def test_metrics_tell_of_providers_and_of_the_line(tmp_path: Path) -> None:
    async with ApiframeSim() as apiframe:
        own = {"api_key": apiframe.key, "base_url": apiframe.base_url}
        async with bot(tmp_path, apiframe=own, providers=["apiframe", "sandbox"]) as (app, session):
            async with asyncio.timeout(10):
                before = await metrics(session)
                while CREDITS not in before:  # it is asked for when the bot starts
                    before = await metrics(session)
            await app.database.transaction(
                lambda connection: connection.execute(
                    "INSERT INTO provider_health (provider, failures, until, reason, changed_at)"
                    " VALUES ('sandbox', 3, :until, 'busy', 0)",
                    until=micros(datetime.now(UTC) + timedelta(minutes=1)),
                )
            )
            await app.sending.send(Asked(person="", words="/imagine a fox --count 4"))
            after = await metrics(session)

    assert before['seedream_provider_up{provider="sandbox"}'] == 1
    assert before['seedream_provider_failures{provider="sandbox"}'] == 0
    assert after['seedream_provider_up{provider="sandbox"}'] == 0
    assert after['seedream_provider_failures{provider="sandbox"}'] == 3
    assert after['seedream_provider_up{provider="apiframe"}'] == 1
    assert after[CREDITS] == 1000
    assert before['seedream_generations{state="asked"}'] == 0
    assert after['seedream_generations{state="asked"}'] == 1
    assert before["seedream_books_agree"] == after["seedream_books_agree"] == 1
    assert not any(name.startswith(("python_", "process_")) for name in after)


async def test_metrics_tell_whether_the_last_look_at_the_books_found_a_difference(tmp_path: Path) -> None:
    """It takes the first one when it starts."""
    file = tmp_path / "bot.db"
    migrate(file)
    with sqlite3.connect(file) as raw:
        raw.execute("INSERT INTO balances (account, unit, win, period, held) VALUES ('all', 'usd', 'total', 'all', -1)")
    raw.close()

    async with bot(tmp_path) as (app, session), asyncio.timeout(10):
        while (await metrics(session))["seedream_books_agree"]:
            continue
        await app.database.transaction(audit.keep, [])
        assert (await metrics(session))["seedream_books_agree"] == 1


# --- calls of providers


@asynccontextmanager
async def called(folder: Path, **web: Any) -> AsyncIterator[tuple[ApiframeSim, App, aiohttp.ClientSession]]:
    """A bot that draws with Apiframe and can be called back, as seen from Apiframe's side."""
    async with ApiframeSim() as apiframe:
        own = {"api_key": apiframe.key, "base_url": apiframe.base_url}
        async with bot(folder, apiframe=own, fetch={"allow": ["127.0.0.1"]}, web=web) as (app, session):
            yield apiframe, app, session


def signed(key: str, body: bytes) -> dict[str, str]:
    return {"X-Webhook-Signature": "sha256=" + hmac.new(sha256(key.encode()).digest(), body, sha256).hexdigest()}


async def test_a_call_is_let_in_by_its_signature_alone(tmp_path: Path) -> None:
    async with called(tmp_path, public_url=PUBLIC) as (apiframe, _, session):
        body = b'{"event": "completed", "jobId": "1"}'
        path, good = "/hooks/apiframe", signed(apiframe.key, body)

        assert await status(session, path, method="POST", data=body, headers={**HOST, **good}) == 200
        assert await status(session, path, method="POST", data=body, headers=HOST) == 401
        assert await status(session, path, method="POST", data=body + b" ", headers={**HOST, **good}) == 401
        assert await status(session, path, method="POST", data=body, headers={**HOST, **signed("x", body)}) == 401


async def test_a_call_has_a_most_that_is_read(tmp_path: Path) -> None:
    async with called(tmp_path, public_url=PUBLIC) as (apiframe, _, session):
        for size, answer in ((2**20 - 1, 200), (2**20 + 1, 413)):
            body = b" " * size
            headers = {**HOST, **signed(apiframe.key, body)}

            assert (
                await status(session, "/hooks/apiframe", method="POST", data=BytesIO(body), headers=headers) == answer
            )


async def test_the_way_for_calls_opens_nothing_else(tmp_path: Path) -> None:
    async with called(tmp_path, public_url=PUBLIC) as (_, _, session):
        for path in ("/hooks/", "/hooks/novita", "/hooks/apiframe/messages", "/hooks/..%2Fmessages"):
            assert await status(session, URL(path, encoded=True), method="POST", headers=HOST) == 404, path
        assert await status(session, "/hooks/apiframe", headers=HOST) == 405
        assert await status(session, "/messages", method="POST", headers=HOST) == 401
        foreign = {"Host": "evil.example"}
        assert await status(session, "/hooks/apiframe", method="POST", headers=foreign) == 401  # unsigned, by any name
        assert await status(session, "/hooks/../messages", method="POST", headers=foreign) == 403


async def test_a_call_that_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    async with called(tmp_path, public_url=PUBLIC) as (_, _, session):
        packed = {**HOST, "Content-Encoding": "gzip"}
        assert await status(session, "/hooks/apiframe", method="POST", data=b"no gzip", headers=packed) == 400


async def test_without_a_public_address_there_is_no_way_for_calls(tmp_path: Path) -> None:
    async with called(tmp_path) as (_, _, session):
        assert await status(session, "/hooks/apiframe", method="POST") == 404


async def test_a_call_ends_the_waiting_for_its_picture(tmp_path: Path) -> None:
    """The first poll finds the job unfinished, and the next would come only after seconds."""
    async with called(tmp_path, public_url=PUBLIC) as (apiframe, app, session):
        apiframe.seconds = 3600
        drawing = asyncio.create_task(app.sending.send(Asked(person="", words="/imagine a fox")))
        name = await asyncio.wait_for(apiframe.polled.get(), 10)
        apiframe.jobs[name].over = True
        body = json.dumps({"event": "completed", "jobId": name}).encode()
        path, good = "/hooks/apiframe", signed(apiframe.key, body)

        assert await status(session, path, method="POST", data=body, headers={**HOST, **good}) == 200
        assert await asyncio.wait_for(apiframe.polled.get(), 2) == name
        assert (await drawing)["state"] == "settled"

"""Answers that Novita AI's simulator never gives, from servers that say exactly what a test wants."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.errors import AnswerBroken, ContentRefused, OutcomeUnknown, ProviderBusy, ProviderRefused
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Finished, Job
from bot.providers.novita import Novita
from bot.providers.transport import Transport
from tests.providers.conftest import Outcome
from tests.providers.test_novita import CATALOGUE, KEY, collect

Say = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    async def saying(body: Any, *, status: int = 200, images: int = 1) -> Outcome:
        posts = 0

        async def answer(request: web.Request) -> web.Response:
            nonlocal posts
            posts += 1
            await request.read()
            return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())

        app = web.Application()
        app.router.add_post("/v3/{model}", answer)
        async with TestServer(app, host="127.0.0.1") as server, Transport() as transport, GuardedFetcher() as fetcher:
            url = str(server.make_url("/"))
            provider = Novita(base_url=url, api_key=KEY, transport=transport, fetcher=fetcher, pause=0)
            model = CATALOGUE.model("novita", "seedream-4")
            wanted: dict[str, Any] = {"images": images, "series": images > 1}
            job = Job(id="1", model=model, prompt="canary words", size="1K", folder=tmp_path, **wanted)
            outcome = await collect(provider, job)
        assert posts == 1
        return outcome

    return saying


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        # Their documents call both a time-out of the service behind the gateway, which may have drawn.
        ({"code": 503, "reason": "SERVICE_UNAVAILABLE", "message": "unavailable", "metadata": {}}, 503, OutcomeUnknown),
        ({"code": 504, "reason": "GATEWAY_TIMEOUT", "message": "timeout", "metadata": {}}, 504, OutcomeUnknown),
        (b"", 503, OutcomeUnknown),
        ({"code": 429, "reason": "", "message": "", "metadata": {}}, 429, ProviderBusy),
        ({"error": {"code": "OutputImageSensitiveContentDetected", "message": ""}}, 200, ContentRefused),
        ({"code": 400, "reason": "InputTextSensitiveContentDetected", "message": ""}, 200, ContentRefused),
        ({"error": {"code": "InternalServiceError", "message": ""}}, 200, OutcomeUnknown),
        ({"images": None}, 200, AnswerBroken),
        ({"task": {"task_id": "t1", "status": "TASK_STATUS_QUEUED"}}, 200, AnswerBroken),
        ([], 200, AnswerBroken),
        (b"[" * 100_000, 200, AnswerBroken),
        (b'{"images": ["' + b"a" * 9_000_000 + b'"]}', 200, AnswerBroken),
        (b"\xff\xfe", 200, AnswerBroken),
    ],
    ids=range(13),
)
async def test_an_answer_without_a_picture_is_told_apart(
    say: Say, body: Any, status: int, error: type[Exception]
) -> None:
    outcome = await say(body, status=status)

    assert type(outcome.error) is error
    assert outcome.events == []


async def test_an_entry_without_a_link_leaves_the_others(say: Say) -> None:
    outcome = await say({"images": [{"url": "", "image_url": "ftp://host/1"}, "", None, {"image_url": 7}]}, images=4)

    assert [(one.index, type(one.error)) for one in outcome.rejected] == [(at, AnswerBroken) for at in range(4)]
    assert "not a web address" in outcome.rejected[0].error.detail
    assert all("an entry without a link" in one.error.detail for one in outcome.rejected[1:])
    assert outcome.finished


async def test_more_links_than_asked_for_are_left(say: Say) -> None:
    outcome = await say({"images": ["http://host/1", "http://host/2"]})

    assert [one.index for one in outcome.rejected] == [0]
    assert outcome.finished == Finished(2)


async def test_neither_key_nor_words_nor_a_signature_reach_an_error(say: Say) -> None:
    echo = f"{KEY} may not draw canary words, see https://host/x?signature=canary"
    refused = await say({"code": 400, "reason": f"BAD {KEY}", "message": echo}, status=400)
    lost = await say({"images": ["https://host/x?signature=canary"]})

    assert isinstance(refused.error, ProviderRefused)
    assert "canary" not in refused.error.detail + str(refused.error) + str(refused.error.text)
    assert "canary" not in lost.rejected[0].error.detail


@pytest.mark.parametrize("key", [KEY, "sk_two\nlines"])
async def test_a_probe_that_gets_no_answer_says_so(key: str) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server, Transport() as transport:
        port = server.sockets[0].getsockname()[1]
        fetcher = GuardedFetcher()
        provider = Novita(base_url=f"http://127.0.0.1:{port}", api_key=key, transport=transport, fetcher=fetcher)
        probed = await provider.probe()

    assert (probed.well, probed.told) == (False, "no answer from 127.0.0.1")


async def test_a_probe_does_not_repeat_the_key() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"code": 401, "reason": request.headers["Authorization"], "message": ""}, status=401)

    app = web.Application()
    app.router.add_post("/v3/{model}", answer)
    async with TestServer(app, host="127.0.0.1") as server, Transport() as transport:
        provider = Novita(
            base_url=str(server.make_url("/")), api_key=KEY, transport=transport, fetcher=GuardedFetcher()
        )
        probed = await provider.probe()

    assert (probed.well, probed.told) == (False, "the key is not accepted (401 401 Bearer …)")

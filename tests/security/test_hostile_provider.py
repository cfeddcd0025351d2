"""A provider that lies, drowns us or says our secrets back: over a real socket, against the provider's own code."""

import base64
import io
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from bot.catalogue import load
from bot.errors import AnswerBroken, ProviderBusy, ProviderError, ProviderRefused
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Job
from bot.providers.images_api import ImagesApi
from bot.providers.transport import Transport
from tests.providers.conftest import Outcome, collect

pytestmark = pytest.mark.slow  # real processes, one after the other

KEY = "ark-0a1b2c3d-4e5f-canary"
PROMPT = "words that are nobody else's business"
SECRET_LINK = "https://files.example/a.png?signature=canary"


@dataclass
class Liar:
    """Answers what a test puts here, and keeps how often it was asked."""

    folder: Path
    provider: ImagesApi = field(init=False)
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.asked += 1
        return web.Response(
            status=self.status, body=self.body, headers={"Content-Type": "application/json", **self.headers}
        )

    async def ask(self, said: Any, *, status: int = 200, **headers: str) -> tuple[Outcome, float]:
        """What one job came to, and the processor's seconds that it took."""
        self.body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.status, self.headers = status, headers
        job = Job(id="1", model=load().model("modelark", "seedream-4.5"), prompt=PROMPT, size="2K", folder=self.folder)
        begun = time.process_time()
        outcome = await collect(self.provider, job)
        assert self.asked == 1
        return outcome, time.process_time() - begun


@pytest_asyncio.fixture
async def liar(tmp_path: Path) -> AsyncIterator[Liar]:
    liar = Liar(tmp_path)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", liar.answer)
    async with (
        TestServer(application, host="127.0.0.1") as server,
        Transport() as transport,
        GuardedFetcher() as fetcher,
    ):
        base_url = str(server.make_url("/v1"))
        liar.provider = ImagesApi("x", base_url=base_url, api_key=KEY, transport=transport, fetcher=fetcher, pause=0)
        yield liar


def error_of(outcome: Outcome) -> ProviderError:
    return outcome.error or outcome.rejected[0].error


@pytest.mark.parametrize("message", [" " * 60_000 + "x", "output image " * 8_000, "request id " * 9_000])
@pytest.mark.parametrize("item", [False, True])
async def test_a_long_error_does_not_keep_the_process_busy(liar: Liar, message: str, item: bool) -> None:
    error = {"error": {"code": "SomethingElse", "message": message}}
    outcome, seconds = await liar.ask({"data": [error]} if item else error, status=200 if item else 400)

    assert isinstance(error_of(outcome), ProviderRefused)
    assert seconds < 1.0
    assert len(str(error_of(outcome).text)) < 500


@pytest.mark.parametrize("code", ["InvalidParameter", "AuthenticationError", KEY, "x" * 100_000 + "\x1b[2J\n"])
@pytest.mark.parametrize("status", [200, 400, 401])
async def test_what_is_secret_is_not_said_back(liar: Liar, code: str, status: int) -> None:
    message = f"bad key Bearer {KEY} for {PROMPT}\n\x1b[2Jsee {SECRET_LINK} please"
    outcome, _ = await liar.ask({"error": {"code": code, "message": message}}, status=status)

    told = f"{error_of(outcome).text} {error_of(outcome).detail}"
    assert not [secret for secret in (KEY, PROMPT, "canary", "\x1b", "\n") if secret in told]
    assert len(told) < 1_000


@pytest.mark.parametrize(
    "wait", ["31536000", "9" * 30, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -0000"]
)
async def test_no_server_makes_a_request_wait_for_ever(liar: Liar, wait: str) -> None:
    busy = {"error": {"code": "RateLimitExceeded", "message": "later"}}
    outcome, _ = await liar.ask(busy, status=429, **{"Retry-After": wait})

    assert isinstance(outcome.error, ProviderBusy)
    assert (outcome.error.retry_after or 0.0) <= 600


async def test_pictures_that_nobody_asked_for_take_no_room(liar: Liar) -> None:
    surplus = b",".join([b'{"b64_json":"' + picture(3, 2) + b'"}'] * 20_000)
    outcome, seconds = await liar.ask(b'{"data":[' + surplus + b"]}")

    assert len(outcome.produced) == 1
    assert len(list(liar.folder.iterdir())) == 1
    assert seconds < 3.0


async def test_a_picture_of_billions_of_pixels_is_not_one(liar: Liar) -> None:
    outcome, _ = await liar.ask({"data": [{"b64_json": bomb(60_000, 60_000).decode()}]})

    assert outcome.produced == []
    assert isinstance(error_of(outcome), AnswerBroken)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
        "\x00",
    ],
)
async def test_a_link_to_the_inside_is_not_followed(liar: Liar, url: str) -> None:
    outcome, _ = await liar.ask({"data": [{"url": url}]})

    assert outcome.produced == []
    assert isinstance(error_of(outcome), AnswerBroken)


@pytest.mark.parametrize(
    "url",
    [
        "https://a..bytepluses.com/x.png?signature=canary",
        "https://a.bytepluses.com:99999/x.png?signature=canary",
        "https://a.bytepluses.com:b/x.png?signature=canary",
        f"https://{'a' * 70}.bytepluses.com/x.png?signature=canary",
        "https://\ud800.bytepluses.com/x.png?signature=canary",
    ],
    ids=["empty label", "port", "no port", "long label", "half a letter"],
)
async def test_a_link_that_cannot_be_one_costs_no_other_picture(liar: Liar, url: str) -> None:
    outcome, _ = await liar.ask({"data": [{"url": url}]})

    assert isinstance(error_of(outcome), AnswerBroken)
    assert "canary" not in error_of(outcome).detail


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue())


def bomb(width: int, height: int) -> bytes:
    """A valid head and end; what stands between does not matter to whoever measures first."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b""))

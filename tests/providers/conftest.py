import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.catalogue import Catalogue, load
from bot.errors import ProviderError
from bot.media.fetch import FetchError, GuardedFetcher
from bot.providers.base import Event, Finished, Job, Produced, Rejected
from bot.providers.images_api import ImagesApi
from bot.providers.sandbox import Sandbox
from bot.providers.transport import Transport
from tests.fakes import painted


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, time: timedelta) -> None:
        self.now += time


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    error: ProviderError | None = None

    @property
    def produced(self) -> list[Produced]:
        return [event for event in self.events if isinstance(event, Produced)]

    @property
    def rejected(self) -> list[Rejected]:
        return [event for event in self.events if isinstance(event, Rejected)]

    @property
    def finished(self) -> Finished | None:
        return next((event for event in self.events if isinstance(event, Finished)), None)


@dataclass
class Workbench:
    """The Images API provider, and the sandbox that it asks over a real socket."""

    sandbox: Sandbox
    provider: ImagesApi
    catalogue: Catalogue
    folder: Path
    clock: Clock
    numbers: Any = field(default_factory=count)

    def job(self, prompt: str = "a red fox", *, model: str = "seedream-4.5", **wanted: Any) -> Job:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        found = self.catalogue.model("sandbox", model)
        return Job(**{"id": "g1:0", "model": found, "prompt": prompt, "size": "2K", "folder": folder, **wanted})

    async def ask(self, job: Job) -> Outcome:
        return await collect(self.provider, job)


async def collect(provider: ImagesApi, job: Job) -> Outcome:
    outcome = Outcome()
    try:
        async for event in provider.generate(job):
            outcome.events.append(event)
    except ProviderError as error:
        outcome.error = error
    return outcome


class Links:
    """A fetcher that fails as often as told, and then gives the same bytes, or fails for ever."""

    def __init__(self, data: bytes | None, *, failures: int = 0, transient: bool = True) -> None:
        self.data, self.failures, self.transient, self.asked = data, failures, transient, 0

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
        self.asked += 1
        if self.asked <= self.failures or self.data is None:
            raise FetchError("reset", transient=self.transient)
        await asyncio.to_thread(into.write_bytes, self.data)


@dataclass
class Gateway:
    """A server that answers what a test puts here, piece by piece, and keeps what it was asked.

    cut: the connection breaks off after the last piece.
    """

    folder: Path
    transport: Transport
    base_url: str = ""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    cut: bool = False
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, await request.read()))
        response = web.StreamResponse(status=self.status, headers={"Content-Type": self.kind, **self.headers})
        await response.prepare(request)
        for piece in self.pieces:
            await response.write(piece)
        if self.cut and request.transport:
            request.transport.abort()
        return response

    def says(self, body: Any, status: int = 200, **headers: str) -> None:
        self.pieces = [body if isinstance(body, bytes) else json.dumps(body).encode()]
        self.status, self.headers = status, headers

    def streams(self, body: bytes, size: int = 0, *, cut: bool = False) -> None:
        """As server-sent events, in pieces of so many bytes."""
        self.pieces = [body[at : at + size] for at in range(0, len(body), size)] if size else [body]
        self.kind, self.cut = "text/event-stream", cut

    def provider(self, **wanted: Any) -> ImagesApi:
        own = {"base_url": self.base_url, "api_key": "sk-canary-0123456789", "fetcher": Links(painted("x", 64, 48))}
        return ImagesApi("x", **{**own, "transport": self.transport, "pause": 0, **wanted})

    def job(self, model: str = "seedream-4.5", **wanted: Any) -> Job:
        found = load().model("modelark", model)
        return Job(**{"id": "1", "model": found, "prompt": "a fox", "size": "2K", "folder": self.folder, **wanted})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    app = web.Application(client_max_size=2**30)
    async with Transport() as transport:
        gateway = Gateway(tmp_path, transport)
        app.router.add_route("*", "/{path:.*}", gateway.answer)
        async with TestServer(app, host="127.0.0.1") as server:
            gateway.base_url = str(server.make_url("/v1"))
            yield gateway


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address of this machine where nobody listens, as long as the test lasts."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}/v1"


@pytest.fixture
async def resetting() -> AsyncIterator[str]:
    """An address that takes connections and cuts them."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.fixture
def catalogue() -> Catalogue:
    return load()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def workbench(tmp_path: Path, catalogue: Catalogue, clock: Clock) -> AsyncIterator[Workbench]:
    async with (
        Sandbox(seconds=0, clock=clock, journal=tmp_path / "journal") as sandbox,
        Transport() as transport,
        GuardedFetcher() as fetcher,
    ):
        fetcher.allow_also(sandbox.host, sandbox.port)
        provider = ImagesApi(
            "sandbox",
            base_url=sandbox.base_url,
            api_key="any",
            transport=transport,
            fetcher=fetcher,
            hosts=catalogue.offer("sandbox").hosts,
            clock=clock,
            pause=0,
        )
        folder = tmp_path / "jobs"
        folder.mkdir()
        yield Workbench(sandbox, provider, catalogue, folder, clock)

"""An S3-compatible store for tests: OpenStack Swift in a process of its own, and what stands between it and us."""

import asyncio
import importlib.util
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

ROOT = Path(__file__).parents[2]
REGION = "eu-test-1"  # so that one that was forgotten is noticed
BUCKET = "pictures"
UNSENT = {"host", "transfer-encoding", "connection", "keep-alive"}


@dataclass(frozen=True)
class Store:
    """endpoint: where it listens, or what stands before it."""

    endpoint: str
    key: str
    secret: str

    @property
    def access(self) -> dict[str, Any]:
        """As `BOT_S3__...` takes it."""
        own = {"access_key_id": self.key, "secret_access_key": self.secret}
        return {"endpoint": self.endpoint, "region": REGION, **own}

    def place(self) -> str:
        """An address in its bucket under which nothing is yet."""
        return f"s3://{BUCKET}/{secrets.token_hex(4)}"

    def at(self, endpoint: str) -> "Store":
        return Store(endpoint, self.key, self.secret)


@contextmanager
def serving() -> Iterator[Store]:
    if importlib.util.find_spec("swift") is None:
        pytest.skip("the package swift is not installed, whose server these tests need")
    key, secret = f"team:{secrets.token_hex(4)}", secrets.token_hex(16)
    with TemporaryDirectory(prefix="swift-") as folder:
        command = [sys.executable, "-W", "ignore", "-m", "tests.simulators.s3_server"]
        given = [folder, key, secret, REGION, BUCKET]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([*command, *given], cwd=ROOT, **pipes) as child:
            try:
                assert child.stdout
                endpoint = child.stdout.readline().strip()
                assert endpoint, "the store did not start"
                yield Store(endpoint, key, secret)
            finally:
                child.kill()


Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Between:
    """Hands requests on to the store as they are, unless `fault` answers first, and answers back, as far as `cut`.

    cut: bytes of an answer after which its connection breaks, for each GET that is still to come.
    """

    store: Store
    endpoint: str = ""
    fault: Fault | None = None
    cut: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def reached(self) -> Store:
        return self.store.at(self.endpoint)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.method)
        if self.fault and (answer := await self.fault(request)):
            return answer
        path = re.sub("^http://[^/]*", "", request.raw_path)  # whole, where we are asked as a proxy
        url = URL(self.store.endpoint + path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in UNSENT}
        headers["Host"] = request.host  # which is signed
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, headers=headers, data=BytesIO(await request.read())) as got,
        ):
            passed = {name: value for name, value in got.headers.items() if name.lower() not in UNSENT}
            response = web.StreamResponse(status=got.status, headers=passed)
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            body = await got.read()
            if request.method == "GET" and self.cut:
                await response.write(body[: self.cut.pop(0)])
                assert request.transport
                request.transport.close()
                return response
            await response.write(body)
            await response.write_eof()
            return response


@asynccontextmanager
async def between(store: Store) -> AsyncIterator[Between]:
    it = Between(store)
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", it.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        it.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield it
    finally:
        await runner.cleanup()


def answers(status: int, code: str, *, times: int = 10**6, methods: str = "GET HEAD PUT POST DELETE") -> Fault:
    """The store's own error, so many times."""
    left = [times]

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if request.method not in methods.split() or not left[0]:
            return None
        left[0] -= 1
        await request.read()
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")

    return fault


async def hangs(request: web.Request) -> None:
    """No answer at all."""
    await asyncio.Event().wait()

"""The one listener of a process: health for those who watch it, and a control door for commands on this machine.

The control door opens to the token in `owner.json`, which only the same user can read. Calls from providers are let in
by their signature. What else the process serves (the chat page) is mounted onto the same application, and guards the
metrics with itself.
"""

import asyncio
import errno
import hmac
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

from aiohttp import BodyPartReader, web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.chat import Hook
from bot.errors import CannotStart, NotThere, Unavailable
from bot.media.spool import spool
from bot.opening import HOOKS, Receive

CONTROL = "/control/"
CALL_IN = 10.0  # seconds in which a call's body must have come: nobody knows yet whose it is
MOST_UPLOAD = 2**30  # only the same user gets here; what a picture may have is the core's to say, in words

Action = Callable[[dict[str, Any], tuple[Path, ...]], Awaitable[dict[str, Any]]]


class Listener:
    """Use as an asynchronous context manager; `port` is the one that was taken. Raises `CannotStart` where none was.

    actions: what `POST /control/NAME` does with a JSON object and files. ready: problems that keep it from working.
    scrape: the metrics. receive: takes the calls of a provider, by its name; False where the signature is wrong.
    hooks: takes those of a chat platform, likewise, and says what to answer.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        token: str,
        actions: dict[str, Action],
        ready: Callable[[], Awaitable[list[str]]],
        read: Callable[[str], Any],
        scrape: Callable[[], Awaitable[bytes]],
        receive: Mapping[str, Receive],
        hooks: Mapping[str, Hook],
        next_free: bool = False,
        call_in: float = CALL_IN,
    ) -> None:
        self.host, self.port = host, port
        self._token = token
        self._actions = actions
        self._ready = ready
        self._read = read
        self._scrape = scrape
        self._receive = receive
        self._next_free = next_free
        self._call_in = call_in
        self.application = web.Application(client_max_size=2**20)  # also the most that a provider's call may have
        self.application.router.add_get("/healthz", self._healthz)
        self.application.router.add_get("/readyz", self._readyz)
        self.application.router.add_get("/metrics", self._metrics)
        for name in receive:
            self.application.router.add_post(HOOKS + name, partial(self._hook, name))
        for name, hook in hooks.items():
            self.application.router.add_post(HOOKS + name, partial(self._platform_hook, hook))
        self.application.router.add_post(CONTROL + "{action}", self._control)
        self.application.router.add_get(CONTROL + "blobs/{key}", self._blob)

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.application, access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        try:
            await self._bind()
        except CannotStart:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(self.host, self.host)
        return f"http://{host}:{self.port}"

    async def _bind(self) -> None:
        tries = 20 if self._next_free and self.port else 1
        for offset in range(tries):
            try:
                await web.TCPSite(self._runner, self.host, self.port + offset).start()
                break
            except OSError as error:
                if offset + 1 == tries:
                    taken = error.errno == errno.EADDRINUSE
                    why = "it is taken; set BOT_WEB__PORT to another port" if taken else error.strerror
                    raise CannotStart(f"{self.host}:{self.port} cannot be listened on: {why}") from error
        self.port = self._runner.addresses[0][1]

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        problems = await self._ready()
        return web.json_response({"ready": not problems, "problems": problems}, status=503 if problems else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        try:
            told = await self._scrape()
        except ConnectionError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        return web.Response(body=told, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _hook(self, name: str, request: web.Request) -> web.Response:
        known = await self._receive[name](request.headers, await self._body(request))
        return web.Response(status=200 if known else 401)

    async def _platform_hook(self, hook: Hook, request: web.Request) -> web.Response:
        status, answer = await hook(request.headers, await self._body(request))
        return web.Response(body=json.dumps(answer).encode(), status=status, content_type="application/json")

    async def _body(self, request: web.Request) -> bytes:
        try:
            if request.content.is_eof():  # it came with the head, as nearly all do
                return await request.read()
            async with asyncio.timeout(self._call_in):
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except web.RequestPayloadError:  # what it says to be packed is not
            raise web.HTTPBadRequest from None

    async def _control(self, request: web.Request) -> web.Response:
        self._check(request)
        action = self._actions.get(request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound
        with tempfile.TemporaryDirectory(prefix="control-") as folder:
            asked, files = await _read_parts(request, Path(folder))
            return web.json_response(await action(asked, files))

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        response = web.StreamResponse()
        try:
            async for chunk in self._read(request.match_info["key"]):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(chunk)
        except NotThere:
            raise web.HTTPNotFound from None
        except Unavailable as error:
            if response.prepared:
                raise
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        return response

    def _check(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise web.HTTPForbidden


async def _read_parts(request: web.Request, folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The JSON object of the part `asked`, and the files, as they came."""
    asked: dict[str, Any] = {}
    files: list[Path] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "asked":
            asked = json.loads(await part.text())
            continue
        file = folder / str(len(files)) / Path(part.filename or "picture").name
        file.parent.mkdir()
        await spool(_chunks(part), file, max_bytes=MOST_UPLOAD)
        files.append(file)
    return asked, tuple(files)


async def _chunks(part: BodyPartReader) -> Any:
    while chunk := await part.read_chunk(65536):
        yield chunk

"""The sandbox's server: `POST /api/v3/images/generations` and the links of its answers, on loopback only."""

import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from aiohttp import web

from bot.catalogue import Model, load
from bot.providers.sandbox import answers, rules
from bot.providers.sandbox.answers import Made
from bot.providers.sandbox.faults import Faults
from bot.providers.sandbox.fields import Refused
from bot.providers.sandbox.framing import frame
from bot.providers.sandbox.journal import Journal
from bot.providers.sandbox.links import LIFETIME, Links
from bot.providers.sandbox.rules import Asked
from bot.providers.sandbox.studio import Studio

MOST_BODY = 512 * 1024 * 1024
_PURGED = LIFETIME + timedelta(hours=1)


class Sandbox:
    """Enter it to start it; then `base_url` is what a provider's base URL is, and any key but an empty one will do.

    folder: where finished pictures lie as long as their links work; a temporary one where none is given.
    seconds: how long a picture takes at least. journal: a file that gets a line for each accepted request.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        folder: Path | None = None,
        journal: Path | None = None,
        seconds: float = 0.6,
        port: int = 0,
        models: tuple[Model, ...] | None = None,
    ) -> None:
        self.faults = Faults()
        self.journal = Journal(journal)
        self.host = "127.0.0.1"
        self.port = port
        self._clock = clock
        self._folder = folder
        self._seconds = seconds
        self._models = {model.id: model for model in models or load().models("sandbox")}
        self._links = Links(secrets.token_bytes(32))
        self._kept: dict[str, tuple[Path, datetime]] = {}
        self._requests = 0
        self._stack = AsyncExitStack()

    @property
    def base_url(self) -> str:
        return f"{self._origin}/api/v3"

    @property
    def paid_requests(self) -> int:
        """How many POSTs came since it started, refused ones included."""
        return len(self.journal.received)

    @property
    def _origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._folder is None:
                self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
            # Two at once: each 4K picture holds some 100 MiB while it is drawn.
            threads = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="sandbox"))
            self._studio = Studio(threads, self._folder)
            app = web.Application(client_max_size=MOST_BODY)
            app.router.add_post("/api/v3/images/generations", self._generate)
            app.router.add_get("/tos/{name}", self._download)
            runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            site = web.TCPSite(runner, self.host, self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        self._requests += 1
        request_id = f"0217{int(self._clock().timestamp() * 1000)}{self._requests:08x}"
        try:
            asked, faults = await self._admit(request, request_id)
        except Refused as refused:
            self.journal.note(self._clock(), request_id, refused.code)
            return self._refusal(refused, request_id)
        self._note(asked, request_id, "accepted")
        self._purge()
        if faults.silent:
            await asyncio.Event().wait()
        if faults.slow:
            await asyncio.sleep(faults.slow_seconds)
        if faults.cut_request:
            return _cut(request)
        if faults.html:
            page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
            return web.Response(status=502, text=page, content_type="text/html")
        if faults.task:
            body = {"task_id": request_id, "status": "queued"}
            return web.json_response(body, headers={"x-request-id": request_id})
        if asked.stream:
            return await self._stream(request, asked, faults, request_id)
        return await self._answer(request, asked, faults, request_id)

    async def _admit(self, request: web.Request, request_id: str) -> tuple[Asked, Faults]:
        """Everything that is decided before drawing starts; none of it is billed."""
        if not request.headers.get("Authorization", "").removeprefix("Bearer").strip():
            raise answers.NO_KEY
        raw = await request.read()
        try:
            body = await asyncio.to_thread(json.loads, raw)
        except ValueError:
            raise Refused(400, "InvalidParameter", "The request body is not valid JSON.") from None
        asked = await asyncio.to_thread(rules.check, body, self._models)
        faults = self.faults.with_words(asked.prompt)
        for on, refused in (
            (faults.busy, answers.BUSY),
            (faults.failing, answers.FAILED),
            (faults.refuse_words, answers.WORDS_REFUSED),
            (faults.refuse_reference, answers.REFERENCE_REFUSED),
            (faults.refuse_result, answers.RESULT_REFUSED),
        ):
            if on:
                raise refused
        return asked, faults

    def _note(self, asked: Asked, request_id: str, outcome: str) -> None:
        self.journal.note(
            self._clock(),
            request_id,
            outcome,
            model=asked.model.name,
            size=asked.size,
            images=asked.images,
            references=len(asked.references),
            prompt=asked.prompt,
        )

    def _refusal(self, refused: Refused, request_id: str) -> web.Response:
        headers = {"x-request-id": request_id}
        if refused.status == 401:
            headers["x-error-code"] = "AuthN_MissOrInvalidAuthorizationHeader"
        if refused is answers.BUSY and self.faults.retry_after:
            headers["Retry-After"] = self.faults.retry_after
        return web.json_response(answers.error_body(refused, request_id), status=refused.status, headers=headers)

    async def _made(self, asked: Asked, faults: Faults, request_id: str) -> AsyncIterator[Made]:
        """The entries of an answer, each when it is drawn. An internal error ends a series, moderation does not."""
        scene = self._studio.scene(asked, *frame(asked))
        for index in range(max(0, (len(scene.layers) or asked.images) - faults.fewer)):
            if index == faults.stop_at:
                yield Made(index=index, refused=answers.FAILED)
                return
            if index in faults.reject:
                yield Made(index=index, refused=answers.RESULT_REFUSED)
                continue
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(self._seconds))
                drawing = tasks.create_task(self._studio.draw(scene, index, f"{request_id}_{index}.{asked.format}"))
            file = drawing.result()
            layer = scene.layers[index] if scene.layers else None
            width, height = layer.size if layer else (scene.width, scene.height)
            link = self._link(asked, file)
            yield Made(index=index, width=width, height=height, file=file, link=link, layer=layer)

    def _link(self, asked: Asked, file: Path) -> str:
        if asked.base64:
            return ""
        now = self._clock()
        self._kept[file.name] = (file, now)
        return self._origin + self._links.sign(f"/tos/{file.name}", now)

    async def _answer(self, request: web.Request, asked: Asked, faults: Faults, request_id: str) -> web.StreamResponse:
        made = [one async for one in self._made(asked, faults, request_id)]
        created = int(self._clock().timestamp())
        length, pieces = answers.answer_pieces(asked, made, created, request_id)
        response = web.StreamResponse(headers={"x-request-id": request_id, "Content-Type": "application/json"})
        response.content_length = length
        await response.prepare(request)
        try:
            if faults.cut_answer:
                await response.write(next(pieces)[: length // 2])
                return _cut(request)
            await _write(response, pieces)
        finally:
            for one in made:
                if one.file and not one.link:
                    one.file.unlink(missing_ok=True)
        return response

    async def _stream(self, request: web.Request, asked: Asked, faults: Faults, request_id: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"x-request-id": request_id, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        made: list[Made] = []
        async for one in self._made(asked, faults, request_id):
            made.append(one)
            frame_bytes = answers.picture_frame(asked, one, int(self._clock().timestamp()), request_id)
            if faults.cut_answer and one.index == asked.images - 1:
                await response.write(frame_bytes[: len(frame_bytes) // 2])
                return _cut(request)
            await response.write(frame_bytes)
        if not faults.unfinished:
            await response.write(answers.completed_frames(asked, made, int(self._clock().timestamp())))
        return response

    async def _download(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if not self._links.holds(request.path, request.query, self._clock()):
            body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return web.Response(status=403, text=body, content_type="application/xml")
        file, _ = self._kept.get(name, (None, None))
        if not file:
            body = "<Error><Code>NoSuchKey</Code></Error>"
            return web.Response(status=404, text=body, content_type="application/xml")
        return web.FileResponse(file, headers={"Content-Type": "application/octet-stream"})

    def _purge(self) -> None:
        now = self._clock()
        for name, (file, made) in list(self._kept.items()):
            if now > made + _PURGED:
                file.unlink(missing_ok=True)
                del self._kept[name]


async def _write(response: web.StreamResponse, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        await response.write(piece)
    await response.write_eof()


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()

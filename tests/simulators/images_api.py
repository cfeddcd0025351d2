"""The Images API's other side with every vendor's habits: ModelArk's own rules, and what gateways make of them.

Who is imitated is a `Personality`, what goes wrong a `Fault` or a `Refused`, and what is merely odd a `Dress`.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pybase64
from aiohttp import web

from bot.catalogue import load
from bot.media.sniff import HEAD, sniff
from bot.providers.sandbox import answers, rules
from bot.providers.sandbox.answers import Made
from bot.providers.sandbox.fields import Refused
from bot.providers.sandbox.framing import frame
from bot.providers.sandbox.layers import plan
from bot.providers.sandbox.rules import Asked
from tests.simulators.base import Fault, Simulator, reset
from tests.simulators.dress import Dress
from tests.simulators.personalities import MODELARK, Personality, error_body, openai_shaped
from tests.simulators.results import Results, cut, drawn

_LINKED = (Fault.WRONG_TYPE, Fault.INWARD, Fault.GONE)  # they only exist behind a link, whatever was asked for


class ImagesApiSim(Simulator):
    """key: the only one that is right, "" for any. page_status: of `Fault.GATEWAY_PAGE`. task: which of the
    personality's shapes. fetch_seconds: how long a reference's link may take. images_per_minute: None for no limit.
    breaks_uploads: the connection is reset while the request is still being sent.
    """

    def __init__(
        self,
        personality: Personality = MODELARK,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        late: float = 5.0,
    ) -> None:
        super().__init__(clock=clock, late=late)
        self.personality = personality
        self.models = {model.id: model for model in load().models(personality.offer)}
        self.dress = Dress()
        self.key = ""
        self.page_status = 502
        self.task = 0
        self.fetch_seconds = 5.0
        self.images_per_minute: int | None = None
        self.breaks_uploads = False
        self.asked: list[Asked] = []
        self._refusals: deque[Refused] = deque()
        self._minute: deque[tuple[datetime, int]] = deque()
        self._results = Results(self)

    @property
    def base_url(self) -> str:
        return self.origin + self.personality.path

    def refuses(self, *refusals: Refused) -> None:
        """Script the next paid requests, one refusal each, in words of the test's own choice."""
        self._refusals.extend(refusals)

    def routes(self, application: web.Application) -> None:
        application.router.add_post(f"{self.personality.path}/images/generations", self._generate)
        if self.personality.lists:
            application.router.add_get(f"{self.personality.path}/models", self._list)
        self._results.routes(application)

    async def _list(self, request: web.Request) -> web.Response:
        await self.record(request)
        if not self._knows(request):
            return self._refusal(self.personality.refusals[Fault.BAD_KEY])
        data = [{"id": name, "object": "model"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        if self.breaks_uploads:
            self.note(request, b"", paid=True)
            return reset(request)
        raw = await request.read()
        self.note(request, raw, paid=_asks(raw))
        fault = self.next_fault() if self.requests[-1].paid else None
        try:
            asked = await self._admit(request, raw, fault)
        except Refused as refused:
            return self._refusal(refused, self.retry_after if fault is Fault.BUSY else "")
        self.asked.append(asked)
        self.take()
        return await self._taken(request, asked, fault)

    async def _admit(self, request: web.Request, raw: bytes, fault: Fault | None) -> Asked:
        """Everything that is decided before drawing starts; none of it is billed."""
        refusals = self.personality.refusals
        if not self._knows(request):
            raise refusals[Fault.BAD_KEY]
        if fault and fault in refusals and fault is not Fault.FAILED:
            raise refusals[fault]
        if self.requests[-1].paid and self._refusals:
            raise self._refusals.popleft()
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refused(400, "InvalidParameter", "The request body is not valid JSON.") from None
        if isinstance(body, dict):
            body = await self._fetched({name: body[name] for name in body if name not in self.personality.dropped})
        asked = await asyncio.to_thread(
            rules.check,
            body,
            self.models,
            unknown_keys=self.personality.unknown_keys,
            most_references=self.personality.most_references,
        )
        self._count(asked)
        return asked

    def _knows(self, request: web.Request) -> bool:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and bool(key) and key == (self.key or key)

    async def _fetched(self, body: dict[str, Any]) -> dict[str, Any]:
        """With linked references in place of their links; a link that took too long stays, and is refused as such."""
        given = body.get("image")
        images = [given] if isinstance(given, str) else given
        if not isinstance(images, list) or not any(map(_is_link, images)):
            return body
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.fetch_seconds)) as session:
            return {**body, "image": [await _reference(session, one) if _is_link(one) else one for one in images]}

    def _count(self, asked: Asked) -> None:
        """The budget of a minute counts pictures, not requests."""
        if self.images_per_minute is None:
            return
        now = self.clock()
        while self._minute and self._minute[0][0] <= now - timedelta(minutes=1):
            self._minute.popleft()
        if sum(images for _, images in self._minute) + asked.images > self.images_per_minute:
            raise self.personality.refusals[Fault.BUSY]
        self._minute.append((now, asked.images))

    def _refusal(self, refused: Refused, retry_after: str = "") -> web.Response:
        request_id = self._request_id()
        headers = {"x-request-id": request_id}
        if refused.code == "AuthenticationError":
            headers["x-error-code"] = "AuthN_MissOrInvalidAuthorizationHeader"
        if retry_after:
            headers["Retry-After"] = retry_after
        return web.json_response(error_body(refused, request_id), status=refused.status, headers=headers)

    async def _taken(self, request: web.Request, asked: Asked, fault: Fault | None) -> web.StreamResponse:
        match fault:
            case Fault.FAILED:
                return self._refusal(self.personality.refusals[fault])
            case Fault.RESET:
                return reset(request)
            case Fault.SILENT:
                await asyncio.Event().wait()
            case Fault.LATE:
                await asyncio.sleep(self.late)
            case Fault.GATEWAY_PAGE:
                page = f"<html><body><h1>{self.page_status} Bad Gateway</h1></body></html>"
                return web.Response(status=self.page_status, text=page, content_type="text/html")
            case Fault.NOT_JSON:
                return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")
            case Fault.EMPTY:
                return web.Response(content_type="application/json")
        if self.personality.tasks:
            return web.json_response(self.personality.tasks[self.task])
        if asked.stream:
            return await self._stream(request, asked, fault)
        return await self._answer(request, asked, fault)

    async def _answer(self, request: web.Request, asked: Asked, fault: Fault | None) -> web.StreamResponse:
        request_id = self._request_id()
        made = [one async for one in self._made(asked, fault)]
        body = answers.answer_body(asked, [one for one, _ in made], self._created(), request_id)
        for entry, (_, data) in zip(body["data"], made, strict=True):
            _put(entry, data)
        if self.personality.openai:
            body = openai_shaped(body)
        if self.dress.whole_error:
            refused = answers.error_body(answers.RESULT_REFUSED, request_id)
            body = {**body, "data": [], "usage": {"generated_images": 0}, **refused}
        raw = json.dumps(self.dress.of(body), ensure_ascii=False).encode()
        if fault is Fault.CUT:
            return await cut(request, raw, "application/json")
        return web.Response(body=raw, content_type="application/json", headers={"x-request-id": request_id})

    async def _stream(self, request: web.Request, asked: Asked, fault: Fault | None) -> web.StreamResponse:
        dress, request_id = self.dress, self._request_id()
        response = web.StreamResponse(headers={"x-request-id": request_id, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        made: list[Made] = []
        async for one, data in self._made(asked, fault):
            made.append(one)
            event = answers.picture_event(asked, one, self._created(), request_id)
            frames = dress.frames(_put(event, data))
            if fault is Fault.CUT and one.index == asked.images - 1:
                await response.write(frames[: len(frames) // 2])
                return reset(request)
            await dress.write(response, frames)
            if one.index == dress.error_after:
                error = answers.error_body(answers.FAILED, request_id)
                await dress.write(response, dress.frames({"type": "error", **error}))
                return response
        if dress.completed:
            await dress.write(response, dress.frames(answers.completed_event(asked, made, self._created())))
        await response.write(dress.last())
        return response

    async def _made(self, asked: Asked, fault: Fault | None) -> AsyncIterator[tuple[Made, bytes]]:
        """Each picture, and its bytes where they stand in the answer itself."""
        size = frame(asked)
        layers = plan(asked.references[0], *size) if asked.layers else ()
        count = 0 if fault is Fault.NO_PICTURE else (len(layers) or asked.images) - (fault is Fault.FEWER)
        for index in range(count):
            await asyncio.sleep(self.dress.gaps)
            if index == self.dress.stop_at:
                yield Made(index=index, refused=answers.FAILED), b""
                return
            if index == 1 and fault is Fault.REJECT_ONE:
                yield Made(index=index, refused=answers.RESULT_REFUSED), b""
                continue
            layer = layers[index] if layers else None
            width, height = layer.size if layer else size
            clear = bool(layer and layer.box) or asked.background == "transparent"
            kind = "clear" if clear else asked.format
            data, media_type = await drawn(len(asked.prompt) + index, width, height, kind, fault)
            made = Made(index=index, width=width, height=height, layer=layer)
            if not asked.base64 or fault in _LINKED:
                yield replace(made, link=self._results.keep(data, media_type, fault)), b""
            else:
                yield made, data[: len(data) // 2] if fault is Fault.CUT_PICTURE else data

    def _created(self) -> int:
        return int(self.clock().timestamp())

    def _request_id(self) -> str:
        return f"0217{int(self.clock().timestamp() * 1000)}{len(self.requests):08x}"


def _asks(raw: bytes) -> bool:
    """Whether pictures could come of it; a request without words is a question whether the key is good."""
    try:
        body = json.loads(raw)
    except ValueError:
        return True
    return not isinstance(body, dict) or bool(body.get("prompt") or body.get("layer_decomposition"))


def _put(entry: dict[str, Any], data: bytes) -> dict[str, Any]:
    if data:
        entry["b64_json"] = pybase64.b64encode(data).decode()
    return entry


def _is_link(item: Any) -> bool:
    return isinstance(item, str) and item.startswith(("http://", "https://"))


async def _reference(session: aiohttp.ClientSession, link: str) -> str:
    try:
        async with session.get(link) as response:
            data = await response.read()
    except (aiohttp.ClientError, TimeoutError):
        return link
    return f"data:{sniff(data[:HEAD]) or 'image/unknown'};base64," + pybase64.b64encode(data).decode()

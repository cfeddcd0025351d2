"""The door of the REST API: reads a request, judges it as Discord's front does, lets a route answer, and records it."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from tests.simulators.discord.faults import Fault, Gate, Scripted, shape
from tests.simulators.discord.limits import Verdict, busy
from tests.simulators.discord.messages import Part
from tests.simulators.discord.wire import Code, Refused, wrong

if TYPE_CHECKING:
    from tests.simulators.discord.fake import FakeDiscord

PREFIX = "/api/v10"
MOST_REQUEST = 25 * 2**20
OPEN = ("/interactions/", "/webhooks/")  # the token stands in the path


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as it came. status: of the answer; 0 while there is none, or when the connection was cut."""

    fake: "FakeDiscord"
    method: str
    template: str
    path: str
    headers: dict[str, str]
    params: dict[str, str]
    query: dict[str, str]
    body: Any = None
    parts: list[Part] = field(default_factory=list)
    size: int = 0
    status: int = 0

    @property
    def files(self) -> list[str]:
        return [part.filename for part in self.parts]


Handler = Callable[[Call], Awaitable[Any]]
Routes = list[tuple[str, str, Handler]]


class Rest:
    """`requests`: everything that was asked, in order."""

    def __init__(self, fake: "FakeDiscord", routes: Routes) -> None:
        self.fake = fake
        self.routes = routes
        self.requests: list[Call] = []
        fake.faults.known |= {(method, shape(template)) for method, template, _ in routes}

    def add_to(self, application: web.Application) -> None:
        for method, template, handler in self.routes:
            application.router.add_route(method, PREFIX + template, self._door(template, handler))
        application.router.add_route("*", PREFIX + "/{rest:.*}", self._no_such_route)

    def _door(self, template: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            call = Call(
                fake=self.fake,
                method=request.method,
                template=template,
                path=request.path.removeprefix(PREFIX),
                headers=dict(request.headers),
                params=dict(request.match_info),
                query=dict(request.query),
            )
            self.requests.append(call)
            try:
                return await self._answered(call, request, handler)
            finally:
                self.fake.signal.touch()

        return answer

    async def _answered(self, call: Call, request: web.Request, handler: Handler) -> web.Response:
        try:
            await _read(call, request)
        except Refused as refused:
            return self._respond(call, refused.status, refused.body)
        scripted = self.fake.faults.next(call.method, call.template)
        match scripted:
            case Scripted(Fault.RESET):
                return _cut(request)
            case Scripted(Fault.SLOW, seconds):
                await asyncio.sleep(seconds)
            case Scripted(Gate() as gate):
                await gate.pass_through()
        if self.fake.limits.banned or (scripted and scripted.what is Fault.BLOCKED):
            return self._blocked(call)
        status, body, headers = await self._done(call, handler, scripted)
        match scripted:
            case Scripted(Fault.LOST):
                return _cut(request)
            case Scripted(Fault.LATE, seconds):
                await asyncio.sleep(seconds)
        return self._respond(call, status, body, headers)

    async def _done(self, call: Call, handler: Handler, scripted: Scripted | None) -> tuple[int, Any, dict[str, str]]:
        verdict = self._verdict(call, scripted)
        if verdict.retry_after is not None:
            said = {"retry_after": round(verdict.retry_after, 3), "global": verdict.everywhere}
            return 429, {"message": "You are being rate limited.", "code": 0, **said}, verdict.headers
        try:
            match scripted:
                case Scripted(Code() as code):
                    raise Refused(code)
                case Scripted(int() as status):
                    return status, {"message": f"{status}: scripted", "code": 0}, verdict.headers
            if not call.template.startswith(OPEN) and call.headers.get("Authorization") != f"Bot {self.fake.token}":
                raise Refused(Code.UNAUTHORIZED)
            body = await handler(call)
        except Refused as refused:
            return refused.status, refused.body, verdict.headers
        except Exception:  # noqa: BLE001 - a fault of this fake, or a body that no form of Discord's has
            self.fake.complaints.append(f"{call.method} {call.template} broke: {traceback.format_exc()}")
            return 500, {"message": "500: Internal Server Error", "code": 0}, verdict.headers
        self.fake.openapi.request(call)
        return (204 if body is None else 201 if call.template.endswith("/threads") else 200), body, verdict.headers

    def _verdict(self, call: Call, scripted: Scripted | None) -> Verdict:
        match scripted:
            case Scripted(Fault.BUSY, seconds):
                return busy(seconds)
            case Scripted(Fault.BUSY_EVERYWHERE, seconds):
                return busy(seconds, everywhere=True)
        return self.fake.limits.judge(call.method, call.template, call.params)

    def _respond(self, call: Call, status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
        call.status = status
        self.fake.limits.note(status)
        self.fake.openapi.answer(call, body)
        if body is None:
            return web.Response(status=status, headers=headers)
        # discord.py compares the content type as a whole: a charset behind it would make a text of the answer.
        said = {"Content-Type": "application/json", **(headers or {})}
        return web.Response(body=json.dumps(body).encode(), status=status, headers=said)

    def _blocked(self, call: Call) -> web.Response:
        call.status = 429
        self.fake.limits.note(429)
        return web.Response(status=429, text="error code: 1015", content_type="text/html")

    async def _no_such_route(self, request: web.Request) -> web.Response:
        self.fake.complaints.append(f"this Discord has no {request.method} {request.path}")
        return web.json_response(Refused(Code.NOT_FOUND).body, status=404)


async def _read(call: Call, request: web.Request) -> None:
    """Fill in body and files. Whatever is larger than Discord takes is read to its end, and then refused."""
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader):
                _take(call, part.name or "", part.filename or "", bytes(await part.read()))
    elif raw := await request.read():
        call.size = len(raw)
        call.body = _json(raw)
        if request.content_type != "application/json":
            call.fake.complaints.append(f"{call.method} {call.template} came as {request.content_type}")
    if call.size > MOST_REQUEST:
        raise Refused(Code.TOO_LARGE)


def _take(call: Call, name: str, filename: str, data: bytes) -> None:
    call.size += len(data)
    if name == "payload_json":
        call.body = _json(data)
    elif name.startswith("files[") and name.endswith("]") and name[6:-1].isdigit():
        call.parts.append(Part(name[6:-1], filename, data))
    else:
        raise wrong(name, "UNEXPECTED_PART", f"unexpected part {name!r}")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused(Code.GENERAL) from error


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()

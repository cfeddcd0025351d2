"""The door of the REST API: reads a request, judges it as the platform's front does, lets a route answer."""

import asyncio
import json
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, web

from tests.simulators.feishu.faults import Fault
from tests.simulators.feishu.model import Call
from tests.simulators.feishu.scopes import NEEDED
from tests.simulators.feishu.wire import Json, Refused

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu

PREFIX = "/open-apis"
MOST_REQUEST = 200 * 2**20
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a form."""

    filename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Download:
    """An answer of bytes instead of JSON."""

    data: bytes
    content_type: str
    filename: str = ""


@dataclass(slots=True)
class Asked:
    """A request on its way to a route. A form's files stand in `files`, its other fields in `body`."""

    fake: "FakeFeishu"
    call: Call
    body: Json
    files: dict[str, Part] = field(default_factory=dict)
    repeated: Mapping[str, list[str]] = field(default_factory=dict)  # the query, where a name may stand twice

    def query_list(self, name: str) -> list[str]:
        return self.repeated.get(name, [])

    def param(self, name: str) -> str:
        return self.call.params[name]

    def text(self, name: str, *, needed: bool = True) -> str:
        """A field of the body that is text (99992402 where it is missing or something else)."""
        value = self.body.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str):
            raise invalid_field(name)
        return value


Handler = Callable[[Asked], Awaitable[Json | Download]]
Routes = Mapping[str, tuple[str, str, Handler]]  # name of the call -> method, path, handler
FILES = ("image", "file")  # with or without a filename: lark-oapi's synchronous uploads have none
OPEN = frozenset(("auth.tenant_access_token", "ws.endpoint"))  # no token needed
TOP_LEVEL = frozenset(("auth.tenant_access_token", "bot.info", "ws.endpoint", "interactive.card.update"))


def invalid_field(name: str, why: str = "the field is required or of a wrong type") -> Refused:
    return Refused(99992402, f"field validation failed: {name}: {why}")


class Rest:
    def __init__(self, fake: "FakeFeishu", routes: Routes) -> None:
        self.fake = fake
        self.routes = routes
        fake.faults.known |= routes.keys()

    def add_to(self, application: web.Application) -> None:
        for api, (method, path, handler) in self.routes.items():
            prefix = "" if path.startswith("/callback") else PREFIX
            application.router.add_route(method, prefix + path, self._door(api, path, handler))
        application.router.add_route("*", "/{rest:.*}", self._no_such_route)

    def _door(self, api: str, path: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            fake = self.fake
            call = Call(
                api=api,
                method=request.method,
                path=request.path,
                at=fake.clock(),
                params=dict(request.match_info),
                query=dict(request.query),
                headers=dict(request.headers),
            )
            fake.calls.append(call)
            try:
                asked = await _read(fake, call, request)
                return await self._answered(asked, request, path, handler)
            finally:
                fake.signal.touch()

        return answer

    async def _answered(self, asked: Asked, request: web.Request, path: str, handler: Handler) -> web.Response:
        fault = self.fake.faults.next(asked.call.api)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault and fault.cuts:
            return _cut(request)
        if fault and not fault.after and (fault.code is not None or fault.status is not None or fault.html):
            return _scripted(asked.call, fault)
        try:
            self._admit(asked, path)
            answer = await handler(asked)
        except Refused as refused:
            return _refusal(asked.call, refused)
        except Exception:  # noqa: BLE001 - a fault of this fake, or a request that nobody thought of
            self.fake.complaints.append(f"{asked.call.api} broke: {traceback.format_exc()}")
            return _respond(asked.call, 500, {"code": 2200, "msg": "internal error"})
        if fault and fault.after:
            return _cut(request)
        if isinstance(answer, Download):
            return _download(asked.call, answer)
        top = answer if asked.call.api in TOP_LEVEL else {"data": answer}
        return _respond(asked.call, 200, {"code": 0, "msg": "success", **top})

    def _admit(self, asked: Asked, path: str) -> None:
        """Token, rate, scope, and the shape that the SDK's typed models give the request, in the platform's order."""
        call, fake = asked.call, self.fake
        if call.api in OPEN:
            return
        authorization = call.headers.get("Authorization", "")
        if not authorization.startswith("Bearer "):
            fake.complaints.append(f"{call.api} without a token")
            raise Refused(
                99991661, "Missing access token for authorization. Please make a request with token attached."
            )
        fake.tokens.check(authorization.removeprefix("Bearer "))
        fake.limits.call(call.api)
        needed = NEEDED.get(call.api, ())
        if needed and not fake.scopes.intersection(needed):
            raise missing_scope(fake.app_id, needed)
        if fake.typed:
            fake.complaints.extend(f"{call.api}: {problem}" for problem in fake.typed.problems(call, path, asked.body))

    async def _no_such_route(self, request: web.Request) -> web.Response:
        self.fake.complaints.append(f"there is no {request.method} {request.path}")
        return web.Response(status=404, text="404 page not found")


def missing_scope(app_id: str, needed: tuple[str, ...]) -> Refused:
    names = ",".join(needed)
    link = f"https://open.feishu.cn/app/{app_id}/auth?q={names}&op_from=openapi&token_type=tenant"
    words = f"Access denied. One of the following scopes is required: [{', '.join(needed)}]."
    return Refused(
        99991672,
        f"{words}应用尚未开通所需的应用身份权限：[{', '.join(needed)}]，点击链接申请并开通任一权限即可：{link}",
    )


async def _read(fake: "FakeFeishu", call: Call, request: web.Request) -> Asked:
    repeated = {name: request.query.getall(name) for name in request.query}
    files: dict[str, Part] = {}
    if request.content_type.startswith("multipart/"):
        body: Json = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            data = bytes(await part.read(decode=True))
            if part.name in FILES:
                files[part.name] = Part(part.filename or "", data)
            else:
                body[part.name or ""] = data.decode()
        call.body = body
        return Asked(fake, call, body, files, repeated)
    raw = await request.read()
    try:
        call.body = json.loads(raw) if raw else {}
    except ValueError:
        fake.complaints.append(f"{call.api}: the body is no JSON")
        call.body = {}
    return Asked(fake, call, call.body if isinstance(call.body, dict) else {}, repeated=repeated)


def _log_id() -> str:
    return f"2026{secrets.token_hex(14).upper()}"


def _respond(call: Call, status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    log_id = _log_id()
    call.status, call.code = status, body["code"]
    if body["code"]:
        body = {**body, "error": {"log_id": log_id, "troubleshooter": "https://open.feishu.cn/search"}}
    all_headers = {"X-Tt-Logid": log_id, "X-Request-Id": log_id, **(headers or {})}
    text = json.dumps(body, ensure_ascii=False).encode()
    return web.Response(status=status, body=text, headers=all_headers, content_type="application/json", charset="utf-8")


def _refusal(call: Call, refused: Refused) -> web.Response:
    return _respond(call, refused.status, {"code": refused.code, "msg": refused.msg, "data": {}}, refused.headers)


def _scripted(call: Call, fault: Fault) -> web.Response:
    waits = {} if fault.retry_after is None else {"x-ogw-ratelimit-reset": f"{fault.retry_after:g}"}
    if fault.html or fault.code is None:
        call.status = fault.status or 502
        return web.Response(status=call.status, body=PAGE, content_type="text/html", headers=waits)
    rate = fault.code in (99991400, 230020)
    status = fault.status or (429 if rate else 400)
    return _respond(call, status, {"code": fault.code, "msg": fault.msg or "scripted", "data": {}}, waits)


def _download(call: Call, answer: Download) -> web.Response:
    call.status, call.code = 200, 0
    headers = {"X-Tt-Logid": _log_id(), "Content-Type": answer.content_type}
    if answer.filename:
        headers["Content-Disposition"] = f'attachment; filename="{answer.filename}"'
    return web.Response(body=answer.data, headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()

"""A small app for the fake to be tried with: it calls, and its long connection answers every event.

It speaks with the fake's own codec of frames, so it proves nothing about the SDK; tests of that use the SDK.
"""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.frames import CONTROL, DATA, Frame, decode, encode
from tests.simulators.feishu.wire import Json


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json
    headers: dict[str, str]
    content: bytes = b""

    @property
    def code(self) -> int:
        return int(self.body["code"])

    @property
    def data(self) -> Json:
        found: Json = self.body["data"]
        return found


@dataclass(slots=True)
class DemoApp:
    """events: what came, whole. answer: makes an event's ack, (code, data); None leaves it without one."""

    fake: FakeFeishu
    answer: Callable[[Json], tuple[int, Any] | None] = lambda event: (200, None)
    events: list[Json] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    _parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _session: aiohttp.ClientSession = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            await self.fresh_token()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def fresh_token(self) -> str:
        credentials = {"app_id": self.fake.app_id, "app_secret": self.fake.app_secret}
        answer = await self.call("POST", "/auth/v3/tenant_access_token/internal", credentials)
        token = str(answer.body["tenant_access_token"])
        self._session.headers["Authorization"] = f"Bearer {token}"
        return token

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        form: aiohttp.FormData | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"data": form} if form else {"json": body} if body is not None else {}
        url = f"{self.fake.url}/open-apis{path}"
        async with self._session.request(method, url, headers=headers, **sent) as response:
            raw = await response.read()
            known = json.loads(raw) if response.content_type == "application/json" else {}
            return Answer(response.status, known, dict(response.headers), raw)

    async def send(self, chat: str, kind: str, content: Json, **more: Any) -> Answer:
        body = {"receive_id": chat, "msg_type": kind, "content": json.dumps(content), **more}
        return await self.call("POST", "/im/v1/messages?receive_id_type=chat_id", body)

    async def reply(self, message: str, kind: str, content: Json, **more: Any) -> Answer:
        body = {"msg_type": kind, "content": json.dumps(content), **more}
        return await self.call("POST", f"/im/v1/messages/{message}/reply", body)

    async def upload(self, data: bytes) -> Answer:
        form = aiohttp.FormData({"image_type": "message"})
        form.add_field("image", io.BytesIO(data), filename="a.png")
        return await self.call("POST", "/im/v1/images", form=form)

    async def endpoint(self) -> Json:
        body = {"AppID": self.fake.app_id, "AppSecret": self.fake.app_secret}
        async with self._session.post(f"{self.fake.url}/callback/ws/endpoint", json=body) as response:
            found: Json = await response.json()
        return found

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        """A long connection, which is listened on until it ends."""
        endpoint = await self.endpoint()
        before = self.fake.connections.made
        socket = await self._session.ws_connect(endpoint["data"]["URL"])
        self._tasks.append(asyncio.get_running_loop().create_task(self._listen(socket)))
        await self.fake.until(lambda: self.fake.connections.made > before)
        return socket

    async def ping(self, socket: aiohttp.ClientWebSocketResponse, service: int) -> None:
        await socket.send_bytes(encode(Frame(method=CONTROL, service=service, headers={"type": "ping"})))

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                await self._receive(socket, decode(message.data))
        finally:
            await socket.close()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse, frame: Frame) -> None:
        self.frames.append(frame)
        if frame.method == DATA and (whole := self._whole(frame)) is not None:
            event = json.loads(whole)
            self.events.append(event)
            await self._ack(socket, frame, event)

    async def _ack(self, socket: aiohttp.ClientWebSocketResponse, frame: Frame, event: Json) -> None:
        answered = self.answer(event)
        if answered is None:
            return
        code, data = answered
        said: Json = {"code": code}
        if data is not None:
            said["data"] = base64.b64encode(json.dumps(data).encode()).decode()
        ack = Frame(method=DATA, service=frame.service, headers=frame.headers, payload=json.dumps(said).encode())
        await socket.send_bytes(encode(ack))

    def _whole(self, frame: Frame) -> bytes | None:
        parts = self._parts.setdefault(frame.headers["message_id"], {})
        parts[int(frame.headers["seq"])] = frame.payload
        if len(parts) < int(frame.headers["sum"]):
            return None
        return b"".join(parts[number] for number in sorted(parts))

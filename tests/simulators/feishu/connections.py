"""The long connection: its endpoint, its sockets, pings and pongs, and events in one frame or several."""

import asyncio
import base64
import json
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.simulators.feishu.frames import CONTROL, DATA, Frame, decode, encode
from tests.simulators.feishu.model import Push
from tests.simulators.feishu.pushing import CARD_ACTION
from tests.simulators.feishu.rest import Asked, Routes
from tests.simulators.feishu.wire import Json, Refused

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu

MOST = 50
TOO_MANY = 1000040350


@dataclass(eq=False, slots=True)
class Connection:
    """A socket of the app. What it is to be sent waits in line, so that nobody who tells it something has to wait."""

    request: web.Request
    socket: web.WebSocketResponse
    service: int
    outgoing: asyncio.Queue[Frame] = field(default_factory=asyncio.Queue)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self) -> None:
        while True:
            frame = await self.outgoing.get()
            await self.thawed.wait()
            await self.socket.send_bytes(encode(frame))

    def cut(self) -> None:
        if self.request.transport:
            self.request.transport.abort()


@dataclass(frozen=True, slots=True)
class _Sent:
    push: Push
    attempt: int
    at: float


class Connections:
    """The app's long connections; `len()` of it counts those that stand. made: how many there have been.

    asked: how often the endpoint was called. pings: when the app pinged (the fake's clock).
    """

    def __init__(self, fake: "FakeFeishu") -> None:
        self.fake = fake
        self.open: list[Connection] = []
        self.made = 0
        self.asked = 0
        self.pings: list[float] = []
        self._tickets: set[str] = set()
        self._refusals: deque[int] = deque()
        self._handshakes: deque[int] = deque()
        self._sent: dict[str, _Sent] = {}

    def __len__(self) -> int:
        return len(self.open)

    def cut(self) -> None:
        """End all of them, as a lost network does."""
        for one in [*self.open]:
            one.cut()

    def freeze(self) -> None:
        """Make those that stand silent: sockets stay open, but nothing comes, no pong either."""
        for one in self.open:
            one.thawed.clear()

    def thaw(self) -> None:
        """Send on; what would have come meanwhile comes now."""
        for one in self.open:
            one.thawed.set()

    def refuse(self, code: int, times: int = 1, *, handshake: bool = False) -> None:
        """Answer the next calls of the endpoint with a code: 1, 514, 403, 1000040343, 1000040344 or 1000040350.

        handshake: let the endpoint answer well and refuse the socket instead.
        """
        (self._handshakes if handshake else self._refusals).extend([code] * times)

    def deliver(self, push: Push, attempt: int) -> None:
        """To one of them at random, as Feishu's cluster mode does; to none if there is none."""
        if not self.open:
            return
        connection = random.choice(self.open)
        id = secrets.token_hex(16)
        self._sent[id] = _Sent(push, attempt, time.monotonic())
        for frame in self._frames(push, id, connection.service):
            connection.outgoing.put_nowait(frame)

    async def endpoint(self, asked: Asked) -> Json:
        fake = self.fake
        self.asked += 1
        if self._refusals:
            raise _said(self._refusals.popleft())
        if not asked.body.get("AppID") or not asked.body.get("AppSecret"):
            raise _said(1000040344)
        if (asked.body["AppID"], asked.body["AppSecret"]) != (fake.app_id, fake.app_secret):
            raise _said(514)
        if len(self) >= MOST:
            raise _said(TOO_MANY)
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        ids = f"device_id={secrets.token_hex(8)}&service_id={secrets.randbelow(10**6) + 1}"
        host = fake.url.removeprefix("http://")
        return {
            "data": {
                "URL": f"ws://{host}/ws/v2?{ids}&access_key={secrets.token_hex(16)}&ticket={ticket}",
                "ClientConfig": fake.config,
            }
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self._handshakes:
            return _no_handshake(self._handshakes.popleft())
        if request.query.get("ticket") not in self._tickets:
            return _no_handshake(514)
        self._tickets.discard(request.query["ticket"])  # good for one connection
        socket = web.WebSocketResponse(max_msg_size=2**20, compress=False)
        await socket.prepare(request)
        connection = Connection(request, socket, int(request.query["service_id"]))
        connection.thawed.set()
        self.open.append(connection)
        self.made += 1
        self.fake.signal.touch()
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(connection.write())
                async for message in socket:
                    if message.type is WSMsgType.BINARY:
                        self._receive(connection, message.data)
                    else:
                        self.fake.complaints.append("text on the long connection, where only frames belong")
                writer.cancel()
        except* ConnectionError:
            pass  # the other side is gone
        finally:
            self.open.remove(connection)
            self.fake.signal.touch()
        return socket

    def _receive(self, connection: Connection, raw: bytes) -> None:
        complaints = self.fake.complaints
        try:
            frame = decode(raw)
        except ValueError as error:
            complaints.append(f"a frame that cannot be read: {error}")
            return
        match frame.method, frame.headers.get("type"):
            case 0, "ping":
                if frame.service != connection.service:
                    complaints.append(f"a ping for service {frame.service} instead of {connection.service}")
                self.pings.append(self.fake.clock())
                config = json.dumps(self.fake.config).encode()
                connection.outgoing.put_nowait(
                    Frame(method=CONTROL, service=connection.service, headers={"type": "pong"}, payload=config)
                )
            case 1, "event" | "card":
                self._ack(frame)
            case _:
                complaints.append(f"a frame of method {frame.method} and type {frame.headers.get('type')}")
        self.fake.signal.touch()

    def _ack(self, frame: Frame) -> None:
        sent = self._sent.get(frame.headers.get("message_id", ""))
        if sent is None:
            self.fake.complaints.append("an ack for an event that was never pushed")
            return
        try:
            said = json.loads(frame.payload)
            code, data = said["code"], said.get("data")
            answer = json.loads(base64.b64decode(data)) if data else None
        except (ValueError, KeyError, TypeError):
            self.fake.complaints.append(f"an ack that cannot be read: {frame.payload[:80]!r}")
            return
        after = time.monotonic() - sent.at
        self.fake.pushing.acked(sent.push, code, after, sent.attempt, answer)

    def _frames(self, push: Push, id: str, service: int) -> list[Frame]:
        payload = json.dumps(push.body, ensure_ascii=False).encode()
        count = max(1, self.fake.split)
        size = -(-len(payload) // count)
        kind = "card" if self.fake.as_card_frames and push.kind == CARD_ACTION else "event"
        headers = {"type": kind, "message_id": id, "sum": str(count), "trace_id": secrets.token_hex(16)}
        whole = Frame(method=DATA, service=service, seq=len(self._sent), log=secrets.randbits(62))
        frames = [
            replace(whole, headers={**headers, "seq": str(n)}, payload=payload[n * size : (n + 1) * size])
            for n in range(count)
        ]
        return frames[::-1] if self.fake.split_reversed else frames

    def routes(self) -> Routes:
        return {"ws.endpoint": ("POST", "/callback/ws/endpoint", self.endpoint)}


def _said(code: int) -> Refused:
    words = {1: "system busy", 514: "auth failed", 403: "forbidden", TOO_MANY: "exceed the connection limit"}
    return Refused(code, words.get(code, "internal error"), status=200)


def _no_handshake(code: int) -> web.Response:
    """Why a socket was refused stands in headers; too many connections is told as a code within 514."""
    detail: dict[str, Any] = {"Handshake-Status": str(code), "Handshake-Msg": "refused"}
    if code in (514, TOO_MANY):
        detail |= {"Handshake-Status": "514", "Handshake-Autherrcode": str(code)}
    return web.Response(status=400, headers=detail)

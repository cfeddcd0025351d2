"""One session at the gateway, and the connection that carries it: numbering, replay, compression."""

import json
import time
import zlib
from asyncio import Queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zstandard
from aiohttp import web

from tests.simulators.discord.wire import Json

Encode = Callable[[bytes], bytes]
KEPT_EVENTS = 5000
MOST_A_MINUTE = 120  # payloads that a bot may send on one connection


@dataclass(frozen=True, slots=True)
class Close:
    """To be sent after everything that waits. code 0: cut the connection instead of closing it."""

    code: int


@dataclass(eq=False, slots=True)
class Connection:
    """A socket of the bot. What it is to be sent waits in line, so that nobody who tells it something has to wait."""

    socket: web.WebSocketResponse
    request: web.Request
    compression: str
    outgoing: Queue[bytes | Close] = field(default_factory=Queue)
    session: "Session | None" = None
    closed_by_us: bool = False
    _came: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_A_MINUTE + 1))

    def too_many(self) -> bool:
        """Count one more payload of the bot; whether these are more than a minute may have."""
        self._came.append(time.monotonic())
        return len(self._came) > MOST_A_MINUTE and self._came[-1] - self._came[0] < 60

    def send(self, op: int, data: Any = None) -> None:
        self.outgoing.put_nowait(json.dumps({"op": op, "d": data, "s": None, "t": None}).encode())

    def close(self, code: int) -> None:
        self.closed_by_us = True
        self.outgoing.put_nowait(Close(code))

    async def write(self) -> None:
        """Send what waits in line until the connection ends."""
        encode = encoder(self.compression)
        while True:
            match await self.outgoing.get():
                case Close(0):
                    if self.request.transport:
                        self.request.transport.abort()
                    return
                case Close(code):
                    await self.socket.close(code=code)
                    return
                case bytes() as raw if encode:
                    await self.socket.send_bytes(encode(raw))
                case bytes() as raw:
                    await self.socket.send_str(raw.decode())


@dataclass(eq=False, slots=True)
class Session:
    """What outlives a connection: its number of events, and the last of them for a RESUME."""

    id: str
    intents: int
    shard: tuple[int, int]
    sequence: int = 0
    connection: Connection | None = None
    _sent: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))

    def tell(self, name: str, data: Json) -> None:
        self.sequence += 1
        raw = json.dumps({"op": 0, "t": name, "s": self.sequence, "d": data}).encode()
        self._sent.append((self.sequence, raw))
        if self.connection:
            self.connection.outgoing.put_nowait(raw)

    def replay(self, after: int) -> int:
        """Send again what came after this number; how many events that were."""
        missed = [raw for number, raw in self._sent if number > after]
        for raw in missed:
            if self.connection:
                self.connection.outgoing.put_nowait(raw)
        return len(missed)


def encoder(compression: str) -> Encode | None:
    """One stream of compression over all messages of a connection, flushed after each; None for plain text."""
    if compression == "zlib-stream":
        deflate = zlib.compressobj()
        return lambda raw: deflate.compress(raw) + deflate.flush(zlib.Z_SYNC_FLUSH)
    if compression == "zstd-stream":
        stream = zstandard.ZstdCompressor().compressobj()
        return lambda raw: stream.compress(raw) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return None

"""An HTTP proxy that leads Discord's hosts here and nothing anywhere else.

Behind it runs an unmodified bot in a process of its own, with the real host names, over TLS.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.simulators.discord.tls import HOSTS


class Proxy:
    """led: hosts that were asked for and served, in order. refused: everything else that somebody asked for."""

    def __init__(self) -> None:
        self.led: list[str] = []
        self.refused: list[str] = []
        self.port = 0
        self._tunnels: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, target: int) -> AsyncIterator[None]:
        """Listen, and lead each tunnel to this port of 127.0.0.1."""

        def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer, target))
            self._tunnels.add(task)
            task.add_done_callback(self._tunnels.discard)

        server = await asyncio.start_server(opened, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            tunnels = [*self._tunnels]
            for task in tunnels:
                task.cancel()
            await asyncio.gather(*tunnels, return_exceptions=True)

    def cut(self) -> None:
        """Tear every tunnel, as a network does that goes away."""
        for task in self._tunnels:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, where = head.decode("latin-1").split(" ", 2)[:2]
            host, _, port = where.rpartition(":")
            if method != "CONNECT" or host not in HOSTS or port != "443":
                self.refused.append(f"{method} {where}")
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            self.led.append(host)
            await _tunnel(reader, writer, target)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two sides went away
        finally:
            writer.transport.abort()


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", target)
    try:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ways = {
            asyncio.create_task(_copy(reader, inner_writer)),
            asyncio.create_task(_copy(inner_reader, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    finally:
        inner_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()

"""The network between a process and its PostgreSQL server, which can be cut: connections stay open and say nothing."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit


class Cable:
    """Forwards to the server of `url`. While it is cut nothing goes through, either way, and nobody is told."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []

    async def __aenter__(self) -> Self:
        self._server = self._kept(socket.create_server(("127.0.0.1", 0)))
        asyncio.get_running_loop().add_reader(self._server, self._accept)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._server)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in self._sockets:
            each.close()

    @property
    def url(self) -> str:
        user, at, _ = self._url.netloc.rpartition("@")
        return self._url._replace(netloc=f"{user}{at}127.0.0.1:{self._server.getsockname()[1]}").geturl()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def _kept(self, each: socket.socket) -> socket.socket:
        each.setblocking(False)
        self._sockets.append(each)
        return each

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _accept(self) -> None:
        with suppress(BlockingIOError):  # who came is gone again
            near, _ = self._server.accept()
            self._start(self._forward(self._kept(near)))

    async def _forward(self, near: socket.socket) -> None:
        await self._whole.wait()
        far = self._kept(socket.socket())
        await asyncio.get_running_loop().sock_connect(far, (self._url.hostname, self._url.port or 5432))
        await asyncio.wait(
            (self._start(self._carry(near, far)), self._start(self._carry(far, near))),
            return_when=asyncio.FIRST_COMPLETED,
        )
        await self._whole.wait()  # an end does not go through either
        for end in (near, far):
            with suppress(OSError):  # it is gone
                end.shutdown(socket.SHUT_RDWR)

    async def _carry(self, one: socket.socket, other: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while chunk := await loop.sock_recv(one, 65536):
                await self._whole.wait()
                await loop.sock_sendall(other, chunk)


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for a condition that nobody can be asked to tell of."""
    async with asyncio.timeout(60):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)

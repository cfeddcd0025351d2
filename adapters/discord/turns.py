"""Lets what comes all at once begin a little at a time, so that the loop looks at everything else in between.

discord.py hands over whatever came in one piece without giving the loop a turn: of 400 commands all first answers
would be begun in one step, which held everybody else's connections and the heartbeat for as long.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

AT_ONCE = 20  # begun in one step of the loop; a first answer takes some 0.5 ms until its request is on the way
FRAMES_AT_ONCE = 8  # read in one step of the loop; each takes discord.py some 0.1 ms


class Turns:
    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._line: deque[asyncio.Future[None]] = deque()

    async def come(self) -> None:
        """Returns when it is the caller's turn, in the order of the calls."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._line.append(turn)
        if len(self._line) == 1:
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        for _ in range(min(self._at_once, len(self._line))):
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
        if self._line:
            asyncio.get_running_loop().call_soon(self._next)


class Paced:
    """A socket of the gateway that gives the loop a turn now and then, however much has come in one piece."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    async def receive(self, **options: Any) -> aiohttp.WSMessage:
        self._read += 1
        if self._read % FRAMES_AT_ONCE == 0:
            await asyncio.sleep(0)
        return await self._socket.receive(**options)


def paced(connect: Callable[..., Awaitable[aiohttp.ClientWebSocketResponse]]) -> Callable[..., Awaitable[Any]]:
    async def connected(url: str, **options: Any) -> Paced:
        return Paced(await connect(url, **options))

    return connected

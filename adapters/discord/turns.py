"""Lets what comes all at once begin a little at a time, so that the loop looks at everything else in between.

discord.py hands over whatever came in one piece without giving the loop a turn: of 400 commands all first answers
would be begun in one step, which held everybody else's connections and the heartbeat for as long.
"""

import asyncio
from collections import deque

AT_ONCE = 20  # begun in one step of the loop; a first answer takes some 0.5 ms until its request is on the way


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

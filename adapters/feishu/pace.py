"""How often something may be done, counted by the second: Feishu refuses more, and counts what it refuses too."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from adapters.feishu.standing import Latest

# Seconds; more than one, since what is sent evenly need not arrive so, and one too many waits for a second.
WINDOW = 1.2
KNOWN = 1_000


class Pace:
    """most: in a second, for each name by itself."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._turns: Latest[deque[float]] = Latest(KNOWN)

    async def turn(self, name: str) -> None:
        """Wait until it may be done, in the order of asking."""
        now = self._clock()
        at = max(now, self._free_at(name))
        self._note(name, at)
        await asyncio.sleep(at - now)

    def take(self, name: str) -> bool:
        """Whether it may be done now; then it counts."""
        now = self._clock()
        if self._free_at(name) > now:
            return False
        self._note(name, now)
        return True

    def _free_at(self, name: str) -> float:
        turns = self._turns.get(name)
        return turns[0] + WINDOW if turns and len(turns) == self._most else 0.0

    def _note(self, name: str, at: float) -> None:
        turns = self._turns.get(name) or deque[float](maxlen=self._most)
        turns.append(at)
        self._turns[name] = turns

"""Time that runs by itself and can be moved: tokens, uuids and rungs of the ladder expire without waiting."""

import asyncio
import time


class Clock:
    """The real time in seconds since the epoch, plus what a test added."""

    def __init__(self) -> None:
        self._moved = 0.0
        self._sleeping: set[asyncio.Event] = set()

    def __call__(self) -> float:
        return time.time() + self._moved

    def advance(self, seconds: float) -> None:
        self._moved += seconds
        for event in self._sleeping:
            event.set()

    async def sleep(self, seconds: float) -> None:
        """Until so much time has passed here; moving the clock counts."""
        until = self() + seconds
        moved = asyncio.Event()
        self._sleeping.add(moved)
        try:
            while (left := until - self()) > 0:
                moved.clear()
                try:
                    async with asyncio.timeout(left):
                        await moved.wait()
                except TimeoutError:
                    return
        finally:
            self._sleeping.discard(moved)

"""Time that runs by itself and can be moved, and a way to wait for what happens in it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """The real time plus what a test added: deadlines and expiring links can be met without waiting."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._moved

    def advance(self, time: timedelta) -> None:
        self._moved += time


class Signal:
    """Wakes those who wait for a condition, each time that something changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def touch(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(
        self, condition: Callable[[], object], *, within: float = 10.0, what: str = "it", look: float | None = None
    ) -> None:
        """Return once `condition` holds; TimeoutError that names `what` after `within` seconds.

        look: seconds after which to look again although nothing was told, for what happens outside of this fake.
        """
        try:
            async with asyncio.timeout(within):
                while not condition():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    await asyncio.wait({future}, timeout=look)
        except TimeoutError as error:
            raise TimeoutError(f"waited {within} s in vain for {what}") from error

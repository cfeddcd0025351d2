"""Wakes every open page when a message has changed."""

import asyncio
from contextlib import suppress

# A worker in another process writes without telling us; so look by ourselves this often.
LOOK_EVERY = 1.0


class Changes:
    def __init__(self) -> None:
        self._next = asyncio.Event()
        self.closed = False

    def tell(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """End every stream, because the server stops."""
        self.closed = True
        self.tell()

    def watch(self) -> asyncio.Event:
        """To be taken before looking for changes, so that none is missed between looking and waiting."""
        return self._next

    async def wait(self, watched: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await watched.wait()

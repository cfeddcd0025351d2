"""Wakes every open page when a message has changed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

# Another process that writes may not get through to us; so look by ourselves this often.
LOOK_EVERY = 1.0


class Changes:
    """tell_others: tells the pages that other processes have open."""

    def __init__(self, tell_others: Callable[[], object] = lambda: None) -> None:
        self._next = asyncio.Event()
        self._tell_others = tell_others
        self.closed = False

    def tell(self) -> None:
        self.hear()
        self._tell_others()

    def hear(self) -> None:
        """Another process has told."""
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """End every stream, because the server stops."""
        self.closed = True
        self.hear()

    def watch(self) -> asyncio.Event:
        """To be taken before looking for changes, so that none is missed between looking and waiting."""
        return self._next

    async def wait(self, watched: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await watched.wait()

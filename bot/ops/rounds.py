"""A piece of work that comes round again and again beside the bot, and that no failure ends."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Self

import structlog

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Rounds:
    """Use as an asynchronous context manager. every: seconds between two rounds.

    leads: whether this process is the one of several that does it.
    """

    every: ClassVar[float]
    leads: Callable[[], bool] = lambda: True

    async def round(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._rounds())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _rounds(self) -> None:
        while True:
            try:
                if self.leads():
                    await self.round()
            except Exception:  # a door: the next round tries again
                log.exception("a round failed", of=type(self).__name__)
            await asyncio.sleep(self.every)

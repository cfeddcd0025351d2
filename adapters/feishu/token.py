"""The app's own key to everything else: asked for once however many wait, and renewed before it ends.

A key that still works is never given up because a new one cannot be had.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import structlog

from adapters.feishu.codes import Refused, Unreachable

log = structlog.get_logger(__name__)

AHEAD = 600.0  # seconds; Feishu makes a new one when less than 30 minutes are left of the old (contract section 3)
PAUSE = 30.0  # seconds before a renewal that failed is tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A key as it was given. lasts: seconds."""

    value: str
    lasts: float


class Token:
    """fetch: asks Feishu for a key; raises `Refused` or `Unreachable`. clock: seconds, from wherever."""

    def __init__(self, fetch: Callable[[], Awaitable[Fresh]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._value = ""
        self._ends = self._renew_at = 0.0
        self._flight: asyncio.Task[str] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    async def get(self) -> str:
        now = self._clock()
        if now >= self._ends:
            # Whoever gives up waiting leaves the request to the others.
            return await asyncio.shield(self._asked())
        if now >= self._renew_at:
            self._asked()
        return self._value

    def spoiled(self, value: str) -> None:
        """Feishu takes it no longer. Told late of one that was replaced meanwhile, it does nothing."""
        if value == self._value:
            self._ends = 0.0

    def _asked(self) -> asyncio.Task[str]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._renewed(), name="feishu token")
            self._flight.add_done_callback(self._landed)
        return self._flight

    def _landed(self, flight: asyncio.Task[str]) -> None:
        self._flight = None
        # Ahead of time nobody waits for it: an error that was not looked at would be shouted about by asyncio.
        if not flight.cancelled() and (error := flight.exception()) is not None:
            problem = str(error) if isinstance(error, (Refused, Unreachable)) else type(error).__name__
            log.warning("no new feishu token", problem=problem, still_good=self._clock() < self._ends)

    async def _renewed(self) -> str:
        begun = self._clock()
        self._renew_at = begun + PAUSE
        fresh = await self._fetch()
        self._value = fresh.value
        self._ends = begun + fresh.lasts
        self._renew_at = self._ends - min(AHEAD, fresh.lasts / 2)
        return fresh.value

"""Counts Discord's refusals: after 10,000 answers of 401, 403 or 429 in ten minutes it bans the address for a while.

Half of that is where everything stops that is only nice to have: welcomes, command syncs, looks at other messages.
https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp
import structlog

log = structlog.get_logger(__name__)

WINDOW = 600.0
ENOUGH = 5_000
COUNTED = frozenset({401, 403, 429})


class InvalidRequests:
    """Hung as a trace into every session that asks Discord. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, enough: int = ENOUGH) -> None:
        self._clock = clock
        self._enough = enough
        self._at: deque[float] = deque(maxlen=enough)

    @property
    def count(self) -> int:
        """Refusals in the last ten minutes, up to what is enough."""
        since = self._clock() - WINDOW
        while self._at and self._at[0] <= since:
            self._at.popleft()
        return len(self._at)

    @property
    def spare(self) -> bool:
        """Whether what is only nice to have may be asked for."""
        return self.count < self._enough

    def note(self, status: int) -> None:
        if status not in COUNTED:
            return
        was_spare = self.spare
        self._at.append(self._clock())
        if was_spare and not self.spare:
            log.error("Discord refuses too much; only what must be is still asked", refusals=self.count)

    def trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._ended)
        return trace

    async def _ended(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, ended: aiohttp.TraceRequestEndParams
    ) -> None:
        self.note(ended.response.status)

"""The first answer to an interaction, which Discord waits for no longer than 3 s.

It goes its own way and not through discord.py's: that one tries again after 1, 3 and 5 s when Discord fails, which is
too late here. An answer that was lost on its way is known when the second try hears that there is one already.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import aiohttp
import structlog

from adapters.discord.invalid import InvalidRequests
from adapters.discord.outbound import EPHEMERAL
from adapters.discord.proxy import through

log = structlog.get_logger(__name__)

API = "https://discord.com/api/v10"
PATIENCE = 2.8  # seconds from the interaction's arrival; the way here took a little of the 3 s too
PAUSE = 0.1
ALREADY_ANSWERED = 40060


class First(IntEnum):
    """Types of a first answer."""

    MESSAGE = 4
    DEFERRED = 5
    DEFERRED_UPDATE = 6
    CHOICES = 8
    MODAL = 9


class Callbacks:
    """An asynchronous context manager. Once it is entered, nothing has to be waited for before a request leaves."""

    def __init__(
        self,
        *,
        connector: Callable[[], aiohttp.BaseConnector],
        proxy: str | None,
        invalid: InvalidRequests,
    ) -> None:
        self._connector = connector
        self._through = through(proxy)
        self._invalid = invalid
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Callbacks":
        self._session = aiohttp.ClientSession(
            connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[self._invalid.trace()]
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def defer(self, id: int, token: str, *, ephemeral: bool, update: bool) -> bool | None:
        """Promise an answer; update: the message whose button was pressed will change."""
        if update:
            return await self.answer(id, token, First.DEFERRED_UPDATE)
        return await self.answer(id, token, First.DEFERRED, {"flags": EPHEMERAL if ephemeral else 0})

    async def answer(self, id: int, token: str, kind: First, data: Mapping[str, Any] | None = None) -> bool | None:
        """Whether the interaction is answered now: False where Discord refuses, as it does when it is too late.

        None: nobody knows, because no answer came back in time.
        """
        body = {"type": int(kind), **({"data": data} if data is not None else {})}
        url = f"{API}/interactions/{id}/{token}/callback"
        until = time.monotonic() + PATIENCE
        pause = PAUSE
        while (left := until - time.monotonic()) > 0:
            try:
                done = await self._post(url, body, left)
            except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                log.info("a first answer did not get through", problem=type(problem).__name__)
                done = None
            if done is not None:
                return done
            await asyncio.sleep(pause)
            pause *= 2
        log.warning("an interaction could not be answered in time", kind=kind.name)
        return None

    async def _post(self, url: str, body: Mapping[str, Any], left: float) -> bool | None:
        """None: to be tried again."""
        if self._session is None:
            raise RuntimeError("the callbacks are not open")
        timeout = aiohttp.ClientTimeout(total=left)
        async with self._session.post(url, json=body, timeout=timeout, **self._through) as response:
            if response.ok:
                return True
            if response.status == 429 or response.status >= 500:
                return None
            code = await _code(response)
            if code == ALREADY_ANSWERED:
                return True
            log.warning("Discord did not take a first answer", status=response.status, code=code)
            return False


async def _code(response: aiohttp.ClientResponse) -> int:
    """Discord's own number for what is wrong; 0 where the answer is not Discord's."""
    try:
        said = await response.json(content_type=None)
    except (ValueError, aiohttp.ClientError):
        return 0
    return int(said.get("code", 0)) if isinstance(said, dict) else 0

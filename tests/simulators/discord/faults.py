"""What can go wrong on any route, scripted for the next requests that match it."""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from tests.simulators.discord.wire import Code


class Fault(StrEnum):
    LOST = "lost"  # it was done, and the connection is cut instead of an answer
    RESET = "reset"  # the connection is cut and nothing was done
    SLOW = "slow"  # begun only after `seconds`
    LATE = "late"  # done at once, answered after `seconds`
    BUSY = "busy"  # 429 of this route, to be asked again after `seconds`
    BUSY_EVERYWHERE = "busy everywhere"  # 429 for all routes together
    BLOCKED = "blocked"  # the page of Cloudflare, as after too many invalid requests


@dataclass(frozen=True, slots=True)
class Scripted:
    """`what`: a fault, one of Discord's refusals, or the status of a gateway's error, such as 502."""

    what: "Fault | Code | int | Gate"
    seconds: float = 0.0


@dataclass(eq=False, slots=True)
class Gate:
    """Holds requests back until a test lets them through."""

    came: int = 0
    _arrivals: asyncio.Condition = field(default_factory=asyncio.Condition)
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrived(self, count: int = 1) -> None:
        """Wait until so many requests stand before the gate."""
        async with self._arrivals:
            await self._arrivals.wait_for(lambda: self.came >= count)

    def open(self) -> None:
        self._opened.set()

    async def pass_through(self) -> None:
        async with self._arrivals:
            self.came += 1
            self._arrivals.notify_all()
        await self._opened.wait()


def shape(template: str) -> str:
    """A template without the names of its parameters: /channels/{channel_id} and /channels/{} are one."""
    return re.sub(r"\{[^}]*\}", "{}", template)


class Faults:
    """`known`: method and shape of every route, so that a misspelt one is found where it is written."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str]] = set()
        self._next: defaultdict[tuple[str, str], deque[Scripted]] = defaultdict(deque)
        self._gates: dict[tuple[str, str], Gate] = {}

    def script(self, method: str, template: str, what: Fault | Code | int, *, times: int = 1, seconds: float) -> None:
        self._next[self.key(method, template)].extend([Scripted(what, seconds)] * times)

    @asynccontextmanager
    async def holding(self, method: str, template: str) -> AsyncIterator[Gate]:
        key = self.key(method, template)
        gate = self._gates[key] = Gate()
        try:
            yield gate
        finally:
            del self._gates[key]
            gate.open()

    def next(self, method: str, template: str) -> Scripted | None:
        key = method, shape(template)
        if key in self._gates:
            return Scripted(self._gates[key])
        return self._next[key].popleft() if self._next.get(key) else None

    def key(self, method: str, template: str) -> tuple[str, str]:
        key = method, shape(template)
        if key not in self.known:
            raise ValueError(f"this Discord has no {method} {template}")
        return key

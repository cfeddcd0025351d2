"""The embedded dispatcher: admits what is next and runs it in this process, for as long as the process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import structlog

from bot.clock import micros
from bot.generation import queue
from bot.generation.queue import Admitted, Capacity
from bot.storage.database import Database

log = structlog.get_logger(__name__)

# Without a wake-up the line is looked at so often: a request that was put back becomes due by the clock alone.
LOOK_AGAIN = 1.0


@dataclass(kw_only=True)
class Workers:
    """Use as an asynchronous context manager. Leaving it drains: nothing new is admitted, and what runs may finish for
    `patience` seconds; what is left then is taken up by the next start.

    run: brings one admitted generation as far as it goes. clock: the time that people are told; leases and the line
    live by the machine's own time, which nobody shifts.
    """

    database: Database
    run: Callable[[Admitted], Awaitable[None]]
    capacity: Capacity
    owner: str
    patience: float
    line_moved: Callable[[], None]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[Admitted, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: bool = False

    async def __aenter__(self) -> Self:
        await self.database.transaction(queue.orphan)
        self._loops = (asyncio.create_task(self._admit()), asyncio.create_task(self._renew()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        self._wake.set()
        await self._loops[0]
        if self._running:
            log.info("waiting for what runs", generations=len(self._running), seconds=self.patience)
            await asyncio.wait(self._running.values(), timeout=self.patience)
        for task in (self._loops[1], *self._running.values()):
            task.cancel()
        await asyncio.gather(self._loops[1], *self._running.values(), return_exceptions=True)

    def stop_admitting(self) -> None:
        """What waits stays in the line for the next start."""
        self._stopping = True
        self._wake.set()

    def wake(self) -> None:
        """There may be something to admit."""
        self._wake.set()

    @property
    def running(self) -> int:
        return len(self._running)

    async def _admit(self) -> None:
        while not self._stopping:
            free = self.capacity.running - len(self._running)
            if free > 0:
                await self._start_next(free)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._wake.wait()
            self._wake.clear()

    async def _start_next(self, free: int) -> None:
        try:
            admitted = await self.database.transaction(
                queue.admit,
                self.owner,
                _now(),
                free,
                self.capacity,
                at=micros(self.clock()),
                running={mine.id for mine in self._running},
            )
        except Exception:  # a door: a full disk must not end the line for ever
            log.exception("nothing could be admitted")
            return
        for mine in admitted:
            self._running[mine] = asyncio.create_task(self._run(mine), name=f"generation {mine.id}")
        if admitted:
            self.line_moved()

    async def _run(self, mine: Admitted) -> None:
        try:
            await self.run(mine)
        except Exception:  # a door: the lease runs out, and the generation is taken up from its state
            log.exception("a generation was left behind", generation=mine.id, attempt=mine.attempt)
        finally:
            self._running.pop(mine, None)
            self._wake.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(queue.LEASE / 4 / 1_000_000)
            with suppress(Exception):  # a door: tried again in a quarter of the lease
                await self.database.transaction(queue.renew, list(self._running), _now())


def _now() -> int:
    return micros(datetime.now(UTC))

"""The embedded dispatcher: admits what is next and runs it in this process, for as long as the process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import ERROR, INFO
from time import monotonic
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
    live by the database's own time, which nobody shifts. lease: in micros. has_room: whether what is paid for could be
    kept on this machine; where it could not, nothing more is begun here.
    """

    database: Database
    run: Callable[[Admitted], Awaitable[None]]
    capacity: Capacity
    owner: str
    patience: float
    line_moved: Callable[[], None]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    lease: int = queue.LEASE
    has_room: Callable[[], bool] = lambda: True
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[Admitted, asyncio.Task[None]] = field(default_factory=dict)
    _stopping: bool = False
    _lacks_room: bool = False

    async def __aenter__(self) -> Self:
        await self.database.transaction(queue.orphan)
        self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

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

    def runs(self, generation: str) -> bool:
        """Whether it is this process that runs it."""
        return any(mine.id == generation for mine in self._running)

    def _begin(self) -> None:
        self._loops = (asyncio.create_task(self._admit()), asyncio.create_task(self._renew()))

    async def _end(self) -> list[Admitted]:
        """Let what runs finish in time, and return what did not."""
        self.stop_admitting()
        await self._loops[0]
        if self._running:
            log.info("waiting for what runs", generations=len(self._running), seconds=self.patience)
            await asyncio.wait(self._running.values(), timeout=self.patience)
        left = list(self._running)
        tasks = (self._loops[1], *self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return left

    async def _admit(self) -> None:
        while not self._stopping:
            free = self.capacity.running - len(self._running)
            if free > 0 and await self._has_room():
                try:
                    await self._start_next(free)
                except self.database.passing as error:  # a full disk, too, must not end the line for ever
                    log.warning("nothing could be admitted", reason=type(error).__name__)
                except Exception:  # a door
                    log.exception("nothing could be admitted")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._wake.wait()
            self._wake.clear()

    async def _has_room(self) -> bool:
        room = await asyncio.to_thread(self.has_room)
        if room == self._lacks_room:
            self._lacks_room = not room
            log.log(INFO if room else ERROR, "there is room again" if room else "the disk is full: nothing is begun")
        return room

    async def _start_next(self, free: int) -> None:
        admitted = await self.database.transaction(
            queue.admit,
            self.owner,
            None,
            free,
            self.capacity,
            at=micros(self.clock()),
            running={mine.id for mine in self._running},
            lease=self.lease,
        )
        for mine in admitted:
            self._start(mine)
        if admitted:
            self.line_moved()

    def _start(self, mine: Admitted) -> None:
        self._running[mine] = asyncio.create_task(self._run(mine), name=f"generation {mine.id}")

    async def _run(self, mine: Admitted) -> None:
        try:
            await self.run(mine)
        except Exception:  # a door: the lease runs out, and the generation is taken up from its state
            log.exception("a generation was left behind", generation=mine.id, attempt=mine.attempt)
        finally:
            self._running.pop(mine, None)
            self._ended()

    def _ended(self) -> None:
        self._wake.set()

    async def _renew(self) -> None:
        quarter = pause = self.lease / 4 / 1_000_000
        while True:
            await asyncio.sleep(pause)
            began = monotonic()
            try:
                await self._renew_once()
                pause = max(quarter / 4, quarter - (monotonic() - began))
            except Exception as error:  # noqa: BLE001 - a door: the lease goes on for a while
                log.warning("no lease could be renewed", reason=type(error).__name__)
                pause = min(quarter, LOOK_AGAIN)

    async def _renew_once(self) -> None:
        """Who lost its attempt to another one can write nothing any more, so it may as well stop."""
        running = dict(self._running)
        if not running:
            return
        ours = await self.database.transaction(queue.renew, list(running), None, self.lease)
        for mine, task in running.items():
            if mine.id not in ours:
                log.warning("a generation was taken over", generation=mine.id, attempt=mine.attempt)
                task.cancel()

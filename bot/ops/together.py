"""What a process has to do with the others on its database: who it is, what they tell each other, who leads, who hears.

On SQLite there are no others: it leads, and hears every platform for as long as it runs.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import structlog

from bot import __version__
from bot.chat import Connected
from bot.ops.ownership import Ownership
from bot.roles import Role
from bot.storage import schema
from bot.storage.bus import Alone, Bus

if TYPE_CHECKING:
    from bot.storage.held import Held

log = structlog.get_logger(__name__)

LEADER = "leader"
HEAR_AGAIN = 5.0  # seconds in which another process may try what went wrong here


class Together:
    """Use as an asynchronous context manager; raises `CannotStart` where somebody has the database for himself.

    url: the address of the database, "" where it is not shared. id: of this process, as an owner of leases. ownership:
    of its folder, by which the next process there knows that this one has ended.
    """

    def __init__(self, url: str, role: Role, ownership: Ownership | None = None) -> None:
        self._url = url
        self._role = role
        self._ownership = ownership
        self._stack = AsyncExitStack()
        self._lead_by: Held | None = None
        self._superseded: list[Callable[[], None]] = []
        self.superseded = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.id = f"{socket.gethostname()}:{os.getpid()}"
        self.bus: Bus = Alone()

    async def __aenter__(self) -> Self:
        if not self._url:
            return self
        from bot.storage.members import Member  # a bot on SQLite does not pay for the client
        from bot.storage.postgres_bus import PostgresBus

        async with AsyncExitStack() as stack:
            before = self._ownership.before if self._ownership else ""
            member = Member(self._url, role=self._role, version=__version__, head=schema.head(), before=before)
            await stack.enter_async_context(member)
            if self._ownership:
                self._ownership.sign(member.id)
            self.id = member.id
            member.when_superseded(self._end)
            self.bus = await stack.enter_async_context(PostgresBus(self._url))
            if self._role.works:
                stack.push_async_callback(_ended, asyncio.create_task(self._lead()))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def leads(self) -> bool:
        """Whether this process does what one of all has to do."""
        return not self._url or (self._lead_by is not None and self._lead_by.proven)

    def when_superseded(self, tell: Callable[[], None]) -> None:
        """A newer version has changed the database, so that this one may only come to its end."""
        self._superseded.append(tell)
        if self.superseded:
            tell()

    @asynccontextmanager
    async def listening(self, platform: Connected) -> AsyncIterator[None]:
        """Hear a platform: at once, or as soon as no other process does what only one may do."""
        if not self._url or not platform.alone:
            async with platform.listening():
                yield
            return
        stop = asyncio.Event()
        task = asyncio.create_task(self._listen(platform, stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, platform: Connected, stop: asyncio.Event) -> None:
        from bot.storage.held import Claim, Held

        claims = [Claim(name, shared=shared) for name, shared in platform.alone.items()]
        while not stop.is_set():
            try:
                async with AsyncExitStack() as stack:
                    held = Held(self._url, claims)
                    if not await _either(stack.enter_async_context(held), stop):
                        return
                    await stack.enter_async_context(platform.listening())
                    log.info("hears", platform=platform.name)
                    await _either(held.lost.wait(), stop)
            except Exception:  # a door: it tries again, as the whole bot depends on it
                log.exception("a platform could not be heard", platform=platform.name)
                await _either(asyncio.sleep(HEAR_AGAIN), stop)
            if not stop.is_set():
                log.warning("another process may hear it now", platform=platform.name)

    async def _lead(self) -> None:
        from bot.storage.held import Claim, Held

        while True:
            async with Held(self._url, [Claim(LEADER)]) as self._lead_by:
                log.info("cleans up for all processes")
                await self._lead_by.lost.wait()

    def beside(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something that nobody waits for; what goes wrong is logged."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        self.superseded = True
        for tell in self._superseded:
            tell()


async def _either(first: Awaitable[object], stop: asyncio.Event) -> bool:
    """Wait for the first, but no longer than until the stop; whether it came to its end."""
    task, stopping = asyncio.ensure_future(first), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        await _ended(stopping)
        if not task.done():
            await _ended(task)


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception:  # a door: nobody looks at it
        log.exception("something beside failed")


async def _ended(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

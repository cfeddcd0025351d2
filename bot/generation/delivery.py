"""Brings what is stored onto the platforms: every posting once, under its key, as often as it takes.

What must be shown is a row (`to post`), written in the transaction that made it true. A post shows the generation as it
is when it is posted, so a late one is never stale. Progress in between is shown too, at the adapter's pace, and may be
skipped: it is not worth a row.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import structlog

from bot.chat import Adapter, CannotPost, Post, Reply
from bot.clock import micros, moment
from bot.generation import outbox, queue
from bot.generation.outbox import Posting
from bot.generation.presenting import HELD_UP
from bot.generation.states import ENDED, State
from bot.storage.database import Database

log = structlog.get_logger(__name__)

LOOK_AGAIN = 1.0
PLACE_PACE = 3.0  # a place in the line changes with everybody's picture, and nobody needs to see each change
MOST_AT_ONCE = 32  # on each platform: one that hangs keeps no other waiting
BUSY_PAUSE, FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0, 300.0
LONGEST_ANSWER_PAUSE = 30.0  # whoever waits for an answer asks again before a minute is over
FINAL = {str(state) for state in (*ENDED, State.ASKED)}


@dataclass(kw_only=True)
class Delivery:
    """present: the Reply that shows a generation now, given its place in the line (0: not in it).
    present_log: the one that tells a space's log room of it.

    Use as an asynchronous context manager; leaving it finishes what is being posted.
    """

    database: Database
    adapters: Mapping[str, Adapter]
    present: Callable[[str, int], Awaitable[Reply]]
    present_log: Callable[[str], Awaitable[Reply]]
    patience: float = 10.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _posting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _busy: Counter[str] = field(default_factory=Counter)
    _left: dict[str, float] = field(default_factory=dict)
    _dirty: dict[str, float] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _held_up: frozenset[str] = frozenset()
    _shown_at: dict[str, float] = field(default_factory=dict)
    _line_moved: bool = False
    _stopping: bool = False
    _waiting: dict[str, list[asyncio.Future[Reply]]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        await self.database.transaction(outbox.unfinished)
        self._loop = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        self._wake.set()
        await self._loop
        await self._round_or_pause()  # what the last generations came to was written after the loop's last look
        if self._posting:
            await asyncio.wait(self._posting.values(), timeout=self.patience)
        for task in self._posting.values():
            task.cancel()
        await asyncio.gather(*self._posting.values(), return_exceptions=True)

    def changed(self, generation: str) -> None:
        """There is something new to show of this generation."""
        self._dirty[generation] = time.monotonic()
        self._wake.set()

    def line_moved(self) -> None:
        """Places in the line have changed."""
        self._line_moved = True
        self._wake.set()

    async def answer(self, post: Post) -> str:
        """Show a reply that is not a generation's own; returns the message's id, or "" where that failed."""
        for attempt in range(5):
            try:
                return await self.adapters[post.place.adapter].post(post)
            except CannotPost as problem:
                if problem.final:
                    break
                await asyncio.sleep(min(problem.retry_after or FIRST_PAUSE * 2**attempt, LONGEST_ANSWER_PAUSE))
        log.warning("an answer could not be posted", key=post.key)
        return ""

    async def end_of(self, generation: str) -> Reply:
        """Wait until a generation has ended, or asks something, and that stands on its platform."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(generation, []).append(future)
        try:
            if reply := await self._ended(generation):
                return reply
            return await future
        finally:
            waiting = self._waiting.get(generation, [])
            with suppress(ValueError):
                waiting.remove(future)
            if not waiting:
                self._waiting.pop(generation, None)

    async def _ended(self, generation: str) -> Reply | None:
        open_rows = await self.database.fetch(
            "SELECT 1 FROM postings WHERE generation=:generation AND state IN ('to post', 'posting') AND key<>:log",
            generation=generation,
            log=outbox.log_key(generation),
        )
        if open_rows:
            return None
        reply = await self.present(generation, 0)
        return reply if reply.state in FINAL else None

    async def _deliver(self) -> None:
        while not self._stopping:
            pause = await self._round_or_pause()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def _round_or_pause(self) -> float:
        try:
            return await self._round()
        except Exception:  # a door: delivery goes on whatever one round met
            log.exception("a round of delivery failed")
            return LOOK_AGAIN

    async def _round(self) -> float:
        """Start what is due; returns how long nothing needs to be looked at."""
        if again := [key for key, at in self._left.items() if at <= time.monotonic()]:
            await self.database.transaction(outbox.put_back, again)
            for key in again:
                del self._left[key]
        now = micros(datetime.now(UTC))
        await self._note_held_up(now)
        for name in self.adapters:
            await self._start_due(name, now)
        if self._line_moved:
            await self._note_places()
        return await self._show_progress()

    async def _start_due(self, platform: str, now: int) -> None:
        for key in await self.database.read(outbox.due, now, (platform,)):
            if self._busy[platform] >= MOST_AT_ONCE:  # one that ends wakes the next round
                break
            if key not in self._posting and key not in self._left:
                self._start(key, platform, self._post_or_leave(key))

    def _start(self, key: str, platform: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._posting[key] = task
        self._busy[platform] += 1
        task.add_done_callback(lambda _: self._done(key, platform))

    def _done(self, key: str, platform: str) -> None:
        self._posting.pop(key, None)
        self._busy[platform] -= 1
        self._wake.set()

    async def _post_or_leave(self, key: str) -> None:
        try:
            await self._post_wanted(key)
        except Exception:  # a door: the database fails, as it does on a full disk; a round after that goes on
            log.exception("a posting was left behind", key=key)
            self._left[key] = time.monotonic() + LOOK_AGAIN

    async def _post_wanted(self, key: str) -> None:
        async with self._locks[key]:
            posting = await self.database.transaction(outbox.claim, key, micros(datetime.now(UTC)))
            if posting is None:
                return
            try:
                reply = await self._reply(posting)
                message = await self._adapter(posting).post(_post(posting, reply))
            except Exception as error:  # noqa: BLE001 - a door: a platform may fail in any way, the posting outlives it
                await self._refused(posting, error)
                return
            await self.database.transaction(outbox.posted, posting, message)
            self._shown_at[key] = time.monotonic()
        if reply.state in FINAL:
            self._finish(posting, reply)

    def _finish(self, posting: Posting, reply: Reply) -> None:
        self._locks.pop(posting.key, None)
        self._shown_at.pop(posting.key, None)
        if posting.logs:  # nobody waits for that
            return
        for future in self._waiting.pop(posting.generation, []):
            if not future.done():
                future.set_result(reply)

    async def _refused(self, posting: Posting, error: Exception) -> None:
        final = isinstance(error, CannotPost) and error.final
        told = error.retry_after if isinstance(error, CannotPost) else None
        unknown = error.unknown if isinstance(error, CannotPost) else True  # whatever went wrong, it may have left
        grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**posting.tries) * random.uniform(0.5, 1.0)
        later = micros(datetime.now(UTC)) + round((told or grown) * 1_000_000)
        log.warning("a post was refused", generation=posting.generation, problem=type(error).__name__, final=final)
        await self.database.transaction(
            outbox.refused, posting, type(error).__name__, later, final=final, unknown=unknown
        )
        if self._waiting.get(posting.generation) and (reply := await self._ended(posting.generation)):
            self._finish(posting, reply)  # it is kept, so nobody need wait for it to be shown

    async def _note_places(self) -> None:
        self._line_moved = False
        places = {generation: place for place, generation in enumerate(await self.database.read(queue.places), 1)}
        for generation, place in places.items():
            if self._places.get(generation) != place:
                self._dirty.setdefault(generation, time.monotonic())
        self._places = places

    async def _note_held_up(self, now: int) -> None:
        """That all its providers rest, or no longer do, is news to whoever is told to be the next."""
        held_up = await self.database.read(queue.held_up, now)
        for generation in held_up ^ self._held_up:
            self._dirty.setdefault(generation, time.monotonic())
        self._held_up = held_up

    async def _show_progress(self) -> float:
        """Change the messages of what has moved, each at its adapter's pace; returns how long none is due."""
        next_look = LOOK_AGAIN
        for generation, due in list(self._dirty.items()):
            wait = due - time.monotonic()
            if wait <= 0:
                wait = await self._show_progress_of(generation)
            if wait > 0:
                next_look = min(next_look, wait)
        return next_look

    async def _show_progress_of(self, generation: str) -> float:
        """Change its message now, or return the seconds after which that may be done."""
        if outbox.own_key(generation) in self._posting:  # what is on its way was drawn before this happened
            self._dirty[generation] = time.monotonic() + BUSY_PAUSE
            return BUSY_PAUSE
        posting = next(iter(await self.database.read(outbox.standing, generation)), None)
        adapter = self.adapters.get(posting.place.adapter) if posting else None
        if posting is None or adapter is None:  # the first post is still to come, or the platform is switched off
            self._dirty.pop(generation, None)
            return 0.0
        pace = max(adapter.pace, PLACE_PACE) if generation in self._places else adapter.pace
        wait = self._shown_at.get(posting.key, 0.0) + pace - time.monotonic()
        if posting.key in self._posting:
            wait = max(wait, BUSY_PAUSE)
        if wait > 0:
            self._dirty[generation] = time.monotonic() + wait
            return wait
        self._dirty.pop(generation, None)
        self._start(posting.key, posting.place.adapter, self._post_progress(posting))
        return 0.0

    async def _post_progress(self, posting: Posting) -> None:
        async with self._locks[posting.key]:
            reply = await self._reply(posting)
            if reply.state in FINAL:  # its row says so too, and is posted with more care
                return
            self._shown_at[posting.key] = time.monotonic()
            try:
                message = await self._adapter(posting).post(_post(posting, reply))
                if message != posting.message:  # it took another one, which a crash must not make twice
                    await self.database.transaction(outbox.moved, posting, message)
            except Exception as error:  # noqa: BLE001 - a door: progress may be lost, the next one or the end comes
                log.info("progress was not shown", generation=posting.generation, problem=type(error).__name__)

    async def _reply(self, posting: Posting) -> Reply:
        generation = posting.generation
        if posting.logs:
            return await self.present_log(generation)
        place = self._places.get(generation, 0)
        reply = await self.present(generation, place)
        if reply.state == State.QUEUED and not place:
            if generation not in self._places:  # else it was noted while the reply was made
                await self._note_places()
            reply = await self.present(generation, self._places.get(generation, 0))
        if reply.state == State.QUEUED and generation in self._held_up:
            return replace(reply, text=HELD_UP)
        return reply

    def _adapter(self, posting: Posting) -> Adapter:
        return self.adapters[posting.place.adapter]


def _post(posting: Posting, reply: Reply) -> Post:
    tried = moment(posting.tried) if posting.tried else None
    return Post(key=posting.key, place=posting.place, reply=reply, message=posting.message, tried=tried)

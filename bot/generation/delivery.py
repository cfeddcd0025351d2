"""Brings what is stored onto the platforms: every posting once, under its key, as often as it takes.

What must be shown is a row (`to post`), written in the transaction that made it true. A post shows the generation as it
is when it is posted, so a late one is never stale. Progress in between is shown too, at the adapter's pace, and may be
skipped: it is not worth a row.

Any process may post what any other wrote down. Whoever is at a posting has it under a lease and renews that; where it
cannot be renewed in time the post is cut off, and its outcome counts as unknown.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import coroutine
from typing import Any, Self, TypeVar

import structlog

from bot.chat import Adapter, CannotPost, Post, Reply
from bot.clock import moment
from bot.errors import BotError
from bot.generation import outbox, queue
from bot.generation.outbox import Posting
from bot.generation.presenting import HELD_UP
from bot.generation.states import ENDED, State
from bot.moderation.reviews import reviewed
from bot.storage.bus import Alone, Bus
from bot.storage.database import Database

log = structlog.get_logger(__name__)

LOOK_AGAIN = 1.0
PLACE_PACE = 3.0  # a place in the line changes with everybody's picture, and nobody needs to see each change
MOST_AT_ONCE = 32  # on each platform: one that hangs keeps no other waiting
BUSY_PAUSE, FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0, 300.0
TAKEN_PAUSE = 0.5  # until it is looked whether another process has done with a posting
REMEMBERED = 10_000  # postings whose pace is kept: others may end what was changed here
LONGEST_ANSWER_PAUSE = 30.0  # whoever waits for an answer asks again before a minute is over
FINAL = {str(state) for state in (*ENDED, State.ASKED)}

T = TypeVar("T")


@dataclass(kw_only=True)
class Delivery:
    """present: the Reply that shows a generation now, given its place in the line (0: not in it).
    present_log: the one that tells a space's log room of it.
    lease: in micros. delivers: False for a process that only answers, and leaves postings to others.
    leads: only one process at a time corrects places in the line. runs: this process works on that generation.

    Use as an asynchronous context manager; leaving it finishes what is being posted, or gives it back.
    """

    database: Database
    adapters: Mapping[str, Adapter]
    present: Callable[[str, int], Awaitable[Reply]]
    present_log: Callable[[str], Awaitable[Reply]]
    owner: str = "here"
    lease: int = queue.LEASE
    delivers: bool = True
    leads: Callable[[], bool] = lambda: True
    runs: Callable[[str], bool] = lambda _: True
    bus: Bus = field(default_factory=Alone)
    patience: float = 10.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _posting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _claimed: dict[str, Posting] = field(default_factory=dict)
    _ends: dict[str, asyncio.Timeout] = field(default_factory=dict)
    _busy: Counter[str] = field(default_factory=Counter)
    _left: dict[str, float] = field(default_factory=dict)
    _dirty: dict[str, float] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    _places_at: float = 0.0
    _held_up: frozenset[str] = frozenset()
    _led: bool = False
    _shown_at: dict[str, float] = field(default_factory=dict)
    _line_moved: bool = False
    _stopping: bool = False
    _waiting: dict[str, list[asyncio.Future[Reply | None]]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.bus.on("changed", self._hear_changed)
        if not self.delivers:
            return self
        if self.database.shared:
            self._tasks.append(asyncio.create_task(self._renew()))
        else:
            await self.database.transaction(outbox.unfinished)
        self.bus.on("line", self._hear_line)
        self._tasks.append(asyncio.create_task(self._deliver()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.delivers:
            return
        self._stopping = True
        self._wake.set()
        await self._tasks[-1]
        until = time.monotonic() + self.patience
        # What the last generations came to was written after the loop's last look, or while they were being posted.
        for _again in range(2):
            await self._round_or_pause()
            if self._posting:
                await asyncio.wait(self._posting.values(), timeout=max(0.0, until - time.monotonic()))
        tasks = [*self._tasks, *self._posting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._give_back()

    def changed(self, generation: str) -> None:
        """There is something new to show of this generation."""
        if self.delivers:
            self._dirty[generation] = time.monotonic()
            self._wake.set()
        if not (self.delivers and self.runs(generation)):
            self.bus.tell("changed", generation)

    def line_moved(self) -> None:
        """Places in the line have changed, or there is something to post."""
        self._hear_line()
        self.bus.tell("line")

    def _hear_line(self, _: str = "") -> None:
        self._line_moved = True
        self._wake.set()

    def _hear_changed(self, generation: str) -> None:
        """Another process has changed it, or shown its end; "" where nobody knows which."""
        for name in [generation] if generation else list(self._waiting):
            self._tell_waiting(name, None)
        if not generation:
            self._hear_line()
        elif self.delivers and (self.runs(generation) or self._places_led(generation)):
            self._dirty[generation] = time.monotonic()
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
        reply = await self._ended(generation)
        while reply is None:
            reply = await self._next_end(generation)
        return reply

    async def _next_end(self, generation: str) -> Reply | None:
        """The end that is shown here, or whatever is found after a moment: another process may have shown it."""
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(generation, [])
        waiting.append(future)
        try:
            await asyncio.wait((future,), timeout=LOOK_AGAIN)
            if future.done() and (reply := future.result()):
                return reply
            return await self._ended(generation)
        except BotError:
            raise
        except Exception as error:  # noqa: BLE001 - a door: a database that is away for a while comes back
            log.info("nobody knows yet whether it has ended", generation=generation, problem=type(error).__name__)
            return None
        finally:
            waiting.remove(future)
            if not waiting:
                self._waiting.pop(generation, None)

    async def _ended(self, generation: str) -> Reply | None:
        reply = await self.present(generation, 0)
        if reply.state not in FINAL:
            return None
        # Looked at afterwards: what has ended wants its end to be posted since that very moment.
        return None if await self.database.read(outbox.is_open, generation) else reply

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
        except self.database.passing as error:
            log.warning("nothing can be delivered just now", problem=type(error).__name__)
            return LOOK_AGAIN
        except Exception:  # a door: delivery goes on whatever one round met
            log.exception("a round of delivery failed")
            return LOOK_AGAIN

    async def _round(self) -> float:
        """Start what is due; returns how long nothing needs to be looked at."""
        await self._put_back_left()
        if self.database.shared:
            await self.database.transaction(outbox.abandoned)
        self._look_who_leads()
        await self._note_held_up()
        for name in list(self.adapters):
            await self._start_due(name)
        if self._line_moved and self._led:
            await self._note_places()
        return await self._show_progress()

    async def _put_back_left(self) -> None:
        # What progress is being shown of has been claimed anew since, and is not to be given away.
        again = [key for key, at in self._left.items() if at <= time.monotonic() and key not in self._posting]
        if claimed := [self._claimed[key] for key in again if key in self._claimed]:
            await self.database.transaction(outbox.put_back, claimed)
        for key in again:
            del self._left[key]
            self._claimed.pop(key, None)

    async def _start_due(self, platform: str) -> None:
        for key in await self.database.read(outbox.due, platform, 2 * MOST_AT_ONCE):
            if self._busy[platform] >= MOST_AT_ONCE:  # one that ends wakes the next round
                break
            if key not in self._posting and key not in self._left:
                self._start(key, platform, partial(self._post_wanted, key))

    def _start(self, key: str, platform: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._done_or_left(key, work))
        self._posting[key] = task
        self._busy[platform] += 1
        task.add_done_callback(lambda _: self._done(key, platform))

    def _done(self, key: str, platform: str) -> None:
        self._posting.pop(key, None)
        self._busy[platform] -= 1
        self._wake.set()

    async def _done_or_left(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # a door: the database fails, as it does on a full disk; a round after that goes on
            log.exception("a posting was left behind", key=key)
            self._left[key] = time.monotonic() + LOOK_AGAIN

    async def _post_wanted(self, key: str) -> None:
        begun = asyncio.get_running_loop().time()
        posting = await self.database.transaction(outbox.claim, key, self.owner, self.lease)
        if posting is None:  # somebody was faster
            self._left[key] = time.monotonic() + TAKEN_PAUSE
            return
        self._claimed[key] = posting
        try:
            reply, message = await self._while_ours(posting, begun, self._bring(posting))
        except Exception as error:  # noqa: BLE001 - a door: a platform may fail in any way, the posting outlives it
            await self._refused(posting, error)
            return
        ours = await self.database.transaction(outbox.posted, posting, message)
        del self._claimed[key]
        self._note_shown(key)
        if ours and reply.state in FINAL:
            self._finish(posting, reply)

    async def _bring(self, posting: Posting) -> tuple[Reply, str]:
        reply = await self._reply(posting)
        return reply, await self._adapter(posting).post(self._post(posting, reply))

    async def _while_ours(self, posting: Posting, begun: float, work: Coroutine[Any, Any, T]) -> T:
        """Do it for as long as the posting is under our lease. Raises `TimeoutError` once it no longer is.

        begun: when the lease was asked for. It is cut off a quarter of the lease early: what is on its way then has
        so long to arrive before anybody else begins.
        """
        if not self.database.shared:  # nobody else would begin
            return await work
        async with asyncio.timeout_at(begun + self._safe) as end:
            self._ends[posting.key] = end
            try:
                return await _in_time(work, end)
            finally:
                del self._ends[posting.key]

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 4 / 1_000_000)
            if self._ends:
                with suppress(Exception):  # a door: tried again in a quarter of the lease, or it is cut off
                    await self._renew_once()

    async def _renew_once(self) -> None:
        begun, ends = asyncio.get_running_loop().time(), dict(self._ends)
        held = [self._claimed[key] for key in ends]
        ours = await self.database.transaction(outbox.renew, held, self.lease)
        for key, end in ends.items():
            if self._ends.get(key) is end and not end.expired():
                end.reschedule(begun + self._safe if key in ours else begun)

    @property
    def _safe(self) -> float:
        return self.lease * 0.75 / 1_000_000

    async def _give_back(self) -> None:
        if not self._claimed:
            return
        try:
            await self.database.transaction(outbox.put_back, list(self._claimed.values()))
        except Exception:  # a door: their leases run out
            log.exception("postings could not be given back", count=len(self._claimed))
        self.bus.tell("line")

    def _finish(self, posting: Posting, reply: Reply) -> None:
        self._shown_at.pop(posting.key, None)
        if posting.logs or posting.reviews:  # nobody waits for that
            return
        self._dirty.pop(posting.generation, None)
        self._tell_waiting(posting.generation, reply)
        self.bus.tell("changed", posting.generation)  # somebody may wait for it elsewhere

    def _tell_waiting(self, generation: str, reply: Reply | None) -> None:
        for future in self._waiting.get(generation, ()):
            if not future.done():
                future.set_result(reply)

    def _note_shown(self, key: str) -> None:
        self._shown_at.pop(key, None)
        self._shown_at[key] = time.monotonic()
        if len(self._shown_at) > REMEMBERED:
            del self._shown_at[next(iter(self._shown_at))]

    async def _refused(self, posting: Posting, error: Exception) -> None:
        final = isinstance(error, CannotPost) and error.final
        told = error.retry_after if isinstance(error, CannotPost) else None
        grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**posting.tries) * random.uniform(0.5, 1.0)
        pause = round((told or grown) * 1_000_000)
        log.warning("a post was refused", generation=posting.generation, problem=type(error).__name__, final=final)
        if final and posting.reviews:
            log.error("a review room cannot be posted to, what is to be reviewed waits", room=posting.place.room)
        await self.database.transaction(
            outbox.refused, posting, type(error).__name__, pause, final=final, unknown=_is_unknown(error)
        )
        self._claimed.pop(posting.key, None)
        if self._waiting.get(posting.generation) and (reply := await self._ended(posting.generation)):
            self._finish(posting, reply)  # it is kept, so nobody need wait for it to be shown

    def _look_who_leads(self) -> None:
        """Who begins to lead knows of no place that is shown, so each is put right once."""
        leads = self.leads()
        if leads and not self._led:
            self._places, self._held_up, self._line_moved = {}, frozenset(), True
        self._led = leads

    def _places_led(self, generation: str) -> bool:
        return self._led and generation in self._places

    async def _note_places(self) -> None:
        self._line_moved = False
        self._places_at = time.monotonic()
        places = {generation: place for place, generation in enumerate(await self.database.read(queue.places), 1)}
        if self._led:
            self._correct_places(self._places, places)
        self._places = places

    def _correct_places(self, before: Mapping[str, int], places: Mapping[str, int]) -> None:
        now = time.monotonic()
        for generation, place in places.items():
            if generation not in before:  # its first post says the place, and may have said an older one
                self._dirty.setdefault(generation, now + PLACE_PACE)
            elif before[generation] != place:
                self._dirty.setdefault(generation, now)
        for generation in before.keys() - places.keys():
            if not self.runs(generation):  # whoever does shows the rest
                self._dirty.pop(generation, None)

    async def _note_held_up(self) -> None:
        """That all its providers rest, or no longer do, is news to whoever is told to be the next."""
        held_up = await self.database.read(queue.held_up)
        for generation in held_up ^ self._held_up if self._led else ():
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
            return self._show_later(generation, BUSY_PAUSE)
        posting = next(iter(await self.database.read(outbox.standing, generation)), None)
        adapter = self.adapters.get(posting.place.adapter) if posting else None
        if posting is None or adapter is None:  # the first post is still to come, or the platform is switched off
            self._dirty.pop(generation, None)
            return 0.0
        if posting.key in self._posting:
            return self._show_later(generation, BUSY_PAUSE)
        if posting.busy:
            return self._show_later(generation, TAKEN_PAUSE)
        pace = max(adapter.pace, PLACE_PACE) if self._places_led(generation) else adapter.pace
        wait = self._shown_at.get(posting.key, 0.0) + pace - time.monotonic()
        if wait > 0:
            return self._show_later(generation, wait)
        self._dirty.pop(generation, None)
        self._start(posting.key, posting.place.adapter, partial(self._post_progress, posting))
        return 0.0

    def _show_later(self, generation: str, pause: float) -> float:
        self._dirty[generation] = time.monotonic() + pause
        return pause

    async def _post_progress(self, posting: Posting) -> None:
        begun = asyncio.get_running_loop().time()
        if self.database.shared:
            claimed = await self.database.transaction(outbox.claim_progress, posting.key, self.owner, self.lease)
            if claimed is None:  # what another process shows just now may be older than this
                self._show_later(posting.generation, TAKEN_PAUSE)
                return
            posting = claimed
        self._claimed[posting.key] = posting
        message, unknown = "", False
        try:
            message = await self._while_ours(posting, begun, self._bring_progress(posting))
        except Exception as error:  # noqa: BLE001 - a door: progress may be lost, the next one or the end comes
            unknown = _is_unknown(error)
            log.info("progress was not shown", generation=posting.generation, problem=type(error).__name__)
        if self.database.shared:
            await self.database.transaction(outbox.release, posting, message, unknown=unknown)
        elif message and message != posting.message:  # it took another one, which a crash must not make twice
            await self.database.transaction(outbox.moved, posting, message)
        del self._claimed[posting.key]

    async def _bring_progress(self, posting: Posting) -> str:
        """Returns "" for what has ended meanwhile: its row says so too, and is posted with more care."""
        reply = await self._reply(posting)
        if reply.state in FINAL:
            return ""
        self._note_shown(posting.key)
        return await self._adapter(posting).post(self._post(posting, reply))

    def _post(self, posting: Posting, reply: Reply) -> Post:
        before, self._attempts[posting.key] = self._attempts.pop(posting.key, None), posting.attempt
        if len(self._attempts) > REMEMBERED:
            del self._attempts[next(iter(self._attempts))]
        return Post(
            key=posting.key,
            place=posting.place,
            reply=reply,
            message=posting.message,
            tried=moment(posting.tried) if posting.tried else None,
            elsewhere=self.database.shared and before != posting.attempt - 1,
        )

    def _adapter(self, posting: Posting) -> Adapter:
        return self.adapters[posting.place.adapter]

    async def _reply(self, posting: Posting) -> Reply:
        generation = posting.generation
        if posting.logs:
            return await self.present_log(generation)
        if posting.reviews:
            return await self.database.read(reviewed, generation)
        place = self._place(generation)
        reply = await self.present(generation, place)
        if reply.state == State.QUEUED and not place:
            if not self._place(generation):  # else it was noted while the reply was made
                await self._note_places()
            reply = await self.present(generation, self._place(generation))
        if reply.state == State.QUEUED and generation in self._held_up:
            return replace(reply, text=HELD_UP)
        return reply

    def _place(self, generation: str) -> int:
        """0 where it is not in the line, or not known: who does not lead hears of no change."""
        known = self._led or time.monotonic() - self._places_at < LOOK_AGAIN
        return self._places.get(generation, 0) if known else 0


@coroutine
def _in_time(work: Coroutine[Any, Any, T], end: asyncio.Timeout) -> Generator[Any, Any, T]:
    """Go on with it step by step, and take none after the end.

    The timer alone would come too late: a process that was paused in the middle of its work goes on with that first.
    """
    loop = asyncio.get_running_loop()
    given: Any = None
    problem: BaseException | None = None
    while True:
        try:
            while problem is None and not end.expired() and loop.time() >= (end.when() or 0.0):
                yield  # the loop's turn: the timer is due, and cancels
        except BaseException as error:  # noqa: BLE001 - it is handed on
            problem = error
        try:
            waited_for = work.throw(problem) if problem else work.send(given)
        except StopIteration as done:
            result: T = done.value
            return result
        given = problem = None
        try:
            given = yield waited_for
        except BaseException as error:  # noqa: BLE001 - it is handed on
            problem = error


def _is_unknown(error: Exception) -> bool:
    """Whatever went wrong, it may have left; only the adapter can know that it did not."""
    return error.unknown if isinstance(error, CannotPost) else True

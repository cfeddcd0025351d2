"""What a working bot writes: all that a picture goes through from its event to its posting, by the product's functions.

Pictures are drawn, refused, cancelled, put back and of unknown outcome, and one person has used up the quota.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, cycle
from pathlib import Path
from typing import Protocol

from bench.runs import product
from bot.chat import Actor
from bot.clock import micros
from bot.errors import ContentRefused, OutcomeUnknown, ProviderBusy, ProviderError, QuotaExceeded
from bot.generation import accepting, inbox, outbox, queue, settling
from bot.generation.queue import Admitted, Capacity
from bot.generation.resuming import take_up
from bot.generation.states import JobState, State
from bot.people import Person, find
from bot.providers.base import Produced
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.storage.database import P, T, Transaction

Told = Callable[[str, str], None]
"""Called with what was acknowledged: a word, and the id of the event or generation that it is about."""

ENOUGH = Capacity(per_person=1000, running=1_000_000, images_per_minute=60_000_000)
OWNER = "bench"
PRICE = 30_000
MADE = Produced(0, Path("picture"), "image/png", 1024, 1024)
ANSWERS = (None, None, ContentRefused("words"), None, OutcomeUnknown(), None, ProviderBusy())


class Writing(Protocol):
    """As much of `bot.storage.database.Database` as is needed here."""

    async def transaction(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T: ...


@dataclass(kw_only=True)
class Work:
    """told: hears of what was done once it is acknowledged."""

    database: Writing
    told: Told = lambda word, id: None
    _asked: Iterator[int] = field(default_factory=count)
    _answers: Iterator[ProviderError | None] = field(default_factory=lambda: cycle(ANSWERS))

    async def take_up(self) -> None:
        """What a start does first: what an earlier life had begun is ended."""
        await self.database.transaction(queue.orphan)
        await self.database.transaction(outbox.unfinished)
        while left := await self._admit(100):
            await asyncio.gather(*map(self._draw, left))

    async def people(self, name: str, persons: int, rounds: int) -> None:
        """So many at once, each of whom asks so often, and waits for a picture. The first may have only one."""
        askers = await asyncio.gather(*(self._person(f"{name}, {number}") for number in range(persons)))
        await self.database.transaction(ledger.set_limit, f"person:{askers[0].id}", "images", "day", 1)
        async with asyncio.TaskGroup() as tasks:
            for asker in askers:
                tasks.create_task(self._rounds(asker, rounds))

    async def _person(self, name: str) -> Person:
        actor = Actor(adapter=product.SPACE, user=name, name=name, space=product.SPACE)
        return await self.database.transaction(find, actor, _now())

    async def _rounds(self, asker: Person, rounds: int) -> None:
        for number in range(rounds):
            asked = next(self._asked)
            if generation := await self._ask(asker, f"{asker.name}, {number}", pictures=1 + asked % 2):
                if asked % 5 == 4:
                    await self._cancel(asker, generation)
                await self._draw_next()

    async def _ask(self, asker: Person, invocation: str, *, pictures: int) -> str:
        """The id of the generation, "" where the quota is used up."""
        draft = product.draft(invocation, asker, price=PRICE * pictures)
        draft = replace(draft, request=replace(draft.request, count=pictures))
        rules = Rules(policy=product.POLICY, now=datetime.now(UTC), zone="UTC")
        raw = {"message": invocation, "line": draft.request.prompt}
        await self.database.transaction(inbox.receive, invocation, product.SPACE, raw, rules.at)
        self.told("received", invocation)
        try:
            accepted = await self.database.transaction(accepting.accept, draft, rules, most_waiting=product.WAITING)
        except QuotaExceeded:
            await self.database.transaction(inbox.close, invocation)
            self.told("closed", invocation)
            return ""
        assert accepted
        self.told("accepted", accepted.generation)
        return accepted.generation

    async def _cancel(self, asker: Person, generation: str) -> None:
        before = await self.database.transaction(accepting.cancel, generation, asker, _now())
        if before.state is State.QUEUED:
            self.told("cancelled", generation)
            await self._post(generation)
        else:
            self.told("cancel asked", generation)

    async def _admit(self, free: int) -> list[Admitted]:
        return await self.database.transaction(queue.admit, OWNER, _now(), free, ENOUGH)

    async def _draw_next(self) -> None:
        for mine in await self._admit(1):
            self.told("admitted", mine.id)
            await self._draw(mine)

    async def _draw(self, mine: Admitted) -> None:
        work = await self.database.transaction(take_up, mine, _now(), _now(), {})
        assert work
        answer = next(self._answers)
        for job in work.jobs:
            if not job.sent:
                if not await self._send(mine, job.number):
                    break  # it was cancelled
                if isinstance(answer, ProviderBusy) and await self._put_back(mine, job.number, answer):
                    await self._draw_next()
                    return
            await self._end_job(mine, job.number, answer)
        if state := await self.database.transaction(settling.conclude, mine, _now()):
            self.told(state, mine.id)
            await self._post(mine.id)

    async def _send(self, mine: Admitted, job: int) -> bool:
        now = _now()
        sent = await self.database.transaction(settling.sending, mine, job, product.PROVIDER, now, now)
        if sent:
            self.told("sending", mine.id)
        return sent

    async def _put_back(self, mine: Admitted, job: int, answer: ProviderBusy) -> bool:
        await self.database.transaction(settling.end_job, mine, job, JobState.READY, answer, 0, _now())
        self.told("job ready", mine.id)
        back = await self.database.transaction(settling.put_back, mine, _now(), _now())
        if back:
            self.told("put back", mine.id)
        return back

    async def _end_job(self, mine: Admitted, job: int, answer: ProviderError | None) -> None:
        await self.database.transaction(settling.submitted, mine, job, f"ticket {job} of {mine.id}", _now())
        self.told("submitted", mine.id)
        state, missing = JobState.FAILED, 0
        if answer is None:
            blob = f"picture {job} of {mine.id}"
            await self.database.transaction(settling.produced, mine, job, job, MADE, blob, 1_000_000, PRICE, _now())
            self.told("produced", mine.id)
            state = JobState.DONE
        elif answer.billed is None:
            state, missing = JobState.UNKNOWN, 1
        await self.database.transaction(settling.end_job, mine, job, state, answer, missing, _now())
        self.told(f"job {state}", mine.id)

    async def _post(self, generation: str) -> None:
        posting = await self.database.transaction(outbox.claim, outbox.own_key(generation), OWNER, queue.LEASE)
        if posting is None:
            return
        if await self.database.transaction(outbox.posted, posting, f"message-of-{generation}"):
            self.told("posted", generation)


def _now() -> int:
    return micros(datetime.now(UTC))

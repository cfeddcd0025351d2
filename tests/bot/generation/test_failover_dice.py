"""Two providers that do what they like, and a process that ends whenever it likes: paid once, charged what was held."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from bot.clock import micros
from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    UsageError,
)
from bot.generation.queue import Admitted
from bot.providers.base import Job, Prepared
from bot.request import Mode
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.fakes import DONE, FakeProvider, Make, Reject, Step, Ticket

TWENTY_MINUTES = 1_200_000_000
ROUNDS = 60


@dataclass
class Bill:
    """What both providers together took, by job; and whether the process is to end now."""

    dice: Random
    paid: Counter[str] = field(default_factory=Counter)
    dies: asyncio.Event = field(default_factory=asyncio.Event)

    async def die(self, _: Job) -> None:
        self.dies.set()
        await asyncio.Event().wait()


@dataclass(kw_only=True)
class Dicey(FakeProvider):
    """Keeps the port's promises and no others. One that is idempotent takes a job once, however often it is sent."""

    bill: Bill
    known: set[str] = field(default_factory=set)

    def _script(self, job: Job) -> Iterable[Step]:
        _, ticket = self.asked[-1]
        steps: list[Step] = []
        if not ticket and self.idempotent:
            steps += [*self._perhaps_die(), Prepared("{}")]
        if not ticket.startswith("t-"):
            steps += self._perhaps_die()
            if not ticket and self.bill.dice.random() < 0.4:
                return (*steps, self._no())
            steps += [self._take, *self._perhaps_die()]
            if self.idempotent:
                steps += [Ticket(f"t-{job.id}"), *self._perhaps_die()]
        return (*steps, *self._end(job))

    async def _take(self, job: Job) -> None:
        if not (self.idempotent and job.id in self.known):
            self.bill.paid[job.id] += 1
        self.known.add(job.id)

    def _perhaps_die(self) -> list[Step]:
        return [self.bill.die] if self.bill.dice.random() < 0.15 else []

    def _no(self) -> ProviderError:
        return self.bill.dice.choice([ProviderBusy(), ProviderMisconfigured(), ProviderRefused("no")])

    def _end(self, job: Job) -> list[Step]:
        dice = self.bill.dice
        cost = dice.choice([None, None, 0, 1_000, -5_000, 10**9])
        made: list[Step] = [Make(index, cost=cost) for index in range(dice.randint(0, job.images))]
        made += self._perhaps_die()
        if dice.random() < 0.5:
            return [*(Make(index) for index in range(job.images)), *self._perhaps_die(), DONE]
        broken = Reject(job.images - 1, dice.choice([AnswerBroken(), ContentRefused("result")]))
        last: Step = dice.choice(
            [OutcomeUnknown(), AnswerBroken(), ContentRefused("words"), self._no(), ValueError(), broken]
        )
        return [*made, last, DONE]


async def run_or_die(core: Core, bill: Bill, mine: Admitted) -> None:
    bill.dies.clear()
    running = asyncio.ensure_future(core.runner.run(mine))
    dying = asyncio.ensure_future(bill.dies.wait())
    await asyncio.wait((running, dying), return_when=asyncio.FIRST_COMPLETED)
    for task in (running, dying):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("seed", range(60))
async def test_nothing_is_paid_twice_and_nobody_is_charged_more_than_was_held(
    database: Database, tmp_path: Path, seed: int
) -> None:
    dice = Random(seed)
    bill = Bill(dice)
    folder = tmp_path / "scratch"
    folder.mkdir()
    plain = Dicey(name="modelark", bill=bill)
    keyed = Dicey(name="apiframe", bill=bill, idempotent=30 * 86_400.0)
    first, second = dice.sample([plain, keyed], 2)
    core = Core(database=database, folder=folder, provider=first, others=(second,))
    mode, count = dice.choice([(Mode.IMAGINE, 1), (Mode.IMAGINE, 3), (Mode.SERIES, 3)])
    providers = ("modelark",) if mode is Mode.SERIES else core.router.order
    generation = await core.accepted(mode=mode, count=count, providers=providers)

    now = micros(datetime.now(UTC))
    for _ in range(ROUNDS):
        if (await core.load(generation)).ended:
            break
        if dice.random() < 0.1:
            with suppress(UsageError):
                await core.service.cancel(generation, await core.person())
        now += TWENTY_MINUTES
        for mine in await core.admitted(now=now):
            await run_or_die(core, bill, mine)

    done = await core.load(generation)
    assert done.ended, done.state
    assert all(times == 1 for times in bill.paid.values()), bill.paid
    await core.check_books()
    spent = await core.spent()
    assert spent["images"] == (len(done.images), 0)
    assert spent["usd"][0] == done.cost
    assert done.cost >= 0
    assert sum(spent["pool"]) <= done.price
    if not bill.paid:
        assert not done.images

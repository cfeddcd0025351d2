"""One job of a generation: asks a provider, or the next one where that certainly took nothing, and stores what comes.

What may not happen here: a paid request sent twice, or sent at all before that is written down.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Protocol

import structlog

from bot.capabilities import cost, picture_cost, serves
from bot.catalogue import Model
from bot.catalogue.router import Router
from bot.clock import micros
from bot.errors import (
    AnswerBroken,
    ContentRefused,
    ModelMisconfigured,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    Unavailable,
)
from bot.generation import health, queue, settling
from bot.generation.insisting import Unwanted, insist, while_wanted
from bot.generation.queue import Admitted, TooSoon
from bot.generation.resuming import Pending, Work, job_of
from bot.generation.states import JobState
from bot.i18n import text
from bot.media import metadata
from bot.providers.base import Event, Finished, InputPicture, Job, Prepared, Produced, Provider, Rejected, Submitted
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

# The provider certainly took nothing, and another one may.
NOT_TAKEN = (ProviderBusy, ProviderMisconfigured, ProviderRefused)
LONGEST_LOOK = 1.0  # seconds that a request waits for its turn before it looks whether it is still wanted
LONGEST = 3600.0  # seconds of one job: a hundred pictures, each as slow as it may be, would take ten hours


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...

    async def copy_to(self, key: str, file: Path) -> None: ...


@dataclass(kw_only=True)
class Outcome:
    """How one job ended, as it is stored. taken: the provider has given a ticket for it. unusable: what it gave for a
    picture and is none.
    """

    state: JobState = JobState.DONE
    error: ProviderError | None = None
    made: int = 0
    missing: int = 0
    taken: bool = False
    unusable: ProviderError | None = None

    @property
    def begun(self) -> bool:
        """The provider has certainly taken the request."""
        return self.taken or self.made > 0 or self.error is not None


@dataclass(kw_only=True)
class JobRunner:
    """changed: told the id of a generation of which there is something new to show. longest: seconds after which a
    provider is given up that neither ends nor fails.
    """

    database: Database
    router: Router
    providers: Mapping[str, Provider]
    blobs: Blobs
    clock: Callable[[], datetime]
    changed: Callable[[str], None]
    images_per_minute: int = 500
    with_metadata: bool = True
    longest: float = LONGEST

    def offers(self, work: Work) -> tuple[Model, ...]:
        """Who may serve it now, the one that it was admitted for first. What is held has to be enough for each."""
        offers = [self.router.offer(provider, work.request.model) for provider in self.router.order]
        fit = [
            model
            for model in offers
            if model
            and model.provider in self.providers
            and serves(model, work.request)
            and cost(model, work.request) <= work.price
        ]
        return tuple(sorted(fit, key=lambda model: model.provider != work.provider))

    async def run(
        self, mine: Admitted, work: Work, pending: Pending, references: tuple[InputPicture, ...], folder: Path
    ) -> float | None:
        """Bring one job to its end; returns the seconds after which it may be sent again, if it may."""
        if pending.sent:
            return await self._go_on(mine, work, pending, references, folder)
        busy: list[ProviderBusy] = []
        resting = False
        last: ProviderError = ProviderMisconfigured(detail=f"nobody here offers {work.request.model} for this")
        for model in self.offers(work):
            if model.provider != work.provider and not await self._may_step_in(model, work):
                resting = True
                continue
            job = job_of(mine.id, pending.number, work, model, references, folder)
            refused = await self._send(mine, work, pending.number, job)
            if refused is None:
                return None
            last = last if busy else refused
            if isinstance(refused, ProviderBusy):
                busy.append(refused)
        if busy:
            return min(error.retry_after or 0.0 for error in busy)
        if resting:  # who cannot be asked now may be asked soon
            return 0.0
        await self.end(mine, pending.number, Outcome(state=JobState.FAILED, error=last))
        return None

    async def end(self, mine: Admitted, number: int, outcome: Outcome) -> None:
        if outcome.error is not None:
            log.warning(
                "job ended badly",
                generation=mine.id,
                job=number,
                state=str(outcome.state),
                kind=outcome.error.kind,
                detail=outcome.error.detail,
            )
        await insist(
            self.database, settling.end_job, mine, number, outcome.state, outcome.error, outcome.missing, self._at()
        )

    async def _go_on(
        self, mine: Admitted, work: Work, pending: Pending, references: tuple[InputPicture, ...], folder: Path
    ) -> float | None:
        """Follow what an earlier runner sent: by its ticket, or by sending what the provider takes for the same."""
        model = self.router.offer(pending.provider, work.request.model)
        if model is None or pending.provider not in self.providers:
            gone = OutcomeUnknown(detail=f"{pending.provider} is no longer in use here")
            lost = Outcome(state=JobState.UNKNOWN, error=gone, missing=work.request.per_job)
            await self.end(mine, pending.number, lost)
            return None
        job = job_of(mine.id, pending.number, work, model, references, folder)
        refused = await self._follow(mine, work, job, pending)
        if refused is None:
            return None
        if isinstance(refused, ProviderBusy):
            return refused.retry_after or 0.0
        await self.end(mine, pending.number, Outcome(state=JobState.FAILED, error=refused))
        return None

    async def _may_step_in(self, model: Model, work: Work) -> bool:
        """Whether it is not left alone itself, and under its rate."""
        return await insist(
            self.database, queue.reserve, model.provider, work.request.per_job, None, self.images_per_minute
        )

    async def _send(self, mine: Admitted, work: Work, number: int, job: Job) -> ProviderError | None:
        while (sent := await self._mark_sending(mine, number, job)) is None:
            pass
        if not sent:
            return None
        self.changed(mine.id)
        return await self._follow(mine, work, job, Pending(number=number))

    async def _mark_sending(self, mine: Admitted, number: int, job: Job) -> bool | None:
        """Whether it is to be sent; None where that has to be asked again."""
        pace = job.images, self.images_per_minute
        try:
            return await self.database.transaction(
                settling.sending, mine, number, job.model.provider, self._at(), None, *pace
            )
        except TooSoon as soon:
            await asyncio.sleep(min(soon.wait / 1_000_000, LONGEST_LOOK))
        except self.database.passing:  # perhaps the mark was made, but certainly nothing was sent
            await self.end(mine, number, Outcome(state=JobState.READY))
        return None

    async def _follow(self, mine: Admitted, work: Work, job: Job, pending: Pending) -> ProviderError | None:
        """One paid request to its end. Returns why it certainly was not taken: then the job is READY again."""
        number, outcome, started = pending.number, Outcome(taken=pending.taken), monotonic()
        try:
            await self._listen(mine, work, number, job, pending.ticket, outcome)
        except Unwanted:
            await self.end(mine, number, Outcome(state=JobState.READY))
            return None
        except NOT_TAKEN as error:
            if not outcome.begun:  # written down first: what is not is unknown after a crash
                await self.end(mine, number, Outcome(state=JobState.READY, error=error))
                await self._note_health(job.model.provider, error, started)
                return error
            await self._note_health(job.model.provider, error, started)
            if outcome.made or outcome.missing:
                outcome.error = OutcomeUnknown(detail=f"{error.kind} after it was taken: {error.detail}")
                outcome.state, outcome.missing = JobState.UNKNOWN, job.images - outcome.made
            else:  # it was taken and given back for nothing, so nobody else is asked
                outcome.error, outcome.state = error, JobState.FAILED
        except ProviderError as error:
            await self._note_health(job.model.provider, error, started)
            uncertain = error.billed is not False
            outcome.error = error
            outcome.missing = job.images - outcome.made if uncertain else outcome.missing
            outcome.state = JobState.UNKNOWN if uncertain or outcome.missing else JobState.FAILED
        except Exception as error:  # a door: the other jobs of this generation are paid for too, and go on
            log.exception("a job broke off", generation=mine.id, job=number)
            outcome.error, outcome.state = OutcomeUnknown(detail=type(error).__name__), JobState.UNKNOWN
            outcome.missing = job.images - outcome.made
        else:
            # Who is paid for what nobody can use is as ill as who says nothing.
            await self._note_health(job.model.provider, None if outcome.made else outcome.unusable, started)
        await self.end(mine, number, outcome)
        return None

    async def _listen(self, mine: Admitted, work: Work, number: int, job: Job, ticket: str, outcome: Outcome) -> None:
        try:
            async with asyncio.timeout(self.longest):
                await self._take(mine, work, number, job, ticket, outcome)
        except TimeoutError as error:
            raise OutcomeUnknown(detail=f"not at its end after {self.longest:g} s") from error
        if outcome.missing:
            outcome.state = JobState.UNKNOWN
        elif not outcome.made:
            outcome.state = JobState.FAILED

    async def _take(self, mine: Admitted, work: Work, number: int, job: Job, ticket: str, outcome: Outcome) -> None:
        provider = self.providers[job.model.provider]
        async with aclosing(provider.generate(job, ticket)) as events:  # leaving early closes its connection at once
            async for event in self._while_wanted(mine, events) if provider.idempotent and not ticket else events:
                match event:
                    case Prepared(ticket=given):
                        if not await insist(self.database, settling.prepared, mine, number, given):
                            raise Unwanted
                    case Submitted(ticket=given):
                        outcome.taken = True
                        await insist(self.database, settling.submitted, mine, number, given, self._at())
                    case Produced():
                        if problem := await self._keep(mine, work, number, job, event):
                            outcome.error = outcome.error or problem
                            outcome.missing += 1
                        else:
                            outcome.made += 1
                    case Rejected(error=error):
                        outcome.error = outcome.error or error
                        outcome.missing += error.billed is not False
                        if isinstance(error, AnswerBroken):
                            outcome.unusable = error
                    case Finished() if not outcome.made and outcome.error is None:
                        raise OutcomeUnknown(detail="the provider finished without a picture or a reason")
                    case _:
                        pass

    async def _while_wanted(self, mine: Admitted, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Nothing paid is sent before the first event, so a cancel may still come in between."""
        async with while_wanted(self.database, mine):
            first = await anext(events, None)
        if first is not None:
            yield first
        async for event in events:
            yield event

    async def _keep(self, mine: Admitted, work: Work, number: int, job: Job, made: Produced) -> AnswerBroken | None:
        """Store a picture and write it down; what it ends in where there is no place for it, although it is billed."""
        try:
            if self.with_metadata:
                told = {"Software": "seedream-bot", "model": job.model.name, "size": job.size, "generation": mine.id}
                await metadata.write(made.file, told)
            size = made.file.stat().st_size
            blob = await self.blobs.put(made.file)
        except (Unavailable, OSError) as problem:
            return _not_kept(problem)
        price = _price(work, job, made)
        position = number + made.index
        await insist(self.database, settling.produced, mine, number, position, made, blob, size, price, self._at())
        self.changed(mine.id)
        return None

    async def _note_health(self, provider: str, error: ProviderError | None, started: float) -> None:
        """What a refusal says of the request says that the provider is well; of one model, nothing of the others."""
        if isinstance(error, ModelMisconfigured):
            log.error("provider lacks a model", provider=provider, kind=error.kind, detail=error.detail)
            return
        if error is None or isinstance(error, ContentRefused | ProviderRefused):
            await insist(self.database, health.worked, provider)
            return
        took = round((monotonic() - started) * 1_000_000)
        rests = await insist(self.database, _failed, provider, error.kind, took)
        if isinstance(error, ProviderMisconfigured) or rests:
            level = log.error if isinstance(error, ProviderMisconfigured) else log.warning
            level("provider fails", provider=provider, kind=error.kind, detail=error.detail, left_alone=rests)

    def _at(self) -> int:
        return micros(self.clock())


def _price(work: Work, job: Job, made: Produced) -> int:
    """What one picture costs: as the provider says, else by the catalogue; never more than was held for it."""
    held = work.price // work.request.count
    told = made.cost
    if told is None or told < 0:  # nobody is paid for drawing
        told = picture_cost(job.model, f"{made.width}x{made.height}", work.request)
    if told > held:
        log.warning("a picture costs more than was held", provider=job.model.provider, cost=told, held=held)
    return min(told, held)


def _not_kept(problem: Exception) -> AnswerBroken:
    error = AnswerBroken(detail=f"could not be stored: {problem}")
    error.text = text("The picture came, but could not be kept here. Your quota was given back; please ask again.")
    return error


def _failed(connection: Connection, provider: str, kind: str, took: int) -> bool:
    now = connection.now()
    return health.failed(connection, provider, kind, now - took, now)

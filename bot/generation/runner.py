"""Runs admitted generations: asks the provider, stores each picture as it comes, settles at the end.

What a runner may not do: send a paid request twice, settle twice, or touch a generation whose attempt is not its own.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from bot.catalogue import Catalogue, Model
from bot.catalogue.sizes import price
from bot.clock import micros
from bot.errors import (
    AnswerBroken,
    BotError,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    Unavailable,
    UsageError,
)
from bot.generation import settling
from bot.generation.queue import Admitted
from bot.generation.settling import Work
from bot.generation.states import JobState
from bot.i18n import text
from bot.media import metadata
from bot.providers.base import Finished, InputPicture, Job, Produced, Provider, Rejected, Submitted
from bot.request import ImageRequest
from bot.storage.database import Database

log = structlog.get_logger(__name__)

# Sent again only where the provider certainly took nothing; then later each time, and at most so often.
MOST_TRIES = 4
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...

    async def copy_to(self, key: str, file: Path) -> None: ...


@dataclass(kw_only=True)
class Outcome:
    """How one job ended, as it is stored."""

    state: JobState = JobState.DONE
    error: ProviderError | None = None
    made: int = 0
    missing: int = 0


@dataclass(kw_only=True)
class Runner:
    """changed: told the id of a generation of which there is something new to show."""

    database: Database
    catalogue: Catalogue
    providers: Mapping[str, Provider]
    blobs: Blobs
    clock: Callable[[], datetime]
    changed: Callable[[str], None]
    folder: Path
    with_metadata: bool = True
    jitter: random.Random = field(default_factory=random.Random)

    async def run(self, mine: Admitted) -> None:
        """Bring one admitted generation as far as it goes: to its end, or back into the line."""
        work = await self.database.transaction(settling.take_up, mine, self._at())
        if work is None:
            return
        self.changed(mine.id)
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{mine.id}-", dir=self.folder))
        try:
            pauses = await self._run_jobs(mine, work, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        waits = [pause for pause in pauses if pause is not None]
        if waits and await self._put_back(mine, work, max(waits)):
            return
        state = await self.database.transaction(settling.conclude, mine, self._at())
        if state is not None:
            log.info("generation ended", generation=mine.id, state=str(state))
            self.changed(mine.id)

    async def _run_jobs(self, mine: Admitted, work: Work, folder: Path) -> list[float | None]:
        request, jobs = work.request, work.jobs
        try:
            model, _ = self.catalogue.model(request.provider, request.model), self.providers[request.provider]
        except (UsageError, KeyError):
            gone = ProviderMisconfigured(detail=f"{request.provider} no longer offers {request.model} here")
            return await self._give_up(mine, work, jobs, gone)
        references = _references(request, folder)
        unsent = () if work.cancelled else tuple(job for job in jobs if not job[1])
        try:
            if unsent:
                await self._fetch_references(request, references)
        except (BotError, OSError) as error:
            broken = AnswerBroken(detail=f"a reference picture cannot be read: {error}")
            broken.text = error.text if isinstance(error, BotError) else broken.text
            await self._give_up(mine, work, unsent, broken)
            jobs = tuple(job for job in jobs if job[1])
        problems: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            running = []
            for number, ticket in jobs:
                own = folder / str(number)
                own.mkdir()
                job = self._job(mine, number, request, model, references, own)
                running.append(group.create_task(self._run_job_apart(mine, number, job, ticket, problems)))
        if problems:  # the lease runs out, and what is stored decides how it goes on
            raise problems[0]
        return [task.result() for task in running]

    async def _run_job_apart(
        self, mine: Admitted, number: int, job: Job, ticket: str, problems: list[Exception]
    ) -> float | None:
        try:
            return await self._run_job(mine, number, job, ticket)
        except Exception as error:  # a door: the database fails, as on a full disk; the other jobs are paid for too
            log.exception("a job could not be written down", generation=mine.id, job=number)
            problems.append(error)
            return None

    async def _give_up(
        self, mine: Admitted, work: Work, jobs: tuple[tuple[int, str], ...], error: ProviderError
    ) -> list[float | None]:
        """End jobs that cannot be run: free where nothing was sent, unknown where a ticket says that something was."""
        for number, ticket in jobs:
            lost = Outcome(state=JobState.UNKNOWN, error=error, missing=work.request.per_job)
            await self._end(mine, number, lost if ticket else Outcome(state=JobState.FAILED, error=error))
        return []

    async def _run_job(self, mine: Admitted, number: int, job: Job, ticket: str) -> float | None:
        """One paid request from its mark to its end; returns the pause after which it may be sent again, if it may."""
        if not ticket and not await self.database.transaction(settling.sending, mine, number, self._at()):
            return None
        self.changed(mine.id)
        outcome = Outcome()
        try:
            await self._follow(mine, number, job, ticket, outcome)
        except ProviderBusy as busy:
            if not outcome.made and not outcome.missing:
                await self._end(mine, number, Outcome(state=JobState.READY, error=busy))
                return busy.retry_after or 0.0
            outcome.error, outcome.state, outcome.missing = busy, JobState.UNKNOWN, job.images - outcome.made
        except ProviderError as error:
            uncertain = error.billed is not False
            outcome.error = error
            outcome.missing = job.images - outcome.made if uncertain else outcome.missing
            outcome.state = JobState.UNKNOWN if uncertain or outcome.missing else JobState.FAILED
        except Exception as error:  # a door: the other jobs of this generation are paid for too, and go on
            log.exception("a job broke off", generation=mine.id, job=number)
            outcome.error, outcome.state = OutcomeUnknown(detail=type(error).__name__), JobState.UNKNOWN
            outcome.missing = job.images - outcome.made
        await self._end(mine, number, outcome)
        return None

    async def _follow(self, mine: Admitted, number: int, job: Job, ticket: str, outcome: Outcome) -> None:
        provider = self.providers[job.model.provider]
        async with aclosing(provider.generate(job, ticket)) as events:  # leaving early closes its connection at once
            async for event in events:
                match event:
                    case Submitted(ticket=given):
                        await self.database.transaction(settling.submitted, mine, number, given, self._at())
                    case Produced():
                        if problem := await self._keep(mine, number, job, event):
                            outcome.error = outcome.error or problem
                            outcome.missing += 1
                        else:
                            outcome.made += 1
                    case Rejected(error=error):
                        outcome.error = outcome.error or error
                        outcome.missing += error.billed is not False
                    case Finished() if not outcome.made and outcome.error is None:
                        raise OutcomeUnknown(detail="the provider finished without a picture or a reason")
                    case _:
                        pass
        if outcome.missing:
            outcome.state = JobState.UNKNOWN
        elif not outcome.made:
            outcome.state = JobState.FAILED

    async def _keep(self, mine: Admitted, number: int, job: Job, made: Produced) -> AnswerBroken | None:
        """Store a picture and write it down; what it ends in where there is no place for it, although it is billed."""
        try:
            if self.with_metadata:
                told = {"Software": "seedream-bot", "model": job.model.name, "size": job.size, "generation": mine.id}
                await metadata.write(made.file, told)
            size = made.file.stat().st_size
            blob = await self.blobs.put(made.file)
        except (Unavailable, OSError) as problem:
            return _not_kept(problem)
        cost = price(job.model, f"{made.width}x{made.height}", len(job.references))
        position = number + made.index
        await self.database.transaction(settling.produced, mine, number, position, made, blob, size, cost, self._at())
        self.changed(mine.id)
        return None

    async def _put_back(self, mine: Admitted, work: Work, pause: float) -> bool:
        """True if it waits in the line again; after too many tries it ends instead."""
        if work.tries + 1 >= MOST_TRIES:
            return False
        grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**work.tries)
        wait = max(pause, grown * self.jitter.uniform(0.5, 1.0))
        back = await self.database.transaction(
            settling.put_back, mine, micros(datetime.now(UTC)) + round(wait * 1_000_000), self._at()
        )
        if back:
            log.info("the provider is busy", generation=mine.id, seconds=round(wait, 1))
            self.changed(mine.id)
        return back

    async def _end(self, mine: Admitted, number: int, outcome: Outcome) -> None:
        if outcome.error is not None:
            log.warning(
                "job ended badly",
                generation=mine.id,
                job=number,
                state=str(outcome.state),
                kind=outcome.error.kind,
                detail=outcome.error.detail,
            )
        await self.database.transaction(
            settling.end_job, mine, number, outcome.state, outcome.error, outcome.missing, self._at()
        )

    async def _fetch_references(self, request: ImageRequest, into: tuple[InputPicture, ...]) -> None:
        for reference, picture in zip(request.references, into, strict=True):
            await self.blobs.copy_to(reference.blob, picture.path)

    def _job(
        self,
        mine: Admitted,
        number: int,
        request: ImageRequest,
        model: Model,
        references: tuple[InputPicture, ...],
        folder: Path,
    ) -> Job:
        return Job(
            id=f"{mine.id}:{number}",
            model=model,
            prompt=request.prompt,
            size=request.size,
            folder=folder,
            images=request.per_job,
            series=request.per_job > 1,
            references=references,
            format=request.format,
            watermark=request.watermark,
        )

    def _at(self) -> int:
        return micros(self.clock())


def _references(request: ImageRequest, folder: Path) -> tuple[InputPicture, ...]:
    """Where the references are to lie; only a request that is still to be sent needs them there."""
    return tuple(
        InputPicture(path=folder / f"reference-{position}", media_type=reference.media_type)
        for position, reference in enumerate(request.references)
    )


def _not_kept(problem: Exception) -> AnswerBroken:
    error = AnswerBroken(detail=f"could not be stored: {problem}")
    error.text = text("The picture came, but could not be kept here. Your quota was given back; please ask again.")
    return error

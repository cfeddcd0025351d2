"""Runs admitted generations: all jobs of one at the same time, and settles at the end.

What a runner may not do: settle twice, or touch a generation whose attempt is not its own.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog

from bot.catalogue.router import Router
from bot.clock import micros
from bot.errors import AnswerBroken, BotError
from bot.generation import resuming, settling
from bot.generation.insisting import Unwanted, insist, while_wanted
from bot.generation.jobs import Blobs, JobRunner, Outcome
from bot.generation.queue import Admitted
from bot.generation.resuming import Pending, Work
from bot.generation.states import JobState
from bot.media.bucket import Link, nowhere
from bot.providers.base import InputPicture, Provider
from bot.request import ImageRequest
from bot.storage.database import Database

log = structlog.get_logger(__name__)

# Sent again only where no provider took it; then later each time, and at most so often.
MOST_TRIES = 4
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
LINK_GOOD = 86_400.0  # seconds; the same request may be sent again for nearly as long (`Provider.idempotent`)


@dataclass(kw_only=True)
class Runner:
    """changed: told the id of a generation of which there is something new to show. folder: where the files of a
    generation lie while it runs. link: where a blob can be fetched by providers that take that. zone: in whose days it
    is counted what was used.
    """

    database: Database
    router: Router
    providers: Mapping[str, Provider]
    blobs: Blobs
    clock: Callable[[], datetime]
    changed: Callable[[str], None]
    folder: Path
    images_per_minute: int = 500
    with_metadata: bool = True
    zone: str = "UTC"
    link: Link = nowhere
    jitter: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._jobs = JobRunner(
            database=self.database,
            router=self.router,
            providers=self.providers,
            blobs=self.blobs,
            clock=self.clock,
            changed=self.changed,
            images_per_minute=self.images_per_minute,
            with_metadata=self.with_metadata,
        )

    async def run(self, mine: Admitted) -> None:
        """Bring one admitted generation as far as it goes: to its end, or back into the line."""
        work = await insist(self.database, resuming.take_up, mine, self._at(), None, self._idempotent())
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
        state = await insist(self.database, settling.conclude, mine, self._at(), self.zone)
        if state is not None:
            log.info("generation ended", generation=mine.id, state=str(state))
            self.changed(mine.id)

    async def _run_jobs(self, mine: Admitted, work: Work, folder: Path) -> list[float | None]:
        references = _references(work.request, folder)
        jobs = work.jobs
        unsent = () if work.cancelled else tuple(job for job in jobs if not job.sent)
        try:
            # One that is sent again may need them, too; one that is polled on does not.
            if unsent or any(not job.ticket for job in jobs):
                async with while_wanted(self.database, mine) if unsent == jobs else nullcontext():
                    references = await self._fetch_references(work.request, references)
        except (BotError, OSError) as error:
            await self._give_up(mine, unsent, error)
            jobs = tuple(job for job in jobs if job.sent)
        except Unwanted:
            jobs = ()
        problems: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            running = []
            for job in jobs:
                own = folder / str(job.number)
                own.mkdir()
                running.append(group.create_task(self._run_apart(mine, work, job, references, own, problems)))
        if problems:  # the lease runs out, and what is stored decides how it goes on
            raise problems[0]
        return [task.result() for task in running]

    async def _run_apart(
        self,
        mine: Admitted,
        work: Work,
        job: Pending,
        references: tuple[InputPicture, ...],
        folder: Path,
        problems: list[Exception],
    ) -> float | None:
        try:
            return await self._jobs.run(mine, work, job, references, folder)
        except Exception as error:  # a door: the database fails, as on a full disk; the other jobs are paid for too
            log.exception("a job could not be written down", generation=mine.id, job=job.number)
            problems.append(error)
            return None

    async def _give_up(self, mine: Admitted, unsent: tuple[Pending, ...], error: Exception) -> None:
        """End jobs that cannot be sent; nothing was, so they are free."""
        broken = AnswerBroken(detail=f"a reference picture cannot be read: {error}")
        broken.text = error.text if isinstance(error, BotError) else broken.text
        for job in unsent:
            await self._jobs.end(mine, job.number, Outcome(state=JobState.FAILED, error=broken))

    def _at(self) -> int:
        return micros(self.clock())

    def _idempotent(self) -> dict[str, float]:
        return {name: provider.idempotent for name, provider in self.providers.items()}

    async def _put_back(self, mine: Admitted, work: Work, pause: float) -> bool:
        """True if it waits in the line again; after too many tries it ends instead."""
        if work.tries + 1 >= MOST_TRIES:
            return False
        grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**work.tries)
        wait = max(pause, grown * self.jitter.uniform(0.5, 1.0))
        back = await insist(self.database, settling.put_back, mine, round(wait * 1_000_000), self._at())
        if back:
            log.info("the provider is busy", generation=mine.id, seconds=round(wait, 1))
            self.changed(mine.id)
        return back

    async def _fetch_references(
        self, request: ImageRequest, into: tuple[InputPicture, ...]
    ) -> tuple[InputPicture, ...]:
        """Bring them here, and say where else they can be fetched: who will be asked in the end is not known yet."""
        fetched = []
        for reference, picture in zip(request.references, into, strict=True):
            await self.blobs.copy_to(reference.blob, picture.path)
            link = await self.link(reference.blob, LINK_GOOD)
            fetched.append(replace(picture, link=link or ""))
        return tuple(fetched)


def _references(request: ImageRequest, folder: Path) -> tuple[InputPicture, ...]:
    """Where the references are to lie; only a request that is still to be sent needs them there."""
    return tuple(
        InputPicture(path=folder / f"reference-{position}", media_type=reference.media_type)
        for position, reference in enumerate(request.references)
    )

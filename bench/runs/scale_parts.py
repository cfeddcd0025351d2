"""What a process of the bot consists of on PostgreSQL, around a provider that draws nothing and a platform without
people.
"""

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

from bench.runs import product
from bot.catalogue.router import Router
from bot.chat import Invocation, Post
from bot.clock import Clock, micros
from bot.generation import health, resuming, settling
from bot.generation.delivery import Delivery
from bot.generation.engine import SharedWorkers
from bot.generation.queue import Admitted, Capacity
from bot.generation.runner import Runner
from bot.generation.service import GenerationService
from bot.generation.states import JobState
from bot.media.store import Blobs
from bot.ops import logs
from bot.ops.together import Together
from bot.ops.views import Views
from bot.providers.base import Event, Finished, Job, Probed, Produced
from bot.roles import Role
from bot.spaces import Spaces
from bot.storage.database import Database
from bot.storage.postgres import PostgresDatabase

RATE = 60_000_000  # pictures a minute: whatever is measured here, it is not that limit
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Instant:
    """A provider that has the picture at once."""

    name = product.PROVIDER
    idempotent = 0.0

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        file = job.folder / "picture"
        file.write_bytes(PIXEL)
        yield Produced(0, file, "image/png", 1, 1)
        yield Finished()

    async def probe(self) -> Probed:
        return Probed(well=True, told="")


class Nowhere:
    """A platform on which everything stands at once."""

    name = product.SPACE
    pace = 60.0  # of what moves in the line nothing is shown: that is a cost of waiting

    def __init__(self) -> None:
        self.posts = 0

    async def post(self, post: Post) -> str:
        self.posts += 1
        return post.message or f"message-of-{post.key}"

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        return None


@dataclass(kw_only=True)
class Parts:
    """One process: of a gateway `service` is used, of a worker the rest."""

    database: Database
    service: GenerationService
    delivery: Delivery
    workers: SharedWorkers
    platform: Nowhere
    together: Together
    started: dict[str, float]


@asynccontextmanager
async def parts(url: str, role: Role, folder: Path, *, running: int, whole: bool = True) -> AsyncIterator[Parts]:
    """As the composition root joins them. whole: what is admitted goes through the Runner, with its files."""
    logs.configure("ERROR", "json")
    async with Together(url, role) as together, PostgresDatabase(url) as database:
        clock, platform, started = Clock(), Nowhere(), dict[str, float]()
        router = Router(product.Offering(60), (product.PROVIDER,))
        spaces = Spaces(database)
        service = GenerationService(
            database=database,
            policy=product.POLICY,
            zone="UTC",
            clock=clock,
            most_waiting=product.WAITING,
            ask_above_usd=Decimal(1),
            ask_above_images=4,
            folder=folder,
            accepted=lambda _: delivery.line_moved(),
            changed=lambda generation: delivery.changed(generation),
        )
        views = Views(database=database, router=router, service=service, spaces=spaces, clock=clock)
        delivery = Delivery(
            database=database,
            adapters={platform.name: platform},
            present=views.reply,
            present_log=views.log,
            owner=together.id,
            delivers=role.works,
            leads=together.leads,
            runs=lambda generation: workers.runs(generation),
            bus=together.bus,
        )
        runner = Runner(
            database=database,
            router=router,
            providers={product.PROVIDER: Instant()},
            blobs=Blobs(f"file://{folder}/blobs"),
            clock=clock,
            changed=delivery.changed,
            folder=folder,
            images_per_minute=RATE,
        )
        workers = SharedWorkers(
            database=database,
            run=_noting(started, runner.run if whole else _Books(runner).run),
            capacity=Capacity(per_person=1000, running=running, images_per_minute=RATE),
            owner=together.id,
            patience=30,
            line_moved=delivery.line_moved,
            clock=clock,
            bus=together.bus,
            url=url,
        )
        yield Parts(
            database=database,
            service=service,
            delivery=delivery,
            workers=workers,
            platform=platform,
            together=together,
            started=started,
        )


class _Books:
    """The transactions of a generation as the runner has them, without a provider and without files."""

    def __init__(self, runner: Runner) -> None:
        self._database = runner.database
        self._clock = runner.clock
        self._changed = runner.changed

    async def run(self, mine: Admitted) -> None:
        write, at = self._database.transaction, micros(self._clock())
        if await write(resuming.take_up, mine, at, None, {}) is None:
            return
        self._changed(mine.id)
        await write(settling.sending, mine, 0, product.PROVIDER, at, None, 1, RATE)
        made = Produced(0, Path("picture"), "image/png", 1, 1)
        await write(settling.produced, mine, 0, 0, made, f"blob of {mine.id}", 100, 30_000, at)
        await write(health.worked, product.PROVIDER)
        await write(settling.end_job, mine, 0, JobState.DONE, None, 0, at)
        await write(settling.conclude, mine, at)
        self._changed(mine.id)


def _noting(started: dict[str, float], run: Callable[[Admitted], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def noting(mine: Admitted) -> None:
        started[mine.id] = monotonic()
        await run(mine)

    return noting

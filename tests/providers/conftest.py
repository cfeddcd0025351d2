from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot.catalogue import Catalogue, load
from bot.errors import ProviderError
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Event, Finished, Job, Produced, Rejected
from bot.providers.images_api import ImagesApi
from bot.providers.sandbox import Sandbox
from bot.providers.transport import Transport


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, time: timedelta) -> None:
        self.now += time


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    error: ProviderError | None = None

    @property
    def produced(self) -> list[Produced]:
        return [event for event in self.events if isinstance(event, Produced)]

    @property
    def rejected(self) -> list[Rejected]:
        return [event for event in self.events if isinstance(event, Rejected)]

    @property
    def finished(self) -> Finished | None:
        return next((event for event in self.events if isinstance(event, Finished)), None)


@dataclass
class Workbench:
    """The Images API provider, and the sandbox that it asks over a real socket."""

    sandbox: Sandbox
    provider: ImagesApi
    catalogue: Catalogue
    folder: Path
    clock: Clock
    numbers: Any = field(default_factory=count)

    def job(self, prompt: str = "a red fox", *, model: str = "seedream-4.5", **wanted: Any) -> Job:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        found = self.catalogue.model("sandbox", model)
        return Job(**{"id": "g1:0", "model": found, "prompt": prompt, "size": "2K", "folder": folder, **wanted})

    async def ask(self, job: Job) -> Outcome:
        return await collect(self.provider, job)


async def collect(provider: ImagesApi, job: Job) -> Outcome:
    outcome = Outcome()
    try:
        async for event in provider.generate(job):
            outcome.events.append(event)
    except ProviderError as error:
        outcome.error = error
    return outcome


@pytest.fixture
def catalogue() -> Catalogue:
    return load()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def workbench(tmp_path: Path, catalogue: Catalogue, clock: Clock) -> AsyncIterator[Workbench]:
    async with (
        Sandbox(seconds=0, clock=clock, journal=tmp_path / "journal") as sandbox,
        Transport() as transport,
        GuardedFetcher() as fetcher,
    ):
        fetcher.allow_also(sandbox.host, sandbox.port)
        provider = ImagesApi(
            "sandbox",
            base_url=sandbox.base_url,
            api_key="any",
            transport=transport,
            fetcher=fetcher,
            hosts=catalogue.offer("sandbox").hosts,
            clock=clock,
            pause=0,
        )
        folder = tmp_path / "jobs"
        folder.mkdir()
        yield Workbench(sandbox, provider, catalogue, folder, clock)

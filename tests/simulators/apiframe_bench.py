"""The Apiframe provider over its simulator, as several test files use it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.catalogue import Catalogue, load
from bot.errors import ProviderError
from bot.media.fetch import GuardedFetcher
from bot.providers.apiframe import Apiframe
from bot.providers.base import Event, InputPicture, Job, Prepared, Produced, Submitted
from bot.providers.transport import Transport
from tests.fakes import painted
from tests.simulators.apiframe import ApiframeSim

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Ticking:
    """A clock that goes on by `step` whenever somebody looks."""

    step: timedelta
    now: datetime = NOON

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    error: ProviderError | None = None

    def tickets(self, kind: type[Prepared] | type[Submitted]) -> list[str]:
        return [event.ticket for event in self.events if isinstance(event, kind)]

    @property
    def produced(self) -> list[Produced]:
        return [event for event in self.events if isinstance(event, Produced)]


@dataclass
class Bench:
    sim: ApiframeSim
    transport: Transport
    fetcher: GuardedFetcher
    folder: Path
    catalogue: Catalogue = field(default_factory=load)
    numbers: Any = field(default_factory=count)

    def provider(self, **wanted: Any) -> Apiframe:
        """A new one, as after a start: it remembers nothing."""
        own = {"base_url": self.sim.base_url, "api_key": self.sim.key, "hosts": (self.sim.host,)}
        usual = {"credit_price": 10_000, "pause": 0, "polls": (0.001, 0.002)}
        tools = {"transport": self.transport, "fetcher": self.fetcher}
        return Apiframe(**{**own, **usual, **tools, **wanted})

    def job(self, prompt: str = "a red fox", *, model: str = "seedream-4", **wanted: Any) -> Job:
        """The smallest size that the model has, unless said otherwise."""
        number = next(self.numbers)
        folder = self.folder / str(number)
        folder.mkdir()
        found = self.catalogue.model("apiframe", model)
        usual = {"id": f"k3f9w2ab:{number}", "size": next(iter(found.tiers))}
        return Job(**{"model": found, "prompt": prompt, "folder": folder, **usual, **wanted})

    def reference(self, name: str, width: int = 64, height: int = 48) -> InputPicture:
        file = self.folder / name
        file.write_bytes(painted(name, width, height))
        return InputPicture(path=file, media_type="image/png")

    async def ask(self, job: Job, ticket: str = "", *, provider: Apiframe | None = None) -> Outcome:
        outcome = Outcome()
        try:
            async for event in (provider or self.provider()).generate(job, ticket):
                outcome.events.append(event)
        except ProviderError as error:
            outcome.error = error
        return outcome


@asynccontextmanager
async def opened(folder: Path, *, clock: Callable[[], datetime] = lambda: NOON) -> AsyncIterator[Bench]:
    """Over a clock that stands still, so that nothing ends or expires unless a test says so."""
    async with ApiframeSim(clock=clock) as sim, Transport() as transport, GuardedFetcher() as fetcher:
        fetcher.allow_also(sim.host, sim.port)
        yield Bench(sim, transport, fetcher, folder)

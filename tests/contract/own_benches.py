"""What a bench is, and those of our own: the sandbox of the product, and the fake of the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.catalogue import Catalogue, load
from bot.errors import ContentRefused, OutcomeUnknown, ProviderBusy
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Job, Provider
from bot.providers.images_api import ImagesApi
from bot.providers.sandbox import Sandbox
from bot.providers.transport import Transport
from tests.fakes import DONE, FakeProvider, Make, Reject
from tests.simulators.base import Fault

CATALOGUE: Catalogue = load()
KEY = "sk-canary-of-the-contract"
LATE = 0.6  # seconds, more than a hurried job waits


class Bench(Protocol):
    """A provider and the other side of its wire.

    offer, model, size: what to ask for. tells_why: it says so where one picture of several does not come.
    """

    provider: Provider
    offer: str
    model: str
    size: str
    tells_why: bool
    key: str

    @property
    def paid(self) -> int:
        """How many paid requests came over the wire."""
        ...

    @property
    def billed(self) -> int:
        """How many of them the other side would bill."""
        ...

    @property
    def distinct(self) -> int:
        """How many of them are not certainly the same one to the other side."""
        ...

    @property
    def inside(self) -> bool:
        """Whether a redirect inward was followed."""
        ...

    def goes_wrong(self, fault: Fault) -> None:
        """From now on."""
        ...

    async def taken(self) -> None:
        """Wait until the other side has taken a paid request and answers nothing yet."""
        ...

    async def leaves(self) -> None:
        """Nobody listens at the address any more."""
        ...


@dataclass(kw_only=True)
class SandboxBench:
    """The sandbox of the product, with the faults that it has itself."""

    provider: Any
    sandbox: Sandbox
    offer: str = "sandbox"
    model: str = "seedream-4"
    size: str = "1K"
    tells_why: bool = True
    key: str = KEY
    inside: bool = False

    @property
    def paid(self) -> int:
        return self.sandbox.paid_requests

    @property
    def billed(self) -> int:
        refused = self.sandbox.faults.failing  # it counts a request that failed as never taken
        return self.paid if refused else len(self.sandbox.journal.accepted)

    @property
    def distinct(self) -> int:
        return self.paid

    def goes_wrong(self, fault: Fault) -> None:
        for name, value in SANDBOX_FAULTS[fault].items():
            setattr(self.sandbox.faults, name, value)

    async def taken(self) -> None:
        await self.sandbox.journal.next_accepted()

    async def leaves(self) -> None:
        await self.sandbox.__aexit__(None, None, None)


SANDBOX_FAULTS: dict[Fault, dict[str, Any]] = {
    Fault.BUSY: {"busy": True},
    Fault.REFUSE_WORDS: {"refuse_words": True},
    Fault.REFUSE_REFERENCE: {"refuse_reference": True},
    Fault.REFUSE_RESULT: {"refuse_result": True},
    Fault.FAILED: {"failing": True},
    Fault.GATEWAY_PAGE: {"html": True},
    Fault.CUT: {"cut_answer": True},
    Fault.RESET: {"cut_request": True},
    Fault.SILENT: {"silent": True},
    Fault.LATE: {"slow": True, "slow_seconds": LATE},
    Fault.FEWER: {"fewer": 1},
    Fault.REJECT_ONE: {"reject": frozenset({1})},
}


@asynccontextmanager
async def sandbox() -> AsyncIterator[SandboxBench]:
    async with Sandbox(seconds=0) as sandbox, Transport() as transport, GuardedFetcher() as fetcher:
        fetcher.allow_also(sandbox.host, sandbox.port)
        provider = ImagesApi(
            "sandbox",
            base_url=sandbox.base_url,
            api_key=KEY,
            transport=transport,
            fetcher=fetcher,
            hosts=CATALOGUE.offer("sandbox").hosts,
            pause=0,
        )
        yield SandboxBench(provider=provider, sandbox=sandbox)


FAKE_FAULTS = frozenset(
    {Fault.BUSY, Fault.REFUSE_WORDS, Fault.REFUSE_RESULT, Fault.CUT, Fault.SILENT, Fault.REJECT_ONE}
)


@dataclass(kw_only=True)
class FakeBench:
    """The fake that stands in for a provider elsewhere is held to the same."""

    provider: Any = field(default_factory=FakeProvider)
    offer: str = "sandbox"
    model: str = "seedream-4"
    size: str = "1K"
    tells_why: bool = True
    key: str = KEY
    inside: bool = False

    def __post_init__(self) -> None:
        self.came = asyncio.Event()
        self.free = False

    @property
    def paid(self) -> int:
        return int(self.provider.paid)

    @property
    def billed(self) -> int:
        return 0 if self.free else self.paid

    @property
    def distinct(self) -> int:
        return self.paid

    def goes_wrong(self, fault: Fault) -> None:
        async def stay(job: Job) -> None:
            self.came.set()
            try:
                async with asyncio.timeout(job.model.timeout):
                    await asyncio.Event().wait()
            except TimeoutError:
                raise OutcomeUnknown from None

        scripts: dict[Fault, Any] = {
            Fault.BUSY: (ProviderBusy(),),
            Fault.REFUSE_WORDS: (ContentRefused("words"),),
            Fault.REFUSE_RESULT: (ContentRefused("result"),),
            Fault.CUT: (OutcomeUnknown(),),
            Fault.SILENT: (stay,),
            Fault.REJECT_ONE: (Make(0), Reject(1, ContentRefused("result")), Make(2), DONE),
        }
        self.provider.scripts.append(scripts[fault])

    async def taken(self) -> None:
        await self.came.wait()

    async def leaves(self) -> None:
        self.free = True
        self.goes_wrong(Fault.BUSY)


@asynccontextmanager
async def fake() -> AsyncIterator[FakeBench]:
    yield FakeBench()

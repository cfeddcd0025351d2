"""Every provider with the other side of its wire, for the contract suite."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.media.fetch import GuardedFetcher
from bot.providers.apiframe import Apiframe
from bot.providers.images_api import ImagesApi
from bot.providers.novita import Novita
from bot.providers.transport import Transport
from bot.request import Mode
from tests.contract.own_benches import CATALOGUE, FAKE_FAULTS, KEY, LATE, SANDBOX_FAULTS, Bench, fake, sandbox
from tests.fakes import FakeClock
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.base import Fault, Simulator
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.novita import NovitaSim
from tests.simulators.personalities import APIYI, MODELARK, NEW_API, VOLCENGINE, Personality


@dataclass(kw_only=True)
class SimulatorBench:
    provider: Any
    sim: Any
    offer: str
    model: str = "seedream-4"
    size: str = "1K"
    tells_why: bool = True
    key: str = KEY

    @property
    def paid(self) -> int:
        return len(self.sim.paid)

    @property
    def billed(self) -> int:
        return int(self.sim.billed)

    @property
    def distinct(self) -> int:
        """Under one key and with one body they are the same."""
        if not self.provider.idempotent:
            return self.paid
        return len({(one.headers["Idempotency-Key"], one.body) for one in self.sim.paid})

    @property
    def inside(self) -> bool:
        return any(one.path.startswith("/inside") for one in self.sim.requests)

    def goes_wrong(self, fault: Fault) -> None:
        self.sim.goes_wrong(fault, always=True)

    async def taken(self) -> None:
        await self.sim.taken()

    async def leaves(self) -> None:
        await self.sim.__aexit__(None, None, None)

    def changes_key(self) -> None:
        """The other side's: ours is then wrong."""
        self.sim.key = "sk-another-key"


Build = Callable[[Simulator, Transport, GuardedFetcher], Any]


@asynccontextmanager
async def simulated(simulator: Callable[[], Any], build: Build, **about: Any) -> AsyncIterator[SimulatorBench]:
    async with simulator() as sim, Transport() as transport, GuardedFetcher() as fetcher:
        fetcher.allow_also(sim.host, sim.port)
        sim.key = KEY
        yield SimulatorBench(provider=build(sim, transport, fetcher), sim=sim, **about)


def images_api(personality: Personality) -> AbstractAsyncContextManager[SimulatorBench]:
    offer = CATALOGUE.offer(personality.offer)

    def build(sim: Any, transport: Transport, fetcher: GuardedFetcher) -> ImagesApi:
        return ImagesApi(
            personality.offer,
            base_url=sim.base_url,
            api_key=KEY,
            transport=transport,
            fetcher=fetcher,
            hosts=offer.hosts,
            free_question=offer.free_question,
            clock=sim.clock,
            pause=0,
        )

    return simulated(partial(ImagesApiSim, personality, clock=FakeClock(), late=LATE), build, offer=personality.offer)


def apiframe() -> AbstractAsyncContextManager[SimulatorBench]:
    def build(sim: Any, transport: Transport, fetcher: GuardedFetcher) -> Apiframe:
        return Apiframe(
            base_url=sim.origin,
            api_key=KEY,
            transport=transport,
            fetcher=fetcher,
            hosts=CATALOGUE.offer("apiframe").hosts,
            credit_price=10_000,
            clock=sim.clock,
            pause=0,
            polls=(0.01, 0.01),
        )

    return simulated(partial(ApiframeSim, clock=FakeClock(), late=LATE), build, offer="apiframe")


def novita(model: str, size: str) -> AbstractAsyncContextManager[SimulatorBench]:
    def build(sim: Any, transport: Transport, fetcher: GuardedFetcher) -> Novita:
        return Novita(
            base_url=sim.origin,
            api_key=KEY,
            transport=transport,
            fetcher=fetcher,
            hosts=CATALOGUE.offer("novita").hosts,
            clock=sim.clock,
            pause=0,
        )

    return simulated(
        partial(NovitaSim, clock=FakeClock(), late=LATE), build, offer="novita", model=model, size=size, tells_why=False
    )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How to open a bench, and what it has. replays: a request can be sent again. simulated: by a `Simulator`."""

    open: Callable[[], AbstractAsyncContextManager[Bench]]
    modes: frozenset[Mode]
    faults: frozenset[Fault] = frozenset(Fault)
    replays: bool = False
    simulated: bool = True


ONE = frozenset({Mode.IMAGINE, Mode.EDIT, Mode.BLEND})
SERIES = ONE | {Mode.SERIES}
EVERY = SERIES | {Mode.LAYERS}
BENCHES: dict[str, Entry] = {
    "sandbox": Entry(open=sandbox, modes=EVERY, faults=frozenset(SANDBOX_FAULTS), simulated=False),
    "modelark": Entry(open=partial(images_api, MODELARK), modes=EVERY),
    "volcengine": Entry(open=partial(images_api, VOLCENGINE), modes=EVERY),
    "apiyi": Entry(open=partial(images_api, APIYI), modes=SERIES),
    # It drops the keys of a series and of layers; what then comes of a series is told in the simulator's own tests.
    "compatible": Entry(open=partial(images_api, NEW_API), modes=ONE),
    "apiframe": Entry(open=apiframe, modes=ONE, replays=True),
    "novita-4": Entry(open=partial(novita, "seedream-4", "1K"), modes=SERIES),
    "novita-4.5": Entry(open=partial(novita, "seedream-4.5", "2K"), modes=SERIES),
    "fake": Entry(open=fake, modes=SERIES, faults=FAKE_FAULTS, simulated=False),
}

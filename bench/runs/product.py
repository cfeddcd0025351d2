"""The bot's own parts, put together as its composition root does, for what has no settings: other time-outs."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.catalogue import Catalogue, Model
from bot.catalogue import load as load_catalogue
from bot.catalogue.router import Router
from bot.chat import Actor, Place
from bot.clock import Clock, micros
from bot.generation import accepting, inbox
from bot.generation.accepting import Accepted, Draft
from bot.generation.queue import Capacity
from bot.generation.record import load
from bot.generation.runner import Runner
from bot.generation.workers import Workers
from bot.media.fetch import GuardedFetcher
from bot.media.store import Blobs
from bot.people import Person, find
from bot.providers.apiframe import Apiframe
from bot.providers.base import Provider
from bot.providers.images_api import ImagesApi
from bot.providers.novita import Novita
from bot.providers.transport import Transport
from bot.quota.ledger import Rules
from bot.request import ImageRequest, Mode
from bot.settings import Limits
from bot.storage import schema
from bot.storage.database import Database, SQLiteDatabase

PROVIDER, MODEL = "sandbox", "seedream-4"
KEY = "bench"
SPACE = "bench"
WAITING = 100_000
POLICY = Limits().table()


class Offering(Catalogue):
    """One provider with one model, which is given up after `patience` seconds."""

    def __init__(self, patience: float, name: str = PROVIDER) -> None:
        offer = load_catalogue().offer(name)
        model = next(model for model in offer.models if model.name == MODEL)
        super().__init__({name: replace(offer, models=(replace(model, timeout=patience),))})

    @property
    def only(self) -> Model:
        return next(model for name in self.providers for model in self.models(name))


@asynccontextmanager
async def provider(base_url: str, name: str = PROVIDER) -> AsyncIterator[Provider]:
    """The product's provider at this address, over its transport."""
    async with Transport() as transport, GuardedFetcher() as fetcher:
        match load_catalogue().offer(name).dialect:
            case "apiframe":
                # A server that asks for patience is not measured here: what is repeated is repeated soon.
                yield Apiframe(
                    name,
                    base_url=base_url,
                    api_key=KEY,
                    transport=transport,
                    fetcher=fetcher,
                    pause=0.1,
                    credit_price=10_000,
                )
            case "novita":
                yield Novita(name, base_url=base_url, api_key=KEY, transport=transport, fetcher=fetcher)
            case _:
                yield ImagesApi(name, base_url=base_url, api_key=KEY, transport=transport, fetcher=fetcher)


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Database]:
    """A new one, with every pragma of the product."""
    schema.migrate(folder / "bot.db")
    async with SQLiteDatabase(folder / "bot.db") as opened:
        yield opened


async def person(opened: Database, number: int) -> Person:
    actor = Actor(adapter=SPACE, user=str(number), name=f"person {number}", space=SPACE)
    return await opened.transaction(find, actor, micros(datetime.now(UTC)))


def draft(
    invocation: str,
    asker: Person,
    *,
    prompt: str = "a red fox in the snow",
    price: int = 30_000,
    provider: str = PROVIDER,
) -> Draft:
    request = ImageRequest(mode=Mode.IMAGINE, prompt=prompt, providers=(provider,), model=MODEL, size="1024x1024")
    place = Place(adapter=SPACE, data={"room": "general", "person": asker.name})
    return Draft(invocation=invocation, person=asker, place=place, language="en", request=request, price=price)


async def ask(opened: Database, wanted: Draft) -> Accepted:
    """What a platform's event goes through: noted durably, then accepted with its holds."""
    rules = Rules(policy=POLICY, now=datetime.now(UTC), zone="UTC")
    raw = {"message": wanted.invocation, "line": wanted.request.prompt}
    await opened.transaction(inbox.receive, wanted.invocation, SPACE, raw, rules.at)
    accepted = await opened.transaction(accepting.accept, wanted, rules, most_waiting=WAITING)
    assert accepted
    return accepted


@dataclass(kw_only=True)
class Drawing:
    """A database, and the workers that hand what they admit to the runner over the product's provider."""

    database: Database
    workers: Workers
    changed: asyncio.Event

    async def end(self, generation: str) -> str:
        """Wait until it has ended, and say in which state."""
        while True:
            self.changed.clear()
            found = await self.database.read(load, generation)
            if found.ended:
                return str(found.state)
            await self.changed.wait()


@asynccontextmanager
async def drawing(folder: Path, base_url: str, *, patience: float, name: str = PROVIDER) -> AsyncIterator[Drawing]:
    async with database(folder) as opened, provider(base_url, name) as asked:
        changed = asyncio.Event()
        runner = Runner(
            database=opened,
            router=Router(Offering(patience, name), (name,)),
            providers={name: asked},
            blobs=Blobs(f"file://{folder}/blobs"),
            clock=Clock(),
            changed=lambda _: changed.set(),
            folder=folder,
            images_per_minute=60_000,
            jitter=random.Random(1),
        )

        capacity = Capacity(per_person=2, running=64, images_per_minute=60_000)
        workers = Workers(
            database=opened, run=runner.run, capacity=capacity, owner="bench", patience=30, line_moved=lambda: None
        )
        async with workers:
            yield Drawing(database=opened, workers=workers, changed=changed)

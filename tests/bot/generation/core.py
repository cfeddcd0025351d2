"""The request core put together as the composition root does it, around a fake platform and a fake provider."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from bot import commands
from bot.catalogue import Catalogue, load
from bot.catalogue.router import Router
from bot.chat import AccountLine, Actor, Invocation, Place, Reply
from bot.clock import micros
from bot.command import CommandTable
from bot.commands.details import state_name
from bot.commands.drawing import Drawing
from bot.dispatch import Dispatcher
from bot.generation import inbox, queue, record
from bot.generation.accepting import Accepted, Draft
from bot.generation.delivery import Delivery
from bot.generation.notices import Notices, Words
from bot.generation.presenting import logged, present
from bot.generation.queue import Admitted, Capacity
from bot.generation.record import Generation
from bot.generation.runner import Runner
from bot.generation.service import GenerationService
from bot.generation.workers import Workers
from bot.media.normalise import Normaliser
from bot.moderation import reviews
from bot.people import Person, Preferences, find
from bot.quota import audit, ledger, usage
from bot.quota.limits import Policy
from bot.quota.standing import Payer, Rules
from bot.request import ImageRequest, Mode, Reference
from bot.spaces import Spaces
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.teams import Memberships
from tests.fakes import FakeAdapter, FakeBlobs, FakeClock, FakeNormaliser, FakeProvider

CATALOGUE = load()
PICTURE = 40_000  # what one costs with the default model, in micro-USD
WIDE = Capacity(per_person=50, running=50, images_per_minute=100_000)


@dataclass(kw_only=True)
class Core:
    """Everything between a platform and a provider. Workers and delivery run only where a test enters them.

    others: providers that come after the first one in the order of preference.
    """

    database: Database
    folder: Path
    policy: Policy = field(default_factory=dict)
    catalogue: Catalogue = CATALOGUE
    clock: FakeClock = field(default_factory=FakeClock)
    provider: FakeProvider = field(default_factory=FakeProvider)
    others: tuple[FakeProvider, ...] = ()
    adapter: FakeAdapter = field(default_factory=FakeAdapter)
    blobs: FakeBlobs = field(default_factory=FakeBlobs)
    normaliser: Normaliser | FakeNormaliser = field(default_factory=FakeNormaliser)
    capacity: Capacity = WIDE
    most_waiting: int = 1000
    numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.changes: list[str] = []
        self.spaces = Spaces(self.database, follow=reviews.follow)
        self.preferences = Preferences(self.database)
        self.memberships = Memberships(self.database)
        self.providers = (self.provider, *self.others)
        self.router = Router(self.catalogue, tuple(provider.name for provider in self.providers))
        self.delivery = Delivery(
            database=self.database,
            adapters={self.adapter.name: self.adapter},
            present=self._show,
            present_log=self._log,
        )
        self.runner = Runner(
            database=self.database,
            router=self.router,
            providers={provider.name: provider for provider in self.providers},
            blobs=self.blobs,
            clock=self.clock,
            changed=self._changed,
            folder=self.folder,
            images_per_minute=self.capacity.images_per_minute,
        )
        self.workers = Workers(
            database=self.database,
            run=self.runner.run,
            capacity=self.capacity,
            owner="test",
            patience=5,
            line_moved=self.delivery.line_moved,
            clock=self.clock,
        )
        self.service = GenerationService(
            database=self.database,
            policy=self.policy,
            zone="UTC",
            clock=self.clock,
            most_waiting=self.most_waiting,
            ask_above_usd=Decimal("0.15"),
            ask_above_images=4,
            folder=self.folder,
            accepted=self._accepted,
            changed=self._changed,
        )
        self.table, self.dispatcher = self._door()

    def _door(self) -> tuple[CommandTable, Dispatcher]:
        drawing = Drawing(
            router=self.router,
            model="",
            service=self.service,
            normaliser=self.normaliser,
            blobs=self.blobs,
            database=self.database,
            clock=self.clock,
            folder=self.folder,
        )
        table, presses = commands.build(
            drawing, self.spaces, self.preferences, self.blobs.delete, memberships=self.memberships
        )
        dispatcher = Dispatcher(
            database=self.database,
            table=table,
            presses=presses,
            spaces=self.spaces,
            preferences=self.preferences,
            memberships=self.memberships,
            delivery=self.delivery,
            clock=self.clock,
        )
        return table, dispatcher

    @property
    def at(self) -> int:
        return micros(self.clock())

    def rules(self) -> Rules:
        return self.service.rules()

    # --- through the door

    def invocation(self, line: str = "", *, by: str = "bob", id: str = "", **more: Any) -> Invocation:
        """An asking as an adapter makes one. `admin` and `language` are the actor's."""
        own = {name: more.pop(name) for name in ("admin", "language") if name in more}
        actor = Actor(adapter=self.adapter.name, user=by, name=by, space="team", **own)
        place = more.pop("place", Place(adapter=self.adapter.name, data={"room": "studio"}))
        return Invocation(
            id=id or f"event-{next(self.numbers)}", actor=actor, place=place, received=self.clock(), line=line, **more
        )

    async def ask(self, line: str = "", **more: Any) -> Accepted | Reply | None:
        """Say it and get what it came to at once: an answer, or an accepted generation."""
        invocation = self.invocation(line, **more)
        self.adapter.events[invocation.id] = invocation
        await self.dispatcher.accept(invocation, {"event": invocation.id})
        return await self.dispatcher.outcome(invocation.id)

    async def answer(self, line: str = "", **more: Any) -> Reply:
        """Say it and get the reply to it, or the reply in which its generation ended."""
        got = await self.ask(line, **more)
        if isinstance(got, Accepted):
            async with asyncio.timeout(10):
                return await self.delivery.end_of(got.generation)
        assert got is not None, "it was dealt with before"
        return got

    # --- without the door

    async def person(self, name: str = "bob", *, admin: bool = False) -> Person:
        actor = Actor(adapter=self.adapter.name, user=name, name=name, space="team", admin=admin)
        return await self.database.transaction(find, actor, self.at)

    def request(self, **wanted: Any) -> ImageRequest:
        return ImageRequest(
            **{
                "mode": Mode.IMAGINE,
                "prompt": "a red fox",
                "providers": self.router.order,
                "model": "seedream-4.5",
                "size": "2K",
                **wanted,
            }
        )

    async def accepted(
        self, *, by: str = "bob", priority: int = 0, price: int | None = None, event: str = "", **wanted: Any
    ) -> str:
        """Have a request accepted, and return its generation's id."""
        person = await self.person(by)
        request = self.request(**wanted)
        event = event or f"event-{next(self.numbers)}"
        await self.database.transaction(inbox.receive, event, self.adapter.name, {}, self.at)
        draft = Draft(
            invocation=event,
            person=person,
            place=Place(adapter=self.adapter.name, data={"room": "studio"}),
            language="en",
            request=request,
            price=PICTURE * request.count if price is None else price,
            priority=priority,
        )
        taken = await self.service.accept(draft)
        assert taken is not None
        return taken.generation

    async def admitted(self, *, now: int | None = None, free: int = 50) -> list[Admitted]:
        """Let the line move once, by the machine's own time."""
        moment = micros(datetime.now(UTC)) if now is None else now
        return await self.database.transaction(queue.admit, "test", moment, free, self.capacity)

    async def run(self, **wanted: Any) -> Generation:
        """Accept a request, admit it and run it to where it comes by itself."""
        generation = await self.accepted(**wanted)
        (mine,) = await self.admitted()
        await self.runner.run(mine)
        return await self.load(generation)

    async def run_next(self, **wanted: Any) -> str:
        """Run one more request to its end, and return the provider that made it."""
        return (await self.run(**wanted)).provider

    async def run_again(self, generation: str) -> Generation:
        """Admit what was put back, however long it should still wait, and run it."""
        (mine,) = await self.admitted(now=micros(datetime.now(UTC)) + 3_600_000_000)
        assert mine.id == generation
        await self.runner.run(mine)
        return await self.load(generation)

    async def load(self, generation: str) -> Generation:
        return await self.database.read(record.load, generation)

    async def stored(self, seed: bytes = b"a picture") -> Reference:
        """A picture that can be referred to."""
        file = self.folder / "to-store"
        file.write_bytes(seed)
        blob = await self.blobs.put(file)
        return Reference(blob=blob, media_type="image/png", width=24, height=16, size=len(seed))

    async def accounts(self, by: str = "bob") -> dict[tuple[str, str, str], AccountLine]:
        """What stands in the books for a person and their space, by (account, unit, window), limits or not."""
        person = await self.person(by)
        rules = Rules(policy=_watched(), now=self.clock(), zone="UTC")
        lines = await self.database.read(ledger.lines, Payer(person=person.id, space=person.space), rules)
        return {(line.account.partition(":")[0], line.unit, line.window): line for line in lines}

    async def spent(self, by: str = "bob") -> dict[str, tuple[int, int]]:
        """(spent, held) in all: pictures and money of the person, money of the space."""
        lines = await self.accounts(by)
        keys = {"images": ("person", "images"), "usd": ("person", "usd"), "pool": ("space", "usd")}
        found = {name: lines[account, unit, "total"] for name, (account, unit) in keys.items()}
        return {name: (line.used, line.held) for name, line in found.items()}

    async def lose(self, generation: str, price: int) -> None:
        """Nobody knows how it ended, and so much may have been billed for it."""

        def work(connection: Connection) -> None:
            connection.execute(
                "UPDATE generations SET state='unknown', finished_at=:at WHERE id=:id", at=self.at, id=generation
            )
            row = connection.row("SELECT * FROM generations WHERE id=:id", id=generation)
            assert row is not None
            usage.count(connection, row, images=0, usd=0, state="unknown", at=self.at, zone="UTC")
            ledger.settle(connection, generation, {"images": 0, "usd": 0}, self.at, possible={"usd": price})

        await self.database.transaction(work)

    async def check_books(self) -> None:
        books = await self.database.read(audit.verify)
        assert books.problems == ()

    async def nothing_is_held(self) -> None:
        rows = await self.database.fetch("SELECT * FROM holds WHERE state<>'closed'")
        assert [dict(row) for row in rows] == []
        await self.check_books()

    async def happened(self, generation: str) -> list[str]:
        rows = await self.database.fetch("SELECT kind FROM events WHERE generation=:id ORDER BY seq", id=generation)
        return [row["kind"] for row in rows]

    # --- what the composition root would wire

    async def _show(self, generation: str, place: int) -> Reply:
        found = await self.load(generation)
        model = self.router.offer(found.provider, found.request.model)
        return present(found, place=place, model=model)

    async def _log(self, generation: str) -> Reply:
        found = await self.load(generation)
        return logged(found, state_name(found), language=found.language)

    def _accepted(self, generation: str) -> None:
        self.delivery.line_moved()
        self.workers.wake()

    def _changed(self, generation: str) -> None:
        self.changes.append(generation)
        self.delivery.changed(generation)


def _watched() -> Policy:
    """A limit on everything, far away, so that every line is shown."""
    units, windows = ("images", "usd"), ("day", "week", "month", "total")
    return {(kind, unit, win): 10**12 for kind in ("person", "space", "all") for unit in units for win in windows}


def telling(core: Core, kinds: Mapping[str, Words]) -> None:
    """Have it put into words what nobody asked for, too."""
    notices, shown = Notices(kinds=kinds), core.delivery.present

    async def present(generation: str, place: int) -> Reply:
        return await (notices.reply(generation) if notices.has(generation) else shown(generation, place))

    core.delivery.present = present


@asynccontextmanager
async def working(core: Core) -> AsyncIterator[Core]:
    """The core with everything running, left in the order in which the composition root leaves it."""
    async with core.normaliser, core.delivery, core.workers, core.dispatcher:
        yield core

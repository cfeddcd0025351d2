"""The generation service: what commands call to take a request on, to answer a price question, to cancel, to look."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bot.chat import AccountLine
from bot.clock import micros
from bot.errors import Unavailable
from bot.generation import accepting, record
from bot.generation.accepting import Accepted, Draft, payer_of
from bot.generation.health import Resting, resting
from bot.generation.record import Generation
from bot.i18n import text
from bot.people import Person
from bot.quota import ledger
from bot.quota.limits import Policy
from bot.quota.standing import Payer, Rules
from bot.quota.tiers import Tier
from bot.spaces import SpaceRules
from bot.storage.database import Database

# Below this nothing is accepted any more: a picture that was paid for must find room (a 4096x4096 PNG has up to 50 MB).
LEAST_DISK = 200 * 1024 * 1024


@dataclass(kw_only=True)
class GenerationService:
    """accepted, changed: told ids; the line wakes for the first, delivery for both. check_store: raises `Unavailable`
    where the pictures' store would keep nothing just now. tiers: those of settings, by name.
    """

    database: Database
    policy: Policy
    zone: str
    clock: Callable[[], datetime]
    most_waiting: int
    ask_above_usd: Decimal
    ask_above_images: int
    folder: Path
    accepted: Callable[[str], None]
    changed: Callable[[str], None]
    check_store: Callable[[], Awaitable[None]] | None = None
    draining: bool = False
    tiers: Mapping[str, Tier] = field(default_factory=dict)

    def rules(self) -> Rules:
        return Rules(policy=self.policy, now=self.clock(), zone=self.zone, tiers=self.tiers)

    def asks(self, price: int, count: int) -> bool:
        """Whether so much is asked about before it is held."""
        return Decimal(price) / 1_000_000 > self.ask_above_usd or count > self.ask_above_images

    async def accept(self, draft: Draft) -> Accepted | None:
        """Take a request on, or raise `QuotaExceeded` / `Unavailable` with nothing held; None for a repeat."""
        await self.check_room()
        taken = await self.database.transaction(accepting.accept, draft, self.rules(), most_waiting=self.most_waiting)
        if taken:
            self.accepted(taken.generation)
        return taken

    async def go(
        self, generation: str, invocation: str, person: Person, checked: SpaceRules | None = None
    ) -> Accepted | None:
        """Yes to a price question; raises as `accept` does. checked: the rules of its space, as they were known."""
        await self.check_room()
        taken = await self.database.transaction(
            accepting.go,
            generation,
            invocation,
            person,
            self.rules(),
            most_waiting=self.most_waiting,
            checked=checked,
        )
        if taken:
            self.accepted(taken.generation)
        return taken

    async def cancel(self, generation: str, person: Person) -> Generation:
        before = await self.database.transaction(accepting.cancel, generation, person, micros(self.clock()))
        self.changed(before.id)
        return before

    async def load(self, generation: str) -> Generation:
        return await self.database.read(record.load, generation)

    async def health(self) -> tuple[Resting, ...]:
        """The providers that are left alone just now."""
        return await self.database.read(resting, micros(datetime.now(UTC)))

    async def accounts(self, person: Person, team: str = "") -> tuple[AccountLine, ...]:
        """As this person reads them who would ask now, for a team (its id) or for themselves."""
        return await self._lines(payer_of(person, team))

    async def accounts_of(self, generation: Generation) -> tuple[AccountLine, ...]:
        """Of whoever pays for it."""
        payer = Payer(person=generation.person, space=generation.space, team=generation.team)
        return await self._lines(payer)

    async def _lines(self, payer: Payer) -> tuple[AccountLine, ...]:
        return ledger.as_one(await self.database.read(ledger.lines, payer, self.rules()))

    async def check_room(self) -> None:
        """Raises `Unavailable` where a picture could not be kept."""
        if self.draining:
            raise Unavailable(text("The bot is restarting; please ask again in a minute."))
        usage = await asyncio.to_thread(shutil.disk_usage, self.folder)
        if usage.free < LEAST_DISK:
            raise Unavailable(text("The bot's disk is full, so it takes no new requests. Its operator must make room."))
        if self.check_store:
            await self.check_store()

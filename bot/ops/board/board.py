"""The dashboard's whole way to the core, as its pages use it."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from bot.clock import micros
from bot.command import CommandTable
from bot.generation.service import GenerationService
from bot.ops.board import auditing, exporting, health, line, overview, people, pictures, pools, spending
from bot.ops.board.few import Few
from bot.ops.board.people import Dossier
from bot.ops.board.rights import Rights
from bot.quota.windows import periods
from bot.storage.database import Database


@dataclass(frozen=True, kw_only=True)
class Board:
    """Days are `2026-11-21` in the zone of the bot, both ends included; money is micro-USD. Every method raises
    `NotAllowed` where the page is not for this viewer, `NotThere` for what is out of their sight, and `UsageError` for
    what makes no sense.

    providers: those in use by their names, with what people call them. credits: what each had left when it was asked
    last. unknown_after: when what was possibly billed is decided by itself.
    """

    database: Database
    service: GenerationService
    table: CommandTable
    clock: Callable[[], datetime]
    zone: str
    providers: Mapping[str, str] = field(default_factory=dict)
    credits: Mapping[str, int] = field(default_factory=dict)
    unknown_after: timedelta = timedelta(hours=24)

    @cached_property
    def _reads(self) -> Few:
        return Few(self.database)

    @property
    def today(self) -> str:
        return periods(self.clock(), self.zone)["day"]

    async def overview(self, viewer: Rights) -> overview.Overview:
        """Today and this month at a glance."""
        return await self._reads.read(overview.overview, viewer, self.today, self.service.rules(), self.unknown_after)

    async def pools(self, viewer: Rights) -> pools.Pools:
        return await self._reads.read(pools.pools, viewer, self._month(), self.service.rules())

    async def people(
        self,
        viewer: Rights,
        *,
        sort: str = "usd",
        desc: bool = True,
        search: str = "",
        page: str = "",
        since: str = "",
        until: str = "",
    ) -> people.People:
        """What they used; without days, in this month."""
        since, until = since or self._month(), until or self.today
        return await self._reads.read(
            people.people, viewer, since, until, sort=sort, desc=desc, search=search, page=page
        )

    async def person(self, viewer: Rights, id: str, since: str = "", until: str = "") -> Dossier:
        since, until = since or self._month(), until or self.today
        return await self._reads.read(people.person, viewer, id, since, until, self.service.rules())

    async def spend(self, viewer: Rights, by: str, since: str, until: str) -> spending.Spend:
        """by: one of `bot.quota.usage.BY`."""
        return await self._reads.read(spending.spend, viewer, by, since, until)

    async def latency(self, viewer: Rights, since: str, until: str) -> tuple[spending.Latency, ...]:
        return await self._reads.read(spending.latency, viewer, since, until)

    async def failures(self, viewer: Rights, since: str, until: str) -> tuple[spending.Failed, ...]:
        return await self._reads.read(spending.failures, viewer, since, until)

    async def queue(self, viewer: Rights) -> line.Queue:
        return await self._reads.read(line.queue, viewer)

    async def cancel(self, viewer: Rights, id: str) -> None:
        cancelled = await self.database.transaction(line.cancel, viewer, id, self._at())
        self.service.changed(cancelled)

    async def gallery(
        self,
        viewer: Rights,
        *,
        words: str = "",
        person: str = "",
        model: str = "",
        before: int = 0,
        most: int = pictures.PAGE,
    ) -> pictures.Gallery:
        return await self._reads.read(
            pictures.gallery, viewer, words=words, person=person, model=model, before=before, most=most
        )

    async def generation(self, viewer: Rights, id: str) -> pictures.Whole:
        return await self._reads.read(pictures.generation, viewer, id, self.table, self.providers)

    async def picture(self, viewer: Rights, id: str, index: int) -> str:
        """The key of its blob."""
        return await self._reads.read(pictures.picture, viewer, id, index)

    async def audit(self, viewer: Rights, *, before: int = 0, most: int = auditing.PAGE) -> auditing.Audit:
        return await self._reads.read(auditing.audit, viewer, before=before, most=most)

    async def health(self, viewer: Rights) -> health.Health:
        now = micros(datetime.now(UTC))  # a provider's rest goes by it, even where a demonstration moved the clock
        return await self._reads.read(health.health, viewer, tuple(self.providers), self.credits, now)

    async def possibly_billed(self, viewer: Rights) -> tuple[line.Possible, ...]:
        return await self._reads.read(line.possibly_billed, viewer, self.unknown_after)

    async def resolve(self, viewer: Rights, id: str, charge: bool) -> None:
        await self.database.transaction(line.resolve, viewer, id, charge, self._at(), self.zone)

    def export(self, viewer: Rights, what: str, since: str, until: str) -> AsyncIterator[exporting.Line]:
        """The head and then the rows: what is text is text, what is a number is one (`int`, `Decimal` of USD)."""
        return exporting.export(self._reads, viewer, what, since, until, self.zone)

    def _month(self) -> str:
        return f"{self.today[:7]}-01"

    def _at(self) -> int:
        return micros(self.clock())

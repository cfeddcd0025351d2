"""What has to be done by the clock: questions expire, unknown money is decided, old pictures go, books are checked."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from bot.clock import micros, moment
from bot.generation import inbox
from bot.generation.accepting import expire_questions
from bot.generation.deleting import clean
from bot.generation.settling import resolve_one, undecided
from bot.generation.states import IN_FLIGHT, WAITING, listed
from bot.media.retention import Kept, superfluous
from bot.media.store import Blob
from bot.ops.rounds import Rounds
from bot.quota import audit, usage
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

CLEAN_EVERY = timedelta(hours=1)
QUESTION_LIVES = timedelta(minutes=10)
MOST_TOLD = 20


class Blobs(Protocol):
    def blobs(self) -> AsyncIterator[Blob]: ...

    async def delete(self, key: str) -> None: ...


@dataclass(kw_only=True)
class Janitor(Rounds):
    """Use as an asynchronous context manager. changed: told generations of which there is something new to show.

    tidy: takes away what is left of those who were forgotten.
    """

    every = 60.0

    database: Database
    blobs: Blobs
    clock: Callable[[], datetime]
    changed: Callable[[str], None]
    unknown_after: timedelta
    charge_unknown: bool
    days: int
    total: int
    zone: str = "UTC"
    tidy: Callable[[], Awaitable[None]] | None = None
    _clean_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    async def round(self) -> None:
        now = self.clock()
        at = micros(now)
        for generation in await self.database.transaction(expire_questions, micros(now - QUESTION_LIVES), at):
            self.changed(generation)
        await self._decide_unknown(now)
        if self._clean_at <= now:
            self._clean_at = now + CLEAN_EVERY
            await self.database.transaction(inbox.forget, micros(now - timedelta(days=inbox.KEEP_DAYS)))
            await self._check_books(now)
            await self._clean(now)
            if self.tidy:
                await self.tidy()

    async def _decide_unknown(self, now: datetime) -> None:
        decided, charge = 0, self.charge_unknown
        for generation in await self.database.read(undecided, micros(now - self.unknown_after)):
            decided += await self.database.transaction(
                resolve_one, generation, micros(now), charge=charge, reason="no answer in time", zone=self.zone
            )
        if decided:
            log.info("unknown outcomes were decided", generations=decided, charged=charge)

    async def _check_books(self, now: datetime) -> None:
        """What was found is kept for every process, until a later look finds nothing."""
        problems = await self.database.read(audit.recent, now)
        if problems and (wrong := await self.database.transaction(usage.mend_months, audit.last_month(now))):
            log.warning("sums of months were brought up to those of their days", sums=wrong)
            problems = await self.database.read(audit.recent, now)
        for problem in problems[:MOST_TOLD]:
            log.error("the books do not agree; run `seedream-bot ledger verify`", problem=problem)
        await self.database.transaction(audit.keep, problems)

    async def _clean(self, now: datetime) -> None:
        known, needed = await self.database.read(_known)
        kept = [
            Kept(key=blob.key, last_used=max(blob.stored, known.get(blob.key, blob.stored)), size=blob.size)
            async for blob in self.blobs.blobs()
            if blob.key not in needed
        ]
        gone = superfluous(kept, now=now, days=self.days, max_total=self.total)
        if not gone:
            return
        cleaned = await self.database.transaction(clean, gone, micros(now))
        for key in cleaned:
            await self.blobs.delete(key)
        log.info("old pictures were cleaned up", pictures=len(cleaned))


def _known(connection: Connection) -> tuple[dict[str, datetime], set[str]]:
    """When each blob was last used, and those that requests need which are not finished."""
    rows = connection.rows("SELECT key, used_at FROM blobs")
    busy = connection.rows(f"SELECT request FROM generations WHERE state IN ({listed((*WAITING, *IN_FLIGHT))})")
    needed = {given["blob"] for row in busy for given in json.loads(row["request"])["references"]}
    return {row["key"]: moment(row["used_at"]) for row in rows}, needed

"""What one process of all does: a claim, had by one, for which others stand by.

A claim is a lock of a session. Who holds it proves every few seconds that the session is there; one that does not (it
is paused, or cut off) is given up by the server itself, and its holder knows no later than the server that it may have
lost it. A server that is started anew knows nothing of those who held something before.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import psycopg
import structlog

from bot.storage.postgres import Raw, connected
from bot.storage.session import LIMIT, Session, certain_time, holders, key_of, pause, take

log = structlog.get_logger(__name__)

BEAT, IDLE = 3.0, 12.0
SOONEST, LOOK_AGAIN = 0.2, 0.8  # who leaves is gone in a moment; who is gone without a word may take long
# Who had it notices the end of its session a moment later than the server that already lets the next one in.
GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """shared: together with others who share it, but with nobody who has it alone."""

    name: str
    shared: bool = False


class Held:
    """Use as an asynchronous context manager: entering waits until all claims are had, however long that takes.

    beat: how often it is proven. idle: how long the server leaves a silent holder its claims (PostgreSQL 14 and newer;
    an older one notices only connections that are lost). lost: set as soon as they may be another's.
    """

    def __init__(self, url: str, claims: Sequence[Claim], *, beat: float = BEAT, idle: float = IDLE) -> None:
        self._url = url
        self._claims = tuple(claims)
        self._beat = beat
        self._idle = idle
        self._until = 0.0
        self.lost = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = self._new_session()
        try:
            await self._wait()
        except BaseException:
            self._session.close()
            raise
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_up()
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        self._session.close()

    @property
    def proven(self) -> bool:
        """Whether they are had for certain at this moment; a process that was paused learns it here first."""
        return not self.lost.is_set() and certain_time() < self._until

    @staticmethod
    def holder(url: str, claim: Claim) -> str:
        """Who has it, for an operator; "" for nobody. Blocks, and raises `CannotStart` without a server."""
        with connected(url) as raw:
            return ", ".join(holders(raw, _key(raw, claim)))

    async def _wait(self) -> None:
        looks = tries = 0
        while True:
            try:
                holder = await self._session.run(self._take, within=LIMIT)
                if holder is None:
                    await asyncio.sleep(GRACE if looks + tries else 0)
                    self._until = self._idle + await self._session.run(partial(_prove, wait=0), within=self._idle)
                    return
            except (psycopg.Error, OSError) as error:
                if not tries:
                    log.warning("the database does not answer", problem=type(error).__name__)
                tries += 1
                self._session.close()
                self._session = self._new_session()
                await asyncio.sleep(pause(tries))
                continue
            if not looks:
                log.info("stands by", claims=[claim.name for claim in self._claims], holder=holder)
            await asyncio.sleep(random.uniform(0.75, 1.25) * min(LOOK_AGAIN, SOONEST * 2 ** min(looks, 10)))
            looks, tries = looks + 1, 0

    def _new_session(self) -> Session:
        return Session(self._url, idle=self._idle)

    def _take(self, raw: Raw) -> str | None:
        """All of them, or none and who has one."""
        for claim in self._claims:
            key = _key(raw, claim)
            if not take(raw, key, shared=claim.shared):
                raw.execute("SELECT pg_advisory_unlock_all()")
                return ", ".join(holders(raw, key))
        return None

    async def _keep(self) -> None:
        problem = "it was not asked in time"
        try:
            while (left := self._until - certain_time()) > 0:
                sent = await self._session.run(partial(_prove, wait=self._beat), within=left)
                self._until = sent + self._idle
        except (psycopg.Error, OSError) as error:
            problem = type(error).__name__
        finally:
            self._give_up()
        log.warning("claims may be lost", claims=[claim.name for claim in self._claims], problem=problem)

    def _give_up(self) -> None:
        self._until = 0.0
        self.lost.set()


def _key(raw: Raw, claim: Claim) -> int:
    return key_of(raw, f"claim {claim.name}")


def _prove(raw: Raw, *, wait: float) -> float:
    """That the session is there; returns since when the server counts it as silent at the earliest."""
    for _ in raw.notifies(timeout=wait):  # there are none: it waits, but notices the connection's end at once
        pass
    sent = certain_time()
    raw.execute("SELECT 1")
    return sent

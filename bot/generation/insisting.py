"""How a runner holds out: what it has is written down however long that takes, and what nobody wants is not sent."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from bot.generation.queue import Admitted
from bot.generation.settling import MINE
from bot.storage.connection import Connection
from bot.storage.database import Database, P, T, Transaction

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
LOOK_AGAIN = 1.0  # a cancel is noticed in time


class Unwanted(Exception):
    """It was cancelled, or is another one's, before anything paid was sent."""


async def insist(database: Database, function: Transaction[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Run a transaction until it is written, however long the database is away or its disk is full.

    Only for a function that may be run again although it was done: of a commit whose answer was lost nobody knows.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await database.transaction(function, *given, **named)
        except database.passing as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("something could not be written down yet", step=function.__name__, reason=reason)
        await asyncio.sleep(random.uniform(0.5, 1.0) * pause)
        pause = min(LONGEST_PAUSE, 2 * pause)


@asynccontextmanager
async def while_wanted(database: Database, mine: Admitted) -> AsyncIterator[None]:
    """For what comes before the paid request: raises `Unwanted` in the middle of it, soon after a cancel."""
    limit = asyncio.timeout(None)
    watching = asyncio.create_task(_watch(database, mine, limit))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise Unwanted from None
        raise
    finally:
        watching.cancel()


async def _watch(database: Database, mine: Admitted, limit: asyncio.Timeout) -> None:
    while True:
        await asyncio.sleep(LOOK_AGAIN)
        with suppress(*database.passing):
            if not await database.read(_wanted, mine):
                limit.reschedule(asyncio.get_running_loop().time())
                return


def _wanted(connection: Connection, mine: Admitted) -> bool:
    sql = f"SELECT 1 FROM generations WHERE {MINE} AND cancelled=0"
    return connection.row(sql, id=mine.id, attempt=mine.attempt) is not None

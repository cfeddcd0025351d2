"""A connection that is kept: what hangs on it ends it, and nobody waits."""

import asyncio
import threading

import psycopg
import pytest

from bot.storage.postgres import Raw, connected
from bot.storage.session import Session, key_of, own_name, take
from tests.bot.storage.cable import Cable, until
from tests.postgres import Emptied, needs_postgres

pytestmark = pytest.mark.slow

LISTENS = "SELECT 1 FROM pg_stat_activity WHERE application_name=%s"


def is_connected(url: str) -> bool:
    with connected(url) as raw:
        return raw.execute(LISTENS, (own_name(),)).fetchone() is not None


def lock(raw: Raw) -> bool:
    return take(raw, key_of(raw, "test"))


def hang(raw: Raw) -> None:
    for _ in raw.notifies(timeout=600):
        pass


@needs_postgres
async def test_it_is_one_connection_however_much_is_asked(emptied: Emptied) -> None:
    session, other = Session(emptied.url), Session(emptied.url)
    pids = {await session.run(lambda raw: raw.info.backend_pid) for _ in range(3)}
    assert len(pids) == 1
    assert await session.run(lock)
    assert not await other.run(lock)
    session.close()
    other.close()
    assert session.ended


@needs_postgres
async def test_what_takes_too_long_ends_it_and_frees_what_it_had(emptied: Emptied) -> None:
    session, other = Session(emptied.url), Session(emptied.url)
    await session.run(lock)
    with pytest.raises(psycopg.OperationalError, match="does not answer"):
        await session.run(hang, within=0.1)

    async def is_free() -> bool:
        return await other.run(lock)

    await until(is_free)
    with pytest.raises(psycopg.OperationalError, match="closed"):
        await session.run(lock)
    other.close()


@needs_postgres
async def test_who_no_longer_waits_ends_it_with_its_thread(emptied: Emptied) -> None:
    session = Session(emptied.url)
    await session.run(lock)
    begun = threading.Event()

    def begin(raw: Raw) -> None:
        begun.set()
        hang(raw)

    asking = asyncio.create_task(session.run(begin, within=600))
    await until(begun.is_set)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: not any(thread.name == "session" for thread in threading.enumerate()))
    await until(lambda: not is_connected(emptied.url))


@needs_postgres
async def test_one_that_is_made_too_late_is_closed_again(emptied: Emptied) -> None:
    async with Cable(emptied.url) as cable:
        cable.cut()
        session = Session(cable.url)
        with pytest.raises(psycopg.OperationalError):
            await session.run(lock, within=0.1)
        cable.mend()
        await until(lambda: not any(thread.name == "session" for thread in threading.enumerate()))
        await until(lambda: not is_connected(emptied.url))


@needs_postgres
async def test_what_fails_is_told_and_ends_nothing(emptied: Emptied) -> None:
    session = Session(emptied.url)
    with pytest.raises(psycopg.errors.UndefinedTable):
        await session.run(lambda raw: raw.execute("SELECT * FROM nowhere"))
    assert not session.ended
    assert await session.run(lock)
    session.close()

"""Transactions that hold whole or leave nothing, whoever is cancelled, fails or closes meanwhile, on both databases."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, Database, SQLiteDatabase, open_database
from tests.postgres import BOTH, Emptied, needs_postgres, new_schema

TABLE = "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER NOT NULL)"
ON_BOTH = pytest.mark.parametrize("engine", BOTH, indirect=True)
TAKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)


def prepare(file: Path, sql: str = TABLE) -> Path:
    with sqlite3.connect(file) as raw:
        raw.executescript(sql)
    raw.close()
    return file


@pytest.fixture
def schema_url(emptied: Emptied) -> Iterator[str]:
    with new_schema(emptied.url) as url:
        with postgres.connected(url) as raw:
            raw.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
        yield url


@pytest.fixture
def url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database with one table of two numbers."""
    if engine == "sqlite":
        return SQLITE + str(prepare(tmp_path / "plain.db"))
    return str(request.getfixturevalue("schema_url"))


@pytest_asyncio.fixture
async def plain(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as database:
        yield database


def put(connection: Connection, key: int, value: int = 0) -> int:
    connection.execute("INSERT INTO t (k, v) VALUES (:key, :value)", key=key, value=value)
    return key


def put_pair(connection: Connection, key: int) -> None:
    """Two rows that belong together."""
    put(connection, key)
    put(connection, -key)


def blocking(started: threading.Event, go_on: threading.Event) -> Callable[[Connection], None]:
    """A transaction that keeps the writer busy until it is told to go on."""

    def work(connection: Connection) -> None:
        started.set()
        assert go_on.wait(10)

    return work


async def keys(database: Database) -> list[int]:
    return [row["k"] for row in await database.fetch("SELECT k FROM t ORDER BY k")]


@ON_BOTH
async def test_what_is_returned_is_on_disk_when_it_is_returned(plain: Database, url: str) -> None:
    assert await plain.transaction(put, 7, 1) == 7

    async with open_database(url) as other:
        assert [dict(row) for row in await other.fetch("SELECT k, v FROM t")] == [{"k": 7, "v": 1}]


@ON_BOTH
async def test_what_raises_leaves_nothing(plain: Database) -> None:
    def spoilt(connection: Connection) -> None:
        put_pair(connection, 1)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await plain.transaction(spoilt)
    assert await keys(plain) == []
    await plain.transaction(put, 1)
    assert await keys(plain) == [1]


@ON_BOTH
async def test_a_batch_keeps_those_that_did_not_fail(plain: Database) -> None:
    outcomes = await asyncio.gather(
        *(plain.transaction(put, key) for key in (1, 2, 2, 3, 1, 4)), return_exceptions=True
    )

    assert sum(isinstance(each, TAKEN) for each in outcomes) == 2
    assert await keys(plain) == [1, 2, 3, 4]


async def test_a_commit_that_fails_fails_for_all_of_its_batch(tmp_path: Path) -> None:
    deferred = (
        "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER NOT NULL);"
        "CREATE TABLE child (t INTEGER REFERENCES t(k) DEFERRABLE INITIALLY DEFERRED)"
    )

    def orphan(connection: Connection) -> None:
        connection.execute("INSERT INTO child (t) VALUES (99)")  # noticed by the COMMIT only

    async with SQLiteDatabase(prepare(tmp_path / "deferred.db", deferred)) as database:
        started, go_on = threading.Event(), threading.Event()
        busy = asyncio.ensure_future(database.transaction(blocking(started, go_on)))
        await asyncio.to_thread(started.wait)
        together = [database.transaction(put, 1), database.transaction(orphan), database.transaction(put, 2)]
        waiting = asyncio.gather(*together, return_exceptions=True)
        await asyncio.sleep(0)  # all three stand behind the busy one, and so make one batch
        go_on.set()

        await busy
        assert all(isinstance(each, sqlite3.IntegrityError) for each in await waiting)
        assert await keys(database) == []
        await database.transaction(put, 3)
        assert await keys(database) == [3]


@ON_BOTH
async def test_a_cancelled_caller_leaves_a_whole_transaction_and_a_free_writer(url: str) -> None:
    async with open_database(url) as database:
        started, go_on = threading.Event(), threading.Event()
        busy = asyncio.ensure_future(database.transaction(blocking(started, go_on)))
        await asyncio.to_thread(started.wait)
        given_up = asyncio.ensure_future(database.transaction(put_pair, 5))
        await asyncio.sleep(0)

        given_up.cancel()
        go_on.set()
        await busy
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await database.transaction(put, 6)

    async with open_database(url) as database:  # nobody waited for what was given up, but the closing
        assert await keys(database) == [-5, 5, 6]


Cancels = list[tuple[int, int]]
CANCELS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 6)), max_size=20)


async def cancel_some(url: str, seed: int, cancels: Cancels) -> None:
    chance = random.Random(seed)
    async with open_database(url) as database:
        await database.transaction(lambda connection: connection.execute("DELETE FROM t"))
        tasks = {key: asyncio.ensure_future(database.transaction(put_pair, key)) for key in range(1, 61)}
        for key, pause in cancels:
            for _ in range(pause):
                await asyncio.sleep(0)
            tasks[key].cancel()
            if chance.random() < 0.3:
                await database.fetch("SELECT count(*) FROM t")
        outcomes = await asyncio.gather(*tasks.values(), return_exceptions=True)
        await database.transaction(put, 1000)  # the writer is free

        found = set(await keys(database))
        for key, outcome in zip(tasks, outcomes, strict=True):
            assert (key in found) == (-key in found)
            assert outcome is not None or key in found


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cancels=CANCELS)
def test_random_cancels_never_leave_half_a_transaction(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cancels: Cancels
) -> None:
    file = prepare(tmp_path_factory.mktemp("cancels") / "t.db")
    asyncio.run(cancel_some(SQLITE + str(file), seed, cancels))


@needs_postgres
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), cancels=CANCELS)
def test_random_cancels_never_leave_half_a_transaction_on_postgres(
    schema_url: str, seed: int, cancels: Cancels
) -> None:
    asyncio.run(cancel_some(schema_url, seed, cancels))


@ON_BOTH
async def test_readers_see_one_moment_and_wait_for_no_writer(plain: Database) -> None:
    started, go_on = threading.Event(), threading.Event()
    for key in range(1, 4):
        await plain.transaction(put_pair, key)

    def look_twice(connection: Connection) -> tuple[int, int]:
        before = connection.rows("SELECT count(*) AS n FROM t")[0]["n"]
        started.set()
        assert go_on.wait(10)
        return before, connection.rows("SELECT count(*) AS n FROM t")[0]["n"]

    looking = asyncio.ensure_future(plain.read(look_twice))
    await asyncio.to_thread(started.wait)
    await plain.transaction(put_pair, 9)  # it is committed while the reader looks
    assert len(await keys(plain)) == 8
    go_on.set()
    assert await looking == (6, 6)


@ON_BOTH
async def test_reads_are_answered_while_the_writer_is_busy(plain: Database) -> None:
    started, go_on = threading.Event(), threading.Event()
    busy = asyncio.ensure_future(plain.transaction(blocking(started, go_on)))
    await asyncio.to_thread(started.wait)

    async with asyncio.timeout(5):
        counts = await asyncio.gather(*(plain.fetch("SELECT count(*) AS n FROM t") for _ in range(20)))
    assert not busy.done()
    assert {rows[0]["n"] for rows in counts} == {0}
    go_on.set()
    await busy


@ON_BOTH
async def test_whoever_may_only_read_cannot_write(plain: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction), match=r"read-?only"):
        await plain.read(put, 1)
    assert await keys(plain) == []
    assert await plain.transaction(put, 1) == 1


@ON_BOTH
async def test_closing_waits_for_what_is_on_its_way(url: str) -> None:
    async with open_database(url) as database:
        tasks = [asyncio.ensure_future(database.transaction(put_pair, key)) for key in range(1, 300)]
        await asyncio.sleep(0)

    await asyncio.gather(*tasks)
    async with open_database(url) as database:
        assert len(await keys(database)) == 2 * 299


@ON_BOTH
async def test_what_comes_after_the_close_is_told_so(url: str) -> None:
    async with open_database(url) as database:
        await database.transaction(put, 1)

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError):
            await database.transaction(put, 2)
        with pytest.raises(RuntimeError):
            await database.fetch("SELECT 1")

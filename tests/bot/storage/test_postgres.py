"""What only PostgreSQL does: broken connections, deadlocks, and addresses that lead nowhere."""

import asyncio
import select
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import pytest_asyncio

from bot.errors import CannotStart
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.members import Exclusive, Member
from bot.storage.postgres import PostgresConnection, PostgresDatabase, connected, translated
from bot.storage.postgres_bus import PostgresBus
from tests.postgres import Emptied, needs_postgres, new_database, new_schema

KILL_MYSELF = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    with new_schema(emptied.url) as url:
        with connected(url) as raw:
            raw.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
            raw.execute("INSERT INTO t (k, v) VALUES (1, 0), (2, 0)")
        yield url


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(url) as database:
        yield database


def add(connection: Connection, key: int) -> None:
    connection.execute("UPDATE t SET v=v+1 WHERE k=:key", key=key)


async def values(database: PostgresDatabase) -> dict[int, int]:
    return {row["k"]: row["v"] for row in await database.fetch("SELECT k, v FROM t")}


def end_all(url: str, database: str = "%") -> None:
    """As a restart of the server ends every connection but this one."""
    with connected(url) as raw:
        raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid<>pg_backend_pid()"
            " AND datname=current_database() AND application_name LIKE %(name)s",
            {"name": database},
        )


# --- statements


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s"),
        ("SELECT ':a', 'it''s :b', \":c\"", "SELECT ':a', 'it''s :b', \":c\""),
        ("SELECT x::text, :a::text", "SELECT x::text, %(a)s::text"),
        ("SELECT 5 % 2 WHERE x LIKE '%:a'", "SELECT 5 %% 2 WHERE x LIKE '%%:a'"),
        ("SELECT 1 -- :a\n, :b", "SELECT 1 -- :a\n, %(b)s"),
    ],
)
def test_only_what_is_a_value_becomes_a_place_for_one(ours: str, theirs: str) -> None:
    assert translated(ours) == theirs


@needs_postgres
async def test_signs_and_sizes_of_every_kind_come_back_as_they_went(database: PostgresDatabase) -> None:
    sql = "SELECT :word AS word, :small AS small, :large AS large, :none::bigint AS none, '100%' AS sign"
    (row,) = await database.fetch(sql, word="it's 100% :word 狐\0", small=1, large=2**62, none=None)

    assert row == {"word": "it's 100% :word 狐", "small": 1, "large": 2**62, "none": None, "sign": "100%"}
    (total,) = await database.fetch("SELECT sum(k) AS n FROM t")
    assert (total["n"], type(total["n"])) == (3, int)


# --- transactions


@needs_postgres
async def test_two_that_block_each_other_both_come_through(database: PostgresDatabase) -> None:
    both = threading.Barrier(2, timeout=10)
    begun: list[int] = []

    def crossing(connection: Connection, first: int, then: int) -> None:
        add(connection, first)
        begun.append(first)
        if len(begun) <= 2:  # the one that is run again meets nobody
            both.wait()
        add(connection, then)

    await asyncio.gather(database.transaction(crossing, 1, 2), database.transaction(crossing, 2, 1))

    assert await values(database) == {1: 2, 2: 2}
    assert len(begun) == 3


@needs_postgres
async def test_a_connection_lost_in_the_middle_is_made_again_and_all_of_it_run_again(
    database: PostgresDatabase,
) -> None:
    runs: list[int] = []

    def losing(connection: Connection) -> str:
        add(connection, 1)
        runs.append(1)
        if len(runs) == 1:
            connection.execute(KILL_MYSELF)
        add(connection, 2)
        return "done"

    assert await database.transaction(losing) == "done"
    assert len(runs) == 2
    assert await values(database) == {1: 1, 2: 1}


@needs_postgres
async def test_a_commit_whose_answer_is_lost_is_told_and_never_repeated(database: PostgresDatabase, url: str) -> None:
    with connected(url) as raw:
        raw.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        raw.execute(
            "CREATE CONSTRAINT TRIGGER losing AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION lose()"
        )
    runs: list[int] = []

    def once(connection: Connection) -> None:
        runs.append(1)
        add(connection, 1)

    with pytest.raises(psycopg.OperationalError):
        await database.transaction(once)
    assert len(runs) == 1
    assert await values(database) == {1: 0, 2: 0}  # and the database is in use again


@needs_postgres
async def test_one_that_was_paused_for_too_long_before_its_commit_is_run_again(database: PostgresDatabase) -> None:
    runs: list[int] = []

    def pausing(connection: Connection) -> None:
        runs.append(1)
        add(connection, 1)
        if len(runs) == 1:
            connection.execute("SET LOCAL idle_in_transaction_session_timeout='50ms'")
            assert isinstance(connection, PostgresConnection)
            select.select([connection.raw.fileno()], [], [], 60)  # the server says that it has ended it

    await database.transaction(pausing)
    assert len(runs) == 2
    assert await values(database) == {1: 1, 2: 0}


@needs_postgres
async def test_a_commit_that_fails_fails_for_its_own_caller_only(database: PostgresDatabase, url: str) -> None:
    with connected(url) as raw:
        raw.execute("CREATE TABLE child (t INTEGER REFERENCES t(k) DEFERRABLE INITIALLY DEFERRED)")

    def orphan(connection: Connection) -> None:
        connection.execute("INSERT INTO child (t) VALUES (99)")  # noticed by the COMMIT only

    outcomes = await asyncio.gather(
        database.transaction(add, 1), database.transaction(orphan), database.transaction(add, 2), return_exceptions=True
    )

    assert [type(each) for each in outcomes] == [type(None), psycopg.errors.ForeignKeyViolation, type(None)]
    assert await values(database) == {1: 1, 2: 1}


@needs_postgres
async def test_an_error_that_a_function_swallows_is_no_commit(database: PostgresDatabase) -> None:
    def careless(connection: Connection) -> str:
        add(connection, 1)
        try:
            connection.execute("INSERT INTO t (k, v) VALUES (1, 1)")
        except psycopg.IntegrityError:
            return "never mind"
        return ""

    with pytest.raises(psycopg.Error):
        await database.transaction(careless)
    assert await values(database) == {1: 0, 2: 0}


@needs_postgres
async def test_a_restart_of_the_server_is_noticed_by_nobody(database: PostgresDatabase, url: str) -> None:
    await asyncio.gather(*(database.transaction(add, 1) for _ in range(12)), *(values(database) for _ in range(6)))

    await asyncio.to_thread(end_all, url)

    await asyncio.gather(*(database.transaction(add, 1) for _ in range(12)), *(values(database) for _ in range(6)))
    assert await values(database) == {1: 24, 2: 0}


# --- the schema


@needs_postgres
def test_several_that_start_at_once_bring_a_new_database_to_this_version_once() -> None:
    with new_database() as url, ThreadPoolExecutor(3) as starts:
        assert schema.current(url) == ""
        assert any(start.result() for start in [starts.submit(schema.migrate, url) for _ in range(3)])

        assert schema.current(url) == schema.head()
        assert not schema.migrate(url)


@needs_postgres
def test_a_database_of_a_newer_program_is_refused_and_left_alone(url: str) -> None:
    with connected(url) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num TEXT)")
        raw.execute("INSERT INTO alembic_version (version_num) VALUES ('9999')")

    with pytest.raises(schema.SchemaError, match=f"9999.*{schema.head()}"):
        schema.migrate(url)
    assert schema.current(url) == "9999"


# --- addresses that lead nowhere


def refusal(url: str) -> str:
    """What is said at the start, the same whoever opens it first."""
    said: set[str] = set()
    member = Member(url, role="all", version="1", head="1")
    for open_it in (
        lambda: schema.migrate(url),
        lambda: asyncio.run(PostgresDatabase(url).__aenter__()),
        lambda: asyncio.run(member.__aenter__()),
        lambda: asyncio.run(PostgresBus(url).__aenter__()),
        lambda: Exclusive(url).__enter__(),
    ):
        with pytest.raises(CannotStart) as caught:
            open_it()
        said.add(str(caught.value))
    (words,) = said
    assert "geheim" not in words
    return words


@contextmanager
def server_that_says(code: str, words: str) -> Iterator[int]:
    """A server that lets nobody in."""

    def answer() -> None:
        while True:
            try:
                talk, _ = server.accept()
            except OSError:
                return
            with talk:
                talk.recv(8)  # for encryption first
                talk.sendall(b"N")
                talk.recv(1024)
                fields = f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode()
                talk.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_wrong_password_is_told_without_it() -> None:
    with server_that_says("28P01", 'password authentication failed for user "bot"') as port:
        words = refusal(f"postgresql://bot:geheim@127.0.0.1:{port}/pictures")

    assert words == f"the database pictures at 127.0.0.1:{port} does not let bot in: wrong name or password"


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    words = refusal(f"postgresql://bot:geheim@127.0.0.1:{port}/pictures")
    assert words == f"the database pictures at 127.0.0.1:{port} cannot be reached (Connection refused)"


@needs_postgres
def test_a_database_that_is_not_there_is_told(emptied: Emptied) -> None:
    words = refusal(emptied.url.rpartition("/")[0] + "/nowhere")

    assert "there is no database nowhere at " in words
    assert words.endswith("; make it first (createdb nowhere)")


@pytest.mark.parametrize("password", ["geheim@1", "geheim/1", "ge:heim@/1", "gehe%zzim"])
def test_a_password_that_cannot_be_read_as_one_is_not_shown(password: str) -> None:
    words = refusal(f"postgresql://bot:{password}@127.0.0.1:1/pictures")

    assert words.startswith("BOT_DATABASE_URL must be like postgresql://user:password@host")

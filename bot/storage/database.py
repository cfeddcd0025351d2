"""Transactions and reads, and SQLite behind them (`bot.storage.postgres` is the other database).

A transaction is one plain synchronous function over a `Connection`, run whole by `Database.transaction`: it commits
when it returns and leaves nothing when it raises. On SQLite all of them go to ONE writer thread, which commits what is
waiting at once (group commit, one fsync for many); a cancelled caller therefore never leaves half a transaction.
Reads are the same kind of function over a few long-lived `query_only` connections, each seeing one consistent moment.
SQL is written once for both databases, with `:name` for values.

SQLAlchemy keeps the schema and migrates it, but no statement passes through it: on SQLite that costs ten times what the
statement itself does (docs/architecture.md, "Storage").
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from bot.storage.connection import Connection, Row

P = ParamSpec("P")
T = TypeVar("T")

# The WAL-reset bug can corrupt a file that two connections write at once (sqlite.org/wal.html, fixed in 3.51.3 and
# back-ported); one writing connection in one process does not meet it, but an operator should know.
SAFE_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
# temp_store: what a savepoint needs to undo a statement is kept in memory instead of a file, a seventh of all its time.
# secure_delete: who is forgotten is overwritten in the file, too, as SQLite does by itself where it is built so.
PRAGMAS = (
    *("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON", "temp_store=MEMORY"),
    "secure_delete=ON",
)
SQLITE = "sqlite:///"
BATCH = 256  # to a commit, at most, when so many wait: some 0.1 s of work
READERS = 3


Transaction = Callable[Concatenate[Connection, P], T]


class Database(Protocol):
    """Where everything is kept. Use as an asynchronous context manager; leaving it finishes what was asked of it.

    shared: other processes may use it at the same time, so nobody may take what another began before its lease ends.
    passing: what may be over in a moment: nobody answers, or there is no room.
    """

    shared: bool
    passing: tuple[type[Exception], ...]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def transaction(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `function(connection, …)` as one transaction and return what it returned, once that is on disk.

        A caller that is cancelled meanwhile does not undo it: it commits or rolls back whole all the same. It may be
        run again from its beginning, so it changes nothing but rows.
        """
        ...

    async def read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `function(connection, …)`, which may only read, as of the last commit; never waits for a writer."""
        ...

    async def fetch(self, sql: str, /, **values: Any) -> list[Row]:
        """The rows of one query, as of the last commit."""
        return await self.read(rows_of, sql, values)


def open_database(url: str) -> Database:
    """By its address, `sqlite:///…` or `postgresql://…`."""
    if url.startswith(SQLITE):
        return SQLiteDatabase(Path(url.removeprefix(SQLITE)))
    from bot.storage.postgres import PostgresDatabase  # a bot on SQLite does not pay for its client

    return PostgresDatabase(url)


def rows_of(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[Row]:
    return connection.rows(sql, **values)


class SQLiteConnection:
    """A `Connection` straight over sqlite3, whose statement cache makes a repeated statement cheap."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    def execute(self, sql: str, /, **values: Any) -> int:
        return self._raw.execute(sql, values).rowcount

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> list[int]:
        return [self._raw.execute(sql, row).rowcount for row in rows]

    def rows(self, sql: str, /, **values: Any) -> list[Row]:
        return self._raw.execute(sql, values).fetchall()

    def row(self, sql: str, /, **values: Any) -> Row | None:
        found: Row | None = self._raw.execute(sql, values).fetchone()
        return found

    lock_row, free_rows = row, rows  # there is one writer

    def lock(self, name: str, /) -> None:
        pass

    def now(self) -> int:
        return time.time_ns() // 1000


class SQLiteDatabase(Database):
    """One file: a writer thread and a few reading connections."""

    shared = False
    passing = (sqlite3.OperationalError,)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._reading = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        writer = await asyncio.to_thread(_connect, self._path)
        self._thread = threading.Thread(target=self._write, args=(writer,), name="database", daemon=True)
        self._thread.start()
        self._readers = ThreadPoolExecutor(READERS, "reader", initializer=self._open_reader)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        for reader in self._opened:
            reader.close()

    async def transaction(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        if self._closed:  # nobody would ever answer
            raise RuntimeError("the database is closed")
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((done, lambda connection: function(connection, *arguments, **named)))
        return await done

    async def read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._loop.run_in_executor(self._readers, lambda: self._read(function, *arguments, **named))

    def _open_reader(self) -> None:
        raw = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        raw.row_factory = sqlite3.Row
        raw.execute("PRAGMA busy_timeout=5000")
        raw.execute("PRAGMA query_only=ON")
        self._opened.append(raw)
        self._reading.raw = raw

    def _read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        raw: sqlite3.Connection = self._reading.raw
        raw.execute("BEGIN")
        try:
            return function(SQLiteConnection(raw), *arguments, **named)
        finally:
            raw.execute("COMMIT")

    def _write(self, raw: sqlite3.Connection) -> None:
        connection = SQLiteConnection(raw)
        while (first := self._waiting.get()) is not None:
            batch, more = self._gather(first)
            outcomes = _commit(raw, connection, batch)
            with suppress(RuntimeError):  # the loop is closed: nobody waits for the answers any more
                self._loop.call_soon_threadsafe(resolve, outcomes)
            if not more:
                break
        raw.close()

    def _gather(self, first: "_Work") -> tuple[list["_Work"], bool]:
        batch = [first]
        with suppress(queue.Empty):
            while len(batch) < BATCH:
                work = self._waiting.get_nowait()
                if work is None:
                    return batch, False
                batch.append(work)
        return batch, True


_Work = tuple["asyncio.Future[Any]", Callable[[Connection], Any]]
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


def read_only(path: Path) -> sqlite3.Connection:
    """For whoever only looks, also beside a running bot and whatever characters the path has."""
    raw = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    raw.row_factory = sqlite3.Row
    return raw


def _connect(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    raw.row_factory = sqlite3.Row
    for pragma in PRAGMAS:
        raw.execute(f"PRAGMA {pragma}")
    return raw


def _commit(raw: sqlite3.Connection, connection: Connection, batch: list[_Work]) -> list[Outcome]:
    """Run each function inside a savepoint of one transaction; if the commit itself fails, all of them have failed."""
    outcomes: list[Outcome] = []
    try:
        raw.execute("BEGIN IMMEDIATE")
        for done, function in batch:
            outcomes.append((done, *_attempt(raw, connection, function)))
        raw.execute("COMMIT")
    except sqlite3.Error as error:
        if raw.in_transaction:
            with suppress(sqlite3.Error):  # nobody would ever be answered if it ended the thread; the next batch tries
                raw.execute("ROLLBACK")
        return [(done, None, error) for done, _ in batch]
    return outcomes


def _attempt(
    raw: sqlite3.Connection, connection: Connection, function: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    raw.execute("SAVEPOINT work")
    try:
        result = function(connection)
    except Exception as error:  # a door: whatever went wrong belongs to the caller, not to the others in the batch
        if not raw.in_transaction:  # a full disk makes SQLite roll the whole transaction back by itself
            raise sqlite3.OperationalError(str(error)) from error
        raw.execute("ROLLBACK TO work")
        raw.execute("RELEASE work")
        return None, error
    raw.execute("RELEASE work")
    return result, None


def resolve(outcomes: list[Outcome]) -> None:
    """Answer those who wait."""
    for done, result, error in outcomes:
        if done.done():  # its caller was cancelled
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

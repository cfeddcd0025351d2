"""PostgreSQL behind the same transactions and reads as SQLite.

A transaction runs whole in a thread, over a connection of that thread's own. Several run at the same time, READ
COMMITTED: what a function read may be another's a moment later, unless it took `lock` or `lock_row`. Where PostgreSQL
breaks one off (a deadlock, a connection lost before the commit) the whole function is run again. Nothing is repeated
once the commit has left: whether it was done cannot be known then, and its caller is told of the failure.
"""

import asyncio
import hashlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Self

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from bot.errors import CannotStart
from bot.storage.connection import Connection, Row
from bot.storage.database import Database, Outcome, P, T, Transaction, resolve

WRITERS, READERS = 6, 3
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # each function sees one moment
MOST_TRIES, PATIENCE = 10, 10.0  # in seconds, where each try has to wait for a network
# Serialization failure, deadlock, paused for too long in the middle: rolled back for certain.
CONFLICTS = {"40001", "40P01", "25P03"}
OPTIONS = {
    "application_name": "seedream-bot",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "target_session_attrs": "read-write",  # a standby is of no use
    # A network that swallows everything is noticed in some 20 s, also where nothing is on its way.
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    # Whoever stops in the middle of a transaction (a paused process) gives its locks back, and so does a lost machine.
    "options": "-c idle_in_transaction_session_timeout=30s -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5"
    " -c tcp_keepalives_count=3",
}
_NAMED = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--[^\n]*|::|:([A-Za-z_]\w*)|%""")
_ADVICE = "BOT_DATABASE_URL must be like postgresql://user:password@host:5432/name, other signs of a password as %40"

Raw = psycopg.Connection[dict[str, Any]]


@lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """The same statement with psycopg's placeholders: `:name` becomes `%(name)s`, but not in quotes or a `::` cast."""

    def place(found: re.Match[str]) -> str:
        return f"%({found[1]})s" if found[1] else found[0].replace("%", "%%")

    return _NAMED.sub(place, sql)


class PostgresConnection:
    """A `Connection` over psycopg, which prepares what is repeated."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._cursor = raw.cursor()

    def execute(self, sql: str, /, **values: Any) -> int:
        return self._run(sql, values).rowcount

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> list[int]:
        if not rows:
            return []
        self._cursor.executemany(_known(translated(sql)), rows, returning=True)
        return [cursor.rowcount for cursor in self._cursor.results()]

    def rows(self, sql: str, /, **values: Any) -> list[Row]:
        return list(self._run(sql, values).fetchall())

    def row(self, sql: str, /, **values: Any) -> Row | None:
        return self._run(sql, values).fetchone()

    def lock_row(self, sql: str, /, **values: Any) -> Row | None:
        return self.row(f"{sql} FOR UPDATE", **values)

    def free_rows(self, sql: str, /, **values: Any) -> list[Row]:
        return self.rows(f"{sql} FOR UPDATE SKIP LOCKED", **values)

    def lock(self, name: str, /) -> None:
        self.execute("SELECT pg_advisory_xact_lock(:key)", key=lock_key(name))

    def now(self) -> int:
        row = self.row("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS now")
        assert row is not None
        return int(row["now"])

    def _run(self, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        return self._cursor.execute(_known(translated(sql)), values)


class PostgresDatabase(Database):
    """A few threads that write and a few that read, each with a connection that it opens when it needs one."""

    shared = True
    passing = (psycopg.OperationalError, psycopg.InterfaceError)

    def __init__(self, url: str) -> None:
        self._url = url
        self._own = threading.local()
        self._opened: list[Raw] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(_try, self._url)
        self._loop = asyncio.get_running_loop()
        self._writers = ThreadPoolExecutor(WRITERS, "writer")
        self._readers = ThreadPoolExecutor(READERS, "reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in (self._writers, self._readers):
            await asyncio.to_thread(pool.shutdown)
        for raw in self._opened:
            raw.close()

    async def transaction(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._in(self._writers, WRITE, lambda connection: function(connection, *arguments, **named))

    async def read(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._in(self._readers, READ, lambda connection: function(connection, *arguments, **named))

    async def _in(self, pool: ThreadPoolExecutor, begin: str, function: Callable[[Connection], T]) -> T:
        """A future of our own: were it the pool's, a cancelled caller would take back what stands in the line."""
        done: asyncio.Future[T] = self._loop.create_future()
        pool.submit(self._answer, done, begin, function)
        return await done

    def _answer(self, done: "asyncio.Future[Any]", begin: str, function: Callable[[Connection], Any]) -> None:
        outcome: Outcome
        try:
            outcome = (done, self._repeat(begin, function), None)
        except Exception as error:  # noqa: BLE001 - a door: whatever went wrong belongs to the caller
            outcome = (done, None, error)
        outcomes: list[Outcome] = [outcome]
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
            self._loop.call_soon_threadsafe(resolve, outcomes)

    def _repeat(self, begin: str, function: Callable[[Connection], T]) -> T:
        until = time.monotonic() + PATIENCE
        for tries in range(MOST_TRIES):
            try:
                return self._once(begin, function)
            except _TryAgain as again:
                if tries + 1 == MOST_TRIES or time.monotonic() > until:
                    raise again.error from None
            time.sleep(random.uniform(0.5, 1.0) * 0.01 * 2 ** min(tries, 6))  # 2 s, all together
        raise AssertionError("unreachable")

    def _once(self, begin: str, function: Callable[[Connection], T]) -> T:
        try:
            raw = self._connected()
            raw.execute(begin)
        except psycopg.OperationalError as error:
            raise _TryAgain(error) from error
        try:
            result = function(PostgresConnection(raw))
        except psycopg.Error as error:
            _roll_back(raw)
            if raw.closed or error.sqlstate in CONFLICTS:
                raise _TryAgain(error) from error
            raise
        except BaseException:
            _roll_back(raw)
            raise
        try:
            if raw.execute("COMMIT").statusmessage != "COMMIT":  # a failed statement whose error was swallowed
                raise psycopg.errors.InFailedSqlTransaction("nothing was committed")
        except psycopg.Error as error:
            if error.sqlstate in CONFLICTS:
                raise _TryAgain(error) from error
            raise
        return result

    def _connected(self) -> Raw:
        raw: Raw | None = getattr(self._own, "raw", None)
        if raw is None or raw.closed:
            if raw is not None:
                self._opened.remove(raw)
                self._own.raw = None
            raw = self._own.raw = connect(self._url)
            self._opened.append(raw)
        return raw


class _TryAgain(Exception):
    """The transaction is rolled back for certain, and may go well the next time."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


class _Text(StrDumper):
    """PostgreSQL's text cannot have the character NUL, which SQLite keeps and nobody can see."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", ""))


class _Whole(Loader):
    """A sum of numbers is as whole as they are."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(url: str, **options: str) -> Raw:
    """A connection of ours, but for what the address itself says. Raises `CannotStart` for what is no address."""
    joined = parameters(url, **options)
    raw: Raw = psycopg.connect("", autocommit=True, row_factory=dict_row, **joined)  # type: ignore[arg-type]
    raw.prepared_max = 500
    raw.adapters.register_dumper(str, _Text)
    raw.adapters.register_dumper(int, Int8Dumper)  # one type for every size, or each would be prepared by itself
    raw.adapters.register_loader("numeric", _Whole)
    return raw


def parameters(url: str, **options: str) -> dict[str, str]:
    """How to connect: as all of ours do, but for what the address itself says, and these options."""
    given = _parts(url)
    return {**OPTIONS, **given, **options, "options": f"{OPTIONS['options']} {given.get('options', '')}"}


@contextmanager
def connected(url: str, **options: str) -> Iterator[Raw]:
    """For a moment, by whoever cannot go on without. Raises `CannotStart`."""
    try:
        raw = connect(url, **options)
    except psycopg.OperationalError as error:
        raise CannotStart(reason(error, url)) from error
    with raw:
        yield raw


def _try(url: str) -> None:
    with connected(url):
        pass


def where(url: str) -> str:
    """The database as an operator may be told of it: without its password."""
    given = _parts(url)
    return f"{given.get('dbname', 'PostgreSQL')} at {given.get('host', 'localhost')}:{given.get('port', 5432)}"


def reason(error: psycopg.OperationalError, url: str) -> str:
    """Why there is no connection, in a clause."""
    given, lines = _parts(url), str(error).strip().splitlines() or [type(error).__name__]
    told = next((line for line in lines if "FATAL:" in line), lines[0])
    told = re.split(r"FATAL:|failed: ", told)[-1].strip().rstrip(".")
    if "password" in told or "authentication" in told:
        return f"the database {where(url)} does not let {given.get('user', 'this user')} in: wrong name or password"
    if re.search(r"database .* does not exist", told):
        return f"there is no database {where(url)}; make it first (createdb {given.get('dbname', '')})"
    return f"the database {where(url)} cannot be reached ({told})"


def lock_key(name: str) -> int:
    """The number by which PostgreSQL knows a lock."""
    return int.from_bytes(hashlib.sha256(f"seedream-bot {name}".encode()).digest()[:8], signed=True)


def _parts(url: str) -> dict[str, str]:
    """What the address says. Raises `CannotStart` where a sign of the password seems to have been taken for another."""
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:  # its words may quote a part of the password
        raise CannotStart(_ADVICE) from None
    elsewhere = "".join(given.get(name, "") for name in ("host", "port", "dbname"))
    if "@" in elsewhere or not re.fullmatch(r"[\d,]*", given.get("port", "")):
        raise CannotStart(_ADVICE)
    return given


def _known(sql: str) -> Any:
    """psycopg's types take literal statements only; ours are put together from constants of the code."""
    return sql


def _roll_back(raw: Raw) -> None:
    try:
        raw.execute("ROLLBACK")
    except psycopg.Error:  # the connection is lost: the server rolls back by itself
        raw.close()

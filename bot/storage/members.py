"""Which processes use a PostgreSQL database: each is seen while it lives, and missed when it is gone.

A process holds a lock of its own, over one connection, for as long as it lives, and writes down every few seconds that
it is there. Others that find its lock free and have not seen it for a while void its leases, so that what it was doing
is taken over at once. One that is paused or cut off keeps its lock; its leases run out by themselves.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Self

import psycopg
import structlog

from bot.errors import CannotStart
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresConnection, Raw, connected, reason, where
from bot.storage.session import Session, configure, holders, key_of, own_name, pause, take

log = structlog.get_logger(__name__)

BEAT = 3.0
UNSEEN = 10.0  # more than a lost connection takes to come back
WARM_UP = 30.0  # after a start of the server everybody is without a connection for a moment
PATIENCE = 2.0  # the server needs a moment to miss a process that was killed
LAST_WORDS = 2.0
CLOCKS_MAY_DIFFER = 60.0
IN_USE = "in use"
# A network that is cut for a while does not end this connection, and so does not free its lock; a machine that is lost
# does after a minute. Both ends are to know it.
SURVIVES = 60.0
_HERE = {
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "4",
    "tcp_user_timeout": "60000",
}
_THERE = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "60000",
    "lock_timeout": "5s",  # a beat does not wait for a table that is being changed
}
_VOID = (  # whatever a process works on; each is found by an index
    "UPDATE generations SET lease_until=0"
    " WHERE state IN ('running', 'sending', 'submitted') AND owner=:id AND lease_until>0",
    # Two statements: the index of each is for one state alone.
    "UPDATE postings SET lease_until=0 WHERE state='to post' AND owner=:id AND lease_until>0",
    "UPDATE postings SET lease_until=0 WHERE state='posting' AND owner=:id AND lease_until>0",
    # What stands is worked on while it shows progress.
    "UPDATE postings SET lease_until=0 WHERE owner=:id AND lease_until>0 AND generation IN"
    " (SELECT id FROM generations WHERE state IN ('queued', 'running', 'sending', 'submitted'))",
    "UPDATE inbox SET lease_until=0 WHERE state='received' AND owner=:id AND lease_until>0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """unseen: for how many seconds nobody has seen it, by the database's clock."""

    id: str
    role: str
    version: str
    host: str
    pid: int
    started_at: int
    seen_at: int
    unseen: float


def present(connection: Connection) -> list[Process]:
    """Those that have not left and are not missed yet."""
    now = connection.now()
    rows = connection.rows(  # by name: a newer version may have added others
        "SELECT id, role, version, host, pid, started_at, seen_at FROM processes ORDER BY role, started_at, id"
    )
    return [Process(**row, unseen=max(0, now - row["seen_at"]) / 1_000_000) for row in rows]


class Member:
    """Use as an asynchronous context manager; raises `CannotStart` where somebody has the database for himself.

    id: of this process, as an owner of leases. head: the newest revision of the schema that this program knows. Leaving
    takes the process from the list and gives back the leases that are still its own: whatever works under them has
    ended by then. Where the schema is not there yet, the process is in the list with the first beat after that. before:
    the id of a process that is known to have ended; it is missed as soon as its lock is free.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str,
        version: str,
        head: str,
        before: str = "",
        beat: float = BEAT,
        unseen: float = UNSEEN,
        warm_up: float = WARM_UP,
        survives: float = SURVIVES,
        patience: float = PATIENCE,
    ) -> None:
        self._url = url
        self._role, self._version, self._head = role, version, head
        self._before = before
        self._beat, self._unseen, self._warm_up = beat, unseen, warm_up
        self._survives, self._patience = survives, patience
        self._host, self._pid = socket.gethostname(), os.getpid()
        self.id = f"{self._host[:40]}:{self._pid}:{secrets.token_hex(3)}"
        self._locked = False
        self._there_since = time.monotonic()
        self._was_lost = False
        self._superseded = False
        self._tell: list[Callable[[], None]] = []
        self._known_versions = {version}
        self._clock_told = False
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = self._new_session()
        try:
            found = await self._session.run(self._enter)
        except psycopg.OperationalError as error:
            self._session.close()
            raise CannotStart(reason(error, self._url)) from error
        except BaseException:
            self._session.close()
            raise
        self._judge(found)
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        try:
            await asyncio.wait((self._keeping,), timeout=LAST_WORDS)
            if self._keeping.done() and not self._session.ended:
                with suppress(psycopg.Error, OSError):  # then others miss it
                    await self._session.run(self._leave, within=LAST_WORDS)
        finally:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._session.close()

    def when_superseded(self, tell: Callable[[], None]) -> None:
        """Be told, once, when this process may only come to its end: the database is a newer version's, or somebody has
        it for himself.
        """
        self._tell.append(tell)
        if self._superseded:
            tell()

    async def others(self) -> list[Process]:
        """The other processes on this database. Raises `psycopg.Error` where it does not answer."""
        session = Session(self._url)
        try:
            return await session.run(self._others)
        finally:
            session.close()

    async def _keep(self) -> None:
        tries = 0
        while not await self._stops_within(pause(tries) if tries else self._beat):
            try:
                found = await self._session.run(self._look, within=self._survives)
            except (psycopg.Error, OSError) as error:
                if not tries:
                    log.warning("the database does not answer", problem=type(error).__name__)
                tries += 1
                if self._session.ended:
                    self._session.close()
                    self._session, self._locked, self._was_lost = self._new_session(), False, True
            except Exception:  # a door: whoever is not seen counts as gone
                log.exception("a sign of life failed")
                tries += 1
            else:
                tries = 0
                self._judge(found)

    async def _stops_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self._stop.is_set()

    def _new_session(self) -> Session:
        return Session(self._url, options=_HERE, settings=_THERE)

    def _judge(self, found: "_Found") -> None:
        for each in found.others:
            if each.version not in self._known_versions:
                self._known_versions.add(each.version)
                log.warning(
                    "another process is of another version", process=each.id, version=each.version, own=self._version
                )
        if abs(found.ahead) > CLOCKS_MAY_DIFFER and not self._clock_told:
            self._clock_told = True
            log.warning("this machine's clock differs from the database's; let both be set by NTP", ahead=found.ahead)
        for gone in found.buried:
            log.warning("a process is gone; others take over what it was doing", process=gone)
        if found.excluded_by:
            self._supersede(
                "the database is in use by somebody who needs it for himself; nothing more is accepted here",
                by=found.excluded_by,
            )
        elif found.revision > self._head:
            self._supersede(
                "a newer version has changed the database; restart this process with it",
                database=found.revision,
                known=self._head,
            )

    def _supersede(self, event: str, **fields: str) -> None:
        if self._superseded:
            return
        self._superseded = True
        log.error(event, **fields)
        for tell in self._tell:
            tell()

    # --- in the session's thread

    def _enter(self, raw: Raw) -> "_Found":
        until = time.monotonic() + self._patience
        while (found := self._look(raw)).excluded_by:
            if time.monotonic() > until:
                raise CannotStart(
                    f"the database {where(self._url)} is in use by {found.excluded_by}, which needs it for itself;"
                    " wait until it has ended"
                )
            time.sleep(0.1)
        return found

    def _look(self, raw: Raw) -> "_Found":
        if not self._locked:
            self._there_since = time.monotonic()
            key = key_of(raw, IN_USE)
            if not take(raw, key, shared=True):
                return _Found(excluded_by=", ".join(holders(raw, key)) or "another process")
            # The server may not have missed the connection before this one; its lock does as well meanwhile.
            self._locked = take(raw, key_of(raw, _own_lock(self.id)))
        connection = PostgresConnection(raw)
        if not _is_there(connection):
            return _Found()
        ahead = round(time.time() - self._write(connection) / 1_000_000)
        buried = self._bury(raw, connection)
        row = connection.row("SELECT version_num FROM alembic_version")
        revision = str(row["version_num"]) if row else ""
        return _Found(others=self._others(raw), buried=buried, revision=revision, ahead=ahead)

    def _write(self, connection: Connection) -> int:
        now = connection.now()
        connection.execute(
            "INSERT INTO processes (id, role, version, host, pid, started_at, seen_at)"
            " VALUES (:id, :role, :version, :host, :pid, :now, :now) ON CONFLICT (id) DO UPDATE SET seen_at=:now",
            id=self.id,
            role=self._role,
            version=self._version,
            host=self._host,
            pid=self._pid,
            now=now,
        )
        return now

    def _bury(self, raw: Raw, connection: Connection) -> tuple[str, ...]:
        # What ended this connection, or kept it from being made, may have done so to everybody: a crash of one of the
        # server's own processes ends all, and is no start of the server. Others come back later.
        early = time.monotonic() < self._there_since + (self._warm_up if self._was_lost else self._unseen)
        missed = connection.rows(
            "SELECT id, seen_at FROM processes WHERE id=:ended OR (id<>:own AND seen_at<:before"
            " AND clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => :warm_up))",
            own=self.id,
            ended=self._before,  # it will not come back
            before=0 if early else connection.now() - round(self._unseen * 1_000_000),
            warm_up=self._warm_up,
        )
        buried = []
        for row in missed:
            with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):  # then with the next beat
                if _buried(raw, connection, row["id"], row["seen_at"]):
                    buried.append(row["id"])
        if self._before and all(row["id"] != self._before for row in missed):
            # Buried by another, or killed before it was in the list, whose table its own start had just made.
            with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if _buried(raw, connection, self._before):
                    self._before = ""
        return tuple(buried)

    def _others(self, raw: Raw) -> list[Process]:
        connection = PostgresConnection(raw)
        return [each for each in present(connection) if each.id != self.id] if _is_there(connection) else []

    def _leave(self, raw: Raw) -> None:
        connection = PostgresConnection(raw)
        if _is_there(connection):
            with raw.transaction():
                _void(connection, self.id)


class Exclusive:
    """Use as a context manager: nobody else uses the database within it. Raises `CannotStart`, naming who does."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            raw = stack.enter_context(connected(self._url, application_name=own_name(), **_HERE))
            configure(raw, settings=_THERE)
            key, until = key_of(raw, IN_USE), time.monotonic() + self._patience
            while not take(raw, key):
                if time.monotonic() > until:
                    users = ", ".join(holders(raw, key)) or "another process"
                    raise CannotStart(f"the database {where(self._url)} is in use by {users}; stop it first")
                time.sleep(0.1)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a beat saw. excluded_by: who has the database for himself. ahead: seconds of this machine's clock."""

    others: tuple[Process, ...] | list[Process] = ()
    buried: tuple[str, ...] = ()
    revision: str = ""
    ahead: int = 0
    excluded_by: str = ""


def _own_lock(process: str) -> str:
    return f"process {process}"


def _is_there(connection: Connection) -> bool:
    row = connection.row("SELECT to_regclass('processes') AS found")
    return row is not None and row["found"] is not None


def _buried(raw: Raw, connection: Connection, process: str, seen_at: int | None = None) -> bool:
    """False for one that lives, or that another has just buried. seen_at: None for one that is not in the list."""
    with raw.transaction():
        key = {"key": key_of(raw, _own_lock(process))}
        taken = raw.execute("SELECT pg_try_advisory_xact_lock(%(key)s) AS taken", key).fetchone()
        if not taken or not taken["taken"]:
            return False
        row = "SELECT id FROM processes WHERE id=:id AND seen_at=:at"
        if seen_at is not None and not connection.lock_row(row, id=process, at=seen_at):
            return False
        _void(connection, process)
    return True


def _void(connection: Connection, process: str) -> None:
    for statement in _VOID:
        connection.execute(statement, id=process)
    connection.execute("DELETE FROM processes WHERE id=:id", id=process)

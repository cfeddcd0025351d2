"""A connection to PostgreSQL that is kept for what its session has: locks, or an ear for notifications.

Each thing that is asked of it runs in a thread of its own and has a time limit. What does not answer in time, or is
left in the middle, ends the connection: nobody waits for a network that hangs, neither the loop nor a stop.
"""

import asyncio
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from bot.storage.database import Outcome, resolve
from bot.storage.postgres import Raw, connect, lock_key

T = TypeVar("T")

LIMIT = 10.0  # for what a server that is there answers at once
LONGEST_PAUSE = 5.0  # between two attempts to reach it
IDLE_TIMEOUTS = 140000  # the version since which the server can end sessions that ask nothing
_HOLDERS = (
    "SELECT DISTINCT a.pid, a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a ON a.pid=l.pid"
    " WHERE l.granted AND l.locktype='advisory' AND l.objsubid=1 AND l.pid<>pg_backend_pid()"
    " AND l.database=(SELECT oid FROM pg_database WHERE datname=current_database())"
    " AND (l.classid::bigint << 32) + l.objid::bigint=%(key)s ORDER BY a.pid"
)


class Session:
    """One connection, made by the first `run` and never made again; whoever needs another one takes another session.

    idle: after so many seconds without a question the server ends it (0: never). options: of the connection, at this
    end. settings: of the session, at the server's.
    """

    def __init__(
        self,
        url: str,
        *,
        idle: float = 0.0,
        options: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._connect: Callable[[], Raw] = lambda: connect(url, **{"application_name": own_name(), **(options or {})})
        self._idle = idle
        self._settings = settings or {}
        self._guard = threading.Lock()
        self._raw: Raw | None = None
        self._tap: socket.socket | None = None
        self._working = False
        self._over = False

    async def run(self, function: Callable[[Raw], T], *, within: float = LIMIT) -> T:
        """What `function(connection)` returns; one at a time. Raises `psycopg.Error`; also, with the connection ended,
        where it takes longer.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        try:
            threading.Thread(target=self._work, args=(loop, done, function), name="session", daemon=True).start()
        except RuntimeError as error:  # too many of them on this machine
            raise psycopg.OperationalError("there is no thread for it") from error
        try:
            async with asyncio.timeout(within):
                return await done
        except TimeoutError:
            self.close()
            raise psycopg.OperationalError("it does not answer") from None
        except asyncio.CancelledError:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        return self._over or (self._raw is not None and self._raw.closed)

    def close(self) -> None:
        """End it at once, whatever it is in the middle of; the server gives free what it had."""
        with self._guard:
            self._over = True
            if not self._working:
                self._finish()
            elif self._tap is not None:
                with suppress(OSError):  # it ended by itself
                    self._tap.shutdown(socket.SHUT_RDWR)  # whoever waits for an answer wakes up

    def _work(
        self, loop: asyncio.AbstractEventLoop, done: "asyncio.Future[Any]", function: Callable[[Raw], Any]
    ) -> None:
        outcome: Outcome
        try:
            outcome = (done, self._ask(function), None)
        except Exception as error:  # noqa: BLE001 - a door: whatever went wrong belongs to the caller
            outcome = (done, None, error)
        outcomes: list[Outcome] = [outcome]
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
            loop.call_soon_threadsafe(resolve, outcomes)

    def _ask(self, function: Callable[[Raw], T]) -> T:
        with self._guard:
            self._check()
            self._working = True
        try:
            return function(self._raw or self._connected())
        finally:
            with self._guard:
                self._working = False
                if self._over:
                    self._finish()

    def _connected(self) -> Raw:
        raw = self._connect()
        with self._guard:
            self._raw = raw
            # A handle of our own: the client's may be the number of another file by the time it is used.
            self._tap = socket.fromfd(raw.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            self._check()  # it may have been given up meanwhile
        try:
            configure(raw, idle=self._idle, settings=self._settings)
        except psycopg.Error:
            self.close()
            raise
        return raw

    def _check(self) -> None:
        if self._over:
            raise psycopg.OperationalError("the connection is closed")

    def _finish(self) -> None:
        if self._raw is not None:
            self._raw.close()
        if self._tap is not None:
            self._tap.close()


def configure(raw: Raw, *, idle: float = 0.0, settings: Mapping[str, str]) -> None:
    """For as long as the session lasts; whatever the server's own settings say of sessions that ask nothing."""
    named = dict(settings)
    if raw.info.server_version >= IDLE_TIMEOUTS:
        named["idle_session_timeout"] = f"{round(idle * 1000)}ms"
    for each in named.items():
        raw.execute("SELECT set_config(%s, %s, false)", each)


def own_name() -> str:
    """As which the server shows this process to others."""
    return f"seedream-bot {os.getpid()} on {socket.gethostname()}"[:63]


def own_schema(raw: Raw) -> str:
    """Several bots may share a database, each with a schema of its own; locks and channels belong to all of it."""
    row = raw.execute("SELECT current_schema() AS name").fetchone()
    return str(row["name"]) if row else ""


def key_of(raw: Raw, name: str) -> int:
    return lock_key(f"{name} in {own_schema(raw)}")


def take(raw: Raw, key: int, *, shared: bool = False) -> bool:
    """Have this lock for as long as the session lasts; False where another one has it."""
    kind = "_shared" if shared else ""
    row = raw.execute(f"SELECT pg_try_advisory_lock{kind}(%(key)s) AS taken", {"key": key}).fetchone()
    return bool(row and row["taken"])


def holders(raw: Raw, key: int) -> list[str]:
    """Who else has this lock, as far as that is told."""
    return [str(row["name"] or "another process") for row in raw.execute(_HOLDERS, {"key": key}).fetchall()]


def pause(tries: int) -> float:
    """How long to leave a server alone that did not answer so many times."""
    return random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, 0.1 * 2.0 ** min(tries, 10))


def certain_time() -> float:
    """Seconds that go on while the machine sleeps, where it tells."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()

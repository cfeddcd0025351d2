"""A PostgreSQL server to measure on: databases of our own, and the processor time that the server spends on one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bot.storage import postgres
from bot.storage.postgres import Raw

NAMES = ("BOT_BENCH_POSTGRES_URL", "BOT_TEST_POSTGRES_URL")


def address() -> str:
    """Of the server to measure on, "" where none is named."""
    return next((os.environ[name] for name in NAMES if os.environ.get(name)), "")


@contextmanager
def new_database(server: str, template: str = "template1") -> Iterator[str]:
    """The address of a new database, which is dropped afterwards. template: its name, or the address of another one."""
    name, like = f"seedream_bench_{secrets.token_hex(6)}", urlsplit(template).path.removeprefix("/")
    with postgres.connected(server) as raw:
        raw.execute(f"CREATE DATABASE {name} TEMPLATE {like or template}".encode())
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with postgres.connected(server) as raw:
            raw.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Backends:
    """Processor time of the server's processes that work on one database, autovacuum's too; not of the one that asks.

    What they write in common (the checkpointer, the writer of the log) is not counted. One that comes and goes between
    two looks is missed, so look often.
    """

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._before = self._times()
        self._last = dict(self._before)

    def look(self) -> None:
        self._last |= self._times()

    @property
    def there(self) -> int:
        """How many connections there are."""
        return len(self._times())

    @property
    def seconds(self) -> float | None:
        """Since the beginning; None where the server is on another machine."""
        self.look()
        if not self._last:
            return None
        return sum(last - self._before.get(pid, 0) for pid, last in self._last.items()) / 1e9

    def _times(self) -> dict[int, int]:
        rows = self._raw.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname=current_database() AND pid<>pg_backend_pid()"
        )
        times = {row["pid"]: _nanoseconds(row["pid"]) for row in rows}
        return {pid: time for pid, time in times.items() if time is not None}


def _nanoseconds(pid: int) -> int | None:
    process = Path("/proc") / str(pid)
    try:
        if (process / "comm").read_text() != "postgres\n":
            return None
        return int((process / "schedstat").read_text().split()[0])
    except OSError:  # it has just ended
        return None

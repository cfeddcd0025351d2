"""The product's group commit on a file whose every write, truncation, sync and deletion is recorded.

The product's SQLite lets nobody look under it, so this one is APSW's own (3.51.3 or newer); what is recorded is read
back by the product's. Functions, statements, savepoints and pragmas are the product's.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

import apsw

from bench.runs.power_books import contents
from bench.runs.power_disk import Acknowledged, Deleted, Event, Synced, Truncated, Written
from bot.storage import database
from bot.storage.connection import Row
from bot.storage.database import PRAGMAS, P, SQLiteConnection, T, Transaction, resolve

TOGETHER = 6  # transactions to a commit, at most: many commits are worth more here than large ones


class Recording(apsw.VFS):
    """As the system's own, and every change of a named file is appended to `events` once it was made."""

    def __init__(self, events: list[Event]) -> None:
        self.name = f"recording-{id(self)}"
        self.events = events
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:
            raise NotImplementedError("a temporary file: with temp_store=MEMORY there is none")
        return _RecordedFile(name, flags, self.events)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.events.append(Deleted(Path(filename).name, bool(syncdir)))


class _RecordedFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename, flags: list[int], events: list[Event]) -> None:
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        self._events = events
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._events.append(Written(self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._events.append(Truncated(self._name, newsize))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._events.append(Synced(self._name))


class Recorded:
    """Commits in the caller's own thread, so that a seed decides what is committed together.

    pragmas: besides the product's, and after them.
    """

    def __init__(self, path: Path, events: list[Event], *, pragmas: Sequence[str] = (), seed: int = 0) -> None:
        self._path = path
        self._events = events
        self._pragmas = (*PRAGMAS, *pragmas)
        self._random = Random(seed)
        self._waiting: list[database._Work] = []

    async def __aenter__(self) -> Self:
        self._vfs = Recording(self._events)
        self._db = apsw.Connection(str(self._path), vfs=self._vfs.name)
        for pragma in self._pragmas:
            self.pragma(pragma)
        self._acknowledge(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._db.close()
        self._vfs.unregister()

    def pragma(self, pragma: str) -> None:
        self._db.execute(f"PRAGMA {pragma}").fetchall()

    async def transaction(self, function: Transaction[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        self._waiting.append((done, lambda connection: function(connection, *arguments, **named)))
        return await done

    def _commit(self) -> None:
        batch = self._waiting[: self._random.randint(1, TOGETHER)]
        raw: Any = _Raw(self._db)
        outcomes = database._commit(raw, SQLiteConnection(raw), batch)
        # It is told as soon as the commit has returned: from here on the power may fail.
        self._acknowledge(sum(1 for _, _, error in outcomes if error is None))
        resolve(outcomes)
        del self._waiting[: len(batch)]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)

    def _acknowledge(self, transactions: int) -> None:
        self._events.append(Acknowledged(transactions, contents(self._db.execute)))


class _Raw:
    """APSW's connection as far as the product uses sqlite3's."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> "_Cursor":
        return _Cursor(self._db, self._db.execute(sql, values))

    def executemany(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._db.executemany(sql, rows)


class _Cursor:
    def __init__(self, db: apsw.Connection, cursor: apsw.Cursor) -> None:
        self._cursor = cursor
        self.rowcount = db.changes()

    def fetchall(self) -> list[Row]:
        return [self._row(row) for row in self._cursor]

    def fetchone(self) -> Row | None:
        row = self._cursor.fetchone()
        return None if row is None else self._row(row)

    def _row(self, row: tuple[Any, ...]) -> Row:
        return dict(zip((column for column, _ in self._cursor.get_description()), row, strict=True))

"""`seedream-bot move`: everything that a file of SQLite holds, into an empty database on PostgreSQL.

It goes in parts. Each is one transaction that also notes in the target how far the move is, so after a kill the next
call goes on behind the last one; no bot starts on a target with that note. Once everything is there and proven, the
file gets a mark on which no bot starts, and only then the note is taken away: at no moment both may be used.
"""

import asyncio
import hashlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from bot.errors import CannotStart
from bot.ops.folder import MOVED, MOVING, database_place, reading
from bot.ops.ownership import Ownership
from bot.quota.audit import Books, verify
from bot.settings import Settings
from bot.storage import schema
from bot.storage.database import SQLiteConnection, read_only
from bot.storage.members import Exclusive
from bot.storage.postgres import Raw, connected, reason, where

PART = 10_000  # rows to a transaction: a kill costs at most so many
TELL_EVERY = 10.0
PATIENCE = 5.0  # with others who have the file open
STORED = {"TEXT": "text", "BIGINT": "integer", "INTEGER": "integer"}  # as SQLite calls what such a column should hold
NOT_MOVED = {"alembic_version", "processes"}  # the schema's own, and who is at work on this very database
# What a new database holds already.
AS_NEW: Mapping[str, LiteralString] = {
    "meta": "name='turn' AND value='0' OR name='zones'",  # which the first start notes
    "chat_revisions": "last=0",
}
_TABLES = (  # but for those of an extension
    "SELECT relname FROM pg_class WHERE relnamespace=current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid='pg_class'::regclass AND objid=pg_class.oid"
    " AND deptype='e') ORDER BY relname"
)

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the target says about itself during a move.

    digest: of the file that is copied. copied: how many rows of each table are there.
    """

    file: str
    digest: str
    copied: Mapping[str, int] = field(default_factory=dict)

    def written(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """key: what its rows are sorted by, in the same way at each call."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]
    rows: int


async def move(settings: Settings, to: str, tell: Tell) -> int:
    """Move everything to the database with this address; returns 1 where the books did not agree before, either.

    Raises `CannotStart`; then, as after a kill, the file is still what a bot may use, and the next call goes on.
    """
    place = database_place(settings)
    if isinstance(place, str):
        raise CannotStart("BOT_DATABASE_URL is not a file: leave it as it was until everything has been moved")
    if not to.startswith("postgresql://"):
        raise CannotStart("the address to move to must be like postgresql://user:password@host:5432/name")
    source = place.absolute()
    _check_source(source)
    stop = threading.Event()
    with Ownership(settings.data_dir):
        work = asyncio.create_task(asyncio.to_thread(_move, source, to, tell, stop))
        try:
            books = await asyncio.shield(work)
        finally:
            stop.set()
            await asyncio.gather(work, return_exceptions=True)  # the part on its way still needs the folder to itself
    for problem in books.problems:
        tell(problem)
    agree = "do not agree, as before" if books.problems else "agree"
    tell(
        f"All is moved. The books {agree}: {books.accounts} accounts, {books.entries} entries, {books.held} open holds."
    )
    tell(f"Now set BOT_DATABASE_URL to the address of {where(to)}, and start the bot.")
    if settings.blobs_url.startswith("file:"):
        tell("The pictures stay where they are: leave BOT_DATA_DIR and BOT_BLOBS_URL as they were.")
    return int(bool(books.problems))


def _alone_on(url: str) -> AbstractContextManager[object]:
    """No bot uses the database within this block. Raises `CannotStart` where one does."""
    return Exclusive(url)


def _move(source: Path, to: str, tell: Tell, stop: threading.Event) -> Books:
    with _told_in_one_sentence(source, to), _alone_on(to), connected(to) as raw:
        raw.execute("SET synchronous_commit=on")  # the mark in the file must not outlive what it stands for
        note, mark = _find_note(raw, to), _find_mark(source)
        if mark is None:
            if note is None:
                _check_empty(raw, to)
            books = _move_all(source, raw, to, note, tell, stop)
        elif note is None or note.digest != mark["digest"]:
            raise CannotStart(f"{source} was moved to {mark['to']} before: set BOT_DATABASE_URL to its address")
        else:  # the last call was ended just before this
            with reading(to) as connection:
                books = verify(connection)
        raw.execute("DELETE FROM meta WHERE name=%s", (MOVING,))
    return books


def _move_all(source: Path, raw: Raw, to: str, note: Note | None, tell: Tell, stop: threading.Event) -> Books:
    schema.migrate(source)
    with _held(source) as (file, digest):
        tables = list(_tables(file))
        if note and note.digest != digest:
            if note.file != str(source):
                raise CannotStart(
                    f"a move of {note.file} to {where(to)} has begun: let it come to its end, or give {source} a"
                    " database of its own"
                )
            tell(f"{source} has changed since it was copied, so all of it is copied again.")
        if note is None or note.digest != digest:
            note = _begin(raw, to, tables, Note(file=str(source), digest=digest), again=note is not None)
        there, total = sum(note.copied.values()), sum(table.rows for table in tables)
        tell(f"Copying {total - there:,} of {total:,} rows to {where(to)}; ended on the way, the next call goes on.")
        for table in tables:
            note = _copy(file, raw, table, note, tell, stop)
        _continue_numbers(file, raw, tables)
        tell("Comparing the rows, and proving the books.")
        books = _prove(file, raw, to, tables, tell)
        _check_wanted(stop)
        _mark(file, to, digest)
    return books


def _check_wanted(stop: threading.Event) -> None:
    if stop.is_set():
        raise CannotStart("it was ended before everything was moved; the next call goes on")


# --- what is there at the beginning


def _check_source(source: Path) -> None:
    if not source.exists():
        raise CannotStart(f"there is no database at {source}")
    version, newest = schema.current(source), schema.head()
    if not version:
        raise CannotStart(f"{source} is not a bot's database")
    if version > newest:
        raise CannotStart(_too_new(str(source), version))


def _find_mark(source: Path) -> Mapping[str, str] | None:
    with closing(read_only(source)) as file:
        row = file.execute("SELECT value FROM meta WHERE name=?", (MOVED,)).fetchone()
    return json.loads(row["value"]) if row else None


def _find_note(raw: Raw, to: str) -> Note | None:
    if not _is_ours(schema.current(to)):
        return None
    row = raw.execute("SELECT value FROM meta WHERE name=%s", (MOVING,)).fetchone()
    return Note(**json.loads(row["value"])) if row else None


def _check_empty(raw: Raw, to: str) -> None:
    """Nobody has kept anything there, with our tables or without."""
    version = schema.current(to)
    for name in _names(raw):
        if not _is_ours(version) or _is_in_use(raw, name):
            raise CannotStart(f"{where(to)} is not empty: it has a table {name}; make a new database for the bot")
    if version > schema.head():
        raise CannotStart(_too_new(where(to), version))
    ((encoding, allowed),) = raw.cursor(row_factory=tuple_row).execute(
        "SELECT current_setting('server_encoding'), has_schema_privilege(current_schema(), 'CREATE')"
    )
    if encoding != "UTF8":
        raise CannotStart(f"{where(to)} is in {encoding}, which cannot keep what people write: make it anew in UTF8")
    if not allowed:
        raise CannotStart(f"this user may make no tables in {where(to)}: make it the owner of that database")


def _names(raw: Raw) -> list[str]:
    return [name for (name,) in raw.cursor(row_factory=tuple_row).execute(_TABLES)]


def _is_in_use(raw: Raw, table: str) -> bool:
    if table in NOT_MOVED or table.startswith("procrastinate_"):  # whose work is only that of rows of ours
        return False
    new = SQL(AS_NEW.get(table, "false"))
    query = SQL("SELECT 1 FROM {} WHERE NOT ({}) LIMIT 1").format(Identifier(table), new)
    return raw.execute(query).fetchone() is not None


def _is_ours(version: str) -> bool:
    return re.fullmatch(r"\d{4}", version) is not None


def _too_new(place: str, version: str) -> str:
    return f"{place} is at version {version}, but this program knows only up to {schema.head()}: use the newer one"


# --- the file


@contextmanager
def _held(source: Path) -> Iterator[tuple[sqlite3.Connection, str]]:
    """The file, which nobody can change within this block, and the digest of what it holds."""
    with closing(sqlite3.connect(source, PATIENCE)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = _state(source)
    with source.open("rb") as content:  # while it is not open otherwise: closing it would take away SQLite's locks
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with closing(sqlite3.connect(source, PATIENCE, isolation_level=None)) as file:
        file.row_factory = sqlite3.Row
        file.execute("PRAGMA synchronous=FULL")
        file.execute("BEGIN IMMEDIATE")
        if _state(source) != before:
            raise _in_use(source)
        problem = file.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise CannotStart(f"{source} is damaged, so keep the backups that you have: {problem}")
        try:
            yield file, digest
        finally:
            if file.in_transaction:  # closing alone would keep its lock as long as something knows of an unread row
                file.execute("ROLLBACK")


def _state(source: Path) -> tuple[int, int]:
    log = Path(f"{source}-wal")
    if log.exists() and log.stat().st_size:  # whoever reads it keeps it from being emptied
        raise _in_use(source)
    found = source.stat()
    return found.st_size, found.st_mtime_ns


def _in_use(source: Path) -> CannotStart:
    return CannotStart(f"another program uses {source}: end that first")


def _tables(file: sqlite3.Connection) -> Iterator[Table]:
    for (name,) in file.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    ).fetchall():
        if name in NOT_MOVED:
            continue
        columns = file.execute(f'PRAGMA table_info("{name}")').fetchall()
        wrong = [
            f"typeof(\"{each['name']}\") NOT IN ('{STORED[each['type']]}', 'null')"
            for each in columns
            if each["type"] in STORED
        ]
        rows, odd = file.execute(f'SELECT count(*), coalesce(sum({" OR ".join(wrong)}), 0) FROM "{name}"').fetchone()
        if odd:
            raise CannotStart(f"the table {name} has {odd} rows with something else than text and whole numbers in it")
        yield Table(
            name=name,
            columns=[each["name"] for each in columns],
            key=[each["name"] for each in sorted(columns, key=lambda each: each["pk"]) if each["pk"]],
            rows=rows,
        )


def _mark(file: sqlite3.Connection, to: str, digest: str) -> None:
    value = json.dumps({"to": where(to), "digest": digest})
    file.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (MOVED, value))
    file.execute("COMMIT")


# --- the target


def _begin(raw: Raw, to: str, tables: Sequence[Table], note: Note, *, again: bool) -> Note:
    """Nothing there but the note. again: what another one stands for is given up."""
    if again:  # half a database is not what migrations are made for
        _empty(raw, tables, replace(note, digest=""))
    schema.migrate(to)
    _empty(raw, tables, note)
    return note


def _empty(raw: Raw, tables: Sequence[Table], note: Note) -> None:
    there = set(_names(raw))
    names = SQL(", ").join(Identifier(table.name) for table in tables if table.name in there)
    with raw.transaction():
        raw.execute(SQL("TRUNCATE {}").format(names))
        raw.execute("INSERT INTO meta (name, value) VALUES (%s, %s)", (MOVING, note.written()))


def _copy(file: sqlite3.Connection, raw: Raw, table: Table, note: Note, tell: Tell, stop: threading.Event) -> Note:
    """What is not there yet of a table; returns the note as it stands then."""
    done = note.copied.get(table.name, 0)
    if done == table.rows:
        return note
    began = told = time.monotonic()
    with closing(_rows(file, table, done)) as rows:
        while done < table.rows:
            _check_wanted(stop)
            size = min(PART, table.rows - done)
            ahead = replace(note, copied={**note.copied, table.name: done + size})
            _copy_part(raw, table, islice(rows, size), note, ahead)
            note, done, now = ahead, done + size, time.monotonic()
            if done < table.rows and now - told > TELL_EVERY:
                tell(f"{table.name}: {done:,} of {table.rows:,} rows, {now - began:.0f} s")
                told = now
    tell(f"{table.name}: {table.rows:,} row{'s' * (table.rows != 1)}, {time.monotonic() - began:.1f} s")
    return note


def _rows(file: sqlite3.Connection, table: Table, behind: int) -> sqlite3.Cursor:
    cursor = file.cursor()
    cursor.row_factory = None
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (table.columns, table.key))
    return cursor.execute(f'SELECT {columns} FROM "{table.name}" ORDER BY {key} LIMIT -1 OFFSET ?', (behind,))


def _copy_part(raw: Raw, table: Table, rows: Iterator[tuple[object, ...]], note: Note, ahead: Note) -> None:
    columns = SQL(", ").join(map(Identifier, table.columns))
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), columns)
    expected = ahead.copied[table.name] - note.copied.get(table.name, 0)
    with raw.transaction():
        # Whoever else moves something there waits here, and then finds another note than it knows.
        known = (ahead.written(), MOVING, note.written())
        if raw.execute("UPDATE meta SET value=%s WHERE name=%s AND value=%s", known).rowcount != 1:
            raise CannotStart("another process moves something there, too: let one of them come to its end")
        cursor = raw.cursor()
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except (psycopg.DataError, psycopg.IntegrityError) as error:  # whose words may quote what people wrote
            raise CannotStart(
                f"PostgreSQL does not take what stands in the table {table.name} ({type(error).__name__})"
            ) from error
        if cursor.rowcount != expected:
            raise CannotStart(f"the table {table.name} is damaged: of {expected} rows {cursor.rowcount} can be read")


def _continue_numbers(file: sqlite3.Connection, raw: Raw, tables: Sequence[Table]) -> None:
    """What counts by itself goes on behind the largest number that was ever given."""
    given = dict(map(tuple, file.execute("SELECT name, seq FROM sqlite_sequence")))
    for table in tables:
        for column in table.key:
            (largest,) = file.execute(f'SELECT max("{column}") FROM "{table.name}"').fetchone()
            found = raw.execute("SELECT pg_get_serial_sequence(%s, %s) AS name", (table.name, column)).fetchone()
            if found and found["name"] and (last := max(largest or 0, given.get(table.name, 0))):
                raw.execute("SELECT setval(%s, %s)", (found["name"], last))


def _prove(file: sqlite3.Connection, raw: Raw, to: str, tables: Sequence[Table], tell: Tell) -> Books:
    """Every row has arrived, and the books there are those of the file."""
    for table in tables:
        raw.execute(SQL("ANALYZE {}").format(Identifier(table.name)))  # the server itself would only in some minutes
    before = verify(SQLiteConnection(file))
    with reading(to) as connection:
        for table in tables:
            row = connection.row(f'SELECT count(*) AS n FROM "{table.name}"') or {"n": 0}
            found = row["n"] - (table.name == "meta")  # which has the note, too
            if found != table.rows:
                raise _unlike(to, f"the table {table.name} has {found:,} rows there and {table.rows:,} here")
        after = verify(connection)
    different = sorted(set(before.problems) ^ set(after.problems))
    for problem in different:
        tell(problem)
    if different or replace(before, problems=()) != replace(after, problems=()):
        raise _unlike(to, f"the books are others there ({after.entries} entries) than here ({before.entries})")
    return after


def _unlike(to: str, what: str) -> CannotStart:
    return CannotStart(f"{what}: keep the file, empty {where(to)}, and report this")


@contextmanager
def _told_in_one_sentence(source: Path, to: str) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate[:2] in ("08", "57"):
            raise CannotStart(f"{reason(error, to)}; what was moved is kept, and the next call goes on") from error
        raise CannotStart(f"{where(to)} could not take everything ({type(error).__name__})") from error
    except psycopg.Error as error:
        raise CannotStart(f"{where(to)} does not let itself be filled ({type(error).__name__})") from error
    except sqlite3.Error as error:  # whose words may quote what people wrote
        name = getattr(error, "sqlite_errorname", "text that is not UTF-8")
        if name.startswith("SQLITE_BUSY"):
            raise _in_use(source) from error
        raise CannotStart(f"{source} cannot be read or marked ({name})") from error

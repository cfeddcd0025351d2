"""The data folder and the database before anything runs: where they lie, whether they are the right ones, and ours."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot import demo
from bot.errors import CannotStart
from bot.settings import Settings
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, Database, SQLiteConnection, read_only
from bot.storage.schema import Place

MOVING, MOVED = "moving", "moved"  # in the table meta: where `bot.ops.move` goes to, and where it has come from


def database_path(settings: Settings) -> Path:
    """Its file. Raises `CannotStart` where it is none."""
    place = database_place(settings)
    if isinstance(place, str):
        raise CannotStart("BOT_DATABASE_URL names no file: this is for SQLite only (sqlite:///...)")
    return place


def database_place(settings: Settings) -> Place:
    url = settings.database_url
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else url


def told(place: Place) -> str:
    """Where the database is, in words that may be shown."""
    if isinstance(place, Path):
        return str(place)
    from bot.storage.postgres import where

    return where(place)


@contextmanager
def reading(place: Place) -> Iterator[Connection]:
    """One consistent moment of a database that is there, also beside a running bot."""
    if isinstance(place, Path):
        with closing(read_only(place)) as raw:
            raw.execute("PRAGMA busy_timeout=5000")
            raw.execute("BEGIN")
            yield SQLiteConnection(raw)
        return
    from bot.storage.postgres import READ, PostgresConnection, connected

    with connected(place) as found:
        found.execute(READ)
        yield PostgresConnection(found)


async def check_purpose(database: Database, *, for_demo: bool, demo_data: bool) -> None:
    """Raises `CannotStart` where a demonstration would get at what is in real use, or the other way round; and where
    what is kept is not here yet, or not any more."""
    await _check_moves(database)
    marked = await database.read(demo.is_demo)
    if marked and not for_demo and not demo_data:
        which, other = "this database", "BOT_DATABASE_URL"
        if not database.shared:
            main, *_ = await database.fetch("PRAGMA database_list")
            which, other = f"the data folder {Path(main['file']).parent}", "`seedream-bot run --data-dir real`"
        raise CannotStart(
            f"{which} was made by a demonstration; take another one ({other}), or say --demo-data if you mean this one"
        )
    if for_demo and not marked and await database.read(demo.is_used):
        what = "database" if database.shared else "data folder"
        raise CannotStart(
            f"this {what} is in real use; a demonstration needs one of its own"
            f" ({'BOT_DATABASE_URL' if database.shared else '--data-dir'})"
        )


async def _check_moves(database: Database) -> None:
    if elsewhere := await database.read(moves):
        raise CannotStart(elsewhere)


def moves(connection: Connection) -> str:
    """Why no bot may start on this database, as its books are on their way or gone; "" where they are here."""
    rows = connection.rows("SELECT name, value FROM meta WHERE name=:to OR name=:gone", to=MOVING, gone=MOVED)
    for row in rows:
        if row["name"] == MOVING:
            return "a move into this database has begun and not ended: call `seedream-bot move` once more"
        return f"this database was moved to {json.loads(row['value'])['to']}: set BOT_DATABASE_URL to its address"
    return ""


def make_empty(folder: Path) -> None:
    """An empty folder for what is on its way; whatever a killed process left there is of no use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

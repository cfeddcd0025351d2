"""Brings a database to the newest schema, and says when it cannot.

Alembic and SQLAlchemy are imported only when there is something to migrate: a start that finds the newest schema pays
neither their time nor their memory.
"""

import sqlite3
from pathlib import Path

from bot.errors import CannotStart
from bot.storage.database import read_only

VERSIONS = Path(__file__).parent / "migrations" / "versions"


class SchemaError(CannotStart):
    """The database is newer than this program (the message names both versions), or is none."""


def head() -> str:
    """The newest revision this program knows; files are named `0001_what.py`."""
    return max(path.name[:4] for path in VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(path: Path) -> str:
    """The revision of a database file, "" for a new one. Raises `SchemaError` for a file that is no database."""
    if not path.exists():
        return ""
    connection = read_only(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return ""
    except sqlite3.DatabaseError as error:
        raise SchemaError(f"{path} cannot be read: {error}") from error
    finally:
        connection.close()
    return row[0] if row else ""


def migrate(path: Path) -> bool:
    """Bring the file to `head`; True if something was done. Raises `SchemaError` for a file from a newer program."""
    before, newest = current(path), head()
    if before == newest:
        return False
    if before > newest:
        raise SchemaError(
            f"the database is at version {before}, but this program knows only up to {newest}: use a newer one"
        )
    _upgrade(path)
    return True


def _upgrade(path: Path) -> None:
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    path.parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    # Without its own idea of transactions: sqlite3 would begin one only at the first row, and a start that was killed
    # among the tables before it would leave a file that no later start can use.
    address = sqlalchemy.URL.create("sqlite", database=str(path))
    engine = sqlalchemy.create_engine(address, connect_args={"isolation_level": None})
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()

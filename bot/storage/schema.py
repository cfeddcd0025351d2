"""Brings a database to the newest schema, and says when it cannot.

Alembic and SQLAlchemy are imported only when there is something to migrate: a start that finds the newest schema pays
neither their time nor their memory.
"""

import hashlib
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import CannotStart
from bot.storage.database import read_only

if TYPE_CHECKING:
    import sqlalchemy

    from bot.storage.postgres import Raw

VERSIONS = Path(__file__).parent / "migrations" / "versions"
Place = Path | str
"""Where a database is: a file of SQLite, or the address of one on PostgreSQL."""


_MARK = "of seedream-bot"
_FIND_MARK = (
    "SELECT obj_description(oid, 'pg_class') AS mark FROM pg_class"
    " WHERE relname='procrastinate_jobs' AND relnamespace=current_schema()::regnamespace"
)
_REMOVE = r"""
DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT relname AS name FROM pg_class
    WHERE relkind='r' AND relname LIKE 'procrastinate\_%' AND relnamespace=current_schema()::regnamespace
  LOOP EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', each.name); END LOOP;
  FOR each IN SELECT oid::regprocedure AS name FROM pg_proc
    WHERE proname LIKE 'procrastinate\_%' AND pronamespace=current_schema()::regnamespace
  LOOP EXECUTE format('DROP FUNCTION %s CASCADE', each.name); END LOOP;
  FOR each IN SELECT oid::regtype AS name FROM pg_type
    WHERE typname LIKE 'procrastinate\_%' AND typtype IN ('c', 'e') AND typnamespace=current_schema()::regnamespace
  LOOP EXECUTE format('DROP TYPE IF EXISTS %s CASCADE', each.name); END LOOP;
END $$"""


class SchemaError(CannotStart):
    """The database is newer than this program (the message names both versions), or is none."""


def head() -> str:
    """The newest revision this program knows; files are named `0001_what.py`."""
    return max(path.name[:4] for path in VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(place: Place) -> str:
    """The revision of a database, "" for a new one. Raises `SchemaError` for a file that is no database."""
    if isinstance(place, str):
        return _current_on_postgres(place)
    if not place.exists():
        return ""
    connection = read_only(place)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return ""
    except sqlite3.DatabaseError as error:
        raise SchemaError(f"{place} cannot be read: {error}") from error
    finally:
        connection.close()
    return row[0] if row else ""


def migrate(place: Place) -> bool:
    """Bring it to `head`; True if something was done. Raises `SchemaError` for one from a newer program."""
    before, newest = current(place), head()
    if before == newest and (not isinstance(place, str) or _has_engine(place)):
        return False
    if before > newest:
        raise SchemaError(
            f"the database is at version {before}, but this program knows only up to {newest}: use a newer one"
        )
    if isinstance(place, str):
        _upgrade_on_postgres(place)
    else:
        _upgrade_file(place)
    return True


def _current_on_postgres(url: str) -> str:
    from bot.storage.postgres import connected

    with connected(url) as raw:
        known = raw.execute("SELECT to_regclass('alembic_version') AS known").fetchone()
        if not known or known["known"] is None:
            return ""
        row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row["version_num"]) if row else ""


def _upgrade_file(path: Path) -> None:
    import sqlalchemy

    path.parent.mkdir(parents=True, exist_ok=True)
    # Without its own idea of transactions: sqlite3 would begin one only at the first row, and a start that was killed
    # among the tables before it would leave a file that no later start can use.
    address = sqlalchemy.URL.create("sqlite", database=str(path))
    engine = sqlalchemy.create_engine(address, connect_args={"isolation_level": None})
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _upgrade(connection)
    engine.dispose()


def _upgrade_on_postgres(url: str) -> None:
    import sqlalchemy
    from psycopg.rows import tuple_row

    from bot.storage.postgres import connected, lock_key

    with connected(url) as raw:
        encoding = raw.execute("SHOW server_encoding").fetchone()
        if encoding and encoding["server_encoding"] != "UTF8":
            raise SchemaError("the database has another encoding than UTF8, so it cannot keep what people write")
        raw.autocommit = False
        raw.row_factory = tuple_row  # type: ignore[assignment]
        engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=sqlalchemy.StaticPool)
        with engine.begin() as connection:
            # Two that start at once: the second one waits here, and then finds nothing to do.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_key('migration')})")
            _upgrade(connection)
            _install_engine(raw)


def _has_engine(url: str) -> bool:
    from bot.storage.postgres import connected

    with connected(url) as raw:
        return _engine_mark(raw) == _engine_schema()[1]


def _engine_schema() -> tuple[str, str]:
    """The tables of procrastinate, which hands out work, and a mark that tells this version of them from others."""
    package = find_spec("procrastinate")  # found without importing it, which only workers need
    assert package is not None
    assert package.origin is not None
    sql = (Path(package.origin).parent / "sql" / "schema.sql").read_text("utf-8")
    return sql, f"{_MARK} {hashlib.sha256(sql.encode()).hexdigest()[:16]}"


def _engine_mark(raw: "Raw") -> str | None:
    """None where the tables are missing."""
    from psycopg.rows import tuple_row

    row = raw.cursor(row_factory=tuple_row).execute(_FIND_MARK).fetchone()
    return (row[0] or "") if row else None


def _install_engine(raw: "Raw") -> None:
    """Its rows only say what to look at, so tables of another version are replaced with everything in them."""
    sql, mark = _engine_schema()
    there = _engine_mark(raw)
    if there == mark:
        return
    if there is not None and not there.startswith(_MARK):
        raise SchemaError("the database holds tables of procrastinate that are not the bot's: give it one of its own")
    raw.execute(_REMOVE)
    raw.execute(sql.encode())
    raw.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{mark}'".encode())


def _upgrade(connection: "sqlalchemy.Connection") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

"""A PostgreSQL server for tests, where BOT_TEST_POSTGRES_URL names one: databases of their own, gone afterwards."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from bot.storage import postgres
from bot.storage.postgres import Raw

SERVER = os.environ.get("BOT_TEST_POSTGRES_URL", "")
ENGINE = os.environ.get("BOT_TEST_ENGINE", "sqlite")
"""What stands behind every test that does not choose: `sqlite`, or `postgres` for the whole story once more."""

NEEDED = (
    pytest.mark.postgres,
    pytest.mark.skipif(not SERVER, reason="BOT_TEST_POSTGRES_URL names no PostgreSQL server to test on"),
)
Test = TypeVar("Test", bound=Callable[..., Any])


ON_POSTGRES = pytest.param("postgres", marks=NEEDED)
BOTH = ("sqlite", ON_POSTGRES)
"""The values of the fixture `engine` for what holds whichever database stands behind it."""
BOTH_IN_TIME = ("sqlite", pytest.param("postgres", marks=(*NEEDED, pytest.mark.long)))
"""The same for whole stories of real processes, of which the second half takes too long for every change."""
about_sqlite = partial(pytest.mark.skipif, ENGINE == "postgres")
"""Of a test that is about SQLite's file itself: `reason` says what of it PostgreSQL has not."""


def needs_postgres(test: Test) -> Test:
    for mark in NEEDED:
        test = mark(test)
    return test


@contextmanager
def new_database() -> Iterator[str]:
    """The address of an empty database."""
    name = f"seedream_test_{secrets.token_hex(6)}"
    with postgres.connected(SERVER) as server:
        _run(server, f"CREATE DATABASE {name}")
        _run(server, f"ALTER DATABASE {name} SET synchronous_commit=off")  # no test cuts the power
        try:
            yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
        finally:
            _run(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_schema(url: str) -> Iterator[str]:
    """The address of an empty schema in a database that is there: sooner made than a database."""
    name = f"test_{secrets.token_hex(6)}"
    with postgres.connected(url) as raw:
        _run(raw, f"CREATE SCHEMA {name}")
    try:
        yield f"{url}?options=-csearch_path%3D{name}"
    finally:
        with postgres.connected(url) as raw:  # a test may have ended the other one
            _run(raw, f"DROP SCHEMA {name} CASCADE")


@contextmanager
def settings_of(engine: str = ENGINE) -> Iterator[dict[str, str]]:
    """With these a bot has a database of its own, which has no tables yet; where it is to be a file, it needs none."""
    if engine == "sqlite":
        yield {}
        return
    with new_database() as url:
        yield {"BOT_DATABASE_URL": url}


class Emptied:
    """A migrated database that is brought back to how it was when new, which takes milliseconds."""

    def __init__(self, url: str) -> None:
        self.url = url
        with postgres.connected(url) as raw:
            rows = raw.execute("SELECT tablename AS name FROM pg_tables WHERE schemaname='public'").fetchall()
        tables = [row["name"] for row in rows if row["name"] != "alembic_version"]
        self._sql = ";".join(f"DELETE FROM {table}" for table in tables) + (
            ";INSERT INTO meta (name, value) VALUES ('turn', '0');INSERT INTO chat_revisions (id, last) VALUES (1, 0)"
        )

    def __call__(self) -> str:
        with postgres.connected(self.url) as raw:
            _run(raw, self._sql)
        return self.url


def _run(raw: Raw, sql: str) -> None:
    raw.execute(sql)  # type: ignore[call-overload]

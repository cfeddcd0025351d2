"""What tests everywhere need: a database of the newest schema, made once and copied for each test."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from bot.storage.database import SQLITE, Database, open_database
from bot.storage.schema import migrate
from tests.postgres import Emptied, new_database

# Fixtures behind which a simulated vendor or platform listens on a socket.
SIMULATED = {"bench", "desk", "fake", "gateway", "hooked", "sim", "workbench"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SIMULATED & set(getattr(item, "fixturenames", ())):
            item.add_marker("wire")


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Lines as machines read them: drawing a traceback for people takes longer than most tests."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "bot.db"
    migrate(file)
    return file


@pytest.fixture
def database_file(migrated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated, tmp_path / "bot.db"))


@pytest.fixture(scope="session")
def emptied() -> Iterator[Emptied]:
    with new_database() as url:
        migrate(url)
        yield Emptied(url)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Which database stands behind it: SQLite, but for tests that are to run on both (`tests.postgres.BOTH`)."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest) -> str:
    """A database of the newest schema with nothing in it."""
    if engine == "sqlite":
        return SQLITE + str(request.getfixturevalue("database_file"))
    return str(request.getfixturevalue("emptied")())


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database

"""What tests everywhere need: a database of the newest schema, made once and copied for each test."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from bot.storage.database import SQLITE, Database, open_database
from bot.storage.schema import migrate
from tests.postgres import ENGINE, SERVER, Emptied, new_database

# Fixtures behind which a simulated vendor or platform listens on a socket.
SIMULATED = {"bench", "desk", "fake", "gateway", "hooked", "sim", "workbench"}

LONG = ("crash", "e2e", "slow")


def pytest_configure() -> None:
    if ENGINE not in ("sqlite", "postgres"):
        raise pytest.UsageError(f"BOT_TEST_ENGINE is sqlite or postgres, not {ENGINE!r}")
    if ENGINE == "postgres" and not SERVER:
        raise pytest.UsageError("BOT_TEST_ENGINE=postgres needs a server: name it in BOT_TEST_POSTGRES_URL")


def pytest_report_header() -> str:
    return f"database: {ENGINE}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if ENGINE == "postgres":
        _leave_out(config, items, "sqlite")
    for item in items:
        if SIMULATED & set(getattr(item, "fixturenames", ())):
            item.add_marker("wire")
        if item.get_closest_marker("long") and "long" not in config.getoption("-m"):
            item.add_marker(pytest.mark.skip("takes minutes: -m long runs it"))
    # The files that take long come first: at the end a core would be left alone with one of them.
    long = {item.path for item in items if any(item.get_closest_marker(name) for name in LONG)}
    items.sort(key=lambda item: item.path not in long)


def _leave_out(config: pytest.Config, items: list[pytest.Item], engine: str) -> None:
    """Those that would run on an engine which is not asked for."""

    def left_out(item: pytest.Item) -> bool:
        chosen = getattr(item, "callspec", None)
        return chosen is not None and chosen.params.get("engine") == engine

    config.hook.pytest_deselected(items=[item for item in items if left_out(item)])
    items[:] = [item for item in items if not left_out(item)]


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
    """Which database stands behind it: that of BOT_TEST_ENGINE, but for tests that choose (`tests.postgres.BOTH`)."""
    return str(getattr(request, "param", ENGINE))


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

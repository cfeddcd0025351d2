import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage.schema import migrate
from tests.crash.home import Home
from tests.crash.promises import broken
from tests.crash.provider import Provider, provider
from tests.postgres import settings_of

# The core's own kill points all run with every change. Of those of one provider or platform, which lead through the
# same transactions, every other one does; `-m long` runs them all.
EVERY_OTHER = {f"test_{each}_kills.py" for each in ("apiframe", "discord", "failover", "feishu")}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for name in EVERY_OTHER:
        points = [item for item in items if item.path.name == name and hasattr(item, "callspec")]
        for item in points[1::2]:
            item.add_marker("long")


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that draws as fast as it can."""
    with provider(tmp_path_factory.mktemp("quick"), seconds=0) as found:
        yield found


@pytest.fixture(scope="session")
def leisurely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that takes a second and a half for a picture."""
    with provider(tmp_path_factory.mktemp("leisurely"), seconds=1.5) as found:
        yield found


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the newest schema, which would take each first start a quarter of a second."""
    path = tmp_path_factory.mktemp("migrated") / "bot.db"
    migrate(path)
    return path


@pytest.fixture
def empty(tmp_path: Path, quick: Provider) -> Iterator[Home]:
    """A data folder that is yet to be made. Whatever a test does with it, the promises hold in the end."""
    with settings_of() as settings:
        home = Home(tmp_path / "data", quick, settings)
        yield home
        assert broken(home) == []


@pytest.fixture
def furnished(tmp_path: Path, quick: Provider, engine: str, request: pytest.FixtureRequest) -> Home:
    """A data folder with a database."""
    folder = tmp_path / "data"
    folder.mkdir()
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), folder)
        return Home(folder, quick, {})
    return Home(folder, quick, {"BOT_DATABASE_URL": request.getfixturevalue("database_url")})


@pytest.fixture
def home(furnished: Home) -> Iterator[Home]:
    """The same; whatever a test does with it, the promises hold in the end."""
    yield furnished
    assert broken(furnished) == []

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage.schema import migrate
from tests.crash.home import Home
from tests.crash.promises import broken
from tests.crash.provider import Provider, provider


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
    home = Home(tmp_path / "data", quick, {})
    yield home
    assert broken(home) == []


@pytest.fixture
def home(empty: Home, engine: str, request: pytest.FixtureRequest) -> Home:
    """A data folder with a database."""
    empty.folder.mkdir()
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), empty.folder)
    else:
        empty.settings["BOT_DATABASE_URL"] = request.getfixturevalue("database_url")
    return empty


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes runs when it is asked for."""
    if "slow" in config.getoption("-m"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip("takes minutes: -m slow runs it"))

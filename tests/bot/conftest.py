from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.storage.database import Database
from tests.bot.generation.core import Core, working


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    """The core standing still: a test moves it step by step."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return Core(database=database, folder=folder)


@pytest_asyncio.fixture
async def running(core: Core) -> AsyncIterator[Core]:
    """The core with its line moving and its delivery at work."""
    async with working(core):
        yield core

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.storage.database import Database
from tests.bot.generation.core import Core, working
from tests.postgres import BOTH

# What runs on both databases: together they run every transaction function.
ON_BOTH = {
    *("test_commands", "test_dispatch", "test_people", "test_spaces"),
    *("test_teams", "test_linking", "test_privacy", "test_memberships"),
    *("test_delivery", "test_failover", "test_held_money", "test_queue", "test_runner"),
    *("test_sending_again", "test_insisting", "test_credits", "test_janitor", "test_originals", "test_views"),
    *("test_audit", "test_kept", "test_ledger", "test_moderated", "test_reviews"),
    *("test_standing", "test_grants", "test_refunds", "test_team_pools", "test_payers", "test_usage_agrees"),
    *("test_own_zones", "test_unseen"),
    *("test_governing", "test_rights", "test_returning"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        metafunc.parametrize("engine", BOTH, indirect=True)


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

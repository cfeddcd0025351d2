"""Starts that cannot go well, and first starts of several processes at once."""

from pathlib import Path

import pytest

from bot.storage import schema
from tests.crash.home import Home
from tests.crash.provider import Provider
from tests.postgres import NEEDED, new_database
from tests.scale.team import Team, until, working

pytestmark = [*NEEDED, pytest.mark.crash]

NOBODY = "postgresql://bot:geheim@127.0.0.1:1/bot"  # nothing listens there


@pytest.fixture
def home(tmp_path: Path, quick: Provider) -> Home:
    folder = tmp_path / "data"
    folder.mkdir()
    return Home(folder, quick, {"PYTHONWARNINGS": "ignore"})


async def test_a_start_without_its_database_says_so_in_one_sentence(home: Home) -> None:
    code, out, error = await home.command("run", "--role", "worker", BOT_DATABASE_URL=NOBODY)

    assert (code, out) == (1, "")
    (sentence,) = error.splitlines()
    assert "127.0.0.1:1 cannot be reached" in sentence
    assert "geheim" not in sentence


async def test_a_role_without_postgresql_says_so_in_one_sentence(home: Home) -> None:
    code, out, error = await home.command("run", "--role", "worker")

    assert (code, out) == (1, "")
    (sentence,) = error.splitlines()
    assert "BOT_DATABASE_URL" in sentence


async def test_a_first_start_that_was_killed_among_its_tables_is_made_good_by_three_at_once(home: Home) -> None:
    with new_database() as url:
        home.settings["BOT_DATABASE_URL"] = url
        team = Team(home, url)
        first = team.add("worker-1")
        await first.start("after create_table@9")
        assert await first.ended() == -9
        half = schema.current(url)
        for name in ("worker-2", "web-1"):
            team.add(name)
        async with working(team):
            known = {seat.pid for seat in team.seats.values()}
            await until(lambda: {row["pid"] for row in team.stored.rows("SELECT pid FROM processes")} == known, "all")

    assert half == ""

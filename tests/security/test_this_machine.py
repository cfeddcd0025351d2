"""Other users of the machine, its proxies and its clock."""

import sqlite3
import stat
from contextlib import closing

import pytest

from bot.generation import queue
from bot.generation.queue import Capacity
from bot.storage.database import SQLiteConnection
from tests.bot.ops.processes import Desk
from tests.postgres import about_sqlite
from tests.security.conftest import House

pytestmark = pytest.mark.slow  # real processes, one after the other

DAY = 24 * 3600 * 1_000_000
NOW = 20_000 * DAY


async def test_other_users_of_the_machine_cannot_look_into_the_folder(house: House) -> None:
    assert stat.S_IMODE(house.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((house.folder / "owner.json").stat().st_mode) == 0o600


@pytest.mark.slow
def test_the_health_check_asks_no_proxy(desk: Desk) -> None:
    nowhere = "http://127.0.0.1:9"
    with desk.running("run"):
        assert desk.run("healthcheck", http_proxy=nowhere, HTTP_PROXY=nowhere, no_proxy="", NO_PROXY="").code == 0


@pytest.mark.parametrize("origin", ["http://[::1", "http://[", "null", "file://", "http://127.0.0.1.evil.example"])
async def test_an_origin_that_is_not_ours_is_refused_however_it_is_spelt(house: House, origin: str) -> None:
    async with house.pages.post("/uploads", data=b"GIF89a", headers={"Origin": origin}) as response:
        assert response.status == 403


@about_sqlite(reason="on PostgreSQL the server's clock counts, and not this machine's")
@pytest.mark.parametrize(
    "late",
    [
        f"INSERT INTO rates (provider, full_at) VALUES ('sandbox', {NOW + 30 * DAY})",
        f"UPDATE generations SET run_after={NOW + 30 * DAY}",
    ],
)
async def test_a_clock_that_was_wrong_stops_the_line_only_until_it_is_right(house: House, late: str) -> None:
    await house.say("alice", "/imagine a clock")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        with closing(sqlite3.connect(f"{(house.folder / 'bot.db').as_uri()}?mode=ro", uri=True)) as source:
            source.backup(raw)
        raw.row_factory = sqlite3.Row
        raw.execute("DELETE FROM rates")
        raw.execute("DELETE FROM generations WHERE seq>1")
        raw.execute("UPDATE generations SET state='queued', attempt=0")
        raw.execute(late)

        capacity = Capacity(per_person=2, running=16, images_per_minute=500)
        begun = [queue.admit(SQLiteConnection(raw), "me", at, 16, capacity) for at in (NOW, NOW + DAY // 24 // 90)]

    assert len(begun[0] + begun[1]) == 1

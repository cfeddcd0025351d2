"""The operator changes the bot's time zone and starts it anew, as real processes."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bot.ops.processes import Desk

pytestmark = pytest.mark.slow  # real processes, one after the other


def test_a_start_in_another_zone_just_before_midnight_gives_nobody_a_second_day(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"BOT_LIMITS__PERSON": '{"images": {"day": 1}}'})
    assert desk.run("migrate").code == 0
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    ahead = midnight - timedelta(minutes=30) - datetime.now(UTC)
    with closing(sqlite3.connect(desk.data_dir / "bot.db", isolation_level=None)) as file:
        file.execute("INSERT INTO meta (name, value) VALUES ('clock', ?)", (str(ahead.total_seconds()),))
    with desk.running("run", BOT_TIME_ZONE="UTC"):
        desk.send("/imagine a fox")
        desk.send("/imagine a fox", code=2)
    with desk.running("run", BOT_TIME_ZONE="Asia/Shanghai"):
        there = desk.send("/imagine a fox", code=2)
    alone = desk.send("/imagine a fox", code=2, BOT_TIME_ZONE="Asia/Shanghai")

    for told in (there, alone):
        assert "0 left of 1 picture a day" in told["error"]
        (day,) = (line for line in told["accounts"] if (line["unit"], line["window"]) == ("images", "day"))
        assert datetime.fromisoformat(day["resets"]) == midnight

"""The command line with its database on PostgreSQL: the same words, the same answers."""

from pathlib import Path

import pytest

from tests.bot.ops.processes import Desk
from tests.postgres import BOTH, Emptied

pytestmark = [*BOTH[1].marks, pytest.mark.slow]


def test_bots_on_postgresql_draw_and_share_what_there_is(emptied: Emptied, tmp_path: Path) -> None:
    variables = {
        "BOT_DATABASE_URL": emptied().replace("postgres@", "postgres:geheim@"),
        "BOT_BLOBS_URL": (tmp_path / "blobs").as_uri(),
        "BOT_PROVIDERS": '["sandbox"]',
    }
    desk, other = Desk(tmp_path, variables), Desk(tmp_path, variables, data="other")

    assert "version" in desk.run("migrate").out
    with desk.running("run") as one, other.running("run") as two:
        made = desk.send("/imagine a fox", "--as", "alice")
        seen = other.send("/history", "--as", "alice")
        examined, verified = other.run("doctor"), desk.run("ledger", "verify")
    again = desk.send("/history", "--as", "alice")

    assert (made["state"], len(made["images"])) == ("settled", 1)
    assert made["generation"] in str(seen)
    assert examined.out.count("in use by: ") == 2
    assert "ok   ledger: the books agree" in examined.out
    assert "SQLite" not in examined.out
    assert verified.out.startswith("The books agree: 4 accounts, 16 entries")
    assert made["generation"] in str(again)
    assert not (desk.data_dir / "bot.db").exists()
    said = [*one.out, *one.err, *two.out, *two.err, examined.out, verified.out, verified.err]
    assert not any("geheim" in line for line in said)

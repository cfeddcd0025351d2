"""Folders and addresses that few people have, in real processes."""

import sqlite3
from pathlib import Path

import pytest

from tests.bot.ops.processes import Desk

pytestmark = pytest.mark.slow


def test_a_folder_may_be_called_anything(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {}, data="50% ?of #all")
    (saved,) = desk.send("/imagine a fox")["images"]

    assert Path(saved).is_file()
    assert desk.run("ledger", "verify").code == 0
    assert [each.name for each in tmp_path.iterdir()] == [desk.data]


@pytest.mark.parametrize("command", [("run",), ("demo", "--no-open")], ids=lambda command: command[0])
def test_an_address_that_is_not_ours_gets_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    own = {"BOT_WEB__HOST": "203.0.113.9", "BOT_WEB__TOKEN": "a token that opens the page"}

    assert "203.0.113.9" in Desk(tmp_path, own).run(*command).in_one_sentence()


@pytest.mark.parametrize("content", [b"this is no database " * 50, b""], ids=["nonsense", "empty"])
def test_reset_leaves_a_folder_alone_that_no_demonstration_made(tmp_path: Path, content: bytes) -> None:
    desk = Desk(tmp_path, {})
    desk.data_dir.mkdir()
    file = desk.data_dir / "bot.db"
    file.write_bytes(content)

    assert "--reset leaves it alone" in desk.run("demo", "--no-open", "--reset").in_one_sentence()
    assert file.read_bytes() == content


def test_reset_leaves_a_folder_alone_that_is_in_real_use(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {})
    desk.run("migrate")

    assert "--reset leaves it alone" in desk.run("demo", "--no-open", "--reset").in_one_sentence()
    with sqlite3.connect(desk.data_dir / "bot.db") as raw:
        assert raw.execute("SELECT count(*) FROM meta").fetchone() is not None
    raw.close()

"""One process owns a folder, says so, and is believed only while it lives."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ops.ownership import CARD, LOCK, Owned, Ownership, find_owner, is_owned, own_folder
from bot.roles import Role
from tests.bot.ops.processes import ROOT, environment

HOLDER = """
import sys
from pathlib import Path
from bot.ops.ownership import Ownership
with Ownership(Path(sys.argv[1])) as mine:
    mine.announce("http://127.0.0.1:1")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_owned_while_the_block_lasts(tmp_path: Path) -> None:
    assert not is_owned(tmp_path)
    with Ownership(tmp_path) as mine:
        mine.announce("http://127.0.0.1:8765")
        assert is_owned(tmp_path)
        owner = find_owner(tmp_path)
        assert owner is not None
        assert (owner.url, owner.token) == ("http://127.0.0.1:8765", mine.token)
        assert stat.S_IMODE((tmp_path / CARD).stat().st_mode) == 0o600
        with pytest.raises(Owned, match=str(owner.pid)), Ownership(tmp_path):
            pass

    assert not is_owned(tmp_path)
    assert find_owner(tmp_path) is None


def test_looking_takes_nothing_away(tmp_path: Path) -> None:
    with Ownership(tmp_path) as mine:
        mine.announce("http://127.0.0.1:8765")
        for _ in range(5):
            assert is_owned(tmp_path)

        assert find_owner(tmp_path) is not None
    with Ownership(tmp_path):
        pass


def test_the_next_one_knows_who_had_it_before(tmp_path: Path) -> None:
    for before, own in (("", "a long name of the first"), ("a long name of the first", "second"), ("second", "third")):
        with Ownership(tmp_path) as mine:
            assert mine.before == before
            mine.sign(own)
    (tmp_path / LOCK).write_bytes(b"\xff" * 10_000)
    with Ownership(tmp_path) as mine:
        mine.sign("fourth")
    with Ownership(tmp_path) as mine:
        assert mine.before == "fourth"


def test_a_process_that_was_killed_owns_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_owned(tmp_path)
        holder.kill()
        holder.wait()

    assert not is_owned(tmp_path)
    with Ownership(tmp_path) as mine:
        assert find_owner(tmp_path) is None, "the dead one's card is gone"
        mine.announce("http://127.0.0.1:2")


@pytest.mark.parametrize("card", ["", "not json", "[]", "{}", json.dumps({"pid": 1, "url": "x", "token": "y", "z": 1})])
def test_a_card_that_cannot_be_read_is_none(tmp_path: Path, card: str) -> None:
    (tmp_path / CARD).write_text(card)

    assert find_owner(tmp_path) is None


def test_every_owner_has_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = set()
    for number in range(3):
        with Ownership(tmp_path / str(number)) as mine:
            tokens.add(mine.token)

    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)


def test_a_new_folder_is_closed_to_others_whatever_the_role(tmp_path: Path) -> None:
    for role in Role:
        folder = tmp_path / "new" / role
        with own_folder(folder, role) as (own, _):
            assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, own)} == {0o700}

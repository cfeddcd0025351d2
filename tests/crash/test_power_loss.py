"""The power fails: what was acknowledged is there, and nothing is half done. And that this would be noticed.

`python -m bench B6` is the same with more of everything.
"""

import asyncio
import os
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

from bench import power
from bench.fresh import fresh
from bench.runs.power_books import damage, faults, missing, opened
from bench.runs.power_disk import (
    Acknowledged,
    Deleted,
    Disk,
    Event,
    Fate,
    Synced,
    Truncated,
    Written,
    crash_points,
    write,
)
from bot.generation import inbox
from bot.storage.database import SQLiteConnection
from tests.postgres import about_sqlite

if find_spec("apsw") is None and os.environ.get("BOT_TEST_STRICT") != "1":
    pytest.skip("apsw is not installed, so nothing can be recorded", allow_module_level=True)

from bench.runs.power_loss import FILE, Recording, record, replay

pytestmark = [pytest.mark.crash, about_sqlite(reason="it is SQLite's own files that are torn")]

LOG = f"{FILE}-wal"
SOON = 700  # events: some twenty commits and a checkpoint


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Of a bot with the product's pragmas."""
    return asyncio.run(record())


@pytest.fixture(scope="module")
def beginning(recording: Recording) -> Recording:
    return replace(recording, events=recording.events[:SOON])


def test_nothing_acknowledged_is_lost_when_the_power_fails(recording: Recording) -> None:
    found = replay(recording, points=power.POINTS)

    assert found.points >= power.POINTS
    assert found.broken == []
    assert found.lost == 0


def test_the_recorded_bot_committed_together_and_copied_its_log(recording: Recording) -> None:
    commits = [event.transactions for event in recording.events if isinstance(event, Acknowledged)]

    assert max(commits) > 1
    assert len(commits) > 50
    assert recording.events.count(Synced(FILE)) > 3
    assert recording.events.count(Synced(LOG)) > len(commits) / 2


def test_without_a_sync_for_each_commit_acknowledged_work_would_be_lost() -> None:
    normal = asyncio.run(record("synchronous=NORMAL"))

    found = replay(replace(normal, events=normal.events[:SOON]), points=100)

    assert found.lost > 0
    assert found.most_lost > 1
    assert found.broken == []  # what is left is an older state, and whole


def test_a_disk_that_ignores_syncs_is_noticed(beginning: Recording) -> None:
    found = replay(beginning, points=0, syncing=False)

    assert found.lost > 0
    assert found.broken != []


def test_an_acknowledgement_before_the_sync_is_noticed(beginning: Recording) -> None:
    hasty: list[Event] = []
    for event in beginning.events:
        hasty.insert(len(hasty) - 1 if isinstance(event, Acknowledged) else len(hasty), event)

    assert replay(replace(beginning, events=hasty), points=0).lost > 0


def test_a_state_that_no_commit_left_is_noticed(beginning: Recording) -> None:
    """As if two of its commits had been one: after the first of them it would be half done."""
    commits = [event for event in beginning.events if isinstance(event, Acknowledged) and event.transactions]
    fewer = [event for event in beginning.events if event != commits[5]]

    broken = replay(replace(beginning, events=fewer), points=0).broken

    assert broken
    assert all("as no commit left it" in words for words in broken)


@pytest.mark.parametrize("fate", list(Fate))
def test_what_was_synced_is_there_whatever_becomes_of_the_rest(fate: Fate) -> None:
    disk = Disk({"a": b"12345678", "b": b""})
    for event in (Written("a", 4, b"abcd"), Synced("a"), Written("a", 8, b"efgh"), Synced("b")):
        disk.apply(event)

    assert all(disk.after_power_loss(fate, Random(seed))["a"].startswith(b"1234abcd") for seed in range(50))


def test_what_was_not_synced_is_there_in_whole_in_part_or_not_at_all() -> None:
    disk = Disk({"a": bytes(2048)})
    disk.apply(Written("a", 256, b"x" * 1024))

    assert disk.after_power_loss(Fate.GONE, Random(0)) == {"a": bytes(2048)}
    assert disk.after_power_loss(Fate.KEPT, Random(0)) == {"a": bytes(256) + b"x" * 1024 + bytes(768)}
    torn = {disk.after_power_loss(Fate.TORN, Random(seed))["a"] for seed in range(200)}
    assert len(torn) > 10
    assert {data[:256] + data[1280:] for data in torn} == {bytes(1024)}  # not written, and so not touched
    changes = {place for data in torn for place in range(1, 2048) if data[place - 1 : place + 1] in (b"x\0", b"\0x")}
    assert changes - {256, 1280} <= {512, 1024}


def test_a_later_write_may_be_there_without_an_earlier_one() -> None:
    disk = Disk({"a": b"--"})
    disk.apply(Written("a", 0, b"1"))
    disk.apply(Written("a", 1, b"2"))

    found = {disk.after_power_loss(Fate.TORN, Random(seed))["a"] for seed in range(500)}

    assert {b"--", b"1-", b"-2", b"12"} <= found


def test_a_truncation_counts_once_it_was_synced() -> None:
    disk = Disk({"a": b"12345678"})
    disk.apply(Truncated("a", 2))
    assert disk.after_power_loss(Fate.GONE, Random(0)) == {"a": b"12345678"}

    disk.apply(Synced("a"))

    assert disk.after_power_loss(Fate.GONE, Random(0)) == {"a": b"12"}


def test_a_deleted_file_may_come_back_until_its_folder_was_synced() -> None:
    disk = Disk({"a": b"1", "b": b"2", "c": b"3"})
    disk.apply(Deleted("a", durable=False))
    disk.apply(Deleted("b", durable=False))
    assert set(disk.after_power_loss(Fate.KEPT, Random(0))) == {"c"}
    assert set(disk.after_power_loss(Fate.GONE, Random(0))) == {"a", "b", "c"}

    disk.apply(Written("new", 0, b"4"))
    disk.apply(Synced("new"))

    assert disk.after_power_loss(Fate.GONE, Random(0)) == {"c": b"3", "new": b"4"}


def test_the_power_fails_around_every_sync_and_in_between() -> None:
    step: list[Event] = [Written("a", 0, b"1"), Written("a", 1, b"2"), Synced("a"), Acknowledged(1, "")]
    events = step * 10

    assert crash_points(events, 0) == sorted(
        {2 + 4 * each for each in range(10)} | {4 + 4 * each for each in range(10)}
    )
    assert len(crash_points(events, 25)) == 25
    assert crash_points(events, 1000) == [place for place in range(41) if place % 4 != 3]


def test_nothing_acknowledged_is_lost_by_kill_9() -> None:
    found = fresh("power_kills", kills=10, seed=1)

    assert found["crashes"] == 10
    assert found["acknowledged"] > 10
    assert found["broken"] == []
    assert found["losing"] == found["most_lost"] == 0


@pytest.mark.parametrize(
    "undoing",
    [
        "UPDATE inbox SET state='received', generation='' WHERE id=(SELECT invocation FROM generations LIMIT 1)",
        "DELETE FROM generations WHERE id=(SELECT id FROM generations LIMIT 1)",
        "DELETE FROM jobs WHERE rowid=(SELECT min(rowid) FROM jobs)",
        "DELETE FROM postings WHERE rowid=(SELECT min(rowid) FROM postings)",
        "UPDATE balances SET held=held+1 WHERE win='total'",
        "DELETE FROM entries WHERE generation=(SELECT max(generation) FROM entries)",
        "UPDATE generations SET state='running' WHERE id=(SELECT id FROM generations WHERE state='settled' LIMIT 1)",
        "DELETE FROM images WHERE rowid=(SELECT min(rowid) FROM images)",
    ],
)
def test_half_of_a_transaction_is_noticed(undoing: str, recording: Recording, tmp_path: Path) -> None:
    disk = Disk(recording.before)
    for event in recording.events:
        disk.apply(event)
    write(disk.after_power_loss(Fate.KEPT, Random(0)), tmp_path)

    with closing(opened(tmp_path / FILE)) as raw:
        assert damage(raw) == []
        assert faults(SQLiteConnection(raw)) == []
        raw.execute("PRAGMA foreign_keys=OFF")
        assert raw.execute(undoing).rowcount > 0
        assert faults(SQLiteConnection(raw)) != []


def test_what_was_told_and_is_not_there_is_noticed(database_file: Path) -> None:
    with closing(opened(database_file)) as raw:
        connection = SQLiteConnection(raw)
        inbox.receive(connection, "m1", "web", {}, 1)

        assert missing(connection, {("received", "m1")}) == []
        assert missing(connection, {("received", "m2"), ("settled", "g1")}) == [("received", "m2"), ("settled", "g1")]

"""A full disk: nothing is spent that could not be kept, nothing is lost, and it works again once there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.home import Bot, Home
from tests.crash.promises import broken
from tests.crash.provider import Provider
from tests.crash.stored import Moment
from tests.crash.waiting import until
from tests.postgres import about_sqlite, settings_of

pytestmark = pytest.mark.crash


@pytest.fixture
def small(tmp_path: Path, quick: Provider) -> Iterator[Home]:
    """A home on a disk of its own, with 256 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with settings_of() as settings:
            home = Home(disk / "data", quick, settings)
            yield home
            assert broken(home) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Put a file onto the disk that leaves so many bytes."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)
    return filler


def complaints(bot: Bot) -> list[bytes]:
    return [line for line in bot.log.splitlines() if b'"level": "info"' not in line and b"deliver" in line]


async def test_requests_are_refused_while_there_is_no_room_for_their_pictures(small: Home) -> None:
    small.troubled = True
    async with small.running() as bot:
        filler = fill(small.folder.parent, leave=100 * 2**20)
        refused = await bot.draw("a fox")
        await small.reaches(refused, inbox="done")

        (answer,) = small.stored.answers(refused.id)
        assert "disk is full" in answer["text"]["message"]
        assert small.stored.rows("SELECT * FROM holds") == []
        assert small.paid("a fox") == 0

        filler.unlink()
        taken = await bot.draw("a hen")
        await small.reaches(taken, generation="settled")
        await small.quiet()


@about_sqlite(reason="the disk of a PostgreSQL server is not this one")
async def test_on_a_disk_without_a_byte_nothing_is_acknowledged_and_nothing_breaks(small: Home) -> None:
    small.troubled = True
    async with small.running() as bot:
        filler = fill(small.folder.parent, leave=0)
        lost = [await bot.draw("a fox") for _ in range(20)]  # a log that was written before has some room left
        assert not lost[-1].acknowledged
        assert (await bot.http.get(f"{bot.url}/healthz")).status == 200

        filler.unlink()
        for said in lost:
            assert (await bot.repeat(said)).acknowledged
        await small.quiet()


@about_sqlite(reason="a PostgreSQL server stores it all the same")
async def test_a_message_that_could_not_be_stored_is_taken_when_it_is_sent_again(home: Home) -> None:
    home.troubled = True
    async with home.running() as bot:
        bot.fill_disk()
        lost = await bot.draw("a fox")
        assert not lost.acknowledged
        assert (await bot.http.get(f"{bot.url}/healthz")).status == 200
        assert home.stored.moment(lost.id) == Moment(inbox="")

        bot.make_room()
        assert (await bot.repeat(lost)).acknowledged
        await home.reaches(lost, generation="settled")
        await home.quiet()

    assert home.paid("a fox") == 1


@about_sqlite(reason="a PostgreSQL server knows what became of it all the same")
async def test_a_picture_that_could_not_be_stored_is_paid_once_and_its_maker_pays_nothing(
    home: Home, leisurely: Provider
) -> None:
    home.troubled = True
    home.provider = leisurely
    async with home.running() as bot:
        asked = await bot.draw("a fox")
        await home.provider.took(home.prompt("a fox"))
        bot.fill_disk()
        await until(lambda: b"not be written down" in bot.log, "the picture came and could not be kept")
        assert home.stored.moment(asked.id).holds == "held"
        await bot.kill()

    async with home.running():
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert (generation["state"], generation["charged"]) == ("unknown", 0)
    assert home.paid("a fox") == 1


@about_sqlite(reason="a PostgreSQL server stores it all the same")
@pytest.mark.parametrize("point", ["fill settling.conclude", "fill outbox.claim@2"])
async def test_what_could_not_be_shown_is_shown_when_there_is_room(home: Home, point: str) -> None:
    home.troubled = True
    async with home.running(point) as bot:
        asked = await bot.draw("a fox")
        await until(lambda: len(complaints(bot)) > 3, "it tried several times")
        bot.make_room()
        await home.reaches(asked, shown="settled")
        await home.quiet()

    assert len(complaints(bot)) < 10  # it tries now and then, and not all the time


@about_sqlite(reason="a PostgreSQL server stores it all the same")
async def test_what_was_acknowledged_before_the_disk_was_full_is_answered_when_there_is_room(home: Home) -> None:
    home.troubled = True
    async with home.running("fill inbox.receive") as bot:
        asked = await bot.draw("a fox")
        assert asked.acknowledged
        await until(lambda: b'"an answer could not be kept"' in bot.log, "the disk is full")
        bot.make_room()
        await home.quiet()

    (answer,) = home.stored.answers(asked.id)
    assert answer["tone"] == "refusal"
    assert home.stored.rows("SELECT * FROM holds") == []
    assert home.paid("a fox") == 0


@about_sqlite(reason="a PostgreSQL server knows what became of it all the same")
async def test_what_could_not_be_kept_on_a_full_disk_ends_as_soon_as_there_is_room(
    home: Home, leisurely: Provider
) -> None:
    home.troubled = True
    home.provider = leisurely
    async with home.running() as bot:
        asked = await bot.draw("a fox")
        await home.provider.took(home.prompt("a fox"))
        bot.fill_disk()
        await until(lambda: b"not be written down" in bot.log, "the picture came and could not be kept")
        bot.make_room()
        await until(lambda: not home.stored.unfinished(), "it was tried again")
        assert b"left behind" not in bot.log

    assert home.stored.moment(asked.id).generation == "unknown"
    assert home.paid("a fox") == 1

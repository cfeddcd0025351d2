"""One worker of several whose disk is full: what it could not keep costs nobody anything, and the others go on."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.crash.home import PEOPLE, Bot, Home, Said
from tests.crash.promises import wrong
from tests.crash.provider import Provider
from tests.postgres import NEEDED
from tests.scale.cluster import Server, lacking
from tests.scale.team import LEASE, Seat, Team, gone, until, working

pytestmark = [*NEEDED, pytest.mark.crash, pytest.mark.long, pytest.mark.timeout(240)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 64 MiB; None where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@dataclass
class Drawing:
    team: Team
    page: Bot

    async def draw(self, words: str, count: int) -> list[Said]:
        asked = await asyncio.gather(*(self.page.draw(words, person=PEOPLE[n % len(PEOPLE)]) for n in range(count)))
        await gone(self.team.stored.unfinished)
        return asked

    def charged(self, asked: Said) -> tuple[str, int]:
        """How it ended, and for how many pictures somebody pays."""
        generation = self.team.stored.generation(asked.id)
        assert generation is not None
        return generation["state"], generation["charged"]


@asynccontextmanager
async def drawing(folder: Path, disk: Path, provider: Provider, server: Server) -> AsyncIterator[Drawing]:
    """Two workers with one store of pictures; the folder of the second one is on this disk."""
    database = server.cluster.database()
    home = Home(
        folder / "data",
        provider,
        {
            "BOT_DATABASE_URL": database.near,
            "BOT_BLOBS_URL": (folder / "data" / "blobs").as_uri(),
            "BOT_QUEUE__LEASE": LEASE,
            "BOT_QUEUE__PER_PERSON": "16",
            "BOT_LIMITS__PERSON": '{"images": {"day": 100000}}',
            "PYTHONWARNINGS": "ignore",
        },
    )
    home.folder.mkdir()
    team = Team(home, database.far)
    for name in ("worker-1", "web-1"):
        team.add(name)
    team.add("worker-2", BOT_DATA_DIR=str(disk / "data"))
    async with working(team), aiohttp.ClientSession() as http:
        page = team["web-1"]
        assert page.process is not None
        yield Drawing(team, Bot(page.process, home, http, url=page.url))


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    free = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    return filler


async def test_a_worker_with_a_full_disk_takes_nothing_and_the_others_go_on(
    tmp_path: Path, disk: Path | None, quick: Provider, server: Server
) -> None:
    if disk is None:
        lacking("a disk of its own takes root")
        return
    async with drawing(tmp_path, disk, quick, server) as found:
        full = found.team["worker-2"]
        filler = await asyncio.to_thread(fill, disk)
        await until(lambda: full.said("the disk is full: nothing is begun"), "it looks at its disk")
        asked = [found.charged(one) for one in await found.draw("a fox", 20)]
        filler.unlink()
        await until(lambda: full.said("there is room again"), "it looks again")
        again: list[tuple[str, int]] = []
        while not drew(found.team, full):
            again += [found.charged(one) for one in await found.draw("a hen", 10)]
        problems = wrong(found.team.home)

    assert set(asked) == set(again) == {("settled", 1)}
    assert problems == []


def drew(team: Team, seat: Seat) -> bool:
    return any(f":{seat.pid}:" in row["owner"] for row in team.stored.rows("SELECT owner FROM generations"))

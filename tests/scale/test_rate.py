"""A provider's images per minute hold over all workers together, for as long as there is more to draw than that."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from tests.crash.home import PEOPLE, Bot, Home
from tests.crash.promises import wrong
from tests.crash.provider import Provider, digest
from tests.postgres import NEEDED
from tests.scale.cluster import Server
from tests.scale.team import Team, gone, working

pytestmark = [*NEEDED, pytest.mark.crash, pytest.mark.long, pytest.mark.timeout(900)]

MINUTE = 60_000_000
IMAGES = 3  # of each request
AT_ONCE = 16


# A machine that has other things to do does not come near the usual rate, but near the low one.
@pytest.mark.parametrize("rate", [60, 500])
async def test_so_many_pictures_a_minute_are_never_exceeded_by_three_workers(
    tmp_path: Path, quick: Provider, server: Server, rate: int
) -> None:
    requests = -(-rate * 2 // (IMAGES * 20)) * 20  # some two minutes of work
    database = server.cluster.database()
    settings = {
        "BOT_DATABASE_URL": database.near,
        "BOT_QUEUE__IMAGES_PER_MINUTE": str(rate),
        "BOT_QUEUE__PER_PERSON": str(AT_ONCE),
        "BOT_LIMITS__PERSON": '{"images": {"day": 100000}}',
        "PYTHONWARNINGS": "ignore",
    }
    home = Home(tmp_path / "data", quick, settings)
    home.folder.mkdir()
    team = Team(home, database.far)
    for name in ("worker-1", "worker-2", "worker-3", "web-1"):
        team.add(name)
    async with working(team), aiohttp.ClientSession() as http:
        page = team["web-1"]
        assert page.process is not None
        bot = Bot(page.process, home, http, url=page.url)
        for _ in range(requests // 20):
            await asyncio.gather(*(bot.draw("a flood", f"--count {IMAGES}", person=PEOPLE[n % 3]) for n in range(20)))
        await gone(team.stored.unfinished)

        sent = [row["sent_at"] for row in team.stored.rows("SELECT sent_at FROM jobs WHERE state='done'")]
        owners = team.stored.rows("SELECT DISTINCT owner FROM generations")
        errors = [*wrong(home), *team.errors()]

    assert errors == []
    assert len(owners) == 3
    assert len(sent) == len(taken(home)) == requests * IMAGES
    assert busiest(sent) <= rate
    assert busiest(taken(home)) <= rate + AT_ONCE * len(PEOPLE) * IMAGES  # so many may be a moment on their way
    if busiest(sent) < rate * 0.9:
        pytest.skip(f"this machine was too busy to come near the rate: {busiest(sent)} pictures in a minute")


def busiest(moments: list[int]) -> int:
    """The most of them in any minute."""
    moments, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - MINUTE:
            first += 1
        most = max(most, last - first + 1)
    return most


def taken(home: Home) -> list[int]:
    """When the provider took each picture of this test, in micros since 1970."""
    lines = map(json.loads, home.provider.journal.read_text().splitlines())
    own = [one for one in lines if one["words"] == digest(home.prompt("a flood"))]
    return [
        int(datetime.fromisoformat(one["time"]).timestamp() * 1_000_000) for one in own for _ in range(one["images"])
    ]

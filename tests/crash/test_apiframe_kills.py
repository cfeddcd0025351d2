"""A provider that knows a request again by its key: killed anywhere, the bot asks again and nothing is drawn twice."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.home import Bot, Home, Said
from tests.crash.provider import Provider, digest
from tests.fakes import painted
from tests.simulators.apiframe import ApiframeSim

pytestmark = pytest.mark.crash

POINTS = (
    "after settling.sending",
    "after settling.prepared",
    "before settling.submitted",
    "after settling.submitted",
    "before blobs.put",
    "before settling.produced",
    "after settling.produced",
    "after settling.end_job",
    "after settling.conclude",
)

Ask = Callable[[Bot], Awaitable[Said]]
SMALL = "--size 1K --ratio 1:1"


@dataclass(frozen=True)
class Vendor(Provider):
    """Its bill: one line for each job that was made, however often it was asked for."""

    sim: ApiframeSim

    def bill(self) -> Counter[str]:
        asked = {one.headers["Idempotency-Key"]: json.loads(one.body)["prompt"] for one in self.sim.paid}
        assert len(asked) >= self.sim.billed
        return Counter(digest(prompt) for prompt in asked.values())


@pytest_asyncio.fixture
async def framed(home: Home) -> AsyncIterator[Home]:
    """A data folder whose bot asks Apiframe and nobody else."""
    async with ApiframeSim() as sim:
        home.provider = Vendor(url=sim.origin, journal=Path(), sim=sim)
        home.settings |= {
            "BOT_PROVIDERS": '["apiframe"]',
            "BOT_APIFRAME__API_KEY": sim.key,
            "BOT_APIFRAME__BASE_URL": sim.origin,
        }
        yield home


async def draw(bot: Bot) -> Said:
    return await bot.say(f"/imagine {bot.home.prompt('a fox')} {SMALL}")


async def change(bot: Bot) -> Said:
    uploaded = await bot.upload(painted("a fox", 1280, 720))
    return await bot.say(f"/edit {bot.home.prompt('a fox')} {SMALL}", uploads=[uploaded])


async def killed(home: Home, point: str, ask: Ask) -> Said:
    async with home.running(point) as bot:
        asked = await ask(bot)
        await bot.died()
    async with home.running() as bot:
        if not asked.acknowledged:
            await bot.repeat(asked)
        await home.quiet()
    return asked


@pytest.mark.parametrize(
    ("ask", "point"),
    [*((draw, point) for point in POINTS), *((change, point) for point in POINTS[:4])],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_wherever_it_is_killed_one_job_is_made_and_its_picture_comes(framed: Home, ask: Ask, point: str) -> None:
    asked = await killed(framed, point, ask)

    moment = framed.stored.moment(asked.id)
    assert (moment.generation, moment.images, moment.holds) == ("settled", 1, "closed")
    assert isinstance(framed.provider, Vendor)
    assert framed.provider.sim.billed == 1


async def test_four_pictures_that_were_on_their_way_come_once_each(framed: Home) -> None:
    async with framed.running("before settling.submitted@3") as bot:
        asked = await bot.say(f"/imagine {bot.home.prompt('a fox')} {SMALL} --count 4")
        await bot.died()
    async with framed.running():
        await framed.quiet()

    assert framed.stored.moment(asked.id).images == 4
    assert isinstance(framed.provider, Vendor)
    assert framed.provider.sim.billed == 4

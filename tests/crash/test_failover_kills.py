"""Two providers: killed anywhere between the refusal of one and the picture of the other, a request is paid once."""

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
from tests.simulators.base import Fault, Recorded
from tests.simulators.images_api import ImagesApiSim

pytestmark = pytest.mark.crash

SMALL = "--size 1K --ratio 1:1"
Ask = Callable[[Bot], Awaitable[Said]]
REFUSED = "settling.end_job@1"  # the job is ready again
SENT_ON = "settling.sending@2"  # to the second provider


@dataclass(frozen=True)
class Vendors(Provider):
    """The bill of both together: a request that was refused costs nothing, one with a key costs once."""

    images: ImagesApiSim
    apiframe: ApiframeSim

    def bill(self) -> Counter[str]:
        jobs = {each.key: each.asked["prompt"] for each in self.apiframe.jobs.values()}
        assert len(jobs) == self.apiframe.billed
        drawn = [each.prompt for each in self.images.asked]
        assert len(drawn) == self.images.billed
        return Counter(digest(prompt) for prompt in (*jobs.values(), *drawn))


@pytest_asyncio.fixture
async def sold(home: Home) -> AsyncIterator[Home]:
    """A data folder whose bot knows two providers; a test names the one that is asked first."""
    async with ImagesApiSim() as images, ApiframeSim() as apiframe:
        home.provider = Vendors(url=images.origin, journal=Path(), images=images, apiframe=apiframe)
        home.settings |= {
            "BOT_MODELARK__BASE_URL": images.base_url,
            "BOT_APIFRAME__API_KEY": apiframe.key,
            "BOT_APIFRAME__BASE_URL": apiframe.origin,
            "BOT_FETCH__ALLOW": json.dumps([each.origin.removeprefix("http://") for each in (images, apiframe)]),
        }
        yield home


def prefers(home: Home, first: str) -> None:
    order = {"modelark": ["modelark", "apiframe"], "apiframe": ["apiframe", "modelark"]}[first]
    home.settings["BOT_PROVIDERS"] = json.dumps(order)


def vendors(home: Home) -> Vendors:
    assert isinstance(home.provider, Vendors)
    return home.provider


def billed(home: Home) -> int:
    return vendors(home).images.billed + vendors(home).apiframe.billed


async def draw(bot: Bot) -> Said:
    return await bot.say(f"/imagine {bot.home.prompt('a fox')} {SMALL}")


async def change(bot: Bot) -> Said:
    uploaded = await bot.upload(painted("a fox", 1280, 720))
    return await bot.say(f"/edit {bot.home.prompt('a fox')} {SMALL}", uploads=[uploaded])


async def killed(home: Home, point: str, ask: Ask = draw, **settings: str) -> Said:
    """Ask one that is killed, then let another one, with other settings where some are given, come to the end."""
    async with home.running(point) as bot:
        asked = await ask(bot)
        await bot.died()
    async with home.running(**settings) as bot:
        if not asked.acknowledged:
            await bot.repeat(asked)
        await home.quiet()
    return asked


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BAD_KEY, Fault.BAD_REQUEST], ids=str)
@pytest.mark.parametrize("point", [f"after {REFUSED}", "after queue.reserve", f"before {SENT_ON}"])
async def test_killed_between_the_two_it_is_drawn_once(sold: Home, point: str, fault: Fault) -> None:
    prefers(sold, "modelark")
    vendors(sold).images.goes_wrong(fault, always=True)
    sold.troubled = fault is Fault.BAD_KEY  # which is an error in the log, for the operator

    asked = await killed(sold, point)

    moment = sold.stored.moment(asked.id)
    assert (moment.generation, moment.images, moment.holds) == ("settled", 1, "closed")
    assert (vendors(sold).images.billed, vendors(sold).apiframe.billed) == (0, 1)


async def test_killed_before_the_refusal_was_written_nobody_is_asked(sold: Home) -> None:
    """All that is known then is that a request was on its way."""
    prefers(sold, "modelark")
    vendors(sold).images.goes_wrong(Fault.BUSY)

    asked = await killed(sold, f"before {REFUSED}")

    assert sold.stored.moment(asked.id).generation == "unknown"
    assert billed(sold) == 0


@pytest.mark.parametrize(
    ("ask", "point"),
    [
        *((draw, point) for point in (f"after {SENT_ON}", "after settling.prepared", "before settling.submitted")),
        *((draw, point) for point in ("after settling.submitted", "before settling.produced")),
        *((draw, point) for point in ("after settling.produced", "before settling.conclude")),
        *((change, point) for point in (f"after {SENT_ON}", "after settling.prepared", "before settling.submitted")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_killed_while_the_second_knows_its_key_it_is_drawn_once(sold: Home, ask: Ask, point: str) -> None:
    prefers(sold, "modelark")
    vendors(sold).images.goes_wrong(Fault.BUSY, always=True)

    asked = await killed(sold, point, ask)

    moment = sold.stored.moment(asked.id)
    assert (moment.generation, moment.images, moment.holds) == ("settled", 1, "closed")
    assert (vendors(sold).images.billed, vendors(sold).apiframe.billed) == (0, 1)


@pytest.mark.parametrize("point", [f"after {SENT_ON}", "before settling.produced"])
async def test_killed_while_the_second_knows_no_key_nobody_is_asked_again(sold: Home, point: str) -> None:
    prefers(sold, "apiframe")
    vendors(sold).apiframe.goes_wrong(Fault.BUSY, always=True)

    asked = await killed(sold, point)

    moment = sold.stored.moment(asked.id)
    assert (moment.generation, moment.holds) == ("unknown", "closed, possible")
    assert billed(sold) == (1 if "produced" in point else 0)


async def test_killed_with_its_picture_stored_it_is_charged_although_its_provider_is_gone(sold: Home) -> None:
    prefers(sold, "apiframe")

    asked = await killed(sold, "after settling.produced", BOT_PROVIDERS='["modelark"]')

    moment = sold.stored.moment(asked.id)
    assert (moment.generation, moment.images, moment.holds) == ("settled", 1, "closed")
    assert billed(sold) == 1


@pytest.mark.parametrize("point", ["after settling.prepared", "before settling.submitted", "after settling.submitted"])
async def test_a_provider_that_was_dropped_meanwhile_is_not_replaced(sold: Home, point: str) -> None:
    prefers(sold, "apiframe")

    asked = await killed(sold, point, BOT_PROVIDERS='["modelark"]')

    assert sold.stored.moment(asked.id).generation == "unknown"
    assert vendors(sold).images.billed == 0


async def test_a_request_that_had_sent_nothing_goes_to_whoever_is_left(sold: Home) -> None:
    prefers(sold, "apiframe")

    asked = await killed(sold, "before settling.sending", BOT_PROVIDERS='["modelark"]')

    assert sold.stored.moment(asked.id).generation == "settled"
    assert (vendors(sold).images.billed, vendors(sold).apiframe.billed) == (1, 0)


@pytest.mark.parametrize("point", ["after settling.prepared", "before settling.submitted"])
async def test_with_the_key_of_another_account_it_is_not_sent_again(sold: Home, point: str) -> None:
    """That account does not know the first request, and would draw it a second time."""
    prefers(sold, "apiframe")
    async with ApiframeSim() as other:
        asked = await killed(sold, point, BOT_APIFRAME__BASE_URL=other.origin, BOT_APIFRAME__API_KEY=other.key)

        assert other.paid == []
    assert sold.stored.moment(asked.id).generation == "unknown"
    assert vendors(sold).images.billed == 0


async def test_of_four_pictures_none_is_paid_twice_wherever_each_of_them_was(sold: Home) -> None:
    prefers(sold, "modelark")
    vendors(sold).images.goes_wrong(None, Fault.BUSY, None, Fault.BUSY)

    async def four(bot: Bot) -> Said:
        return await bot.say(f"/imagine {bot.home.prompt('a fox')} {SMALL} --count 4")

    asked = await killed(sold, "before settling.submitted@2", four)

    assert sold.stored.moment(asked.id).generation == "settled"
    assert billed(sold) <= 4
    assert vendors(sold).apiframe.billed == 2
    assert _keys(vendors(sold).apiframe.paid) == 2


def _keys(paid: list[Recorded]) -> int:
    return len({each.headers["Idempotency-Key"] for each in paid})

"""A paid request whose answer is lost, while the bot lives on: it is not sent again, and nobody is charged for it."""

import pytest

from tests.crash.home import Home

pytestmark = pytest.mark.crash


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("sandbox:cut", id="the connection is cut after the request"),
        pytest.param("sandbox:cut-answer", id="the connection is cut in the answer"),
        pytest.param("sandbox:silent", id="no answer comes in time"),
        pytest.param("sandbox:html", id="something else answers"),
    ],
)
async def test_it_is_paid_once_unknown_and_given_back_when(home: Home, fault: str) -> None:
    words = f"a fox {fault}"
    async with home.running("never", "--answer-within", "1") as bot:
        asked = await bot.draw(words)
        await home.reaches(asked, generation="unknown")
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert home.paid(words) == 1
    account = home.stored.account(generation["id"])
    assert account["person", "images"] == account["person", "usd"] == account["all", "images"] == ("closed", 0, 0)
    assert account["all", "usd"] == account["space", "usd"] == ("possible", generation["price"], 0)
    assert "given back" in home.stored.shown(generation["id"])["text"]["message"]


async def test_of_a_series_that_is_cut_what_came_is_kept(home: Home) -> None:
    async with home.running() as bot:
        asked = await bot.say(f"/series {home.prompt('a fox')} sandbox:cut-answer --size 1280x720 --count 3")
        await home.reaches(asked, generation="settled")
        await home.quiet()

    moment = home.stored.moment(asked.id)
    assert (moment.images, moment.jobs, moment.holds) == (2, "1 unknown", "closed, possible")


async def test_what_was_lost_is_lost_after_a_restart_too(home: Home) -> None:
    words = "a fox sandbox:cut"
    async with home.running("after settling.end_job") as bot:
        asked = await bot.draw(words)
        await bot.died()

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs, moment.holds) == ("sending", "1 unknown", "held")

    async with home.running():
        await home.quiet()

    assert home.stored.moment(asked.id).generation == "unknown"
    assert home.paid(words) == 1

"""A bot that is told to stop ends what it has begun, and leaves the rest to the next one."""

import time

import aiohttp
import pytest

from tests.crash.home import ROOM, Home
from tests.crash.provider import Provider
from tests.crash.waiting import until

pytestmark = pytest.mark.crash

AT_ONCE = 2.0  # seconds; far less than the drain time, which is 25


async def test_what_runs_is_finished_and_shown_and_what_waits_is_drawn_by_the_next(
    home: Home, leisurely: Provider
) -> None:
    home.provider = leisurely
    home.settings["BOT_QUEUE__RUNNING"] = "1"
    async with home.running() as bot:
        running = await bot.draw("a fox", "--count 2")
        await until(lambda: home.paid("a fox") == 2, "both paid requests are out")
        waiting = await bot.draw("a hen", person="bob")
        await home.reaches(waiting, generation="queued")
        bot.stop()
        assert await bot.ended() == 0

    finished = home.stored.moment(running.id)
    assert (finished.generation, finished.shown, finished.posting) == ("settled", "settled", "posted")
    left = home.stored.moment(waiting.id)
    assert (left.generation, left.jobs, left.holds) == ("queued", "1 ready", "held")
    assert not (home.folder / "owner.json").exists()

    async with home.running():
        await home.quiet()

    assert home.stored.moment(waiting.id).generation == "settled"
    assert (home.paid("a fox"), home.paid("a hen")) == (2, 1)


async def test_nothing_is_taken_any_more_while_it_ends(home: Home, leisurely: Provider) -> None:
    home.provider = leisurely
    async with home.running() as bot:
        running = await bot.draw("a fox")
        await home.provider.took(home.prompt("a fox"))
        bot.stop()
        await until(lambda: b'"stopping"' in bot.log, "it is stopping")
        late = await bot.draw("a hen", person="bob")
        assert await bot.ended() == 0

    assert home.stored.moment(running.id).generation == "settled"
    if late.acknowledged:  # it arrived just before the door was shut: then it is answered
        (answer,) = home.stored.answers(late.id)
        assert answer["tone"] == "refusal"
    assert home.stored.generation(late.id) is None
    assert home.paid("a hen") == 0


async def test_what_does_not_end_in_time_is_unknown_after_the_next_start_and_said(home: Home) -> None:
    words = "a fox sandbox:silent"
    async with home.running(BOT_QUEUE__DRAIN="0.3s") as bot:
        asked = await bot.draw(words)
        await home.provider.took(home.prompt(words))
        bot.stop()
        assert await bot.ended(within=AT_ONCE) == 0

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs, moment.holds) == ("sending", "1 sending", "held")

    async with home.running():
        await home.quiet()

    (answer,) = home.stored.answers(asked.id)
    assert answer["state"] == "unknown"
    assert "given back" in answer["text"]["message"]
    assert home.paid(words) == 1


async def test_the_second_signal_ends_it_at_once(home: Home) -> None:
    words = "a fox sandbox:silent"
    async with home.running() as bot:
        asked = await bot.draw(words)
        await home.provider.took(home.prompt(words))
        bot.stop()
        await until(lambda: b'"waiting for what runs"' in bot.log, "it is draining")
        bot.stop()
        assert await bot.ended(within=AT_ONCE) == 130

    async with home.running():
        await home.quiet()

    assert home.stored.moment(asked.id).generation == "unknown"


async def test_an_open_page_does_not_hold_it_up(home: Home) -> None:
    async with home.running() as bot:
        asked = await bot.draw("a fox")
        await home.reaches(asked, generation="settled")
        await home.quiet()
        watched = {"as": "alice", "room": ROOM}
        async with aiohttp.ClientSession() as page, page.get(f"{bot.url}/stream", params=watched) as stream:
            await stream.content.readline()
            began = time.monotonic()
            bot.stop()
            assert await bot.ended() == 0

    assert time.monotonic() - began < AT_ONCE


async def test_a_stop_without_work_leaves_nothing_to_do(home: Home) -> None:
    async with home.running() as bot:
        asked = await bot.draw("a fox")
        await home.reaches(asked, generation="settled")
        await home.quiet()
        bot.stop()
        assert await bot.ended(within=AT_ONCE) == 0

    assert home.stored.unfinished() == []

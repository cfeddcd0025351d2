"""`seedream-bot send`, and the death of the bot that it goes through, or of itself."""

import asyncio
import json

import pytest

from tests.crash.home import Home
from tests.crash.waiting import until

pytestmark = pytest.mark.crash

WORDS = "a fox sandbox:silent"


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["", "as JSON"])
async def test_it_says_in_a_sentence_that_the_bot_died(home: Home, options: tuple[str, ...]) -> None:
    async with home.running() as bot:
        line = f"/imagine {home.prompt(WORDS)} --size 1280x720"
        sending = asyncio.create_task(home.command("send", line, *options))
        await home.provider.took(home.prompt(WORDS))
        await bot.kill()
        code, out, said = await sending

    assert code == 1
    sentence = json.loads(out)["error"] if options else said
    assert "went away before it answered" in sentence
    assert len(sentence.splitlines()) == 1

    async with home.running():
        await home.quiet()

    (generation,) = home.stored.rows("SELECT state FROM generations")
    assert generation["state"] == "unknown"


async def test_what_a_killed_send_had_asked_for_is_ended_by_the_next_bot(home: Home) -> None:
    prompt = home.prompt("a fox")
    async with home.starting(command=("send", f"/imagine {prompt} sandbox:silent --size 1280x720")) as sending:
        await home.provider.took(f"{prompt} sandbox:silent")
        await sending.kill()

    async with home.running() as bot:
        asked = await bot.draw("a hen")
        await home.reaches(asked, generation="settled")
        await home.quiet()

    assert [row["state"] for row in home.stored.rows("SELECT state FROM generations ORDER BY seq")] == [
        "unknown",
        "settled",
    ]


async def test_it_goes_through_the_bot_that_took_the_folder_over(home: Home) -> None:
    async with home.running() as bot:
        await bot.kill()
    async with home.running() as bot:
        code, _, said = await home.command("send", f"/imagine {home.prompt('a fox')} --size 1280x720")
        assert (code, said) == (0, "")
        await until(lambda: home.paid("a fox") == 1, "it is paid")
        await home.quiet()

"""What people press and choose under the pictures, and what comes of it, also after the bot was killed."""

from pathlib import Path

import pytest

from tests.e2e.discord_bot import PATIENCE, Bot, drawn, on_discord
from tests.fakes import painted
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.messages import post
from tests.simulators.discord.model import Message
from tests.simulators.discord.people import Person

pytestmark = pytest.mark.e2e

FOX = Upload("fox.png", painted("fox", 640, 480))


async def pressed(bot: Bot, person: Person, message: Message, button: str, words: str, *, pictures: int = 1) -> Message:
    """The new message that a press brings."""
    asked = await person.press(message, button)
    answer = await bot.says(await asked.answered(within=PATIENCE), words, pictures=pictures)
    assert answer is not message
    return answer


async def test_every_button_under_a_picture_does_what_it_says(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        heron = await drawn(bot, bob, "a heron at a quiet lake", ratio="3:2")
        again = await pressed(bot, bob, heron, "Again", "a heron at a quiet lake")
        varied = await pressed(bot, bob, heron, "Vary", "Bob")
        large = await pressed(bot, bob, heron, "4K", "4992×3328")
        opened = await (await bob.press(heron, "Edit")).acknowledged()
        asked = await bob.submit(opened, {"prompt": "make it a winter night"}, files=[FOX])
        edited = await bot.says(await asked.answered(within=PATIENCE), "make it a winter night", pictures=1)
        details = await (await bob.press(edited, "Details")).answered()
        await bob.press(again, "Delete")
        await bot.until(lambda: not again.pictures, "the end of the picture")

        assert len({one.id for one in (heron, again, varied, large, edited)}) == 5
        assert "4K" not in large.buttons
        assert "**Pictures given** · 2" in details.text
        assert details.ephemeral
        assert "deleted" in again.text.lower()
        assert heron.pictures


async def test_buttons_work_in_the_process_that_comes_after_the_one_that_was_killed(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        heron = await drawn(bot, bob, "a heron at a quiet lake")
        opened = await (await bob.press(heron, "Edit")).acknowledged()
        question = await (await bob.slash("imagine", prompt="four boats in a row", count=4)).answered()
        await bot.restart()

        details = await (await bob.press(heron, "Details")).answered()
        asked = await bob.submit(opened, {"prompt": "make it a winter night"})
        await bot.says(await asked.answered(within=PATIENCE), "make it a winter night", pictures=1)
        await bob.press(question, "Go")
        await bot.says(question, "four boats in a row", pictures=4)
        await bob.press(heron, "Delete")
        await bot.until(lambda: not heron.pictures, "the end of the picture")

        assert "Made by" in details.text


async def test_a_price_question_is_declined_or_drawn_in_its_own_message(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        declined = await (await bob.slash("imagine", prompt="four boats in a row", count=4)).answered()
        await bob.press(declined, "Not now")
        await bot.says(declined, "Nothing was charged")
        boats = await (await bob.slash("imagine", prompt="four boats in a row", count=4)).answered()
        stranger = await (await bot.fake.person("ann").press(boats, "Go")).answered()
        await bob.press(boats, "Go")
        await bot.says(boats, "four boats in a row", pictures=4)
        chosen = await bob.select(boats, "Vary · Which picture", "Picture 3")
        varied = await bot.says(await chosen.answered(within=PATIENCE), "", pictures=1)
        details = await (await bob.press(varied, "Details")).answered()

        assert stranger.ephemeral
        assert ":2" in details.text
        assert "boats" in boats.text


@pytest.mark.long
async def test_a_long_series_fills_up_and_goes_on_in_a_second_message(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        question = await (await bob.slash("series", prompt="one day in a harbour", count=12)).answered()
        await bob.press(question, "Go")
        await bot.until(lambda: 0 < len(question.pictures) < 10, "the first pictures")
        await bot.says(question, "A series for Bob", pictures=10)
        more = await bot.says(bot.fake.channel, "Pictures 11 to 12 of 12", pictures=2)

        assert more is not question
        assert len([one for one in bot.fake.channel.messages if one.author is bot.fake.bot]) == 2


async def test_what_waits_is_cancelled_for_nothing(tmp_path: Path) -> None:
    async with on_discord(tmp_path, BOT_QUEUE__PER_PERSON="1") as bot:
        bob = bot.fake.person("bob")
        slow = await (await bob.slash("imagine", prompt="a slow snail sandbox:slow")).answered(within=PATIENCE)
        waiting = await (await bob.slash("imagine", prompt="a patient tortoise")).answered(within=PATIENCE)
        await bot.says(waiting, "In line")
        await bob.press(waiting, "Cancel")
        await bot.says(waiting, "Cancelled. Nothing was charged.")
        shown = await bot.says(slow, "Drawing")

        assert "<t:" in shown.text
        assert "Cancel" in shown.buttons


async def test_a_component_that_nobody_knows_is_answered_in_words(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake = bot.fake
        bob = fake.person("bob")
        button = {"type": 2, "style": 2, "label": "Old", "custom_id": "from another time"}
        body = {"content": "once", "components": [{"type": 1, "components": [button]}]}
        old = post(fake, fake.channel, fake.bot, body, [], limit=0)
        asked = await bob.press(old, "Old")
        answer = await asked.answered()

        assert answer.ephemeral
        assert answer.text
        assert not asked.failed

"""Where an answer goes when its first way is closed, how large it may be there, and that it comes once."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.discord_bot import PATIENCE, on_discord
from tests.postgres import BOTH
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.interactions import Ack
from tests.simulators.discord.model import Message
from tests.simulators.discord.wire import Code

pytestmark = pytest.mark.e2e

CALLBACK = "/interactions/{}/{}/callback"
ORIGINAL, FOLLOW_UP = "/webhooks/{}/{}/messages/@original", "/webhooks/{}/{}"
BY_TOKEN = "/webhooks/{}/{}/messages/{}"
MESSAGES, MESSAGE = "/channels/{}/messages", "/channels/{}/messages/{}"
SLOW = "a slow heron sandbox:slow"
LATE = timedelta(minutes=16)
DRAWN = "Drawn for"
SELDOM = [pytest.param(fault, marks=pytest.mark.slow) for fault in (Fault.RESET, 502, Fault.BUSY_EVERYWHERE)]


def written(fake: FakeDiscord) -> list[Message]:
    """All that the bot wrote in the channel."""
    return [one for one in fake.channel.messages if one.author is fake.bot]


async def test_when_the_token_is_too_old_the_bot_changes_the_message_itself(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        message = await (await bob.slash("imagine", prompt=SLOW)).answered(within=PATIENCE)
        await bot.says(message, "Drawing")
        fake.clock.advance(LATE)
        await bot.says(message, DRAWN, pictures=1)

        assert written(fake) == [message]
        assert {one.status for one in fake.asked_for("PATCH", MESSAGE)} == {200}


async def test_an_old_private_answer_comes_as_a_direct_message(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        message = await (await bob.slash("imagine", prompt=SLOW, private=True)).answered(within=PATIENCE)
        await bot.says(message, "Drawing")
        fake.clock.advance(LATE)
        direct = await bot.says(bob.direct, DRAWN, pictures=1)

        assert written(fake) == [message]
        assert "where you asked" in direct.text


async def test_a_channel_that_closed_meanwhile_sends_it_directly_and_a_closed_person_finds_it_kept(
    tmp_path: Path,
) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        ann = fake.person("ann")
        ann.user.accepts_dms = False
        await bob.say(SLOW, mentions=[fake.bot])
        await ann.say(SLOW, mentions=[fake.bot])
        await bot.until(lambda: len(written(fake)) == 2, "both in the line")
        for one in written(fake):
            fake.vanish(one)
        fake.forbid(fake.channel, "send_messages")
        await bot.says(bob.direct, DRAWN, pictures=1)
        await bot.until(lambda: '"final": true' in bot.log.read_text(), "the other is kept")
        fake.permit(fake.channel, "send_messages")
        contact = await ann.slash("quota")
        offer = await contact.answered(2, within=PATIENCE)
        (label,) = [one for one in offer.buttons if one.startswith("Show")]
        shown = await bot.says(await (await ann.press(offer, label)).answered(within=PATIENCE), "", pictures=1)

        assert offer.ephemeral
        assert "kept" in offer.text
        assert shown.pictures
        assert ann.direct.messages == []


async def test_a_file_that_is_too_large_comes_smaller_and_says_so(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        asked = await bob.slash("imagine", prompt=SLOW)
        shown = await bot.says(await asked.answered(within=PATIENCE), "Drawing")
        for route in (BY_TOKEN, ORIGINAL):
            fake.goes_wrong("PATCH", route, Code.TOO_LARGE)
        await bot.says(shown, DRAWN, pictures=1)
        details = await (await bob.press(shown, "Details")).answered()

        (kept,) = re.findall(r"JPEG, (\d+) KiB", details.text)
        assert len(shown.pictures[0]) < int(kept) * 1024 * 0.9
        assert "JPEG" in shown.text or "smaller" in shown.text
        assert written(fake)[0] is shown


@pytest.mark.parametrize("fault", [Fault.LOST, 503, Fault.BUSY, *SELDOM], ids=str)
async def test_whatever_becomes_of_a_request_there_is_one_message(tmp_path: Path, fault: Fault | int) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        for method, route in (
            ("POST", CALLBACK),
            ("PATCH", ORIGINAL),
            ("PATCH", BY_TOKEN),
            ("POST", MESSAGES),
            ("PATCH", MESSAGE),
        ):
            fake.goes_wrong(method, route, fault)
        asked = await bob.slash("imagine", prompt=SLOW)
        message = await bot.says(await asked.answered(within=PATIENCE), DRAWN, pictures=1)
        said = await bob.say("an owl in a barn", mentions=[fake.bot])
        reply = await bot.says(fake.channel, "an owl in a barn", pictures=1)

        assert asked.ack is Ack.DEFERRED
        assert written(fake) == [message, reply]
        assert reply.replies_to is said


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_a_bot_that_is_killed_while_it_draws_says_in_the_same_message_what_became_of_it(
    engine: str, tmp_path: Path
) -> None:
    async with on_discord(tmp_path, engine=engine, BOT_QUEUE__PER_PERSON="1") as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        lost = await (await bob.slash("imagine", prompt=SLOW)).answered(within=PATIENCE)
        await bot.says(lost, "Drawing")
        waiting = await (await bob.slash("imagine", prompt="an oar in the reeds")).answered(within=PATIENCE)
        await bot.restart()
        await bot.says(lost, "given back")
        await bot.says(waiting, "an oar in the reeds", pictures=1)

        assert written(fake) == [lost, waiting]


async def test_a_bot_that_is_stopped_finishes_what_it_draws(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        message = await (await bob.slash("imagine", prompt=SLOW)).answered(within=PATIENCE)
        await bot.says(message, "Drawing")
        await bot.stop()

        assert len(message.pictures) == 1
        assert written(fake) == [message]

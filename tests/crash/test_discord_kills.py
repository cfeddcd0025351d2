"""Discord's askings over kills: what was noted comes to one end and stands in one message; what was not is not charged.

The bot runs against the fake Discord over its proxy setting, and against a provider that outlives it.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.crash.home import Home
from tests.crash.waiting import PATIENCE, until
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.interactions import Asked
from tests.simulators.discord.model import Message
from tests.simulators.discord.openapi import at_hand

pytestmark = pytest.mark.crash

SIZE: dict[str, Any] = {"model": "seedream-4", "size": "1280x720"}

# The first post changes the deferred answer and the second one shows the picture.
NOTED = {
    "it is noted, nothing else": "after inbox.receive",
    "it is accepted but not committed": "before accepting.accept",
    "it is accepted": "after accepting.accept",
    "the first post is about to leave": "after outbox.claim",
    "the first post stands and is not noted": "before outbox.posted",
    "the picture is stored": "after settling.end_job",
    "it is settled": "after settling.conclude",
    "the picture stands and is not noted": "before outbox.posted@2",
    "the picture stands": "after outbox.posted@2",
}
FIRST_POST = ("after outbox.claim", "before outbox.posted")


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord(openapi=at_hand()) as fake:
        yield fake
    assert fake.complaints == []


@pytest.fixture
def home(furnished: Home, fake: FakeDiscord) -> Home:
    """A data folder whose bots find the fake Discord."""
    discord = {"BOT_DISCORD__TOKEN": fake.token, "BOT_DISCORD__PROXY": fake.proxy.url}
    furnished.settings |= {**fake.environment(), **discord, "PYTHONWARNINGS": "ignore"}
    return furnished


async def hears(fake: FakeDiscord) -> None:
    await fake.until(lambda: fake.gateway.connected and fake.commands.syncs, within=PATIENCE, what="the bot's session")


async def gone(fake: FakeDiscord) -> None:
    await fake.until(lambda: not fake.gateway.connected, what="the end of the bot's session")


def written(fake: FakeDiscord) -> list[Message]:
    return [one for one in fake.channel.messages if one.author is fake.bot]


def check(home: Home) -> None:
    """The books are right, everything came to its end, and no log tells of what nobody expected."""
    assert home.stored.problems() == ()
    assert home.stored.unfinished() == []
    lines = [json.loads(line) for log in home.logs for line in log.decode().splitlines()]
    assert [line for line in lines if line.get("level") in ("error", "critical")] == []


def noted_as(asked: Asked | Message) -> str:
    return f"discord:{asked.id}"


def check_end(home: Home, asked: Asked | Message, shown: Message, point: str) -> None:
    """One paid request and its picture; at the first post it may just be out, and then its outcome is unknown."""
    state = home.stored.moment(noted_as(asked)).generation
    assert state == "settled" or (point in FIRST_POST and state == "unknown")
    assert len(shown.pictures) == (state == "settled")
    assert state == "settled" or "given back" in shown.text
    assert home.paid("a fox") == 1 or state == "unknown"


@pytest.mark.parametrize("point", NOTED.values(), ids=list(NOTED))
async def test_a_command_that_was_noted_is_drawn_once_in_its_one_message(
    home: Home, fake: FakeDiscord, point: str
) -> None:
    bob = fake.person("bob")
    async with home.running(point) as bot:
        await hears(fake)
        asked = await bob.slash("imagine", prompt=home.prompt("a fox"), **SIZE)
        await bot.died()
    await gone(fake)

    assert asked.original is not None
    async with home.running():
        await home.quiet()

    assert written(fake) == [asked.original]
    check_end(home, asked, asked.original, point)
    check(home)


async def test_a_command_whose_paid_request_was_out_says_so_in_its_one_message(home: Home, fake: FakeDiscord) -> None:
    bob = fake.person("bob")
    async with home.running("after settling.sending") as bot:
        await hears(fake)
        asked = await bob.slash("imagine", prompt=home.prompt("a fox"), **SIZE)
        await bot.died()
    await gone(fake)
    async with home.running():
        await until(lambda: asked.original and "given back" in asked.original.text, "a word about it")
        await home.quiet()

    assert written(fake) == [asked.original]
    assert home.stored.moment(noted_as(asked)).generation == "unknown"
    check(home)


async def test_a_command_that_was_deferred_and_not_noted_costs_nothing_and_may_be_asked_again(
    home: Home, fake: FakeDiscord
) -> None:
    """Discord tells of it once: what is lost before the note is lost, and stays as "thinking" until that ends."""
    bob = fake.person("bob")
    async with home.running("before inbox.receive") as bot:
        await hears(fake)
        lost = await bob.slash("imagine", prompt=home.prompt("a fox"), **SIZE)
        await bot.died()
    await gone(fake)
    async with home.running():
        await hears(fake)
        asked = await bob.slash("imagine", prompt=home.prompt("a fox"), **SIZE)
        await until(lambda: asked.original and asked.original.pictures, "the picture")
        await home.quiet()

    assert lost.original is not None
    assert lost.original.loading
    assert home.stored.moment(noted_as(lost)).inbox == ""
    assert home.paid("a fox") == 1
    check(home)


@pytest.mark.parametrize(
    "point", ["after inbox.receive", "after outbox.claim", "before outbox.posted", "before outbox.posted@2"]
)
async def test_words_in_a_message_are_answered_by_one_reply(home: Home, fake: FakeDiscord, point: str) -> None:
    bob = fake.person("bob")
    async with home.running(point, BOT_MODEL="seedream-4") as bot:
        await hears(fake)
        said = await bob.say(home.prompt("a fox"), mentions=[fake.bot])
        await bot.died()
    await gone(fake)
    async with home.running(BOT_MODEL="seedream-4"):
        await home.quiet()

    (answer,) = written(fake)
    assert answer.replies_to is said
    check_end(home, said, answer, point)
    check(home)


async def test_an_uploaded_picture_outlives_the_bot_although_discord_has_taken_it_away(
    home: Home, fake: FakeDiscord
) -> None:
    bob = fake.person("bob")
    cat = Upload("cat.png", painted("cat", 640, 480))
    async with home.running("before accepting.accept") as bot:
        await hears(fake)
        asked = await bob.slash("edit", prompt=home.prompt("make it night"), image1=cat, **SIZE)
        await bot.died()
    await gone(fake)
    (file,) = [one for one in fake.cdn.kept.values() if one.ephemeral]
    file.vanished = True
    async with home.running():
        await until(lambda: asked.original and asked.original.pictures, "the picture")
        await home.quiet()

    generation = home.stored.generation(noted_as(asked))
    assert generation is not None
    assert len(json.loads(generation["request"])["references"]) == 1
    assert home.paid("make it night") == 1
    check(home)


@pytest.mark.parametrize("point", ["after accepting.cancel", "before accepting.cancel"])
async def test_a_press_that_was_interrupted_is_carried_out_once(home: Home, fake: FakeDiscord, point: str) -> None:
    home.settings["BOT_QUEUE__RUNNING"] = "1"
    bob = fake.person("bob")
    async with home.running(point) as bot:
        await hears(fake)
        await bob.slash("imagine", prompt=home.prompt("a hen sandbox:silent"), **SIZE)
        await home.provider.took(home.prompt("a hen sandbox:silent"))
        waiting = await bob.slash("imagine", prompt=home.prompt("a fox"), **SIZE)
        message = await waiting.answered(within=PATIENCE)
        await fake.until(lambda: "Cancel" in message.buttons, what="the button")
        await bob.press(message, "Cancel")
        await bot.died()
    await gone(fake)
    async with home.running():
        await home.quiet()

    state = home.stored.moment(noted_as(waiting)).generation
    assert state in ("cancelled", "settled")  # where its turn came first
    assert ("Cancelled" in message.text) == (state == "cancelled")
    assert home.paid("a fox") == (state == "settled")
    check(home)

"""Feishu's askings over kills: what was noted comes to one end in one card, and what was not noted is pushed again.

The bot runs against the fake Feishu, and against a provider that outlives it.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.crash.home import Home
from tests.crash.waiting import PATIENCE
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat, Message

pytestmark = pytest.mark.crash

SIZE = "--size 1280x720"

# The first post makes the card and the second one shows the picture.
POINTS = {
    "it is not noted": "before inbox.receive",
    "it is noted and not acknowledged": "after inbox.receive",
    "it is accepted": "after accepting.accept",
    "the first post is about to leave": "after outbox.claim",
    "the card stands and is not noted": "before outbox.posted",
    "the picture is stored": "after settling.end_job",
    "the picture stands and is not noted": "before outbox.posted@2",
}
FIRST_POST = ("after outbox.claim", "before outbox.posted")


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as fake:
        fake.repush = ()  # the tests push again when the next bot hears
        yield fake
    assert fake.complaints == []


@pytest.fixture
def home(furnished: Home, fake: FakeFeishu) -> Home:
    """A data folder whose bots find the fake Feishu."""
    furnished.settings |= {
        "BOT_FEISHU__APP_ID": fake.app_id,
        "BOT_FEISHU__APP_SECRET": fake.app_secret,
        "BOT_FEISHU__DOMAIN": fake.url,
        "PYTHONWARNINGS": "ignore",
    }
    return furnished


async def hears(fake: FakeFeishu) -> None:
    await fake.until(lambda: len(fake.connections), within=PATIENCE, what="the long connection")


async def gone(fake: FakeFeishu) -> None:
    await fake.until(lambda: not len(fake.connections), what="the end of the connection")


def written(fake: FakeFeishu, chat: Chat) -> list[Message]:
    return [one for one in chat.messages if one.sender is fake.bot]


async def pushed_again(fake: FakeFeishu, message: Message) -> None:
    """As Feishu does while nobody has answered, and may do after that too."""
    await hears(fake)
    fake.push_again(message)
    (push,) = [one for one in fake.pushes if one.message_id == message.id]
    await fake.until(lambda: push.done and push.acks[-1].attempt, within=PATIENCE, what="the event is taken")


def check(home: Home) -> None:
    """The books are right, everything came to its end, and no log tells of what nobody expected."""
    assert home.stored.problems() == ()
    assert home.stored.unfinished() == []
    lines = [json.loads(line) for log in home.logs for line in log.decode().splitlines()]
    assert [line for line in lines if line.get("level") in ("error", "critical")] == []


def check_end(home: Home, asked: Message, card: Message, point: str) -> None:
    """One paid request and its picture; at the first post it may just be out, and then its outcome is unknown."""
    state = home.stored.moment(f"feishu:{asked.id}").generation
    assert state == "settled" or (point in FIRST_POST and state == "unknown")
    assert len(card.pictures) == (state == "settled")
    assert state == "settled" or "given back" in card.text
    assert home.paid("a fox") == 1 or state == "unknown"


@pytest.mark.parametrize("point", POINTS.values(), ids=list(POINTS))
async def test_words_are_drawn_once_in_one_card_wherever_the_bot_is_killed(
    home: Home, fake: FakeFeishu, point: str
) -> None:
    ann = fake.person("Ann")
    team = fake.group("Studio", ann)
    async with home.running(point) as bot:
        await hears(fake)
        asked = await ann.says(f"{{bot}} /imagine {home.prompt('a fox')} {SIZE}", to=team, wait=False)
        await bot.died()
    await gone(fake)
    async with home.running():
        await pushed_again(fake, asked)
        await home.quiet()

    (card,) = written(fake, team)
    assert card.reply_to is asked
    check_end(home, asked, card, point)
    check(home)


async def test_words_whose_paid_request_was_out_say_so_in_their_one_card(home: Home, fake: FakeFeishu) -> None:
    ann = fake.person("Ann")
    async with home.running("after settling.sending") as bot:
        await hears(fake)
        asked = await ann.says(f"/imagine {home.prompt('a fox')} {SIZE}", wait=False)
        await bot.died()
    await gone(fake)
    async with home.running():
        await pushed_again(fake, asked)
        await home.quiet()

    (card,) = written(fake, ann.direct)
    assert "given back" in card.text
    assert home.stored.moment(f"feishu:{asked.id}").generation == "unknown"
    check(home)


async def test_a_card_whose_answer_was_lost_before_the_kill_is_changed_and_not_sent_again(
    home: Home, fake: FakeFeishu
) -> None:
    ann = fake.person("Ann")
    async with home.running() as bot:
        await hears(fake)
        fake.faults.add("im.message.reply", after=True, times=2)
        asked = await ann.says(f"/imagine {home.prompt('a fox')} {SIZE}")
        await fake.until(lambda: written(fake, ann.direct), within=PATIENCE, what="the card")
        await bot.kill()
    await gone(fake)
    fake.faults.clear()
    async with home.running():
        await home.quiet()

    (card,) = written(fake, ann.direct)
    assert card.reply_to is asked
    check_end(home, asked, card, FIRST_POST[1])
    check(home)


async def test_pictures_that_wait_for_words_outlive_the_bot(home: Home, fake: FakeFeishu) -> None:
    ann = fake.person("Ann")
    async with home.running() as bot:
        await hears(fake)
        await ann.sends_picture(painted("cat", 640, 480))
        await bot.kill()
    await gone(fake)
    async with home.running("before accepting.accept") as bot:
        await hears(fake)
        asked = await ann.says(f"/edit {home.prompt('make it night')} {SIZE}", wait=False)
        await bot.died()
    await gone(fake)
    async with home.running():
        await pushed_again(fake, asked)
        await home.quiet()

    generation = home.stored.generation(f"feishu:{asked.id}")
    assert generation is not None
    assert len(json.loads(generation["request"])["references"]) == 1
    assert home.paid("make it night") == 1
    check(home)


async def test_a_press_that_was_interrupted_is_carried_out_once(home: Home, fake: FakeFeishu) -> None:
    """Nobody answers the press, and Feishu does not push it again: what was noted of it must do."""
    home.settings["BOT_QUEUE__RUNNING"] = "1"
    ann = fake.person("Ann")
    fake.presses.within = 0.0
    async with home.running("before accepting.cancel") as bot:
        await hears(fake)
        silent = home.prompt("a hen sandbox:silent")
        await ann.says(f"/imagine {silent} {SIZE}")
        await home.provider.took(silent)
        waiting = await ann.says(f"/imagine {home.prompt('a fox')} {SIZE}")
        await fake.until(lambda: "In line" in written(fake, ann.direct)[-1].text, within=PATIENCE, what="its card")
        card = written(fake, ann.direct)[-1]
        await asyncio.gather(ann.presses(card, "Cancel"), bot.died())
    await gone(fake)
    fake.complaints.clear()  # that nobody answered in time is what this is about
    async with home.running():
        await home.quiet()

    state = home.stored.moment(f"feishu:{waiting.id}").generation
    assert state in ("cancelled", "settled")  # where its turn came first
    assert ("Cancelled" in card.text) == (state == "cancelled")
    assert home.paid("a fox") == (state == "settled")
    check(home)

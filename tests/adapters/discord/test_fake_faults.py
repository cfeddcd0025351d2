"""The fake Discord's faults and limits, as the real discord.py meets them."""

import aiohttp
import discord
import pytest

from tests.simulators.discord.demo_bot import DemoBot
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.wire import Code

pytestmark = pytest.mark.slow

MESSAGES = "/channels/{channel_id}/messages"


@pytest.fixture
def channel(fake: FakeDiscord, bot: DemoBot) -> discord.PartialMessageable:
    return bot.get_partial_messageable(int(fake.channel.id))


async def test_a_reset_does_nothing_and_a_lost_answer_does_all(
    fake: FakeDiscord, channel: discord.PartialMessageable
) -> None:
    fake.goes_wrong("POST", MESSAGES, Fault.RESET)
    fake.goes_wrong("POST", MESSAGES, Fault.LOST)

    for content in ("reset", "lost"):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await channel.send(content)

    assert [one.text for one in fake.channel.messages] == ["lost"]


async def test_a_503_is_told_and_a_502_is_asked_again(fake: FakeDiscord, channel: discord.PartialMessageable) -> None:
    fake.goes_wrong("POST", MESSAGES, 503)

    with pytest.raises(discord.DiscordServerError) as refused:
        await channel.send("1")
    fake.goes_wrong("POST", MESSAGES, 502)
    await channel.send("2")

    assert refused.value.status == 503
    assert [one.status for one in fake.asked_for("POST", MESSAGES)] == [503, 502, 200]


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BUSY_EVERYWHERE])
async def test_a_429_is_asked_again_when_it_says_so(
    fake: FakeDiscord, channel: discord.PartialMessageable, fault: Fault
) -> None:
    fake.goes_wrong("POST", MESSAGES, fault)

    await channel.send("1")

    assert [one.status for one in fake.asked_for("POST", MESSAGES)] == [429, 200]
    assert fake.limits.invalid == 1


async def test_a_route_takes_so_many_and_discord_py_waits(
    fake: FakeDiscord, channel: discord.PartialMessageable
) -> None:
    fake.limits.set("POST", MESSAGES, 2, per=0.3)

    for number in range(5):
        await channel.send(str(number))

    assert [one.text for one in fake.channel.messages] == ["0", "1", "2", "3", "4"]
    assert fake.limits.refused == 0


async def test_all_routes_together_take_so_many(fake: FakeDiscord, channel: discord.PartialMessageable) -> None:
    fake.limits.per_second = 2

    for number in range(4):
        await channel.send(str(number))

    assert len(fake.channel.messages) == 4
    assert fake.limits.refused


async def test_too_many_invalid_requests_are_a_ban(fake: FakeDiscord, channel: discord.PartialMessageable) -> None:
    fake.limits.ban_after = 2
    fake.goes_wrong("POST", MESSAGES, Code.MISSING_PERMISSIONS, times=2)

    errors = []
    for _ in range(3):
        with pytest.raises(discord.HTTPException) as refused:
            await channel.send("hello")
        errors.append(refused.value.status)

    assert errors == [403, 403, 429]


async def test_what_is_held_is_done_when_the_gate_opens(fake: FakeDiscord, bot: DemoBot) -> None:
    async with fake.holding("POST", "/webhooks/{}/{}") as gate:
        asked = [await fake.person(f"p{n}").slash("imagine", prompt="a fox") for n in range(3)]
        await gate.arrived(3)
        assert all(one.messages[0].loading for one in asked)
    for one in asked:
        await one.answered()

    assert not bot.errors


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.LATE])
async def test_slow_and_late_answers_come(fake: FakeDiscord, channel: discord.PartialMessageable, fault: Fault) -> None:
    fake.goes_wrong("POST", MESSAGES, fault, seconds=0.05)

    await channel.send("hello")

    assert fake.channel.last.text == "hello"


async def test_a_route_that_is_not_there_cannot_be_scripted(fake: FakeDiscord) -> None:
    with pytest.raises(ValueError, match="has no POST /chanels"):
        fake.goes_wrong("POST", "/chanels/{}/messages", Fault.LOST)

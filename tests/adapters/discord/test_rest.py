"""The calls under the ladder: what is repeated, what is told, and what never reaches a log."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.discord.outbound import message
from adapters.discord.rest import Refused, Rest, Token, Unreachable, Upload
from tests.adapters.discord.posting import Desk, desk, reply
from tests.fakes import painted
from tests.simulators.discord.demo_bot import DemoBot
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.wire import Code
from tests.simulators.discord.world import MIB

SEND = "/channels/{}/messages"
ORIGINAL = "/webhooks/{}/{}/messages/@original"
WORDS = message(reply())


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


@pytest.fixture
def rest(desk: Desk) -> Rest:
    return Rest(desk.client, pauses=(0.0, 0.0))


async def test_a_call_is_repeated_with_its_whole_file(fake: FakeDiscord, rest: Rest, tmp_path: Path) -> None:
    file = tmp_path / "fox.png"
    file.write_bytes(painted("fox"))
    fake.goes_wrong("POST", SEND, Fault.RESET)
    fake.goes_wrong("POST", SEND, 503)
    body = {**WORDS, "attachments": [{"id": 0, "filename": "fox.png"}]}
    body["components"] = [{"type": 12, "items": [{"media": {"url": "attachment://fox.png"}}]}]
    await rest.send(fake.channel.id, {**body, "nonce": "1", "enforce_nonce": True}, [Upload("fox.png", file)])

    assert fake.channel.last.pictures == [painted("fox")]
    assert [one.parts[0].data for one in fake.asked_for("POST", SEND)] == [painted("fox")] * 3


async def test_what_discord_refuses_is_told_with_its_code_and_asked_once(fake: FakeDiscord, rest: Rest) -> None:
    fake.forbid(fake.channel, "send_messages")
    with pytest.raises(Refused) as refused:
        await rest.send(fake.channel.id, WORDS)

    assert (refused.value.status, refused.value.code) == (403, 50013)
    assert len(fake.asked_for("POST", SEND)) == 1


async def test_too_many_requests_are_waited_for_as_told(fake: FakeDiscord, rest: Rest) -> None:
    fake.goes_wrong("POST", SEND, Fault.BUSY)
    fake.goes_wrong("POST", SEND, Fault.BUSY_EVERYWHERE)
    await rest.send(fake.channel.id, WORDS)

    assert [one.status for one in fake.asked_for("POST", SEND)] == [429, 429, 200]


async def test_a_discord_that_stays_away_is_unreachable(fake: FakeDiscord, rest: Rest) -> None:
    fake.goes_wrong("POST", SEND, Fault.RESET, times=3)
    with pytest.raises(Unreachable):
        await rest.send(fake.channel.id, WORDS)

    assert len(fake.asked_for("POST", SEND)) == 3


async def test_a_call_that_never_ends_is_given_up(fake: FakeDiscord, desk: Desk) -> None:
    rest = Rest(desk.client, pauses=(), patience=0.05)
    async with fake.holding("POST", SEND) as gate:
        with pytest.raises(Unreachable):
            await rest.send(fake.channel.id, WORDS)
        await gate.arrived()


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.RESET, Fault.BLOCKED, Code.INVALID_TOKEN])
async def test_an_interactions_token_reaches_no_log(
    fault: Fault | Code, fake: FakeDiscord, desk: Desk, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked, _ = await desk.asked(fake.person("bob"))
    fake.goes_wrong("PATCH", ORIGINAL, fault, times=3)
    problem: BaseException | None = None
    try:
        await rest.edit_by_token(Token(fake.bot.id, asked.token), "@original", WORDS)
    except (Refused, Unreachable) as error:
        problem = error

    assert asked.token not in caplog.text
    assert asked.token not in str(problem)
    assert any(one.path.endswith("@original") for one in fake.requests)


async def test_the_limit_of_a_server_follows_from_its_boosts(fake: FakeDiscord, bot: DemoBot) -> None:
    boosted = fake.new_guild("boosted", fake.owner, tier=2)
    await fake.until(lambda: bot.get_guild(int(boosted.id)), what="the server")

    assert Rest(bot).guild_limit(boosted.id) == 50 * MIB
    assert Rest(bot).guild_limit("1") == 0
    assert Rest(bot).guild_limit("") == 0

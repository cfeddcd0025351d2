"""`setup discord` on the fake Discord: what it tells, what it puts there, and what it leaves alone."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapters.discord import tree
from adapters.discord.checks import WITHOUT_CONTENT
from adapters.discord.permissions import NEEDED, own_link, server_link
from adapters.discord.setup import set_up
from bot.i18n import Text
from bot.ops.setup import PICTURE
from tests.adapters.discord.portal import table, values
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault


async def told(fake: FakeDiscord, *, channel: str = "", language: str = "en", **more: Any) -> tuple[bool, list[str]]:
    """Whether all went well, and each line that was said."""
    said: list[Text] = []
    well = await set_up(
        values(fake, **more),
        said.append,
        table=table,
        picture=PICTURE,
        channel=channel,
        language=language,
        connector=fake.connector,
    )
    assert fake.token not in "".join(map(str, said))
    return well, [str(each) for each in said]


async def test_it_tells_each_step_and_puts_the_commands_there(fake: FakeDiscord) -> None:
    well, lines = await told(fake)

    assert well
    assert lines[0].startswith("The token is good. The bot is called seedream")
    assert str(WITHOUT_CONTENT) in lines
    assert f"Add the bot to a server by this link: {server_link(fake.bot.id)}" in lines
    assert any(line.endswith(own_link(fake.bot.id)) for line in lines)
    assert [line.partition(":")[0].strip() for line in lines if line.startswith("  ")] == [
        str(permission.name) for permission in NEEDED
    ]
    assert lines[-1].startswith("Next: `seedream-bot run`")
    assert [one["name"] for one in fake.commands.by_guild[None]] == [one["name"] for one in tree.payload(await table())]
    assert not fake.gateway.identified


async def test_a_second_time_changes_nothing(fake: FakeDiscord) -> None:
    await told(fake)
    _, lines = await told(fake)

    assert "The commands stand at Discord already." in lines
    assert fake.commands.syncs == 1


async def test_a_wrong_token_ends_it_before_anything_is_put_there(fake: FakeDiscord) -> None:
    well, lines = await told(fake, token="not.the.token", channel=fake.channel.id)

    assert not well
    assert lines[0] == "Discord does not know this token."
    assert "Reset Token" in lines[1]
    assert len(lines) == 2
    assert fake.commands.syncs == 0


async def test_a_channel_gets_the_picture_in_the_bots_own_form(fake: FakeDiscord) -> None:
    well, lines = await told(fake, channel=fake.channel.id)

    assert (well, f"A test picture stands in channel {fake.channel.id}." in lines) == (True, True)
    (message,) = fake.channel.messages
    assert message.v2
    assert "try /imagine" in message.text
    assert message.pictures == [PICTURE.read_bytes()]
    with Image.open(io.BytesIO(message.pictures[0])) as shown:
        assert shown.format == "JPEG"
    assert message.pinged == set()


async def test_a_lost_answer_makes_no_second_picture(fake: FakeDiscord) -> None:
    fake.goes_wrong("POST", "/channels/{}/messages", Fault.LOST)

    well, _ = await told(fake, channel=fake.channel.id)

    assert well
    assert len(fake.channel.messages) == 1


async def test_a_channel_that_lacks_a_permission_is_told_by_its_name(fake: FakeDiscord) -> None:
    fake.forbid(fake.channel, "attach_files")

    well, lines = await told(fake, channel=fake.channel.id)

    assert not well
    assert "#general in studio: the bot lacks Attach Files." in lines
    assert lines[-1].startswith("  -> ")
    assert fake.channel.messages == []


@pytest.mark.parametrize("channel", ["12345", "general"])
async def test_a_channel_that_is_not_there_is_told(fake: FakeDiscord, channel: str) -> None:
    well, lines = await told(fake, channel=channel)

    assert not well
    assert f"Channel {channel} is not there." in lines


async def test_servers_that_are_named_get_the_commands_for_themselves(fake: FakeDiscord) -> None:
    well, _ = await told(fake, guilds=[fake.guild.id])

    assert well
    assert [*fake.commands.by_guild] == [fake.guild.id]


async def test_a_server_that_the_bot_is_not_in_is_told(fake: FakeDiscord) -> None:
    elsewhere = fake.new_guild("elsewhere", fake.owner, bot=False)

    well, lines = await told(fake, guilds=[elsewhere.id])

    assert not well
    assert any("BOT_DISCORD__GUILDS" in line for line in lines)


async def test_a_discord_that_fails_ends_it_with_a_word(fake: FakeDiscord) -> None:
    fake.goes_wrong("PUT", "/applications/{}/commands", 400)

    well, lines = await told(fake)

    assert not well
    assert "status 400" in lines[-2]


async def test_the_picture_is_there_and_small_enough_for_every_server() -> None:
    assert isinstance(PICTURE, Path)
    assert 0 < PICTURE.stat().st_size < 2**20

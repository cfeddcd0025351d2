"""The fake Discord, driven by the real discord.py: messages in channels, their files, and what the bot may not do."""

import io
from datetime import timedelta

import aiohttp
import discord
import pytest

from tests.simulators.discord.demo_bot import DemoBot, card, drawn, picture
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.model import Channel

pytestmark = pytest.mark.slow

MIB = 2**20
MESSAGES = "/channels/{}/messages"
FOX = Upload("fox.png", drawn(32, "navy"))


def there(bot: DemoBot, channel: Channel) -> discord.PartialMessageable:
    return bot.get_partial_messageable(int(channel.id))


def heavy(size: int, name: str = "a.bin") -> discord.File:
    return discord.File(io.BytesIO(bytes(size)), name)


async def test_the_same_nonce_gives_the_first_message_again(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.goes_wrong("POST", MESSAGES, Fault.LOST)

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await there(bot, fake.channel).send("hello", nonce="generation:1")
    again = await there(bot, fake.channel).send("hello", nonce="generation:1")
    fake.clock.advance(timedelta(minutes=6))
    await there(bot, fake.channel).send("hello", nonce="generation:1")

    first, later = fake.channel.messages
    assert (str(again.id), first.nonce) == (first.id, "generation:1")
    assert first is not later


async def test_a_file_over_the_servers_limit_is_refused(fake: FakeDiscord, bot: DemoBot) -> None:
    boosted = fake.new_guild("boosted", fake.owner, tier=2)

    with pytest.raises(discord.HTTPException) as refused:
        await there(bot, fake.channel).send(file=heavy(10 * MIB + 1))
    await there(bot, boosted.channels[0]).send(file=heavy(10 * MIB + 1))

    assert (refused.value.status, refused.value.code) == (413, 40005)
    assert len(boosted.channels[0].messages) == 1


async def test_a_request_over_25_mib_is_refused(fake: FakeDiscord, bot: DemoBot) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await there(bot, fake.channel).send(files=[heavy(9 * MIB, f"{n}.bin") for n in range(3)])

    assert (refused.value.status, refused.value.code) == (413, 40005)


async def test_eleven_files_are_refused(fake: FakeDiscord, bot: DemoBot) -> None:
    form = [{"name": "payload_json", "value": "{}"}]
    form += [{"name": f"files[{n}]", "value": "a", "filename": f"{n}.txt"} for n in range(11)]

    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=fake.channel.id), form=form
        )

    assert refused.value.code == 50035


async def test_v2_stays_v2_and_takes_no_content(fake: FakeDiscord, bot: DemoBot) -> None:
    sent = await there(bot, fake.channel).send(view=card("a fox", shows="picture.png"), file=picture())

    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("PATCH", "/channels/{c}/messages/{m}", c=fake.channel.id, m=sent.id),
            json={"content": "plain"},
        )
    await sent.edit(view=card("a red fox"))

    assert refused.value.code == 50035
    assert (fake.channel.last.v2, fake.channel.last.text) == (True, "a red fox")


@pytest.mark.parametrize(
    ("forbidden", "code"), [("view_channel", 50001), ("send_messages", 50013), ("attach_files", 50013)]
)
async def test_a_missing_permission_is_told_by_its_code(
    fake: FakeDiscord, bot: DemoBot, forbidden: str, code: int
) -> None:
    fake.forbid(fake.channel, forbidden)

    with pytest.raises(discord.Forbidden) as refused:
        await there(bot, fake.channel).send(file=picture())

    assert refused.value.code == code
    assert fake.limits.invalid == 1


async def test_the_client_learns_what_it_may_no_longer_do(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.forbid(fake.channel, "attach_files")
    fake.permit(fake.channel, "manage_messages")
    channel = bot.get_channel(int(fake.channel.id))
    assert isinstance(channel, discord.TextChannel)
    await there(bot, fake.channel).typing()
    await fake.until(lambda: not channel.permissions_for(channel.guild.me).attach_files)

    assert channel.permissions_for(channel.guild.me).manage_messages
    assert fake.channel.typed == 1


async def test_a_channel_or_message_that_is_gone_is_unknown(fake: FakeDiscord, bot: DemoBot) -> None:
    sent = await there(bot, fake.channel).send("hello")
    await fake.person("bob").delete(fake.channel.last)

    with pytest.raises(discord.NotFound) as message:
        await sent.edit(content="there?")
    fake.remove_channel(fake.channel)
    with pytest.raises(discord.NotFound) as channel:
        await there(bot, fake.channel).send("there?")

    assert (message.value.code, channel.value.code) == (10008, 10003)


async def test_a_person_may_take_no_direct_messages(fake: FakeDiscord, bot: DemoBot) -> None:
    bob, eve = fake.person("bob"), fake.person("eve")
    eve.user.accepts_dms = False

    await (await bot.fetch_user(int(bob.user.id))).send("hello")
    with pytest.raises(discord.Forbidden) as refused:
        await (await bot.fetch_user(int(eve.user.id))).send("hello")

    assert (bob.direct.last.text, refused.value.code) == ("hello", 50007)


async def test_old_messages_take_few_edits(fake: FakeDiscord, bot: DemoBot) -> None:
    fake.old_edits_allowed = 1
    sent = await there(bot, fake.channel).send("1")
    await sent.edit(content="2")
    fake.clock.advance(timedelta(hours=1))
    await sent.edit(content="3")

    with pytest.raises(discord.HTTPException) as refused:
        await sent.edit(content="4")

    assert (refused.value.code, fake.channel.last.text) == (30046, "3")


async def test_a_link_expires_and_is_made_anew_when_the_message_is_fetched(fake: FakeDiscord, bot: DemoBot) -> None:
    shown = await fake.person("bob").say(attachments=[FOX])
    await fake.until(lambda: bot.heard)
    (old,) = bot.heard[0].attachments
    fake.clock.advance(timedelta(hours=25))

    with pytest.raises(discord.NotFound):
        await old.read()
    (new,) = (await there(bot, fake.channel).fetch_message(int(shown.id))).attachments

    assert await new.read() == FOX.data


async def test_what_was_given_to_a_command_vanishes(fake: FakeDiscord, bot: DemoBot) -> None:
    async with fake.holding("POST", "/interactions/{}/{}/callback") as gate:
        await fake.person("bob").slash("imagine", prompt="a fox", image=FOX)
        await gate.arrived()
        for file in fake.cdn.kept.values():
            file.vanished = True
    await fake.until(lambda: bot.errors)

    assert isinstance(bot.errors[0], discord.NotFound)


async def test_a_forward_shows_what_the_message_was(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    shown = await bob.say(attachments=[FOX])

    await bob.say(forward=shown, in_=bob.direct)
    await fake.until(lambda: len(bot.heard) == 2)

    (snapshot,) = bot.heard[1].message_snapshots
    assert await snapshot.attachments[0].read() == FOX.data


async def test_a_thread_takes_messages_until_it_is_closed_and_locked(fake: FakeDiscord, bot: DemoBot) -> None:
    sent = await there(bot, fake.channel).send("a series")
    channel = bot.get_channel(int(fake.channel.id))
    assert isinstance(channel, discord.TextChannel)
    message = await channel.fetch_message(sent.id)

    thread = await message.create_thread(name="a series")
    first = await thread.send("1")
    await thread.edit(archived=True)
    with pytest.raises(discord.HTTPException) as edited:
        await first.edit(content="changed")
    await thread.send("2")
    await thread.edit(archived=True, locked=True)
    private = await channel.create_thread(name="private")
    with pytest.raises(discord.HTTPException) as refused:
        await thread.send("3")

    assert [one.text for one in fake.find_channel(str(thread.id)).messages] == ["1", "2"]
    assert fake.channel.last.thread is fake.find_channel(str(thread.id))
    assert (edited.value.code, refused.value.code, private.is_private()) == (50083, 50083, True)


async def test_only_those_are_notified_whom_the_bot_allows(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")

    await there(bot, fake.channel).send(f"@everyone {bob.mention}", allowed_mentions=discord.AllowedMentions.none())
    await there(bot, fake.channel).send(f"@everyone {bob.mention}")

    silent, loud = fake.channel.messages
    assert (silent.mentions, silent.pinged, loud.pinged) == ([bob.user], set(), {"everyone", bob.user.id})


async def test_the_bot_finds_its_server_its_members_and_roles(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")
    role = fake.new_role(fake.guild, "painters", "manage_guild")
    fake.guild.members[bob.user.id].roles.append(role)

    guild = await bot.fetch_guild(int(fake.guild.id))
    member = await guild.fetch_member(int(bob.user.id))

    assert [one.name for one in await guild.fetch_roles()] == ["@everyone", "painters"]
    assert [one.name for one in await guild.fetch_channels()] == ["general"]
    assert member.get_role(int(role.id))
    assert [one.content async for one in there(bot, fake.channel).history()] == []


async def test_an_edit_keeps_the_files_that_it_names(fake: FakeDiscord, bot: DemoBot) -> None:
    files = [picture(f"{colour}.png", drawn(8, colour)) for colour in ("red", "green")]
    sent = await there(bot, fake.channel).send("two", files=files)

    await sent.edit(attachments=[sent.attachments[1], picture("blue.png", drawn(8, "blue"))])
    await sent.edit(content="still two")

    assert fake.channel.last.pictures == [drawn(8, "green"), drawn(8, "blue")]
    assert fake.channel.last.text == "still two"


async def test_a_link_that_nobody_signed_opens_nothing(fake: FakeDiscord) -> None:
    shown = await fake.person("bob").say(attachments=[FOX])
    link = fake.cdn.link(shown.attachments[0])

    async with aiohttp.ClientSession(connector=fake.connector()) as session:
        async with session.get(link) as response:
            assert await response.read() == FOX.data
        async with session.get(link.partition("?")[0]) as response:
            assert response.status == 404
        async with session.get(link.replace("cdn.discordapp.com", "discord.com")) as response:
            assert response.status == 404
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("https://example.org/")

    assert fake.proxy.refused == ["example.org:443"]
    assert [one.endswith("was asked of discord.com") for one in fake.complaints] == [True]
    fake.complaints.clear()


async def test_a_server_that_the_bot_joins_is_told_with_its_system_channel(fake: FakeDiscord, bot: DemoBot) -> None:
    joined = fake.new_guild("new", fake.owner)
    await fake.until(lambda: len(bot.guilds) == 2)

    guild = bot.get_guild(int(joined.id))
    assert guild
    assert guild.system_channel
    assert str(guild.system_channel.id) == joined.channels[0].id

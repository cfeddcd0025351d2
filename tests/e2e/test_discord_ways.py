"""Every way in which people ask on Discord, of the bot as it is started: over the proxy, with real host names."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.discord_bot import PATIENCE, drawn, on_discord
from tests.fakes import painted
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.interactions import Ack
from tests.simulators.discord.tls import HOSTS

pytestmark = pytest.mark.e2e

FOX = Upload("fox.png", painted("fox", 640, 480))
CAT = Upload("cat.png", painted("cat", 480, 640))


async def test_a_slash_command_draws_and_the_proxy_leads_to_discord_alone(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        offered = await (await bob.autocomplete("imagine", "model", "5", prompt="a heron at a lake")).acknowledged()
        message = await drawn(bot, bob, "a heron at a lake", ratio="16:9")
        asked = await bob.slash("blend", prompt="put both beside each other", image1=FOX, image2=CAT)
        blended = await bot.says(await asked.answered(within=PATIENCE), "put both beside each other", pictures=1)

        assert "seedream-5-lite" in [one["name"] for one in offered.choices]
        assert {*message.buttons} == {"Again", "Vary", "Edit", "4K", "Details", "Delete"}
        assert "2848×1600" in message.text
        assert blended.id != message.id
        assert {*bot.fake.proxy.led} == {*HOSTS[:3]}


async def test_the_menu_of_any_message_opens_a_form_for_words_and_pictures(tmp_path: Path) -> None:
    async with on_discord(tmp_path, BOT_DISCORD__MESSAGE_CONTENT="false") as bot:
        bob, ann = bot.fake.person("bob"), bot.fake.person("ann")
        theirs = await ann.say("my cat", attachments=[CAT])
        opened = await (await bob.menu("Edit picture", theirs)).acknowledged()
        asked = await bob.submit(opened, {"prompt": "make it a winter night"}, files=[FOX, CAT])
        edited = await bot.says(await asked.answered(within=PATIENCE), "make it a winter night", pictures=1)
        forwarded = await ann.say(forward=theirs)
        opened = await (await bob.menu("Use as reference", forwarded)).acknowledged()
        asked = await bob.submit(opened, {"prompt": "a poster in these colours"})
        await bot.says(await asked.answered(within=PATIENCE), "a poster in these colours", pictures=1)
        asked = await bob.menu("Details", edited)
        details = await asked.answered()

        assert asked.ephemeral
        assert "**Pictures given** · 3" in details.text


async def test_words_and_replies_ask_as_people_write_them(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake = bot.fake
        bob, ann = fake.person("bob"), fake.person("ann")
        await bob.say("a heron at a quiet lake", mentions=[fake.bot])
        heron = await bot.says(fake.channel, "a heron at a quiet lake", pictures=1)
        await bob.say("make it night", reply_to=heron, ping=False)
        night = await bot.says(fake.channel, "make it night", pictures=1)
        theirs = await ann.say("my cat", attachments=[CAT])
        await bob.say("give it a red hat", reply_to=theirs, mentions=[fake.bot])
        await bot.says(fake.channel, "give it a red hat", pictures=1)
        forwarded = await ann.say(forward=theirs)
        await bob.say("give it green boots", reply_to=forwarded, mentions=[fake.bot])
        boots = await bot.says(fake.channel, "give it green boots", pictures=1)
        await bob.say("a lighthouse in a storm", in_=bob.direct)
        await bot.says(bob.direct, "a lighthouse in a storm", pictures=1)

        assert night.replies_to is not None
        assert night.replies_to.author is bob.user
        assert "Edited" in night.text
        assert "Edited" in boots.text
        assert not [one for one in fake.channel.messages if one.pinged and one.author is fake.bot]


async def test_a_private_answer_and_a_private_command_are_seen_by_the_asker_alone(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        message = await drawn(bot, bob, "a secret garden at dusk", private=True)
        quota = await (await bob.slash("quota")).answered()
        pressed = await bob.press(message, "Again")
        again = await bot.says(await pressed.answered(within=PATIENCE), "a secret garden", pictures=1)
        direct = await drawn(bot, bob, "a lantern in the fog", in_=bob.direct)

        assert [one.only_for for one in (message, quota, again)] == [bob.user] * 3
        assert not direct.ephemeral


async def test_a_person_brings_the_bot_to_a_server_where_it_is_no_member(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob = bot.fake, bot.fake.person("bob")
        elsewhere = fake.new_guild("elsewhere", fake.owner, bot=False)
        fake.join(elsewhere, bob.user)
        bob.install()
        series = await bob.slash("series", prompt="one day in a harbour", count=4, in_=elsewhere.channels[0])
        question = await series.answered(within=PATIENCE)
        await bob.press(question, "Go")
        await bot.says(question, "A series for Bob", pictures=4)

        assert series.follow_ups == 0
        assert len(elsewhere.channels[0].messages) == 1


async def test_a_person_brings_the_bot_to_a_group_conversation(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, bob, ann = bot.fake, bot.fake.person("bob"), bot.fake.person("ann")
        bob.install()
        group = fake.direct_channel(bob.user, ann.user)
        asked = await bob.slash("imagine", prompt="a slow heron sandbox:slow", in_=group)
        heron = await bot.says(await asked.answered(within=PATIENCE), "Drawing")
        await bot.says(heron, "Drawn for Bob", pictures=1)
        opened = await (await ann.press(heron, "Edit")).acknowledged()
        edited = await ann.submit(opened, {"prompt": "make it a winter night"}, files=[FOX])
        await bot.says(await edited.answered(within=PATIENCE), "make it a winter night", pictures=1)
        series = await bob.slash("series", prompt="one day in a harbour", count=12, in_=group)
        question = await series.answered()
        await bob.press(question, "Go")
        await bot.says(question, "A series for Bob", pictures=10)
        await bot.says(group, "Pictures 11 to 12 of 12", pictures=2)

        assert asked.payload["context"] == 2
        assert [one.follow_ups for one in (asked, edited, series)] == [0, 0, 1]
        assert [one.ephemeral for one in group.messages] == [False] * 4
        assert [len(one.messages) for one in (bob.direct, ann.direct)] == [0, 0]


async def test_what_cannot_be_is_refused_in_words_for_the_asker_alone(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob = bot.fake.person("bob")
        wrong: tuple[dict[str, Any], ...] = ({"ratio": "99:1"}, {"size": "huge"})
        known = [await bob.slash("imagine", prompt="a heron", **each) for each in wrong]
        ratio, size = [await one.answered() for one in known]
        await bob.slash("show", id="nothing1")
        unknown = await bot.says(bot.fake.channel, "nothing1")
        await bob.slash("edit", prompt="make it night", image1=Upload("no.png", b"not a picture at all"))
        broken = await bot.says(bot.fake.channel, "not a picture that the bot can read")
        await bot.until(lambda: len(bot.fake.channel.messages) == 4, "the end of what only held the place")

        assert "99:1 is not a ratio here" in ratio.text
        assert "huge" in size.text
        assert [one.ack for one in known] == [Ack.MESSAGE] * 2
        assert [one.only_for for one in (ratio, size, unknown, broken)] == [bob.user] * 4


async def test_an_admin_closes_a_channel_and_blocks_a_member(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake = bot.fake
        bob, ann, owner = fake.person("bob"), fake.person("ann"), fake.person("boss")
        fake.guild.members[owner.user.id].roles.append(fake.new_role(fake.guild, "staff", "manage_guild"))
        studio = fake.new_channel(fake.guild, "studio")
        changed = await (await owner.slash("admin", rule="channels", value="add", channel=studio)).answered()
        await (await owner.slash("admin", rule="block", member=ann.user)).answered()
        closed, blocked, allowed = await asyncio.gather(
            bob.slash("imagine", prompt="a heron"),
            ann.slash("imagine", prompt="a heron", in_=studio),
            bob.slash("imagine", prompt="a heron", in_=studio),
        )
        words = [(await one.answered()).text for one in (closed, blocked)]
        await bot.says(await allowed.answered(within=PATIENCE), "a heron", pictures=1)
        audit = await (await owner.slash("admin", area="audit")).answered()

        assert changed.only_for is owner.user
        assert f"<#{studio.id}>" in words[0]
        assert words[1] != words[0]
        assert [one.ephemeral for one in (closed, blocked, allowed)] == [True, True, False]
        assert "Boss: Blocked" in audit.text


async def test_everybody_is_answered_in_their_own_language(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bob, li = bot.fake.person("bob"), bot.fake.person("li")
        li.user.locale = "zh-CN"
        chinese = await (await li.slash("imagine", prompt="雪中的红狐狸")).answered(within=PATIENCE)
        await bot.says(chinese, "雪中的红狐狸", pictures=1)
        english = await drawn(bot, bob, "a red fox in the snow")
        refused = await (await li.slash("imagine", prompt="狐狸", ratio="99:1")).answered()
        pressed = await (await bob.press(chinese, "详情")).answered()

        assert {*chinese.buttons} >= {"再来一张", "详情", "删除"}
        assert "Drawn for Bob" in english.text
        assert "99:1" in refused.text
        assert "ratio" not in refused.text
        assert "Made by" in pressed.text


@pytest.mark.slow
async def test_two_hundred_people_at_once_are_acknowledged_in_time_and_each_answered_once(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        people = [bot.fake.person(f"person{number}") for number in range(200)]
        asked = [await one.slash("imagine", prompt="a heron", model="seedream-4", size="1280x720") for one in people]
        await asyncio.gather(*(one.acknowledged() for one in asked))
        messages = [await one.answered(within=PATIENCE) for one in asked]
        await bot.fake.until(lambda: all(len(one.pictures) == 1 for one in messages), within=90, what="200 pictures")

        assert not any(one.failed for one in asked)
        assert max(one.acknowledged_after or 0 for one in asked) < 3
        assert [len(one.messages) for one in asked] == [1] * 200
        assert len([one for one in bot.fake.channel.messages if one.author is bot.fake.bot]) == 200

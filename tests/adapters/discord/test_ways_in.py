"""Every way in which a person can ask for something on Discord, from their hand to the core's door."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.chat import Attachment, Quoted
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table, own
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.messages import post
from tests.simulators.discord.people import Person
from tests.simulators.discord.render import without_content
from tests.simulators.discord.world import Event

FOX = Upload("fox.png", painted("fox"))
CAT = Upload("cat.png", painted("cat"))


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


@pytest_asyncio.fixture
async def bob(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Person]:
    """A member of the server, on a Discord where the adapter listens with the message-content intent."""
    async with connected(fake, door, tmp_path, message_content=True):
        yield fake.person("bob")


async def came(fake: FakeDiscord, door: FakeDoor, pictures: int = 0) -> None:
    await fake.until(lambda: door.accepted and len(door.pictures) >= pictures, what="an invocation")


def quoted(door: FakeDoor) -> Quoted:
    assert door.last.quoted is not None
    return door.last.quoted


def hide_answered(fake: FakeDiscord) -> None:
    """Let messages that others reply to come empty, as Discord sends them to whoever may not read them."""
    tell = fake.tell

    def told(event: Event) -> None:
        answered = event.data.get("referenced_message")
        data = {**event.data, "referenced_message": without_content(answered)} if answered else event.data
        tell(replace(event, data=data))

    fake.tell = told


async def test_a_slash_command_brings_its_values_and_who_asked(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    asked = await bob.slash("imagine", prompt="a fox", count=2, private=True)
    await asked.answered()

    invocation = door.last
    assert (invocation.id, invocation.command) == (f"discord:{asked.id}", "imagine")
    assert invocation.values == {"prompt": "a fox", "count": 2, "private": True}
    assert (invocation.actor.user, invocation.actor.name, invocation.actor.space) == (bob.user.id, "Bob", fake.guild.id)
    assert (invocation.actor.language, invocation.actor.admin) == ("en-US", False)
    assert (invocation.place.room, invocation.place.data["guild"]) == (fake.channel.id, fake.guild.id)


async def test_who_may_manage_the_server_is_an_admin(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    fake.guild.members[bob.user.id].roles.append(fake.new_role(fake.guild, "staff", "manage_guild"))
    await (await bob.slash("imagine", prompt="a fox")).answered()

    assert door.last.actor.admin


async def test_pictures_of_a_slash_command_come_under_their_option(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    await (await bob.slash("edit", prompt="make it night", image1=FOX, image2=CAT)).answered()

    assert isinstance(door.last.values["image2"], Attachment)
    assert door.pictures == [FOX.data, CAT.data]


async def test_a_mention_with_words_asks(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    said = await bob.say("a fox in the snow", mentions=[fake.bot])
    await came(fake, door)

    assert (door.last.id, door.last.line) == (f"discord:{said.id}", "a fox in the snow")
    assert door.last.place.data["reply_to"] == said.id


async def test_words_in_a_direct_message_ask(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await bob.say("a fox in the snow", in_=bob.direct, attachments=[FOX])
    await came(fake, door, 1)

    assert (door.last.line, door.last.actor.space) == ("a fox in the snow", f"dm:{bob.user.id}")
    assert (door.last.place.data["guild"], door.pictures) == ("", [FOX.data])


async def test_what_is_not_said_to_the_bot_is_left_alone(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    others = await bob.say("look at this", attachments=[FOX])
    await bob.say("how nice", reply_to=others)
    post(fake, fake.channel, fake.bot, {"content": f"{fake.bot.mention} hello"}, limit=2**20)
    robot = Person(fake, fake.new_user("robot", bot=True))
    fake.join(fake.guild, robot.user)
    await robot.say("a fox", mentions=[fake.bot])
    await bob.say("the last word", mentions=[fake.bot])
    await came(fake, door)

    assert [each.line for each, _ in door.accepted] == ["the last word"]


async def test_a_reply_with_a_mention_means_the_pictures_of_the_other_message(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    await bob.say("make it night", reply_to=others, mentions=[fake.bot])
    await came(fake, door, 1)

    assert (door.last.line, quoted(door).message_id) == ("make it night", f"{fake.channel.id}/{others.id}")
    assert door.pictures == [CAT.data]


async def test_a_reply_to_a_forwarded_message_means_the_pictures_in_it(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    ann = fake.person("ann")
    forwarded = await ann.say(forward=await ann.say("my cat", attachments=[CAT]))
    await bob.say("make it night", reply_to=forwarded, mentions=[fake.bot])
    await came(fake, door, 1)

    assert door.pictures == [CAT.data]


async def test_a_reply_to_our_own_message_needs_no_mention_and_names_its_generation(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    ours = own(fake, "again:k3f9w2ab:0", "delete:k3f9w2ab:0")
    await bob.say("make it night", reply_to=ours, ping=False)
    await came(fake, door)

    assert (quoted(door).message_id, quoted(door).generation) == (f"{fake.channel.id}/{ours.id}", "k3f9w2ab")


async def test_a_list_of_several_generations_means_none_of_them(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    ours = own(fake, "show:k3f9w2ab:0", "show:x7f9w2ab:0")
    await bob.say("make it night", reply_to=ours)
    await came(fake, door)

    assert quoted(door).generation == ""


async def test_a_reply_to_words_alone_asks_for_what_it_says(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    others = await fake.person("ann").say("what shall we draw?")
    await bob.say("a fox", reply_to=others, mentions=[fake.bot])
    await came(fake, door)

    assert (door.last.line, door.last.quoted) == ("a fox", None)


async def test_a_link_to_a_picture_is_a_picture(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await bob.say("make it night https://127.0.0.1/fox.png?key=1", mentions=[fake.bot])
    await came(fake, door, 1)

    assert door.last.line == "make it night"
    assert [each.name for each in door.last.attachments] == ["fox.png"]
    assert door.pictures == ["The picture could not be fetched."]  # by the guarded fetcher: it leads inside


async def test_an_embed_of_a_quoted_message_is_a_picture(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    kept = fake.cdn.keep(fake.snowflake(), fake.channel.id, "embedded.png", CAT.data)
    others = await fake.person("ann").say("see", embeds=[{"image": {"url": fake.cdn.link(kept)}}])
    await bob.say("make it night", reply_to=others, mentions=[fake.bot])
    await came(fake, door, 1)

    assert door.pictures == [CAT.data]


async def test_a_message_that_was_deleted_meanwhile_is_said_to_be_gone(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    await fake.person("ann").delete(others)
    await bob.say("make it night", reply_to=others, mentions=[fake.bot])
    await fake.until(lambda: fake.channel.last.author is fake.bot, what="an explanation")

    assert "no longer there" in fake.channel.last.text
    assert door.accepted == []


async def test_without_the_intent_a_foreign_picture_is_explained(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        others = await fake.person("ann").say("my cat", attachments=[CAT])
        hide_answered(fake)
        await bob.say("make it night", reply_to=others, mentions=[fake.bot])
        await fake.until(lambda: fake.channel.last.author is fake.bot or door.accepted, what="an explanation")

        assert "Edit picture" in fake.channel.last.text
        assert door.accepted == []


async def test_without_the_intent_an_unseen_reply_is_told_to_mention(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path):
        await fake.person("bob").say("make it night", reply_to=own(fake, "again:k3f9w2ab:0"), ping=False)
        await fake.until(lambda: fake.channel.last.author is fake.bot and len(fake.channel.messages) == 3)

        assert "mentions me" in fake.channel.last.text


async def test_a_picture_that_vanished_is_named(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    others.attachments[0].vanished = True
    await bob.say("make it night", reply_to=others, mentions=[fake.bot])
    await came(fake, door, 1)

    assert door.pictures == ["The picture cat.png is no longer there. Please attach it again."]


async def test_a_picture_that_is_too_large_is_not_fetched(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await bob.say("make it night", attachments=[Upload("large.png", b"\x89PNG" + bytes(2**20))], mentions=[fake.bot])
    await came(fake, door, 1)

    assert "larger than 1 MiB" in str(door.pictures[0])
    assert fake.downloads == []


async def test_a_person_brings_the_bot_where_it_is_no_member(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    elsewhere = fake.new_guild("elsewhere", fake.owner, bot=False)
    fake.join(elsewhere, bob.user)
    bob.install()
    await (await bob.slash("imagine", prompt="a fox", in_=elsewhere.channels[0])).answered()

    assert (door.last.place.data["member"], door.last.actor.space) == (False, elsewhere.id)

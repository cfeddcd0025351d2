"""Every way in which a person can ask for something on Feishu, from their hand to the core's door."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bot.chat import Quoted
from tests.adapters.feishu.stage import FakeDoor, Stage, listening
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.people import Person
from tests.simulators.feishu.scopes import GROUP_MESSAGES

FOX, CAT = painted("fox"), painted("cat")
QUESTION = "What shall I do with the picture? Just write it."


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with listening(fake, door, tmp_path) as stage:
        yield stage


@pytest_asyncio.fixture
async def ann(fake: FakeFeishu, stage: Stage) -> Person:
    return fake.person("Ann")


def quoted(door: FakeDoor) -> Quoted:
    assert door.last.quoted is not None
    return door.last.quoted


async def test_words_to_the_bot_ask_and_say_who_asked(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    said = await ann.says("a fox in the snow")
    asked = await stage.until_accepted()

    assert (asked.id, asked.line) == (f"feishu:{said.id}", "a fox in the snow")
    assert (asked.actor.user, asked.actor.name, asked.actor.space) == (ann.open_id, "Ann", fake.tenant)
    assert (asked.place.private, asked.place.data["message"]) == (True, said.id)
    assert [ack.code for ack in fake.acks] == [200]


async def test_a_slash_command_comes_as_a_line(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    group = fake.group("party", ann)
    await ann.says("{bot} /imagine a fox --count 2", to=group)
    asked = await stage.until_accepted()

    assert asked.line == "/imagine a fox --count 2"
    assert (asked.place.private, asked.place.room) == (False, group.id)


async def test_a_group_is_answered_only_where_the_bot_is_mentioned(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    fake.scopes.add(GROUP_MESSAGES)
    bob = fake.person("Bob")
    group = fake.group("party", ann, bob)
    await ann.says("/imagine a fox", to=group)
    await ann.says("{all} lunch", to=group)
    await ann.says("{Bob} a fox", to=group, mentions=[bob])
    await ann.sends_picture(FOX, to=group)
    await ann.says("{bot} with {Bob} in the snow", to=group, mentions=[bob])
    asked = await stage.until_accepted()

    assert (len(door.accepted), asked.line, stage.said) == (1, "with @Bob in the snow", [])
    assert len(fake.acks) == 5


async def test_a_post_brings_its_words_and_its_pictures(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await ann.posts("{bot} put the cat", CAT, "into", FOX, title="Please", to=fake.group("party", ann))
    asked = await stage.until_accepted()

    assert asked.line == "Please\nput the cat\ninto"
    assert door.pictures == [CAT, FOX]


async def test_a_reply_brings_the_pictures_of_another_persons_message(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    fake.scopes.add(GROUP_MESSAGES)
    bob = fake.person("Bob")
    group = fake.group("party", ann, bob)
    theirs = await bob.posts("look", CAT, FOX, to=group)
    await ann.says("{bot} make it night", to=group, reply_to=theirs)
    asked = await stage.until_accepted()

    assert (asked.line, quoted(door).message_id) == ("make it night", theirs.id)
    assert door.pictures == [CAT, FOX]


async def test_a_reply_that_may_not_be_looked_at_is_told_the_ways_that_work(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    group = fake.group("party", ann)
    theirs = await ann.sends_picture(CAT, to=group)
    await ann.says("{bot} make it night", to=group, reply_to=theirs)
    await stage.until_accepted()

    assert "in one message and mention me" in str(door.pictures[0])
    assert GROUP_MESSAGES in str(door.pictures[0])


async def test_a_reply_to_a_recalled_message_is_told_so(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    theirs = await ann.posts("look", CAT)
    await stage.until_accepted()
    door.pictures.clear()
    door.waits = asyncio.Event()
    await ann.says("make it night", reply_to=theirs)
    await ann.recalls(theirs)
    door.waits.set()
    await stage.until_accepted(2)

    assert door.pictures == ["The message that you reply to is no longer there."]


async def test_words_in_a_topic_are_answered_there_and_do_not_fail_for_its_head(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    group = fake.group("topics", ann, topics=True)
    head = await ann.says("what shall we draw?", to=group)
    await ann.says("{bot} a fox", to=group, reply_to=head)
    asked = await stage.until_accepted()

    assert asked.place.data["thread"] is True
    assert (quoted(door).message_id, door.pictures) == (head.id, [])


async def test_a_picture_and_then_words_are_one_asking(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await ann.sends_picture(CAT)
    await ann.sends_file(FOX, "fox.png")
    await fake.until(lambda: len(stage.posts) == 2, what="the questions")
    await ann.says("put the cat beside the fox")
    await stage.until_accepted()
    await ann.says("a moon")
    await stage.until_accepted(2)

    assert stage.said == [QUESTION, "What shall I do with the 2 pictures? Just write it."]
    assert [len(asked.attachments) for asked, _ in door.accepted] == [2, 0]
    assert door.pictures == [CAT, FOX]


async def test_pictures_in_one_go_are_asked_about_once_and_a_later_one_by_itself(
    fake: FakeFeishu, stage: Stage, ann: Person
) -> None:
    for count, seconds in ((1, 5), (2, 60), (3, 0)):
        await ann.sends_picture(CAT)
        await fake.until(lambda count=count: len(stage.posts) == count, what="a question")  # type: ignore[misc]
        fake.clock.advance(seconds)

    assert [post.message for post in stage.posts] == ["", "om_1", ""]
    assert stage.said[1:] == [f"What shall I do with the {count} pictures? Just write it." for count in (2, 3)]


async def test_what_is_no_picture_is_told_what_is_taken(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await ann.sends_file(b"notes", "notes.txt")
    await ann.forwards(await ann.says("a fox"))
    await fake.until(lambda: len(stage.posts) == 2, what="two words")

    assert stage.said[0].startswith("I take words, pictures")
    assert stage.said[1].startswith("I cannot take pictures out of forwarded messages")
    assert len(door.accepted) == 1


async def test_a_picture_that_is_too_large_is_not_taken_whole(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await ann.posts("make it night", CAT + bytes(2**20))
    await stage.until_accepted()

    assert "larger than 1 MiB" in str(door.pictures[0])


async def test_an_entry_of_the_menu_is_a_command_for_this_person_alone(
    fake: FakeFeishu, stage: Stage, ann: Person
) -> None:
    await ann.taps_menu("quota")
    asked = await stage.until_accepted()

    assert (asked.command, asked.line, asked.place.private) == ("quota", "", True)
    assert (asked.place.data["chat"], asked.place.data["user"]) == ("", ann.open_id)


async def test_a_message_that_is_pushed_again_is_asked_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    said = await ann.says("a fox")
    for _ in range(3):
        fake.push_again(said)
    await fake.until(lambda: len(fake.acks) == 4, what="the acknowledgements")

    assert [ack.code for ack in fake.acks] == [200] * 4
    assert len(door.accepted) == 1


async def test_what_cannot_be_noted_is_not_acknowledged_and_comes_again(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    fake.repush = (0.01,)
    door.problem = OSError("the disk is full")
    await ann.says("a fox")
    await stage.until_accepted()
    await fake.until(lambda: len(fake.acks) == 2, what="the second acknowledgement")

    assert [ack.code for ack in fake.acks] == [500, 200]


async def test_an_event_of_an_unknown_kind_is_acknowledged(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    push = fake.push_unknown()
    await fake.until(lambda: push.acks, what="the acknowledgement")

    assert push.done
    assert door.accepted == []


async def test_a_group_that_adds_the_bot_is_greeted_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    fake.subscribed.add("im.chat.member.bot.added_v1")
    group = fake.group("party", ann)
    await fake.until(lambda: stage.posts, what="the welcome")
    greeted = fake.pushes[-1]
    fake.pushing.send(greeted)
    await fake.until(lambda: len(greeted.acks) == 2, what="the second acknowledgement")
    await stage.intake.finish()

    assert [post.place.data["chat"] for post in stage.posts] == [group.id]
    assert stage.said[0].startswith("Thank you for having me")

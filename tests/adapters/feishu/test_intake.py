"""What is noted before an event is acknowledged, what waits until later, and what a repeat changes: nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.feishu import intake
from adapters.feishu.event import Event
from adapters.feishu.intake import takes_pictures
from bot.chat import CannotPost, Invocation
from tests.adapters.feishu.stage import FakeDoor, Stage, drawing_table, set_up
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message
from tests.simulators.feishu.people import Person
from tests.simulators.feishu.render import message_event

FOX, CAT = painted("fox"), painted("cat")
QUESTION = "What shall I do with the picture? Just write it."


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_up(fake, door, tmp_path) as stage:
        yield stage


@pytest.fixture
def ann(fake: FakeFeishu) -> Person:
    return fake.person("Ann")


def pushed(fake: FakeFeishu, message: Message) -> dict[str, Any]:
    header = {
        "event_id": f"e-{message.id}",
        "event_type": "im.message.receive_v1",
        "create_time": fake.milliseconds(message.sent_at),
        "tenant_key": fake.tenant,
    }
    return {"schema": "2.0", "header": header, "event": message_event(fake, message)}


async def take(stage: Stage, *messages: Message) -> None:
    """They are pushed, and all that follows from them is done."""
    for message in messages:
        assert await stage.intake.take(pushed(stage.fake, message)) is None
    await settled(stage)


async def settled(stage: Stage) -> None:
    await stage.intake.finish()
    if stage.door.accepted:
        await stage.door.answered()


async def says(stage: Stage, ann: Person, words: str, **how: Any) -> Message:
    message = await ann.says(words, wait=False, **how)
    await take(stage, message)
    return message


async def shows(stage: Stage, ann: Person, data: bytes) -> Message:
    message = await ann.sends_picture(data, wait=False)
    await take(stage, message)
    return message


def taken(door: FakeDoor) -> list[int]:
    """How many pictures each asking brought."""
    return [len(asked.attachments) for asked, _ in door.accepted]


async def test_nothing_is_asked_of_feishu_before_the_event_is_noted(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    door.waits = asyncio.Event()
    group = fake.group("party", ann)
    await stage.intake.take(pushed(fake, await ann.says("{bot} a fox", to=group, wait=False)))
    before = [call.api for call in fake.calls]
    door.waits.set()
    asked = await door.answered()

    assert (before, door.last.actor.name) == ([], ann.open_id)
    assert asked.actor.name == "Ann"


async def test_what_was_noted_is_the_same_after_a_restart(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, tmp_path: Path
) -> None:
    await take(stage, await ann.posts("make it night", CAT, wait=False))
    _, raw = door.accepted[0]
    async with set_up(fake, FakeDoor(), tmp_path) as later:
        again = await later.intake.invocation(Event.model_validate(raw))
        pictures = [b"".join([chunk async for chunk in each.read()]) for each in again.attachments]

    def told(asked: Invocation) -> tuple[object, ...]:
        return (asked.id, asked.actor, asked.place, asked.received, asked.line)

    assert told(again) == told(door.completed[0])
    assert pictures == [CAT]


async def test_an_owner_of_a_group_is_an_admin_there_where_the_operator_says_so(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    group = fake.group("party", ann, owner=ann)
    async with set_up(fake, door, tmp_path, group_owners=True) as stage:
        await says(stage, ann, "{bot} /quota", to=group)
        await says(stage, ann, "/quota")

    assert [asked.actor.admin for asked in door.completed] == [True, False]


async def test_what_is_too_old_is_acknowledged_and_not_answered(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    old = [await ann.says("a fox", wait=False), await ann.sends_picture(CAT, wait=False)]
    fake.clock.advance(61)
    async with set_up(fake, door, tmp_path, oldest=timedelta(minutes=1)) as stage:
        await take(stage, *old)
        await says(stage, ann, "a cat")

    assert ([asked.line for asked, _ in door.accepted], taken(door), stage.said) == (["a cat"], [0], [])


@pytest.mark.parametrize("minutes", [9, 11])
async def test_words_take_the_pictures_of_the_last_ten_minutes(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, minutes: int
) -> None:
    await shows(stage, ann, CAT)
    fake.clock.advance(minutes * 60)
    await says(stage, ann, "make it night")

    assert taken(door) == [1 if minutes < 10 else 0]


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ("make it night", True),
        ("/edit make it night", True),
        ("/画一只狐狸", True),
        ("／EDIT night", True),
        ("/quota", False),
        ("/额度", False),
        ("/nothing of ours", False),
        ("/", False),
        ("  ", False),
    ],
)
async def test_pictures_wait_for_words_that_can_be_about_them(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, line: str, takes: bool
) -> None:
    await shows(stage, ann, CAT)
    await says(stage, ann, line)
    await says(stage, ann, "make it night")

    assert takes_pictures(line, drawing_table()) is takes
    assert taken(door) == [takes, not takes]


async def test_pictures_wait_over_a_restart(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> None:
    ann = fake.person("Ann")
    async with set_up(fake, FakeDoor(), tmp_path) as stage:
        first = await shows(stage, ann, CAT)
    async with set_up(fake, door, tmp_path) as stage:
        await take(stage, first)
        second = await shows(stage, ann, FOX)
        await says(stage, ann, "put them together")
    async with set_up(fake, door, tmp_path) as again:
        await take(again, first, second)
        await says(again, ann, "a moon")

    assert door.pictures == [CAT, FOX]
    assert taken(door) == [2, 0]
    assert (stage.said, again.said) == (["What shall I do with the 2 pictures? Just write it."], [])


async def test_pictures_are_those_of_one_person_in_their_own_chat(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await shows(stage, ann, CAT)
    await says(stage, fake.person("Bob"), "a fox")
    await says(stage, ann, "{bot} a fox", to=fake.group("party", ann))
    await says(stage, ann, "make it night")

    assert taken(door) == [0, 0, 1]


async def test_pictures_are_taken_only_by_words_that_are_noted(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await shows(stage, ann, CAT)
    words = await ann.says("make it night", wait=False)
    door.problem = OSError("the disk is full")
    with pytest.raises(OSError, match="disk"):
        await stage.intake.take(pushed(fake, words))
    await take(stage, words)

    assert taken(door) == [1]


async def test_words_that_come_again_take_no_picture_that_was_sent_since(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await shows(stage, ann, CAT)
    words = await says(stage, ann, "make it night")
    await shows(stage, ann, FOX)
    await take(stage, words)
    await says(stage, ann, "make it day")

    assert taken(door) == [1, 1]
    assert door.pictures == [CAT, FOX]


async def test_words_right_behind_a_picture_find_it_even_if_both_come_at_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    picture, words = await ann.sends_picture(CAT, wait=False), await ann.says("make it night", wait=False)
    await asyncio.gather(*(stage.intake.take(pushed(fake, each)) for each in (picture, words)))
    await settled(stage)

    assert taken(door) == [1]


async def test_words_are_not_about_a_picture_that_was_sent_after_them(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    words = await ann.says("a moon", wait=False)
    fake.clock.advance(1)
    await shows(stage, ann, CAT)
    await take(stage, words)

    assert taken(door) == [0]


async def test_a_picture_that_comes_again_is_asked_about_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    picture = await shows(stage, ann, CAT)
    await take(stage, picture, picture)

    assert stage.said == [QUESTION]
    assert stage.posts[0].place.data["message"] == picture.id


async def test_a_reply_to_the_picture_or_to_the_question_means_the_picture_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    """What is replied to would otherwise be looked up, and be a second picture."""
    picture = await shows(stage, ann, CAT)
    await says(stage, ann, "make it night", reply_to=picture)
    await shows(stage, ann, FOX)
    reply = pushed(fake, await ann.says("make it day", wait=False))
    reply["event"]["message"]["parent_id"] = f"om_{len(stage.posts)}"
    await stage.intake.take(reply)
    await settled(stage)

    assert [asked.quoted for asked, _ in door.accepted] == [None, None]
    assert door.pictures == [CAT, FOX]


async def test_a_reply_to_something_else_is_about_both(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    other = await ann.posts("look", FOX, wait=False)
    await shows(stage, ann, CAT)
    await says(stage, ann, "put the cat in there", reply_to=other)

    assert door.pictures == [FOX, CAT]


async def test_a_picture_that_cannot_be_remembered_is_not_acknowledged(
    fake: FakeFeishu, stage: Stage, ann: Person, tmp_path: Path
) -> None:
    await shows(stage, ann, CAT)
    (file,) = (tmp_path / "pending").iterdir()
    file.with_suffix(".part").mkdir()  # so nothing can be written there
    picture = await ann.sends_picture(FOX, wait=False)
    with pytest.raises(OSError, match="part"):
        await stage.intake.take(pushed(fake, picture))

    assert len(stage.said) == 1


async def test_who_sent_nothing_for_hours_leaves_no_file(
    fake: FakeFeishu, stage: Stage, ann: Person, tmp_path: Path
) -> None:
    await shows(stage, ann, CAT)
    fake.clock.advance(9 * 3600)
    await shows(stage, fake.person("Bob"), CAT)

    assert len([*(tmp_path / "pending").iterdir()]) == 1


async def test_a_file_that_cannot_be_read_stops_nobody(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "pending"
    folder.mkdir()
    (folder / "broken.json").write_text("{", "utf-8")
    await shows(stage, ann, CAT)
    await says(stage, ann, "make it night")

    assert taken(door) == [1]


@pytest.mark.parametrize(
    ("problems", "said"), [([CannotPost("busy", retry_after=0.0)], 1), ([CannotPost("gone", final=True)], 0)]
)
async def test_a_word_of_our_own_is_tried_again_where_that_can_help(
    stage: Stage, ann: Person, monkeypatch: pytest.MonkeyPatch, problems: list[Exception], said: int
) -> None:
    monkeypatch.setattr(intake, "PAUSES", (0.01,))
    stage.problems = problems
    await shows(stage, ann, CAT)

    assert len(stage.said) == said


async def test_what_is_being_said_when_the_bot_stops_is_still_said(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    ann = fake.person("Ann")
    async with set_up(fake, door, tmp_path) as stage:
        await stage.intake.take(pushed(fake, await ann.sends_picture(CAT, wait=False)))

    assert stage.said == [QUESTION]

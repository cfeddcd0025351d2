"""What is said and shown: kept once, and seen by those who may see it. Through the adapter, without a browser."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.web import messages
from adapters.web.messages import Message
from bot.chat import Button, Place, Post, Reply, Tone
from bot.errors import Unavailable
from bot.i18n import text, verbatim
from tests.adapters.web.fake_core import FakeCore, core_with_page, paint


def post(words: str = "Drawing…", *, key: str = "k1", room: str = "design-team", **reply: Any) -> Post:
    place = Place(adapter="web", data={"room": room, "person": "alice", "reply_to": "m1"})
    return Post(key=key, place=place, reply=Reply(text=verbatim(words), **reply))


async def shown(core: FakeCore, person: str = "alice", room: str = "design-team") -> list[Message]:
    return (await messages.page(core.database, room, person))[0]


def said(message: Message) -> str:
    return str(message.reply.text) if message.reply else message.words


async def test_the_same_key_is_one_message_that_changes(core: FakeCore) -> None:
    first = await core.chat.post(post("In line"))
    second = await core.chat.post(post("Drawing…"))

    assert first == second
    assert [said(message) for message in await shown(core)] == ["Drawing…"]


async def test_posting_the_same_again_is_no_change(core: FakeCore) -> None:
    await core.chat.post(post())
    revision = (await shown(core))[0].revision
    await core.chat.post(post())

    assert (await shown(core))[0].revision == revision


async def test_a_changed_message_keeps_its_place(core: FakeCore) -> None:
    await core.chat.post(post("first", key="k1"))
    await core.chat.post(post("second", key="k2"))
    await core.chat.post(post("first, done", key="k1"))

    assert [said(message) for message in await shown(core)] == ["first, done", "second"]


async def test_a_message_said_twice_with_one_id_is_one_message_and_one_invocation(core: FakeCore) -> None:
    first = await core.chat.say("alice", "design-team", "a fox", id="p123456789012")
    second = await core.chat.say("alice", "design-team", "something else", id="p123456789012")

    assert first == second
    assert [invocation.line for invocation in core.accepted] == ["a fox"]


async def test_an_id_of_another_person_is_refused(core: FakeCore) -> None:
    await core.chat.say("alice", "design-team", "a fox", id="p123456789012")

    with pytest.raises(LookupError):
        await core.chat.say("bob", "design-team", "a hare", id="p123456789012")


async def test_an_invocation_carries_all_that_was_said(core: FakeCore, tmp_path: Path) -> None:
    picture = tmp_path / "boats.png"
    picture.write_bytes(paint(32, 32, 1))
    id = await core.chat.say("alice", "direct", "/edit make it blue", files=[picture], language="zh-CN")

    invocation = core.accepted[0]
    assert (invocation.id, invocation.line, invocation.actor.language) == (id, "/edit make it blue", "zh-CN")
    assert (invocation.actor.name, invocation.actor.admin) == ("alice", True)
    assert invocation.place.private
    (attachment,) = invocation.attachments
    assert b"".join([chunk async for chunk in attachment.read()]) == picture.read_bytes()


async def test_a_press_carries_its_id_and_values_and_is_remembered_by_its_label(core: FakeCore) -> None:
    button = Button(command="edit", generation="k3f9", label=text("Edit"), picks=True)
    answer = await core.chat.post(post(buttons=(button,)))
    await core.chat.say("bob", "design-team", "", press="edit:k3f9:1", values={"prompt": "blue"}, reply_to=answer)

    pressed = core.accepted[0]
    assert (pressed.press, pressed.values, pressed.line, pressed.quoted) == (
        "edit:k3f9:1",
        {"prompt": "blue"},
        "",
        None,
    )
    remembered = (await shown(core))[-1].press
    assert remembered is not None
    assert str(remembered.label) == "Edit"


@pytest.mark.parametrize("tone", [Tone.QUESTION, Tone.PROGRESS])
async def test_a_press_that_changes_the_message_itself_is_heard_but_not_shown(core: FakeCore, tone: Tone) -> None:
    question = await core.chat.post(post("Shall I?", tone=tone))
    await core.chat.say("alice", "design-team", "", press="delete:k3f9:0", reply_to=question)

    assert core.accepted[0].press == "delete:k3f9:0"
    assert said((await shown(core))[0]) == "Shall I?"
    assert not any(message.press for message in await shown(core))


async def test_after_a_crash_the_same_invocation_is_made_again(tmp_path: Path) -> None:
    async with core_with_page(tmp_path) as before:
        upload = tmp_path / "boats.png"
        upload.write_bytes(paint(32, 32, 1))
        quoted = await before.chat.say("bob", "design-team", "look", files=[upload])
        await before.chat.say("alice", "design-team", "make it blue", reply_to=quoted)
    async with core_with_page(tmp_path) as after:
        first = before.accepted[1]
        again = await after.chat.replay({"message": first.id})

    assert again is not None
    assert [again.id, again.actor, again.place, again.line, again.received] == [
        first.id, first.actor, first.place, first.line, first.received,
    ]  # fmt: skip
    assert again.quoted is not None
    assert [attachment.name for attachment in again.quoted.attachments] == ["boats.png"]


async def test_a_message_that_is_gone_is_not_replayed(core: FakeCore) -> None:
    assert await core.chat.replay({"message": "m404"}) is None


async def test_private_answers_and_direct_messages_are_seen_by_one_person(core: FakeCore) -> None:
    await core.chat.post(post("for alice", private=True))
    await core.chat.post(post("for all", key="k2"))
    await core.chat.say("alice", "direct", "just between us")

    assert [said(message) for message in await shown(core, "alice")] == ["for alice", "for all"]
    assert [said(message) for message in await shown(core, "bob")] == ["for all"]
    assert "just between us" not in [said(each) for each in await messages.newer(core.database, "bob", 0)]


async def test_a_private_message_cannot_be_replied_to_by_another(core: FakeCore) -> None:
    private = await core.chat.post(post("for alice", private=True))

    with pytest.raises(LookupError):
        await core.chat.say("bob", "design-team", "what does it say?", reply_to=private)


@pytest.mark.parametrize("person", ["mallory", ""])
async def test_nobody_else_can_speak(core: FakeCore, person: str) -> None:
    with pytest.raises(LookupError):
        await core.chat.say(person, "design-team", "hello")


@pytest.mark.parametrize("room", ["direct:bob", "attic", ""])
async def test_there_is_no_other_room(core: FakeCore, room: str) -> None:
    with pytest.raises(LookupError):
        await core.chat.say("alice", room, "hello")


async def test_when_the_core_takes_nothing_the_person_hears_why(core: FakeCore) -> None:
    core.refuse_all = Unavailable(text("I am about to stop."))
    id = await core.chat.say("alice", "design-team", "a fox")

    ((_, reply),) = await core.chat.answers(id)
    assert (reply.tone, str(reply.text), reply.private) == (Tone.REFUSAL, "I am about to stop.", True)


async def test_words_that_no_database_holds_are_made_so_that_it_does(core: FakeCore) -> None:
    await core.chat.say("alice", "design-team", "a\0b \ud83d c")

    assert core.accepted[0].line == "ab ? c"


async def test_rooms_are_welcomed_once(core: FakeCore, tmp_path: Path) -> None:
    sample = tmp_path / "sample.png"
    sample.write_bytes(paint(32, 32, 1))
    await core.chat.seed(sample)
    await core.chat.seed(sample)

    for room in ("design-team", "marketing", "direct:alice", "direct:carol"):
        (welcome,) = await shown(core, room.partition(":")[2] or "bob", room)
        assert [upload.media_type for upload in welcome.uploads] == ["image/png"]


async def test_a_dismissed_message_is_gone_until_it_changes(core: FakeCore) -> None:
    id = await core.chat.post(post("no", private=True))
    assert not await core.database.transaction(messages.dismiss, id, "bob")
    assert await core.database.transaction(messages.dismiss, id, "alice")
    assert await shown(core) == []

    await core.chat.post(post("yes, after all", private=True))
    assert [said(message) for message in await shown(core)] == ["yes, after all"]


async def test_the_door_is_told_how_to_find_the_message_again(core: FakeCore) -> None:
    told: list[Mapping[str, Any]] = []

    class Door:
        table = core.table

        async def accept(self, invocation: object, raw: Mapping[str, Any]) -> bool:
            told.append(raw)
            return True

    core.chat.door = Door()
    id = await core.chat.say("alice", "design-team", "a fox")

    assert told == [{"message": id}]

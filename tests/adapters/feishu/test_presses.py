"""Buttons, selects and forms of cards, and the word that a person sees over the card when they press."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu.outbound import Shown, card
from adapters.feishu.presses import asking, pressed
from bot.chat import Button, Invocation, Picture, Reply, Tone
from bot.errors import NotAllowed
from bot.i18n import text
from tests.adapters.feishu.stage import FakeDoor, Stage, drawing_table, listening
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.people import Person

ID = "k3f9w2ab"
AGAIN = Button(command="again", generation=ID, label=text("Again"))
CANCEL = Button(command="cancel", generation=ID, label=text("Cancel"))
VARY = Button(command="vary", generation=ID, label=text("Vary"), picks=True)
EDIT = Button(command="edit", generation=ID, label=text("Edit"), asks=text("What should change?"), picks=True)
NO = Reply(text=text("You may not do this here."), tone=Tone.REFUSAL, private=True, language="en")
STARTED = object()  # a generation, which shows itself


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with listening(fake, door, tmp_path, toast_wait=0.3) as stage:
        yield stage


@pytest_asyncio.fixture
async def ann(fake: FakeFeishu, stage: Stage) -> Person:
    return fake.person("Ann")


async def shown(stage: Stage, chat: Chat, *buttons: Button, pictures: int = 0, folder: Path | None = None) -> Message:
    """A card of ours with these buttons in a chat."""
    drawn: list[Shown] = []
    for index in range(pictures):
        assert folder is not None
        file = folder / f"{index}.png"
        file.write_bytes(painted(str(index)))
        picture = Picture(
            generation=ID, index=index, blob="", media_type="image/png", width=24, height=16, size=1, alt="a fox"
        )
        drawn.append(Shown(picture=picture, key=await stage.rest.upload_image(file), number=index + 1))
    reply = Reply(text=text("Drawn"), buttons=buttons, generation=ID, language="en")
    content = card(reply, drawn, models=["seedream-4"])
    await stage.rest.send(chat.id, "interactive", content, uuid=f"card-{chat.id[-8:]}-{len(chat.messages)}")
    return stage.fake.messages(chat)[-1]


def answering(door: FakeDoor, reply: object) -> None:
    door.answers = lambda invocation: reply


def said(words: str, *, private: bool = True, notes: Sequence[str] = (), tone: Tone = Tone.ANSWER) -> Reply:
    return Reply(text=text(words), notes=tuple(map(text, notes)), private=private, tone=tone, language="en")


async def test_a_press_says_what_where_and_who(fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person) -> None:
    group = fake.group("party", ann)
    message = await shown(stage, group, AGAIN)
    await ann.presses(message, "Again")
    asked = await stage.until_accepted()

    assert (asked.press, asked.command, asked.line) == (f"again:{ID}:0", "", "")
    assert (asked.actor.user, asked.place.room, asked.place.data["card"]) == (ann.open_id, group.id, message.id)
    assert fake.acks[-1].after < 2


async def test_a_form_brings_its_words_for_the_picture_that_was_chosen(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, tmp_path: Path
) -> None:
    message = await shown(stage, fake.group("party", ann), VARY, EDIT, pictures=2, folder=tmp_path)
    await ann.presses(message, "Edit", prompt="make it night", model="seedream-4", picture="1")
    edited = await stage.until_accepted()
    await ann.presses(message, "Vary", prompt="half a sentence", picture="1")
    varied = await stage.until_accepted(2)

    assert (edited.command, edited.values) == ("edit", {"prompt": "make it night", "model": "seedream-4"})
    assert edited.quoted is not None
    assert (edited.quoted.generation, edited.quoted.index) == (ID, 1)
    assert (varied.press, varied.values, varied.quoted) == (f"vary:{ID}:1", {}, None)


async def test_what_is_refused_from_memory_is_said_at_once_and_noted_nowhere(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    group = fake.group("party", ann)
    await ann.says("{bot} hello", to=group)  # so that it is known what kind of chat it is
    await stage.until_accepted()
    message = await shown(stage, group, AGAIN)
    door.refuses = lambda invocation: NO if invocation.place.room == group.id else None
    toast = await ann.presses(message, "Again")

    assert toast is not None
    assert (toast.kind, toast.content) == ("error", "You may not do this here.")
    assert len(door.accepted) == 1


async def test_the_rules_of_a_group_hold_where_nobody_has_said_yet_that_it_is_one(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    """A press does not say in what kind of chat it was made: it is asked for, and until then it is no private one."""
    group = fake.group("party", ann)
    await ann.presses(await shown(stage, group, AGAIN), "Again")
    await stage.until_accepted()
    await ann.presses(await shown(stage, ann.direct, AGAIN), "Again")
    await stage.until_accepted(2)

    assert [(asked.place.private, asked.place.room) for asked, _ in door.accepted] == [
        (False, group.id),
        (False, ann.direct.id),
    ]
    assert [(asked.place.private, asked.place.room) for asked in door.completed] == [(False, group.id), (True, "")]


async def test_a_press_in_a_chat_of_two_is_private_after_a_restart_and_without_any_scope(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path
) -> None:
    fake.scopes.discard("im:chat:readonly")
    ann = fake.person("Ann")
    async with listening(fake, door, tmp_path) as stage:
        await ann.says("a fox")
        await stage.until_accepted()
    async with listening(fake, FakeDoor(), tmp_path) as stage:
        await ann.presses(await shown(stage, ann.direct, AGAIN), "Again")

        assert (stage.door.last.place.private, stage.door.last.place.room) == (True, "")


async def test_a_short_private_answer_is_the_toast_and_no_message(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    answering(door, said("Not now, then.", notes=["Nothing was charged."]))
    toast = await ann.presses(await shown(stage, fake.group("party", ann), CANCEL), "Cancel")

    assert toast is not None
    assert (toast.kind, toast.content) == ("info", "Not now, then. Nothing was charged.")
    assert stage.posts == []


@pytest.mark.parametrize(
    ("answer", "toast"),
    [
        (STARTED, "On it."),
        (said("For all to see.", private=False), None),
        (said("x" * 201), "This is for you alone: I have written to you directly."),
        (said("See https://example.org/"), "This is for you alone: I have written to you directly."),
        (None, None),
    ],
    ids=["a generation", "a public answer", "a long answer", "a link", "dealt with before"],
)
async def test_every_other_press_is_felt_where_nothing_else_shows_it(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, answer: object, toast: str | None
) -> None:
    answering(door, answer)
    seen = await ann.presses(await shown(stage, fake.group("party", ann), AGAIN), "Again")

    assert (seen.content if seen else None) == toast
    assert len(stage.posts) == isinstance(answer, Reply)


async def test_the_toast_is_in_the_language_of_the_client(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    answering(door, STARTED)
    toast = await ann.presses(await shown(stage, fake.group("party", ann), AGAIN), "Again")

    assert toast is not None
    assert set(toast.i18n) == {"zh_cn", "en_us"}


async def test_who_has_chosen_a_language_gets_the_toast_in_it_whatever_the_client_speaks(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    answering(door, STARTED)
    door.language = "zh-CN"
    toast = await ann.presses(await shown(stage, fake.group("party", ann), AGAIN), "Again")

    assert toast is not None
    assert (toast.content, toast.i18n) == ("收到，正在处理。", {})


async def test_a_press_whose_card_changes_needs_no_word(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    answering(door, STARTED)
    toast = await ann.presses(await shown(stage, fake.group("party", ann), CANCEL), "Cancel")

    assert toast is None


async def test_a_press_that_takes_long_is_answered_in_time_and_its_answer_is_posted(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    door.waits = asyncio.Event()
    answering(door, said("Not now, then."))
    toast = await ann.presses(await shown(stage, fake.group("party", ann), CANCEL), "Cancel")
    door.waits.set()
    await fake.until(lambda: stage.posts, what="the answer")

    assert toast is not None
    assert (toast.content, stage.said) == ("On it.", ["Not now, then."])


async def test_a_press_that_cannot_be_noted_asks_the_person_to_try_again(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    """Unlike a message, the platform does not push it again."""
    message = await shown(stage, fake.group("party", ann), AGAIN)
    door.problem = OSError("the disk is full")
    toast = await ann.presses(message, "Again")

    assert toast is not None
    assert (toast.kind, toast.content[:30]) == ("error", "This could not be taken up jus")


async def test_a_press_that_comes_twice_is_made_once(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await ann.presses(await shown(stage, fake.group("party", ann), AGAIN), "Again")
    push = fake.pushes[-1]
    fake.pushing.send(push)
    await fake.until(lambda: len(push.acks) == 2, what="the second answer")

    assert len(door.accepted) == 1
    assert push.acks[1].data is None


async def test_a_refusal_of_the_core_is_the_toast(fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person) -> None:
    def refuse(invocation: Invocation) -> Reply:
        error = NotAllowed(text("This picture is another person's."))
        return Reply(text=error.text, tone=Tone.REFUSAL, private=True, language="en")

    door.answers = refuse
    toast = await ann.presses(await shown(stage, fake.group("party", ann), AGAIN), "Again")

    assert toast is not None
    assert (toast.kind, toast.content) == ("error", "This picture is another person's.")


FORM = {"prompt": "night", "model": "", "picture": "2"}


@pytest.mark.parametrize(
    ("action", "press", "command", "index"),
    [
        ({"value": {"press": "again:k3f9w2ab:0"}}, "again:k3f9w2ab:0", "", 0),
        ({"value": {"press": "edit:k3f9w2ab:0"}}, "edit:k3f9w2ab:0", "", 0),
        ({"value": {"press": "edit:k3f9w2ab:0"}, "form_value": FORM}, "", "edit", 2),
        ({"value": {"press": "edit:k3f9w2ab:1"}, "form_value": {"prompt": "night"}}, "", "edit", 1),
        ({"value": {"press": "edit:k3f9w2ab:"}, "form_value": {"prompt": "night"}}, "", "edit", 0),
        ({"value": {"press": "delete:k3f9w2ab:0"}, "form_value": FORM}, "delete:k3f9w2ab:2", "", 0),
        ({"value": {"press": "vary:k3f9w2ab:0"}, "form_value": {"picture": "9999"}}, "vary:k3f9w2ab:0", "", 0),
        ({"value": {"press": "vary:k3f9w2ab:0"}, "form_value": {"picture": "-1"}}, "vary:k3f9w2ab:0", "", 0),
        ({"value": {"press": "vary:k3f9w2ab:0"}, "form_value": {"picture": "١"}}, "vary:k3f9w2ab:0", "", 0),
        ({"value": {"press": "vary:k3f9w2ab:0"}, "form_value": ["prompt"]}, "vary:k3f9w2ab:0", "", 0),
        ({"option": "vary:k3f9w2ab:3", "value": {}}, "vary:k3f9w2ab:3", "", 0),
        ({"option": "3", "value": {"press": "vary:k3f9w2ab:0"}}, "vary:k3f9w2ab:0", "", 0),
        ({"value": {"press": "x" * 1000}}, "x" * 100, "", 0),
    ],
)
def test_a_press_is_read_from_whatever_carries_it(
    action: dict[str, object], press: str, command: str, index: int
) -> None:
    found = pressed(action, asking(drawing_table()))

    assert found is not None
    assert (found.press, found.command, found.index) == (press, command, index)


@pytest.mark.parametrize("action", [{}, {"value": {}}, {"value": "again:k3f9w2ab:0"}, {"value": {"press": 7}}])
def test_a_press_that_carries_nothing_of_ours_is_none(action: dict[str, object]) -> None:
    assert pressed(action, ()) is None


def test_only_commands_that_cannot_do_without_words_take_those_of_a_form() -> None:
    assert "edit" in asking(drawing_table())
    assert not {"vary", "again", "quota"} & asking(drawing_table())

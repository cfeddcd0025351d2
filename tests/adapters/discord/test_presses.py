"""Buttons, selects and forms: what their ids say, after a restart as before it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.discord.presses import Form, pressed
from bot.chat import Button, Invocation, Post, Reply, Tone
from bot.i18n import text
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.interactions import Ack
from tests.simulators.discord.model import Message
from tests.simulators.discord.people import Person

BUTTONS = (
    Button(command="again", generation="k3f9w2ab", label=text("Again")),
    Button(command="edit", generation="k3f9w2ab", label=text("Edit"), asks=text("What should change?"), index=2),
    Button(command="cancel", generation="k3f9w2ab", label=text("Cancel")),
)


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


@pytest_asyncio.fixture
async def bob(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Person]:
    async with connected(fake, door, tmp_path):
        yield fake.person("bob")


async def shown(fake: FakeDiscord, door: FakeDoor, bob: Person, *, private: bool = False) -> Message:
    """A message with buttons, as the adapter itself posts it."""
    door.answers = False
    asked = await bob.slash("imagine", prompt="a fox", private=private)
    await fake.until(lambda: door.accepted, what="the invocation")
    reply = Reply(text=text("Drawn"), buttons=BUTTONS, language="en", private=private)
    assert door.adapter is not None
    await door.adapter.post(Post(key="k3f9w2ab:0", place=door.last.place, reply=reply))
    door.answers = True
    return await asked.answered()


async def test_a_button_is_a_press_that_is_answered_by_a_message_more(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    message = await shown(fake, door, bob)
    asked = await bob.press(message, "Again")
    answer = await asked.answered()

    assert (door.last.press, door.last.command, door.last.place.data["update"]) == ("again:k3f9w2ab:0", "", False)
    assert (asked.ack, answer is message) == (Ack.DEFERRED, False)


async def test_a_press_that_changes_its_own_message_leaves_nothing_loading(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    message = await shown(fake, door, bob)
    door.answers = False
    asked = await bob.press(message, "Cancel")
    await fake.until(lambda: len(door.accepted) == 2)

    assert (asked.ack, door.last.place.data["update"]) == (Ack.DEFERRED_UPDATE, True)
    assert fake.channel.messages == [message]


async def test_a_button_that_asks_opens_a_form_and_its_words_are_an_edit_of_that_picture(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    message = await shown(fake, door, bob)
    opened = await (await bob.press(message, "Edit")).acknowledged()
    await (await bob.submit(opened, {"prompt": "make it night", "size": "2K"})).answered()

    quoted = door.last.quoted
    assert opened.modal is not None
    assert opened.modal["title"] == "Edit picture"
    assert (door.last.command, door.last.values) == ("edit", {"prompt": "make it night", "size": "2K"})
    assert quoted is not None
    assert (quoted.generation, quoted.index) == ("k3f9w2ab", 2)


async def test_the_form_is_in_the_persons_language(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    bob.user.locale = "zh-CN"
    message = await shown(fake, door, bob)
    opened = await (await bob.press(message, "Edit")).acknowledged()

    assert opened.modal is not None
    assert opened.modal["components"][0]["label"] == "想改什么？"


async def test_a_press_on_a_private_message_is_answered_privately(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    door.private = lambda invocation: bool(invocation.command)
    message = await shown(fake, door, bob, private=True)
    asked = await bob.press(message, "Again")
    await asked.answered()

    assert message.ephemeral
    assert (asked.ephemeral, door.last.place.private) == (True, True)


async def test_whoever_may_not_press_gets_a_word_instead_of_a_form(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    def refuses(invocation: Invocation) -> Reply | None:
        words = Reply(text=text("You may not do this here."), tone=Tone.REFUSAL, private=True)
        return words if invocation.press else None

    message = await shown(fake, door, bob)
    door.refuses = refuses
    asked = await bob.press(message, "Edit")
    answer = await asked.answered()

    assert (asked.ack, answer.ephemeral) == (Ack.MESSAGE, True)
    assert "may not" in answer.text


async def test_a_button_works_after_a_restart(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    bob = fake.person("bob")
    async with connected(fake, door, tmp_path / "one"):
        message = await shown(fake, door, bob)
    async with connected(fake, door, tmp_path / "two"):
        await (await bob.press(message, "Again")).answered()

    assert door.last.press == "again:k3f9w2ab:0"


@pytest.mark.parametrize(
    ("data", "press"),
    [
        ({"custom_id": "again:k3f9w2ab:0"}, "again:k3f9w2ab:0"),
        ({"custom_id": "vary:k3f9w2ab:", "values": ["vary:k3f9w2ab:3"]}, "vary:k3f9w2ab:3"),
        ({"custom_id": "vary:k3f9w2ab:", "values": ["3"]}, "vary:k3f9w2ab:3"),
        ({"custom_id": "sd:old", "values": ["whatever"]}, "sd:old"),
        ({"custom_id": "sd:old"}, "sd:old"),
        ({}, ""),
    ],
)
def test_a_press_is_read_from_whatever_carries_it(data: dict[str, object], press: str) -> None:
    assert pressed(data) == press


@pytest.mark.parametrize(
    "form",
    [Form(command="edit", generation="k3f9w2ab", index=12), Form(command="imagine", message="1573668074370891776")],
)
def test_a_form_says_in_its_id_what_it_is_about(form: Form) -> None:
    assert Form.read(form.id) == form
    assert len(form.id) <= 100


@pytest.mark.parametrize("id", ["", "form:edit", "edit:k3f9w2ab:0", "form:edit:@x", "form:EDIT:@1", "form:edit:@1:2"])
def test_an_id_of_another_making_is_no_form(id: str) -> None:
    assert Form.read(id) is None

"""The entries of a message's menu: they work on any message, whatever the bot may read otherwise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.adapters.discord.stage import FakeDoor, connected, drawing_table, own
from tests.fakes import painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.people import Person

FOX = Upload("fox.png", painted("fox"))
CAT = Upload("cat.png", painted("cat"))


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


@pytest_asyncio.fixture
async def bob(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Person]:
    async with connected(fake, door, tmp_path):
        yield fake.person("bob")


async def test_a_menu_opens_a_form_and_its_words_change_the_picture(
    fake: FakeDiscord, door: FakeDoor, bob: Person
) -> None:
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    opened = await (await bob.menu("Edit picture", others)).acknowledged()
    sent = await bob.submit(opened, {"prompt": "make it night", "model": "seedream-4"}, files=[FOX])
    await sent.answered()

    assert (door.last.command, door.last.values) == ("edit", {"prompt": "make it night", "model": "seedream-4"})
    assert door.pictures == [CAT.data, FOX.data]


async def test_a_menu_uses_a_picture_as_a_reference(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    opened = await (await bob.menu("Use as reference", others)).acknowledged()
    await (await bob.submit(opened, {"prompt": "a fox like this"})).answered()

    assert (door.last.command, door.pictures) == ("imagine", [CAT.data])


async def test_a_form_that_was_opened_before_a_restart_still_finds_its_picture(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    bob = fake.person("bob")
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    async with connected(fake, door, tmp_path, message_content=True):
        opened = await (await bob.menu("Edit picture", others)).acknowledged()
    async with connected(fake, door, tmp_path, message_content=True):
        await (await bob.submit(opened, {"prompt": "make it night"})).answered()

    assert door.pictures == [CAT.data]


async def test_a_form_whose_picture_is_gone_says_so(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    bob = fake.person("bob")
    others = await fake.person("ann").say("my cat", attachments=[CAT])
    async with connected(fake, door, tmp_path, message_content=True):
        opened = await (await bob.menu("Edit picture", others)).acknowledged()
    await bob.delete(others)
    async with connected(fake, door, tmp_path, message_content=True):
        answer = await (await bob.submit(opened, {"prompt": "make it night"})).answered()

    assert "choose it again" in answer.text
    assert door.accepted == []


async def test_a_forged_form_shows_nobody_elses_picture(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    """It names the message that somebody else has chosen, in a channel that the forger cannot see."""
    eve = fake.person("eve")
    secret = await fake.person("ann").say("not for eve", attachments=[CAT])
    opened = await (await bob.menu("Edit picture", secret)).acknowledged()
    opened.channel = eve.direct
    answer = await (await eve.submit(opened, {"prompt": "show me"})).answered()

    assert "choose it again" in answer.text
    assert (door.accepted, door.pictures) == ([], [])


async def test_details_of_our_message_are_a_press(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await (await bob.menu("Details", own(fake, "again:k3f9w2ab:0"))).answered()

    assert door.last.press == "details:k3f9w2ab:0"


@pytest.mark.parametrize(("entry", "told"), [("Details", "no picture of mine"), ("Edit picture", "no picture")])
async def test_a_menu_on_a_message_without_pictures_explains_itself(
    fake: FakeDiscord, door: FakeDoor, bob: Person, entry: str, told: str
) -> None:
    asked = await bob.menu(entry, await fake.person("ann").say("words only"))
    answer = await asked.answered()

    assert told in answer.text
    assert answer.ephemeral
    assert door.accepted == []


async def test_a_menu_works_without_the_intent(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> None:
    async with connected(fake, door, tmp_path):
        bob = fake.person("bob")
        others = await fake.person("ann").say("my cat", attachments=[CAT])
        opened = await (await bob.menu("Edit picture", others)).acknowledged()
        await (await bob.submit(opened, {"prompt": "make it night"})).answered()

    assert door.pictures == [CAT.data]

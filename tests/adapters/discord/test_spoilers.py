"""A picture that somebody hid stays hidden in whatever is made of it."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from bot.chat import Button, Picture, Post, Reply
from bot.i18n import text
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.fakes import FakeBlobs, painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.model import Message
from tests.simulators.discord.people import Person

DATA = painted("fox")
HIDDEN, OPEN = Upload("SPOILER_fox.png", DATA), Upload("fox.png", DATA)


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table(), answers=False)


@pytest_asyncio.fixture
async def bob(fake: FakeDiscord, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Person]:
    blobs = FakeBlobs()
    blobs.stored[sha256(DATA).hexdigest()] = DATA
    async with connected(fake, door, tmp_path, blobs=blobs, message_content=True):
        yield fake.person("bob")


async def made(fake: FakeDiscord, door: FakeDoor) -> Message:
    """What the core answers to the last asking: a picture with a button."""
    picture = Picture(
        generation="k3f9w2ab",
        index=0,
        blob=sha256(DATA).hexdigest(),
        media_type="image/png",
        width=24,
        height=16,
        size=len(DATA),
        alt="a fox",
    )
    again = Button(command="again", generation="k3f9w2ab", label=text("Again"))
    reply = Reply(text=text("Done."), pictures=(picture,), buttons=(again,), generation="k3f9w2ab", language="en")
    assert door.adapter is not None
    await door.adapter.post(Post(key=door.last.id, place=door.last.place, reply=reply))
    return fake.channel.last


def is_hidden(message: Message) -> bool:
    ((item,),) = [part["items"] for part in message.parts if part["type"] == 12]
    return bool(item.get("spoiler"))


async def came(fake: FakeDiscord, door: FakeDoor, count: int) -> None:
    await fake.until(lambda: len(door.accepted) == count, what="an invocation")


@pytest.mark.parametrize(("upload", "hidden"), [(HIDDEN, True), (OPEN, False)], ids=["hidden", "open"])
async def test_what_is_made_of_a_hidden_picture_is_hidden_and_so_is_what_comes_of_that(
    fake: FakeDiscord, door: FakeDoor, bob: Person, upload: Upload, hidden: bool
) -> None:
    await bob.slash("edit", prompt="make it night", image1=upload)
    await came(fake, door, 1)
    first = await made(fake, door)
    await bob.press(first, "Again")
    await came(fake, door, 2)
    pressed = door.last
    await bob.say("make it day", reply_to=first, mentions=[fake.bot])
    await came(fake, door, 3)
    answered = await made(fake, door)

    assert is_hidden(first) is hidden
    assert pressed.place.data["spoiler"] is hidden
    assert is_hidden(answered) is hidden


async def test_a_hidden_picture_in_a_message_counts_too(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await bob.say("make it night", attachments=[HIDDEN], mentions=[fake.bot])
    await came(fake, door, 1)
    theirs = await fake.person("ann").say("look", attachments=[HIDDEN])
    await bob.say("make it night", reply_to=theirs, mentions=[fake.bot])
    await came(fake, door, 2)

    assert [each.place.data["spoiler"] for each, _ in door.accepted] == [True, True]


async def test_a_stored_event_is_as_hidden_after_a_restart(fake: FakeDiscord, door: FakeDoor, bob: Person) -> None:
    await bob.slash("edit", prompt="make it night", image1=HIDDEN)
    await came(fake, door, 1)
    assert door.adapter is not None
    again = await door.adapter.replay(door.accepted[-1][1])

    assert again is not None
    assert again.place == door.last.place
    assert again.place.data["spoiler"]

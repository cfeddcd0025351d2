"""Where a permission keeps an answer from its place, the person reads which one it is; once an hour in each channel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.discord.adapter import DiscordAdapter
from bot.chat import CannotPost, Picture, Place, Post, Reply, Tone
from bot.i18n import verbatim
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.fakes import FakeBlobs, painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.model import Message
from tests.simulators.discord.people import Person
from tests.simulators.discord.wire import Code
from tests.simulators.discord.world import Event

PICTURE = painted("fox")
BLOB = sha256(PICTURE).hexdigest()
START = "/channels/{}/messages/{}/threads"


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table(), answers=False)


@pytest.fixture
def blobs() -> FakeBlobs:
    blobs = FakeBlobs()
    blobs.stored[BLOB] = PICTURE
    return blobs


def pictures(count: int = 1) -> tuple[Picture, ...]:
    about = {"blob": BLOB, "media_type": "image/png", "width": 24, "height": 16, "size": len(PICTURE), "alt": ""}
    return tuple(Picture(generation="k3f9w2ab", index=index, **about) for index in range(count))


@dataclass
class Answering:
    """What the core does with what was asked last."""

    adapter: DiscordAdapter
    key: str
    place: Place
    message: str = ""

    async def progress(self) -> None:
        await self._post(Reply(text=verbatim("Drawing"), tone=Tone.PROGRESS, language="en"))

    async def drawn(self, count: int = 1) -> None:
        await self._post(Reply(text=verbatim("Drawn"), pictures=pictures(count), generation="k3f9w2ab", language="en"))

    async def _post(self, reply: Reply) -> None:
        post = Post(key=self.key, place=self.place, reply=reply, message=self.message)
        self.message = await self.adapter.post(post)


async def mentioned(fake: FakeDiscord, door: FakeDoor, bob: Person, adapter: DiscordAdapter) -> Answering:
    said = await bob.say("a fox", mentions=[fake.bot])
    await fake.until(lambda: door.accepted and door.last.id == f"discord:{said.id}", what="the asking")
    return Answering(adapter, f"{said.id}:0", door.last.place)


async def forbid(fake: FakeDiscord, adapter: DiscordAdapter, name: str) -> None:
    """Returns when the bot was told of it too."""
    fake.forbid(fake.channel, name)
    client = adapter._client
    assert client is not None

    def known() -> bool:
        guild = client.get_guild(int(fake.guild.id))
        channel = guild.get_channel(int(fake.channel.id)) if guild else None
        return channel is not None and not getattr(channel.permissions_for(channel.guild.me), name)

    await fake.until(known, what=f"the bot's knowledge of {name}")


def words(messages: Sequence[Message]) -> list[list[str]]:
    return [one.text.replace("-# ", "").splitlines() for one in messages]


async def test_where_it_may_not_write_the_direct_message_names_what_is_missing_once_an_hour(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path
) -> None:
    bob = fake.person("bob")
    named = f"I lack these permissions in <#{fake.channel.id}>: Send Messages."
    async with connected(fake, door, tmp_path, blobs=blobs) as adapter:
        await forbid(fake, adapter, "send_messages")
        first, second = [await mentioned(fake, door, bob, adapter) for _ in range(2)]
        await first.progress()
        await second.drawn()
        await first.drawn()
        fake.clock.advance(timedelta(hours=1))
        await (await mentioned(fake, door, bob, adapter)).drawn()

    told = [named in lines for lines in words(bob.direct.messages)]
    assert told == [True, False, True]
    assert all("where you asked" in one.text for one in bob.direct.messages)


@pytest.mark.parametrize("takes_messages", [True, False])
async def test_what_stood_in_the_channel_says_why_the_picture_does_not_follow(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path, takes_messages: bool
) -> None:
    bob = fake.person("bob")
    bob.user.accepts_dms = takes_messages
    async with connected(fake, door, tmp_path, blobs=blobs) as adapter:
        asked = await mentioned(fake, door, bob, adapter)
        await asked.progress()
        await forbid(fake, adapter, "attach_files")
        if takes_messages:
            await asked.drawn()
        else:
            with pytest.raises(CannotPost):
                await asked.drawn()

    assert words(fake.channel.messages[1:]) == [
        ["I could not show this here.", "I lack these permissions here: Attach Files."]
    ]
    assert [one.pictures for one in bob.direct.messages] == ([[PICTURE]] if takes_messages else [])


async def test_an_answer_that_may_not_be_a_reply_says_so(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path, blobs=blobs) as adapter:
        await forbid(fake, adapter, "read_message_history")
        await (await mentioned(fake, door, fake.person("bob"), adapter)).drawn()

    assert words([fake.channel.last]) == [["Drawn", "I lack these permissions here: Read Message History."]]
    assert fake.channel.last.pictures == [PICTURE]


async def test_a_series_that_may_not_have_a_thread_says_so_in_the_channel(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path, blobs=blobs, threads=True) as adapter:
        await forbid(fake, adapter, "create_public_threads")
        fake.goes_wrong("POST", START, Code.MISSING_PERMISSIONS)
        await (await fake.person("bob").slash("imagine", prompt="a fox")).acknowledged()
        await fake.until(lambda: door.accepted, what="the asking")
        await Answering(adapter, "k3f9w2ab:0", door.last.place).drawn(5)

    assert words([fake.channel.last]) == [["Drawn", "I lack these permissions here: Create Public Threads."]]
    assert len(fake.channel.last.pictures) == 5


async def test_a_command_needs_no_permission_and_says_nothing_of_one(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path
) -> None:
    async with connected(fake, door, tmp_path, blobs=blobs) as adapter:
        for name in ("attach_files", "read_message_history", "send_messages"):
            await forbid(fake, adapter, name)
        asked = await fake.person("bob").slash("imagine", prompt="a fox")
        await fake.until(lambda: door.accepted, what="the asking")
        await Answering(adapter, "k3f9w2ab:0", door.last.place).drawn()

    assert words(asked.shown) == [["Drawn"]]


async def test_a_command_whose_token_is_too_old_says_what_is_missing_in_its_own_message(
    fake: FakeDiscord, door: FakeDoor, blobs: FakeBlobs, tmp_path: Path
) -> None:
    bob = fake.person("bob")
    async with connected(fake, door, tmp_path, blobs=blobs) as adapter:
        await forbid(fake, adapter, "attach_files")
        asked = await bob.slash("imagine", prompt="a fox")
        await fake.until(lambda: door.accepted, what="the asking")
        answering = Answering(adapter, "k3f9w2ab:0", door.last.place)
        await answering.progress()
        fake.clock.advance(timedelta(minutes=16))
        await answering.drawn()

    assert "I lack these permissions here: Attach Files." in asked.shown[0].text
    assert bob.direct.last.pictures == [PICTURE]


async def test_a_message_that_it_may_not_look_up_is_not_taken_for_none(
    fake: FakeDiscord, door: FakeDoor, tmp_path: Path
) -> None:
    bob = fake.person("bob")
    theirs = await fake.person("ann").say("my cat")
    async with connected(fake, door, tmp_path) as adapter:
        await forbid(fake, adapter, "read_message_history")
        tell = fake.tell

        def without_the_other(event: Event) -> None:  # as Discord sends it when it could not find it in time
            tell(replace(event, data={key: value for key, value in event.data.items() if key != "referenced_message"}))

        fake.tell = without_the_other
        await bob.say("make it night", reply_to=theirs, mentions=[fake.bot])
        await fake.until(lambda: fake.channel.last.author is fake.bot or door.accepted, what="an answer")

    assert "I lack these permissions here: Read Message History." in fake.channel.last.text
    assert door.accepted == []

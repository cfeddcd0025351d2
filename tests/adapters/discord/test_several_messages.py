"""A reply to any message of an answer that took several, from a person's hand to what the core has stored."""

from pathlib import Path

import pytest

from bot.chat import Button, Place, Post
from bot.generation import outbox
from bot.storage.database import Database
from tests.adapters.discord.posting import AGAIN, VARY, desk, reply
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.simulators.discord.fake import FakeDiscord


@pytest.mark.parametrize(("buttons", "second_means"), [((AGAIN, VARY), 10), ((AGAIN,), None)], ids=["done", "drawing"])
async def test_a_reply_to_the_second_message_means_the_generation(
    fake: FakeDiscord, database: Database, tmp_path: Path, buttons: tuple[Button, ...], second_means: int | None
) -> None:
    bob, door = fake.person("bob"), FakeDoor(drawing_table())
    async with desk(fake, tmp_path / "desk") as one, connected(fake, door, tmp_path, blobs=one.blobs) as adapter:
        place = Place(adapter="discord", data={"channel": fake.channel.id, "guild": fake.guild.id, "member": True})
        pictures = tuple(one.picture(index) for index in range(12))
        post = Post(key="discord:1", place=place, reply=reply(pictures=pictures, buttons=buttons))
        await database.transaction(outbox.add_posted, post, await adapter.post(post))
        first, second = fake.channel.messages
        meant: list[int | None] = []
        for message in (first, second):
            before = len(door.accepted)
            await bob.say("make it night", reply_to=message, mentions=[fake.bot])
            await fake.until(lambda: len(door.accepted) > before, what="the reply")  # noqa: B023 - read at once

            assert door.last.quoted is not None
            meant.append(door.last.quoted.index)
            found = await database.read(outbox.quoted, "discord", door.last.quoted.message_id)
            assert found == post.reply.generation

    assert meant == [None, second_means]  # the core takes the first, and offers the others

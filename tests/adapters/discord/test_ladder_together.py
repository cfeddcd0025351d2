"""Several processes that change the messages of one key, one after the other: what stands is what was posted last."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.discord.ladder import Ladder
from bot.chat import Place, Post, Reply
from tests.adapters.discord.posting import AGAIN, GENERATION, Desk, desk, progress, reply
from tests.simulators.discord.fake import FakeDiscord


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


def two(desk: Desk, *, threads: bool = False) -> tuple[Ladder, Ladder]:
    first = desk.ladder
    desk.restart()
    first.threads = desk.ladder.threads = threads
    return first, desk.ladder


async def post(ladder: Ladder, place: Place, reply: Reply, message: str = "", **more: Any) -> str:
    made = Post(key=f"{GENERATION}:0", place=place, reply=reply, message=message, elsewhere=True, **more)
    return await ladder.post(made)


async def test_what_another_changed_since_is_changed_back(fake: FakeDiscord, desk: Desk) -> None:
    """Each remembers what it showed itself, and leaves alone what it believes to stand already."""
    first, second = two(desk)
    _, place = await desk.asked(fake.person("bob"))
    message = await post(first, place, progress("In line"))
    await post(second, place, progress("The provider is busy"), message)
    await post(first, place, progress("In line"), message)

    assert [one.text for one in fake.channel.messages] == ["In line"]


async def test_pictures_that_another_showed_are_shown_once(fake: FakeDiscord, desk: Desk) -> None:
    first, second = two(desk)
    _, place = await desk.asked(fake.person("bob"))
    pictures = tuple(desk.picture(index) for index in range(12))
    message = ""
    for ladder, count in ((first, 2), (second, 5), (first, 11), (second, 12)):
        message = await post(ladder, place, reply(pictures=pictures[:count]), message)

    assert [len(one.pictures) for one in fake.channel.messages] == [10, 2]
    assert message.count(" ") == 1


async def test_messages_that_another_made_are_taken_away_with_the_pictures(fake: FakeDiscord, desk: Desk) -> None:
    first, second = two(desk)
    _, place = await desk.asked(fake.person("bob"))
    before = await post(first, place, progress())
    both = await post(second, place, reply(pictures=tuple(desk.picture(index) for index in range(12))), before)
    assert await post(first, place, reply("Deleted"), both) == before

    assert [one.text for one in fake.channel.messages] == ["Deleted"]


async def test_what_another_could_not_put_into_a_thread_does_not_stay_beside_it(fake: FakeDiscord, desk: Desk) -> None:
    first, second = two(desk, threads=True)
    _, place = await desk.asked(fake.person("bob"))
    whole = reply(pictures=tuple(desk.picture(index) for index in range(12)))
    fake.forbid(fake.channel, "create_public_threads")
    message = await post(first, place, whole)
    assert [len(one.pictures) for one in fake.channel.messages] == [10, 2]

    fake.permit(fake.channel, "create_public_threads")
    await post(second, place, whole, message)

    assert [len(one.pictures) for one in fake.channel.messages] == [4]
    thread = fake.channel.last.thread
    assert thread is not None
    assert [len(one.pictures) for one in thread.messages] == [8]


@pytest.mark.parametrize("way", ["deferred", "message", "thread", "log"])
async def test_pages_that_another_posted_long_before_it_died_are_not_posted_again(
    way: str, fake: FakeDiscord, desk: Desk
) -> None:
    """The database was away for so long that Discord has forgotten the nonces."""
    first, second = two(desk, threads=way == "thread")
    bob = fake.person("bob")
    _, place = await desk.asked(bob)
    log = fake.new_channel(fake.guild, "log")
    if way in ("message", "thread"):
        place = desk.said(await bob.say("a fox"))
    if way == "log":
        place = desk.in_room(place, log)
    whole = reply(pictures=tuple(desk.picture(index) for index in range(25)), buttons=(AGAIN,))
    tried = fake.clock()
    before = await post(first, place, whole)
    fake.clock.advance(timedelta(minutes=10))

    assert await post(second, place, whole, tried=tried) == before


async def test_pages_of_another_message_about_the_same_pictures_are_left_alone(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    whole = reply(pictures=tuple(desk.picture(index) for index in range(12)))
    one = await desk.post(place, whole, key="discord:17")
    fake.clock.advance(timedelta(minutes=10))
    place = desk.said(await fake.person("ann").say("show it"))
    other = await desk.post(place, whole, key="discord:18")

    assert not set(one.split()) & set(other.split())
    assert [len(each.pictures) for each in fake.channel.messages if each.pictures] == [10, 2, 10, 2]

"""A series in a thread of its own message, and the channel where that cannot be."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.discord.ladder import Ladder
from bot.chat import Picture
from tests.adapters.discord.posting import Desk, desk, reply
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.model import Channel

START = "/channels/{}/messages/{}/threads"
PROMPT = "a fox\nin the snow"


def with_threads(desk: Desk) -> Ladder:
    desk.restart()
    desk.ladder.threads = True
    return desk.ladder


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        with_threads(one)
        yield one


def pictures(desk: Desk, count: int) -> tuple[Picture, ...]:
    return tuple(desk.picture(index) for index in range(count))


def counts(channel: Channel | None) -> list[int]:
    assert channel is not None
    return [len(one.pictures) for one in channel.messages]


async def test_a_series_goes_on_in_a_thread_of_its_message(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    message = await desk.post(place, reply(prompt=PROMPT, pictures=pictures(desk, 6)))
    thread = fake.channel.last.thread

    assert counts(fake.channel) == [4]
    assert counts(thread) == [2]
    assert thread is not None
    assert thread.name == "a fox in the snow"
    assert message == f"{fake.channel.id}/{fake.channel.last.id} {thread.id}/{thread.last.id}"
    assert thread.last.text == "-# Pictures 5 to 6 of 6"


async def test_it_fills_up_there_and_another_process_goes_on(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    message = ""
    for count in (3, 5, 6, 8):
        message = await desk.post(place, reply(pictures=pictures(desk, count)), message=message)
        with_threads(desk)

    assert counts(fake.channel) == [4]
    assert counts(fake.channel.last.thread) == [4]
    assert len([one for one in fake.requests if one.template.endswith("/threads")]) == 1


async def test_a_lost_answer_begins_no_second_thread(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    fake.goes_wrong("POST", START, Fault.LOST)
    await desk.post(place, reply(pictures=pictures(desk, 6)))

    assert counts(fake.channel) == [4]
    assert counts(fake.channel.last.thread) == [2]


@pytest.mark.parametrize("lacking", ["create_public_threads", "send_messages_in_threads"])
async def test_without_the_permission_all_stands_in_the_channel(fake: FakeDiscord, desk: Desk, lacking: str) -> None:
    fake.forbid(fake.channel, lacking)
    _, place = await desk.asked(fake.person("bob"))
    await desk.post(place, reply(pictures=pictures(desk, 12)))

    assert counts(fake.channel) == [10, 2]


async def test_few_pictures_and_private_ones_begin_none(fake: FakeDiscord, desk: Desk) -> None:
    bob = fake.person("bob")
    for private, count in ((False, 4), (True, 6)):
        _, place = await desk.asked(bob, private=private)
        key = f"k{count}:0"
        await desk.post(place, reply(pictures=pictures(desk, count), private=private), key=key)

    assert counts(fake.channel) == [4, 6]
    assert all(one.thread is None for one in fake.channel.messages)


async def test_where_only_the_person_brought_the_app_there_is_none(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    place = replace(place, data={**place.data, "member": False})
    await desk.post(place, reply(pictures=pictures(desk, 6)))

    assert counts(fake.channel) == [6]
    assert fake.channel.last.thread is None


async def test_when_it_is_deleted_nothing_of_it_stays_in_the_thread(fake: FakeDiscord, desk: Desk) -> None:
    _, place = await desk.asked(fake.person("bob"))
    message = await desk.post(place, reply(pictures=pictures(desk, 6)))
    with_threads(desk)
    await desk.post(place, reply("It was deleted."), message=message)

    assert counts(fake.channel) == [0]
    assert counts(fake.channel.last.thread) == []

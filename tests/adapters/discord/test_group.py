"""A group conversation that a person brought the bot to: it is no member there, and has 5 follow-ups to a command."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.chat import CannotPost
from tests.adapters.discord.posting import Desk, desk, progress, reply
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.interactions import MOST_FOLLOW_UPS
from tests.simulators.discord.model import Channel
from tests.simulators.discord.people import Person


@pytest_asyncio.fixture(name="desk")
async def _desk(fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(fake, tmp_path) as one:
        yield one


@pytest.fixture
def bob(fake: FakeDiscord) -> Person:
    bob = fake.person("bob")
    bob.install()
    return bob


@pytest.fixture
def group(fake: FakeDiscord, bob: Person) -> Channel:
    return fake.direct_channel(bob.user, fake.person("ann").user)


async def test_changes_of_the_answer_are_no_follow_ups(desk: Desk, bob: Person, group: Channel) -> None:
    asked, place = await desk.asked(bob, in_=group)
    for each in (*(progress(f"In line, {number}.") for number in range(9)), reply(pictures=(desk.picture(),))):
        await desk.post(place, each)

    assert (asked.follow_ups, group.messages) == (0, [asked.original])
    assert len(group.last.pictures) == 1


async def test_what_is_more_than_its_follow_ups_goes_to_the_asker_directly(
    fake: FakeDiscord, desk: Desk, bob: Person, group: Channel
) -> None:
    asked, place = await desk.asked(bob, in_=group)
    for number in range(MOST_FOLLOW_UPS + 2):
        await desk.post(place, reply(f"picture {number}"), key=f"k3f9w2a{number}:0")

    assert asked.follow_ups == MOST_FOLLOW_UPS
    assert [one.text for one in group.messages] == [f"picture {number}" for number in range(MOST_FOLLOW_UPS + 1)]
    (direct,) = bob.direct.messages
    assert direct.text.splitlines()[0] == f"picture {MOST_FOLLOW_UPS + 1}"
    assert "where you asked" in direct.text


async def test_what_comes_after_the_token_goes_to_the_asker_directly_and_a_private_answer_too(
    fake: FakeDiscord, desk: Desk, bob: Person, group: Channel
) -> None:
    places = [(await desk.asked(bob, in_=group, private=private))[1] for private in (False, True)]
    standing = [await desk.post(place, progress(), key=f"k{number}:0") for number, place in enumerate(places)]
    fake.clock.advance(timedelta(minutes=16))
    for number, place in enumerate(places):
        drawn = reply(f"picture {number}", pictures=(desk.picture(),))
        await desk.post(place, drawn, key=f"k{number}:0", message=standing[number])

    assert [one.text.splitlines()[0] for one in bob.direct.messages] == ["picture 0", "picture 1"]
    assert [one.pictures for one in group.messages] == [[], []]


async def test_who_takes_no_direct_messages_has_it_kept(
    fake: FakeDiscord, desk: Desk, bob: Person, group: Channel
) -> None:
    _, place = await desk.asked(bob, in_=group)
    bob.user.accepts_dms = False
    fake.clock.advance(timedelta(minutes=16))
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())

    assert refused.value.final

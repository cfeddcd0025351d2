"""Several processes that change the cards of one key, one after the other: what stands is what was posted last."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu.ladder import Ladder
from bot.chat import CannotPost
from tests.adapters.feishu.posting import Desk, desk, progress, reply

AN_HOUR = 3600.0


@pytest_asyncio.fixture(name="desk")
async def _desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


def two(desk: Desk) -> tuple[Ladder, Ladder]:
    first = desk.ladder
    desk.restart()
    return first, desk.ladder


async def test_what_another_changed_since_is_changed_back(desk: Desk) -> None:
    """Each remembers what it showed itself, and leaves alone what it believes to stand already."""
    ann = desk.fake.person("Ann")
    first, second = two(desk)
    _, place = await desk.asked(ann)
    desk.ladder = first
    message = await desk.post(place, progress("In line"))
    desk.ladder = second
    await desk.post(place, progress("The provider is busy"), message=message, elsewhere=True)
    desk.ladder = first
    await desk.post(place, progress("In line"), message=message, elsewhere=True)

    assert desk.only(ann.direct).id == message
    assert "In line" in desk.only(ann.direct).text


async def test_the_first_goes_on_in_the_messages_that_another_made_since(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    first, second = two(desk)
    _, place = await desk.asked(ann)
    desk.ladder = first
    before = await desk.post(place, progress())
    desk.ladder = second
    both = await desk.post(place, reply(pictures=desk.pictures(12)), message=before, elsewhere=True)
    desk.ladder = first
    assert await desk.post(place, reply("Deleted", pictures=()), message=both, elsewhere=True) == before

    assert len(both.split()) == 2
    assert desk.only(ann.direct).id == before
    assert "Deleted" in desk.only(ann.direct).text


async def test_what_was_once_in_doubt_here_and_settled_by_another_keeps_no_card_back(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    first, second = two(desk)
    _, place = await desk.asked(ann)
    desk.ladder = first
    desk.fake.faults.add("im.message.reply", after=True)
    tried = desk.now()
    with pytest.raises(CannotPost):
        await desk.post(place, progress())
    desk.ladder = second
    message = await desk.post(place, progress(), tried=tried, elsewhere=True)
    desk.fake.clock.advance(AN_HOUR + 1)  # Feishu has forgotten the uuid that was in doubt
    desk.ladder = first
    await desk.post(place, reply(pictures=desk.pictures(12)), message=message, elsewhere=True)

    assert [len(each.pictures) for each in desk.bots(ann.direct)] == [9, 3]


async def test_a_doubt_of_this_process_outlives_its_next_try(desk: Desk) -> None:
    """Nobody else was at it, so what is known here is newer than what the core says."""
    _, place = await desk.asked(desk.fake.person("Ann"))
    desk.fake.faults.add("im.message.reply", after=True)
    with pytest.raises(CannotPost):
        await desk.post(place, progress())
    desk.fake.clock.advance(AN_HOUR + 1)
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, progress())

    assert refused.value.final

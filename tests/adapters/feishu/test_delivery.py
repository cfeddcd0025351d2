"""One message for each key, whatever is lost on the way: answers, connections, the whole process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu import fitting
from adapters.feishu.keys import uuid
from adapters.feishu.ladder import Ladder
from adapters.feishu.rest import Rest
from bot.chat import CannotPost
from tests.adapters.feishu.posting import KEY, Desk, desk, progress, reply

AN_HOUR = 3600.0


@pytest_asyncio.fixture(name="desk")
async def _desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def test_a_card_whose_answer_was_lost_is_found_again_and_shows_what_is_newest(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.message.reply", after=True)
    with pytest.raises(CannotPost) as lost:
        await desk.post(place, progress())
    message = await desk.post(place, reply())

    assert (lost.value.unknown, lost.value.final) == (True, False)
    assert desk.only(ann.direct).id == message
    assert "Drawn" in desk.only(ann.direct).text


@pytest.mark.parametrize("noted", [True, False], ids=["the core knows of the try", "the core died before it knew"])
async def test_the_next_process_makes_no_second_card(noted: bool, desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    tried = desk.now()
    first = await desk.post(place, progress())
    desk.restart()
    second = await desk.post(place, reply(), tried=tried if noted else None)
    third = await desk.post(place, reply("Drawn and shown"), message=second)

    assert first == second == third == desk.only(group).id
    assert "Drawn and shown" in desk.only(group).text


async def test_what_may_stand_already_is_kept_once_feishu_forgets_its_uuid(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    tried = desk.now()
    await desk.post(place, progress())
    desk.restart()
    desk.fake.clock.advance(AN_HOUR + 1)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply(), tried=tried)
    assert refused.value.final
    assert "In line" in desk.only(ann.direct).text


async def test_a_card_that_is_known_is_changed_however_old_the_doubt(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress())
    desk.restart()
    desk.fake.clock.advance(AN_HOUR + 1)
    await desk.post(place, reply(), message=message, tried=desk.now() - timedelta(hours=2))

    assert "Drawn" in desk.only(ann.direct).text


async def test_a_lost_answer_is_found_though_the_message_that_asked_is_gone_by_then(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    asked, place = await desk.asked(ann, group)
    desk.fake.faults.add("im.message.reply", after=True)
    with pytest.raises(CannotPost):
        await desk.post(place, progress())
    await ann.recalls(asked, wait=False)
    await desk.post(place, reply())

    assert "Drawn" in desk.only(group).text


async def test_a_card_that_was_recalled_before_its_answer_was_known_is_written_once_more(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    before = await desk.post(place, progress())
    await desk.rest.recall(before)
    desk.fake.faults.add("im.message.reply", after=True)
    with pytest.raises(CannotPost):
        await desk.post(place, reply())
    await desk.post(place, reply())

    assert desk.only(ann.direct).id != before


async def test_a_private_answer_never_lands_in_a_card_that_a_group_sees(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    await desk.post(place, reply("For all"))
    desk.restart()
    await desk.post(place, reply("For Ann", private=True), tried=desk.now())

    assert "For all" in desk.only(group).text
    assert desk.only(group).edits == []
    assert "For Ann" in desk.only(ann.direct).text


async def test_a_change_whose_answer_was_lost_is_changed_back(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress("In line"))
    desk.fake.faults.add("im.message.patch", after=True)
    with pytest.raises(CannotPost):
        await desk.post(place, progress("The provider is busy"), message=message)
    assert "The provider is busy" in desk.only(ann.direct).text
    await desk.post(place, progress("In line"), message=message)

    assert "In line" in desk.only(ann.direct).text


async def test_what_was_never_sent_is_no_doubt(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))
    async with Rest(domain="http://127.0.0.1:1", app_id="a", app_secret="b", pauses=()) as nowhere:
        desk.ladder = Ladder(
            rest=nowhere,
            fitting=replace(desk.ladder.fitting, rest=nowhere),
            toasts=desk.toasts,
            models=tuple,
            give_back=desk.give_back,
            clock=desk.now,
        )
        with pytest.raises(CannotPost) as refused:
            await desk.post(place, reply())

    assert (refused.value.final, refused.value.unknown) == (False, False)


async def test_when_the_second_card_has_to_wait_the_first_is_not_sent_again(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    whole = reply(pictures=desk.pictures(12))
    desk.fake.limits.per_chat = 1
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, whole)
    desk.fake.clock.advance(1)
    message = await desk.post(place, whole)

    assert refused.value.unknown
    assert refused.value.retry_after
    assert message == " ".join(each.id for each in desk.bots(ann.direct))
    assert [len(each.pictures) for each in desk.bots(ann.direct)] == [9, 3]
    desk.fake.complaints.clear()  # of the second within a second, which was the point


async def test_an_original_whose_answer_was_lost_comes_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reply(pictures=(desk.picture(),))
    monkeypatch.setattr(fitting, "MOST_SIDE", 8)
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress())
    desk.fake.faults.add("im.message.reply", after=True)
    with pytest.raises(CannotPost) as lost:
        await desk.post(place, whole, message=message)
    desk.restart()
    await desk.post(place, whole, message=message, tried=desk.now())

    card, file = desk.bots(ann.direct)
    assert lost.value.unknown
    assert (len(card.pictures), len(file.files)) == (1, 1)


def test_a_uuid_is_one_that_feishu_takes_and_belongs_to_one_message() -> None:
    made = [
        uuid(KEY, "card"),
        uuid(KEY, "card", 1),
        uuid(KEY, "card", replaced="om_1"),
        uuid(KEY, "card for the person"),
        uuid(KEY, "original"),
        uuid("other:0", "card"),
    ]

    assert len(set(made)) == len(made)
    assert all(len(each) <= 50 and each.isalnum() and each.isascii() for each in made)
    assert uuid(KEY, "card") == made[0]

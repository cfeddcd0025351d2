"""How an answer reaches people on Feishu: every step of the ladder, and where each ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from adapters.feishu.ladder import OPERATORS_PAUSE
from bot.chat import CannotPost
from bot.i18n import verbatim
from tests.adapters.feishu.posting import KEY, Desk, desk, progress, reply
from tests.fakes import painted

SENSITIVE = "敏感词"
A_DAY = 86_400.0


@pytest_asyncio.fixture(name="desk")
async def _desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def test_one_card_answers_and_changes_from_progress_to_the_pictures(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    asked, place = await desk.asked(ann, group)
    ids = [await desk.post(place, each) for each in (progress(), reply(pictures=(desk.picture(),)))]

    card = desk.only(group)
    assert ids == [card.id, card.id]
    assert card.reply_to is asked
    assert "Drawn" in card.text
    assert card.pictures == [painted("k3f9w2ab0")]
    assert card.labels == ["Again"]


async def test_what_stands_already_is_not_sent_again(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    for each in (progress(), progress(), reply(pictures=desk.pictures(1)), reply(pictures=desk.pictures(1))):
        await desk.post(place, each)

    assert len(desk.only(ann.direct).edits) == 1
    assert len(desk.fake.called("im.image.create")) == 1


async def test_what_is_asked_in_a_topic_is_answered_in_it(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Topics", ann, topics=True)
    asked, place = await desk.asked(ann, group)
    await desk.post(place, reply())

    assert desk.only(group).thread == asked.thread != ""
    assert desk.fake.called("im.message.reply")[0].body["reply_in_thread"] is True


async def test_a_press_is_answered_beneath_its_card(desk: Desk) -> None:
    ann, ben = desk.fake.person("Ann"), desk.fake.person("Ben")
    group = desk.fake.group("Studio", ann, ben)
    _, place = await desk.asked(ann, group)
    await desk.post(place, reply())
    card = desk.only(group)
    await desk.post(desk.pressed(ben, card), reply("Once more"), key="other:0")

    assert desk.bots(group)[-1].reply_to is card


async def test_the_menu_is_answered_in_the_chat_with_the_person(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    await desk.post(desk.place(ann), reply("3 of 20 left", private=True))

    assert "3 of 20 left" in desk.only(ann.direct).text
    assert "for you alone" not in desk.only(ann.direct).text


async def test_the_log_room_is_told_by_a_message_of_its_own(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    log = desk.fake.group("Log")
    _, place = await desk.asked(ann)
    await desk.post(desk.in_room(place, log), reply())

    assert desk.only(log).reply_to is None
    assert desk.bots(ann.direct) == []


async def test_a_log_room_that_the_bot_is_not_in_tells_nobody_else(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    log = desk.fake.group("Log", with_bot=False)
    _, place = await desk.asked(ann)

    with pytest.raises(CannotPost) as refused:
        await desk.post(desk.in_room(place, log), reply())
    assert refused.value.final
    assert desk.bots(ann.direct) == []


async def test_what_is_private_goes_from_a_group_to_the_person(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    for each in (progress(private=True), reply("For Ann", private=True)):
        await desk.post(place, each)

    assert desk.bots(group) == []
    assert "For Ann" in desk.only(ann.direct).text
    assert "This is for you alone" in desk.only(ann.direct).text


async def test_a_private_answer_to_a_press_in_a_chat_of_unknown_kind_goes_to_the_person(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    await desk.post(place, reply())
    pressed = desk.pressed(ann, desk.only(group))
    unknown = replace(pressed, data={**pressed.data, "kind": ""}, private=True, room="")
    await desk.post(unknown, reply("For Ann", private=True), key="feishu:press")

    assert "For Ann" not in desk.only(group).text
    assert "For Ann" in desk.only(ann.direct).text


async def test_a_group_hears_only_that_there_is_something_private_for_somebody_out_of_reach(desk: Desk) -> None:
    ann = desk.fake.person("Ann", reachable=False)
    group = desk.fake.group("Studio", ann)
    asked, place = await desk.asked(ann, group)
    for _ in range(2):
        with pytest.raises(CannotPost) as refused:
            await desk.post(place, reply("For Ann", private=True))
        assert refused.value.final

    word = desk.only(group)
    assert word.reply_to is asked
    assert "Ask an admin of your organisation" in word.text
    assert "For Ann" not in word.text
    assert len(desk.fake.called("im.message.reply")) == 1


async def test_the_short_answer_to_a_press_is_a_toast_and_no_message(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.toasts.open.add("feishu:press")

    assert await desk.post(place, reply(private=True), key="feishu:press") == ""
    assert desk.bots(ann.direct) == []


async def test_a_message_that_was_recalled_is_answered_in_the_chat_all_the_same(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    asked, place = await desk.asked(ann, group)
    await ann.recalls(asked, wait=False)
    await desk.post(place, reply())

    assert "Drawn" in desk.only(group).text
    assert desk.only(group).reply_to is None


@pytest.mark.parametrize("how", ["recalled", "older than 14 days"])
async def test_a_card_that_can_no_longer_be_changed_is_written_anew(how: str, desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    asked, place = await desk.asked(ann)
    before = await desk.post(place, progress())
    if how == "recalled":
        await desk.rest.recall(before)
    else:
        desk.fake.clock.advance(15 * A_DAY)
    after = await desk.post(place, reply(), message=before)

    last = desk.bots(ann.direct)[-1]
    assert after == last.id != before
    assert last.reply_to is asked
    assert "Drawn" in last.text


async def test_where_the_bot_may_not_speak_the_answer_comes_to_the_person_and_says_why(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Quiet", ann, speaks=False)
    _, place = await desk.asked(ann, group)
    ids = [await desk.post(place, each) for each in (progress(), reply(pictures=desk.pictures(10)))]

    first, second = desk.bots(ann.direct)
    assert ids == [first.id, f"{first.id} {second.id}"]
    assert "I could not show this where you asked for it" in first.text
    assert desk.bots(group) == []
    assert len(desk.fake.called("im.message.reply")) == 1  # where it goes is known after that


async def test_a_bot_that_was_taken_out_of_the_group_brings_the_pictures_to_the_person(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    await desk.post(place, progress())
    group.with_bot = False
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert len(desk.only(ann.direct).pictures) == 1


async def test_a_rate_limit_is_waited_for_as_long_as_told(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))
    desk.fake.faults.add("im.message.reply", code=230020, status=429, retry_after=7)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())
    assert (refused.value.final, refused.value.retry_after) == (False, 7)


async def test_words_that_feishu_does_not_take_are_left_out_and_the_pictures_shown(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    picture = replace(desk.picture(), alt=SENSITIVE)
    await desk.post(place, progress())
    await desk.post(place, reply(prompt=SENSITIVE, pictures=(picture,)))
    refused_once = len(desk.fake.called("im.message.patch"))
    await desk.post(place, reply("Drawn again", prompt=SENSITIVE, pictures=(picture,), notes=(verbatim("x"),)))

    card = desk.only(ann.direct)
    assert "Feishu does not take the words" in card.text
    assert card.pictures == [painted("k3f9w2ab0")]
    assert card.labels == ["Again"]
    assert refused_once == len(desk.fake.called("im.message.patch")) == 2


async def test_what_feishu_does_not_take_even_without_words_is_kept(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))
    desk.fake.faults.add("im.message.reply", code=230022, times=2)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())
    assert refused.value.final


async def test_a_card_that_is_malformed_is_reduced_to_words_and_pictures(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.message.reply", code=230099)
    with capture_logs() as logs:
        await desk.post(place, reply(prompt="a fox", pictures=desk.pictures(1)))

    assert "Drawn" in desk.only(ann.direct).text
    assert (len(desk.only(ann.direct).pictures), desk.only(ann.direct).labels) == (1, [])
    assert [each["code"] for each in logs if each["log_level"] == "error"] == [230099]
    assert "a fox" not in str(logs)


async def test_a_missing_scope_is_told_to_the_operator_once_and_tried_again_later(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))
    granted = set(desk.fake.scopes)
    desk.fake.scopes.clear()
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(CannotPost) as refused:
                await desk.post(place, reply())
            assert (refused.value.final, refused.value.retry_after) == (False, OPERATORS_PAUSE)
    (told,) = [each["advice"] for each in logs if each["log_level"] == "error"]
    desk.fake.scopes |= granted
    await desk.post(place, reply())

    assert "im:message" in told


async def test_a_picture_that_feishu_no_longer_knows_is_uploaded_again(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.message.reply", code=230017)
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert len(desk.only(ann.direct).pictures) == 1
    assert len(desk.fake.called("im.image.create")) == 2


@pytest.mark.parametrize("when", ["at once", "after a day"])
async def test_more_pictures_than_a_card_takes_go_on_in_a_second_that_vanishes_with_them(when: str, desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, reply(pictures=desk.pictures(12)))
    shown = [len(each.pictures) for each in desk.bots(ann.direct)]
    if when == "after a day":
        desk.fake.clock.advance(A_DAY + 1)
    left = await desk.post(place, reply("It was deleted."), message=message)

    assert shown == [9, 3]
    assert left == message.split()[0]
    texts = [each.text for each in desk.bots(ann.direct)]
    assert "It was deleted." in texts[0]
    assert [each for each in texts[1:] if "nothing here any more" not in each] == []
    assert len(texts) == (1 if when == "at once" else 2)
    assert all(not each.pictures for each in desk.bots(ann.direct))


async def test_a_token_that_expires_in_flight_is_renewed_and_nobody_notices(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", code=99991663)
    await desk.post(place, reply())

    assert "Drawn" in desk.only(ann.direct).text


async def test_two_posts_at_once_share_what_they_upload(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.image.create", delay=0.05)
    await asyncio.gather(*(desk.post(place, reply(pictures=desk.pictures(1)), key=key) for key in (KEY, "other:0")))

    assert [len(each.pictures) for each in desk.bots(ann.direct)] == [1, 1]
    assert len(desk.fake.called("im.image.create")) == 1

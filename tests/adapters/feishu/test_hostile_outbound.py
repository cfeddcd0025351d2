"""What goes out when everything conspires: lost answers, full disks, slow lines, crowds, and pictures that offend."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.feishu import fitting, pace
from adapters.feishu.event import Where
from adapters.feishu.fitting import AT_ONCE
from adapters.feishu.ladder import PROGRESS
from adapters.feishu.originals import TRIES
from adapters.feishu.outbound import card
from adapters.feishu.rest import Rest
from adapters.feishu.toasts import Toasts
from bot.chat import Actor, Button, CannotPost, Reply
from bot.errors import Unavailable
from bot.generation import delivery
from bot.i18n import text, verbatim
from bot.people import called
from bot.storage.database import Database
from tests.adapters.feishu.posting import GENERATION, Desk, desk, progress, reply
from tests.adapters.feishu.stage import FakeDoor, set_up
from tests.bot.generation.core import Core
from tests.fakes import FakeAdapter
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.faults import Fault

MINUTE, HOUR = 60.0, 3600.0
PRESS = "feishu:press"
SENSITIVE, TOO_BIG = 230022, 234006
LOST = Fault(after=True)
CANCEL = Button(command="cancel", generation=GENERATION, label=text("Cancel"))


@pytest_asyncio.fixture(name="desk")
async def _desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path / "outgoing") as one:
        yield one


# One message, and not two


async def test_an_answer_that_was_a_toast_is_not_posted_when_the_core_asks_again(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    toasts = desk.ladder.toasts = Toasts()
    with toasts.opened(PRESS):
        for _ in range(2):  # the core could not note the first
            assert await desk.post(place, reply(private=True, buttons=()), key=PRESS) == ""
    assert await desk.post(place, reply(private=True, buttons=()), key=PRESS) == ""

    assert desk.bots(ann.direct) == []


async def test_an_answer_that_comes_too_late_for_the_toast_is_posted(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    toasts = desk.ladder.toasts = Toasts(latest=0.0)
    with toasts.opened(PRESS) as answer:
        await desk.post(place, reply("For Ann", private=True, buttons=()), key=PRESS)

    assert not answer.done()
    assert "For Ann" in desk.only(ann.direct).text


async def test_a_card_that_stands_from_before_a_crash_shows_what_is_true_now(desk: Desk) -> None:
    """An answer that is no generation's own is repeated after a crash, and the core knows nothing of the first."""
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress("Drawing"), key="feishu:om_1")
    desk.restart()
    desk.fake.clock.advance(10)
    await desk.post(place, reply("Drawn"), key="feishu:om_1")

    assert "Drawn" in desk.only(ann.direct).text


async def test_progress_that_came_to_need_a_second_message_is_written_down(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PLACE_PACE", 0.0)
    core = Core(database=database, folder=tmp_path)
    generation = await core.accepted()
    async with core.delivery:
        await core.adapter.until(lambda: core.adapter.shown)
        core.adapter.messages[f"{generation}:0"] = "message-0 message-1"
        core.delivery.changed(generation)
        await core.adapter.until(lambda: len(core.adapter.shown) > 1)
    (row,) = await core.database.fetch("SELECT message FROM postings WHERE generation=:id", id=generation)
    stood = await core.database.fetch("SELECT message FROM posted_messages ORDER BY message")

    assert row["message"] == "message-0 message-1"
    assert [each["message"] for each in stood] == ["message-0", "message-1"]


async def test_an_attempt_that_may_have_gone_through_is_a_doubt_whatever_the_next_one_says(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    connection = {"domain": desk.fake.url, "app_id": desk.fake.app_id, "app_secret": desk.fake.app_secret}
    async with Rest(**connection, pauses=(0.0,)) as rest:
        desk.ladder.rest = rest
        desk.fake.faults.add("im.message.reply", after=True)
        desk.fake.faults.add("im.message.reply", code=1_000_040)  # nobody knows what it means
        with pytest.raises(CannotPost) as refused:
            await desk.post(place, progress())
        await desk.post(place, reply())

    assert (refused.value.final, refused.value.unknown) == (False, True)
    assert "Drawn" in desk.only(ann.direct).text


@pytest.mark.slow
async def test_whichever_answer_is_lost_before_a_crash_everything_stands_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WINDOW", 0.0)
    monkeypatch.setattr(fitting, "MOST_SIDE", 20)  # so that two of the pictures have originals that come as files
    for lost in count():
        async with desk(tmp_path / f"{lost}") as one:
            one.fake.limits.per_chat = one.fake.limits.per_message = 100
            ann = one.fake.person("Ann")
            _, place = await one.asked(ann)
            pictures = (replace(each, width=24 if each.index in (2, 10) else 16) for each in one.pictures(11))
            whole = reply(pictures=tuple(pictures))
            calls = count()
            monkeypatch.setattr(
                one.fake.faults, "next", lambda api, calls=calls, lost=lost: LOST if next(calls) == lost else None
            )
            with suppress(CannotPost):
                await one.post(place, whole)
            reached = next(calls) > lost
            one.restart()
            message = await one.post(place, whole, tried=one.now())

            shown = one.bots(ann.direct)
            assert [len(each.pictures) for each in shown if each.pictures] == [9, 2], f"call {lost}"
            assert len(shown) == len(message.split()) == 4, f"call {lost}"
        if not reached:
            break
    assert lost > 15  # token, 11 pictures, 2 cards, 2 files, and their messages


# A message, and not none


async def test_a_page_that_never_left_is_sent_however_long_that_took(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    whole = reply(pictures=desk.pictures(12))
    tried = desk.now()
    desk.fake.limits.per_chat = 1
    with pytest.raises(CannotPost):
        await desk.post(place, whole)
    desk.fake.complaints.clear()
    desk.fake.limits.per_chat = 5
    desk.fake.clock.advance(2 * HOUR)
    await desk.post(place, whole, tried=tried)

    assert [len(each.pictures) for each in desk.bots(ann.direct)] == [9, 3]


@pytest.mark.parametrize("problem", [Unavailable(text("The disk is full.")), OSError(28, "No space left on device")])
async def test_a_full_disk_is_no_doubt_about_what_stands(problem: Exception, desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)

    async def copy_to(key: str, file: Path) -> None:
        raise problem

    copies, desk.blobs.copy_to = desk.blobs.copy_to, copy_to  # type: ignore[method-assign]
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply(pictures=desk.pictures(1)))
    desk.blobs.copy_to = copies  # type: ignore[method-assign]
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert (refused.value.final, refused.value.unknown) == (False, False)
    assert len(desk.only(ann.direct).pictures) == 1


async def test_a_place_of_another_version_is_not_tried_for_ever(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))

    with pytest.raises(CannotPost) as refused:
        await desk.post(replace(place, data={"channel": "1"}), reply())
    assert refused.value.final


@pytest.mark.parametrize("code", [SENSITIVE, TOO_BIG, 234001])
async def test_one_picture_that_feishu_does_not_take_keeps_no_other_back(code: int, desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    pictures = desk.pictures(3)
    await desk.ladder.fitting.ready(pictures[:2])
    desk.fake.faults.add("im.image.create", code=code, times=len(fitting.IMAGE))
    for each in (progress(pictures=pictures), reply(prompt="a fox", pictures=pictures)):
        await desk.post(place, each)

    card = desk.only(ann.direct)
    assert len(card.pictures) == 2
    assert "3: Feishu does not take this picture." in card.text
    assert "a fox" in card.text
    tried = len(fitting.IMAGE) if code == TOO_BIG else 1  # and not again with every change
    assert len(desk.fake.called("im.image.create")) == 2 + tried


async def test_where_words_and_pictures_offend_the_card_that_stands_says_so(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)
    for _ in range(2):
        await desk.post(place, reply(prompt="a fox", pictures=desk.pictures(1)))

    card = desk.only(ann.direct)
    assert "Feishu takes neither the words nor the pictures" in card.text
    assert "is given back to you" in card.text
    assert set(desk.given_back) == {("k3f9w2ab", "k3f9w2ab:0")}
    assert (card.pictures, card.labels) == ([], ["Again"])
    assert len(desk.fake.called("im.message.patch")) == 3


async def test_what_is_not_given_back_is_not_promised(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    desk.gives_back = False
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert "They were drawn and are kept.\n" in f"{desk.only(ann.direct).text}\n"


async def test_nothing_is_given_back_for_words_alone_nor_before_the_end(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.message.reply", code=SENSITIVE, times=2)
    await desk.post(place, progress(pictures=desk.pictures(1)))
    desk.fake.faults.add("im.message.reply", code=SENSITIVE)
    await desk.post(place, reply("Words", generation=""), key="words")

    assert desk.given_back == []


@pytest.mark.parametrize(
    ("call", "before", "made"),
    [pytest.param("patch", 3, 4, id="as-it-came"), pytest.param("reply", 0, 12, id="in-the-first-of-two-cards")],
)
async def test_of_what_was_seen_in_part_nothing_is_given_back(desk: Desk, call: str, before: int, made: int) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress(pictures=desk.pictures(before)))
    assert len(desk.only(ann.direct).pictures) == before
    desk.fake.faults.add(f"im.message.{call}", code=SENSITIVE, times=2)
    await desk.post(place, reply(pictures=desk.pictures(made)))

    assert "They were drawn and are kept.\n" in f"{desk.bots(ann.direct)[0].text}\n"
    assert desk.given_back == []


@pytest.mark.parametrize("before", [progress(), reply()], ids=["in the middle", "at the end"])
async def test_what_another_process_may_have_shown_is_not_given_back(desk: Desk, before: Reply) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, replace(before, pictures=desk.pictures(3)))
    desk.restart()
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)
    for _ in range(2):
        await desk.post(place, reply("Drawn", pictures=desk.pictures(4)), message=message)

    assert "They were drawn and are kept.\n" in f"{desk.only(ann.direct).text}\n"
    assert desk.given_back == []


async def test_what_may_stand_although_its_answer_was_lost_is_not_given_back(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", status=502, after=True)
    with pytest.raises(CannotPost):
        await desk.post(place, progress(pictures=desk.pictures(3)), message=message)
    assert len(desk.only(ann.direct).pictures) == 3
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)
    await desk.post(place, reply(pictures=desk.pictures(4)), message=message)

    assert desk.given_back == []


async def test_what_feishu_had_no_time_for_was_not_seen(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", code=230020, status=429)
    with pytest.raises(CannotPost):
        await desk.post(place, progress(pictures=desk.pictures(1)))
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert len(desk.given_back) == 1


@pytest.mark.parametrize("words", ["shown", "refused"])
async def test_where_no_picture_may_be_uploaded_the_card_says_so(desk: Desk, words: str) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.image.create", code=SENSITIVE, times=2)
    if words == "refused":
        desk.fake.faults.add("im.message.patch", code=SENSITIVE)
    for _ in range(2):
        await desk.post(place, reply(prompt="a fox", pictures=desk.pictures(2)))

    card = desk.only(ann.direct)
    assert "Feishu does not take the pictures of this answer." in card.text
    assert "is given back to you" in card.text
    assert ("a fox" in card.text) == (words == "shown")
    assert set(desk.given_back) == {("k3f9w2ab", "k3f9w2ab:0")}
    assert (card.pictures, card.labels) == ([], ["Again"])


async def test_while_it_cannot_be_given_back_nothing_is_said_of_it(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    await desk.post(place, progress())
    desk.fake.faults.add("im.message.patch", code=SENSITIVE, times=2)

    async def away(generation: str, key: str) -> bool:
        raise sqlite3.OperationalError("the database is away")

    give_back, desk.ladder.give_back = desk.ladder.give_back, away
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply(pictures=desk.pictures(1)))
    desk.ladder.give_back = give_back
    await desk.post(place, reply(pictures=desk.pictures(1)))

    assert not refused.value.final
    assert "is given back to you" in desk.only(ann.direct).text


async def test_a_card_whose_pictures_feishu_refuses_for_good_does_not_promise_them_for_ever(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress("Drawing", buttons=(CANCEL,)))
    desk.restart()
    desk.fake.faults.add("im.message.patch", code=230099, times=2)
    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply(pictures=desk.pictures(1)), message=message)
    told = desk.only(ann.direct).text
    await desk.post(place, reply(pictures=desk.pictures(1)), message=message)

    assert refused.value.final
    assert "/show k3f9w2ab" in told
    assert (len(desk.only(ann.direct).pictures), desk.only(ann.direct).labels) == (1, ["Again"])


async def test_keys_of_pictures_that_a_card_does_not_know_are_made_anew(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    words = "Failed to create card content, ext=ErrCode: 200570; ErrMsg: card contains invalid image keys; "
    desk.fake.faults.add("im.message.reply", code=230099, msg=words)
    await desk.post(place, reply(prompt="a fox", pictures=desk.pictures(1)))

    assert "a fox" in desk.only(ann.direct).text
    assert desk.only(ann.direct).labels == ["Again"]
    assert len(desk.fake.called("im.image.create")) == 2


async def test_an_original_that_the_line_is_too_slow_for_is_given_up_and_no_longer_promised(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MOST_SIDE", 8)
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.file.create", times=100)
    whole = reply(pictures=desk.pictures(1))
    for _ in range(TRIES - 1):
        with pytest.raises(CannotPost):
            await desk.post(place, whole)
    await desk.post(place, whole)
    await desk.post(place, whole)

    assert len(desk.only(ann.direct).pictures) == 1
    assert "The original comes as a file" not in desk.only(ann.direct).text
    assert len(desk.fake.called("im.file.create")) == TRIES


# The right place


async def test_what_answers_a_message_that_feishu_knows_no_more_stands_in_the_chat(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    await desk.post(desk.place(ann, group, message="om_deleted_for_good"), reply())

    assert "Drawn" in desk.only(group).text


async def test_a_log_room_is_not_told_what_is_private(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    log = desk.fake.group("Log")
    _, place = await desk.asked(ann)

    with pytest.raises(CannotPost) as refused:
        await desk.post(desk.in_room(place, log), reply("For Ann", private=True))
    assert refused.value.final
    assert desk.bots(log) == []


# No more than is wanted


async def test_one_upload_that_fails_throws_no_other_away(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    pictures = desk.pictures(AT_ONCE)
    desk.fake.faults.add("im.image.create")
    desk.fake.faults.add("im.image.create", delay=0.05, times=AT_ONCE - 1)
    with pytest.raises(CannotPost):
        await desk.post(place, reply(pictures=pictures))
    await desk.post(place, reply(pictures=pictures))

    assert len(desk.only(ann.direct).pictures) == AT_ONCE
    assert len(desk.fake.called("im.image.create")) == AT_ONCE + 1


async def test_what_a_killed_process_left_half_made_does_not_fill_the_disk(desk: Desk) -> None:
    left = desk.folder / "tmp_killed" / "original"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a picture")
    _, place = await desk.asked(desk.fake.person("Ann"))
    await desk.post(place, reply(pictures=desk.pictures(2)))

    assert list(desk.folder.iterdir()) == []


async def test_an_upload_that_hangs_does_not_hold_up_whoever_waits_behind_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "PATIENCE", 0.05)
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    desk.fake.faults.add("im.image.create", delay=0.5, times=AT_ONCE)
    hanging = asyncio.create_task(desk.post(place, reply(pictures=desk.pictures(AT_ONCE))))
    await desk.fake.until(lambda: len(desk.fake.called("im.image.create")) == AT_ONCE)
    waiting = reply(pictures=(desk.picture(99, generation="other"),))

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, waiting, key="other:0")
    assert (refused.value.final, refused.value.unknown) == (False, False)
    await hanging


async def test_a_platform_that_hangs_keeps_no_other_waiting(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_AT_ONCE", 2)
    core = Core(database=database, folder=tmp_path)
    hanging = FakeAdapter(name="hanging")
    hanging.open.clear()
    core.delivery.adapters = {"hanging": hanging, "fake": core.adapter}
    stuck = [await core.accepted(by=f"person {number}") for number in range(3)]
    await database.transaction(lambda connection: connection.execute("UPDATE postings SET adapter='hanging'"))
    async with core.delivery:
        await hanging.until(lambda: len(hanging.calls) == 2)
        other = await core.accepted()
        await core.adapter.until(lambda: core.adapter.replies(other))
        begun = len(hanging.calls)
        hanging.open.set()
        await hanging.until(lambda: all(hanging.replies(each) for each in stuck))

    assert begun == 2


async def test_a_crowd_in_one_chat_is_answered_as_fast_as_feishu_allows_and_no_faster(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    group = desk.fake.group("Studio", ann)
    _, place = await desk.asked(ann, group)
    await asyncio.gather(*(desk.post(place, reply(), key=f"feishu:{number}") for number in range(8)))

    assert len(desk.bots(group)) == 8
    assert {call.code for call in desk.fake.called("im.message.reply")} == {0}


async def test_words_to_a_group_about_what_nobody_there_may_see_keep_its_pace(desk: Desk) -> None:
    people = [desk.fake.person(f"Person {number}", reachable=False) for number in range(8)]
    group = desk.fake.group("Studio", *people)
    places = [(await desk.asked(each, group))[1] for each in people]
    posts = [desk.post(place, reply(private=True), key=f"feishu:{number}") for number, place in enumerate(places)]
    await asyncio.gather(*posts, return_exceptions=True)

    assert len(desk.bots(group)) == 8


async def test_a_person_has_one_pace_by_whichever_id_they_are_written_to(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, message = await desk.asked(ann)
    places = [message, desk.place(ann)] * 4  # the other one is that of the bot's menu
    await asyncio.gather(*(desk.post(place, reply(), key=f"feishu:{n}") for n, place in enumerate(places)))

    assert len(desk.bots(ann.direct)) == 8


async def test_the_progress_of_many_leaves_room_for_what_is_done(desk: Desk) -> None:
    ann = desk.fake.person("Ann")
    _, place = await desk.asked(ann)
    message = await desk.post(place, progress())  # it stands for the cards of many
    desk.fake.limits.per_message = 100
    others = {f"other{number}:0": message for number in range(PROGRESS + 5)}
    shown = await asyncio.gather(
        *(desk.post(place, progress(key), key=key, message=each) for key, each in others.items()),
        return_exceptions=True,
    )
    await desk.post(place, reply("Done"))
    refused = [each for each in shown if isinstance(each, CannotPost)]

    assert len(desk.fake.called("im.message.patch")) <= PROGRESS + 1
    assert len(refused) >= 5
    assert not any(each.final or each.unknown for each in refused)
    assert "Done" in desk.only(ann.direct).text


async def test_a_wait_of_days_is_not_believed(desk: Desk) -> None:
    _, place = await desk.asked(desk.fake.person("Ann"))
    desk.fake.faults.add("im.message.reply", code=230020, status=429, retry_after=200_000)

    with pytest.raises(CannotPost) as refused:
        await desk.post(place, reply())
    assert refused.value.retry_after is not None
    assert refused.value.retry_after <= 10 * MINUTE


# Names that are not to be told


@pytest.mark.parametrize("between", ["", "\u200e"])
async def test_whoever_is_called_like_a_room_is_not_told_its_name(
    fake: FakeFeishu, door: FakeDoor, tmp_path: Path, between: str
) -> None:
    eve = fake.person(f"<{between}#oc_1>")
    at = Where.model_validate({"tenant": "t", "user": eve.open_id, "chat": eve.direct.id, "kind": "p2p", "at": 1})
    async with set_up(fake, door, tmp_path) as stage:
        name = (await stage.people.find(at)).name
    kept = called(Actor(adapter="feishu", user=eve.open_id, name=name, space="t"))
    shown = json.dumps(card(Reply(text=verbatim(kept)), rooms={"oc_1": "Board"}.__getitem__), ensure_ascii=False)

    assert "Board" not in shown
    assert "#oc_1>" in shown

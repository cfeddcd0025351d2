"""One asking, one generation, one card: whatever becomes of events, calls, pictures and connections on the way."""

import asyncio
from io import BytesIO
from itertools import cycle
from random import Random
from typing import Any

import pytest
from PIL import Image

from tests.e2e.feishu_bot import Bot, by_bot, drawn, settled

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LIMIT, CALLS = 230020, 99991400
MANY = 200
LARGEST = 10_000_000  # bytes that a card's picture may have

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "the answer is lost after the card was made": ("im.message.reply", {"after": True}),
    "a gateway fails and says so as a page": ("im.message.reply", {"status": 502, "html": True}),
    "the chat has had enough for this second": ("im.message.reply", {"code": LIMIT, "status": 429, "retry_after": 1}),
    "the app has asked too often": ("im.message.reply", {"code": CALLS, "status": 400, "retry_after": 1}),
    "the change of the card is lost": ("im.message.patch", {"after": True}),
    "the card was changed too often": ("im.message.patch", {"code": LIMIT, "status": 429, "retry_after": 1}),
    "the picture's upload is lost": ("im.image.create", {"after": True}),
    "the picture is said to be too large": ("im.image.create", {"code": 234006, "status": 400}),
}


def noise(width: int, height: int) -> bytes:
    """A picture that no format makes small."""
    data = BytesIO()
    Image.frombytes("RGB", (width, height), Random(0).randbytes(width * height * 3)).save(data, "PNG")
    return data.getvalue()


async def test_a_message_that_is_pushed_again_at_every_rung_is_answered_once(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    asked = await ann.says("a heron at a lake")
    for rung in fake.repush:
        fake.clock.advance(rung)
        fake.push_again(asked)
    heron = await feishu.says(ann, "a heron at a lake", pictures=1)
    fake.push_again(asked)
    (push,) = [one for one in fake.pushes if one.message_id == asked.id]
    await feishu.until(lambda: len(push.acks) == 6, "an answer to each push")
    await drawn(feishu, ann, "what comes behind it")

    assert by_bot(fake, ann)[0] is heron
    assert len(by_bot(fake, ann)) == 2
    assert {one.code for one in push.acks} == {200}


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
async def test_whatever_becomes_of_a_call_there_is_one_card(feishu: Bot, fault: str) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    team = fake.group("Studio", ann)
    api, how = FAULTS[fault]
    fake.faults.add(api, **how)
    heron = await drawn(feishu, ann, "/imagine a heron at a lake --size 1280x720", to=team)
    await drawn(feishu, ann, "/imagine what comes behind it --size 1280x720", to=team)

    assert len(by_bot(fake, team)) == 2
    assert by_bot(fake, team)[0] is heron
    assert fake.faults.next(api) is None


async def test_tokens_that_end_while_everything_is_in_flight_are_renewed_once(feishu: Bot) -> None:
    fake = feishu.fake
    people = [fake.person(f"Ann {number}") for number in range(4)]
    await asyncio.gather(*(one.says("/imagine a heron --size 1280x720") for one in people))
    given = fake.tokens.given
    fake.tokens.revoke()
    for one in people:
        await feishu.says(one, "a heron", pictures=1)

    assert fake.tokens.given == given + 1
    assert [len(by_bot(fake, one)) for one in people] == [1] * 4


async def test_a_picture_of_more_than_10_mb_comes_smaller_and_its_original_as_a_file(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    await ann.posts("/edit make it brighter --model seedream-5-lite --size 4096x2304 --format png", noise(500, 300))
    heron = await feishu.says(ann, "make it brighter", pictures=1)
    await feishu.until(lambda: by_bot(feishu.fake, ann)[-1].files, "the original")
    original = by_bot(feishu.fake, ann)[-1]

    assert len(heron.pictures[0]) <= LARGEST < len(original.files[0].data)
    assert original.reply_to is heron
    assert "The original comes as a file" in heron.text


async def test_what_feishu_calls_sensitive_is_shown_without_its_words_and_charged_once(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    fake.sensitive.add("forbidden lake")
    asked = await ann.says("a heron at the forbidden lake")
    heron = await feishu.says(ann, "the words of this answer", pictures=1)
    fake.push_again(asked)
    await ann.says("/quota")
    quota = await feishu.says(ann, "left today")

    assert "forbidden" not in heron.text
    assert "49 of 50 left today" in quota.text
    assert len([one for one in by_bot(fake, ann) if one.pictures]) == 1


async def test_pictures_that_feishu_shows_to_nobody_are_given_back(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    fake.sensitive.add('"img_key"')  # whatever a card shows
    try:
        await ann.says("a heron that nobody may see")
        card = await feishu.says(ann, "is given back to you")
    finally:
        fake.sensitive.discard('"img_key"')
    await ann.says("/quota")
    quota = await feishu.says(ann, "left today")

    assert "50 of 50 left today" in quota.text
    assert card.pictures == []


async def test_a_message_that_was_recalled_meanwhile_is_answered_in_the_chat(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    team = fake.group("Studio", ann)
    fake.connections.freeze()
    asked = await ann.says("{bot} a heron at a lake", to=team, wait=False)
    await ann.recalls(asked, wait=False)
    fake.connections.thaw()
    heron = await feishu.says(team, "a heron at a lake", pictures=1)

    assert heron.reply_to is None
    assert by_bot(fake, team) == [heron]


async def test_where_the_bot_may_no_longer_write_the_picture_comes_to_the_person(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    left, closed = fake.group("Studio", ann, ben), fake.group("Hall", ben)
    closed.speaks = False
    await ann.says("{bot} a heron at a lake", to=left)
    fake.remove_bot(left, ben)
    await ben.says("{bot} a walrus in the hall", to=closed)
    heron = await feishu.says(ann, "a heron at a lake", pictures=1)
    walrus = await feishu.says(ben, "a walrus in the hall", pictures=1)

    assert "could not show this where you asked" in heron.text
    assert "could not show this where you asked" in walrus.text
    assert by_bot(fake, closed) == []


async def test_a_connection_that_is_cut_stands_again_and_nothing_is_lost(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    made = fake.connections.made
    fake.connections.refuse(1)
    fake.connections.cut()
    asked = await ann.says("a heron at a lake", wait=False)
    await feishu.until(lambda: fake.connections.made > made, "another connection")
    fake.push_again(asked)
    heron = await feishu.says(ann, "a heron at a lake", pictures=1)

    assert by_bot(fake, ann) == [heron]


@pytest.mark.slow
async def test_a_connection_that_falls_silent_is_left_for_a_new_one(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    made = fake.connections.made
    fake.connections.freeze()
    asked = await ann.says("a heron at a lake", wait=False)
    await feishu.until(lambda: fake.connections.made > made, "another connection")
    fake.push_again(asked)
    heron = await feishu.says(ann, "a heron at a lake", pictures=1)

    assert by_bot(fake, ann) == [heron]


async def test_a_card_that_comes_in_parts_and_frames_of_another_kind_is_pressed_all_the_same(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    fake.split, fake.split_reversed, fake.as_card_frames = 4, True, True
    heron = await drawn(feishu, ann, "a heron at a lake")
    await ann.presses(heron, "Delete")
    await feishu.until(lambda: not heron.pictures, "the end of the picture")
    fake.split, fake.split_reversed, fake.as_card_frames = 1, False, False

    assert by_bot(fake, ann) == [heron]


async def test_a_bot_that_is_stopped_finishes_what_it_draws(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    await ann.says("/series a heron at a lake sandbox:slow --count 3 --size 1280x720")
    heron = await feishu.says(ann, "Drawing")
    await feishu.stop()
    shown = (len(heron.pictures), by_bot(fake, ann) == [heron])
    await feishu.start()

    assert shown == (3, True)


@pytest.mark.slow
async def test_two_hundred_people_at_once_are_acknowledged_before_the_pictures_and_each_answered_once(
    feishu: Bot,
) -> None:
    fake = feishu.fake
    people = [fake.person(f"Person {number}") for number in range(MANY)]
    lines = ["/imagine a heron --size 1280x720", *["/models"] * 4]
    before = len(fake.pushes)
    await asyncio.gather(*(one.says(line, wait=False) for one, line in zip(people, cycle(lines), strict=False)))
    pushes = fake.pushes[before:]
    await feishu.until(lambda: all(push.acks for push in pushes), "an answer to each event")
    early = sum(len(message.pictures) for one in people for message in by_bot(fake, one))
    answers = [await settled(feishu, one, 1) for one in people]

    assert early < MANY // len(lines) // 2, "acknowledging waits for drawing"
    assert {len(each) for each in answers} == {1}  # also for an event that was refused in time and pushed again
    assert sum(len(one.pictures) for (one,) in answers) == MANY // len(lines)

"""What people press, choose and fill in on cards, who may do that, and what comes of it, also after a kill."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.feishu_bot import Bot, by_bot, drawn, on_feishu
from tests.postgres import BOTH
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.people import Person

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

FORTNIGHT = 15 * 86_400.0


async def pressed(bot: Bot, person: Person, message: Message, label: str, words: str, **fields: str) -> Message:
    """The new card that a press brings."""
    await person.presses(message, label, **fields)
    answer = await bot.says(message.chat, words, pictures=1)
    assert answer is not message
    return answer


async def changed(bot: Bot, line: str, **how: Any) -> None:
    """A rule is changed, and holds: the answer is a message more than those that other stories left with the boss."""
    before = len(by_bot(bot.fake, bot.boss))
    await bot.boss.says(line, **how)
    await bot.until(lambda: any("Changed." in one.text for one in by_bot(bot.fake, bot.boss)[before:]), "the change")


def in_line(bot: Bot, chat: Chat) -> list[Message]:
    """The one that waits while two others are drawn: at first all of them are in line for a moment."""
    there = by_bot(bot.fake, chat)
    drawn = [one for one in there if one.text.startswith("Drawing")]
    waiting = [one for one in there if one.text.startswith("In line")]
    return waiting if (len(drawn), len(waiting)) == (2, 1) else []


async def test_every_button_under_a_picture_does_what_it_says(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    heron = await drawn(feishu, ann, "/imagine a heron at a lake --ratio 3:2", to=team)
    again = await pressed(feishu, ben, heron, "Again", "Drawn for Ben")
    varied = await pressed(feishu, ben, heron, "Vary", "Edited for Ben")
    large = await pressed(feishu, ann, heron, "4K", "4992×3328")
    edited = await pressed(
        feishu, ben, heron, "Edit", "make it a winter night", prompt="make it a winter night", model="seedream-4.5"
    )
    told = await feishu.toast(ben, edited, "Details")
    details = await feishu.says(ben, "Details of")
    await ben.presses(again, "Delete")
    await feishu.until(lambda: not again.pictures, "the end of the picture")

    assert len({one.id for one in (heron, again, varied, large, edited)}) == 5
    assert "4K" not in large.labels
    assert edited.reply_to is heron
    assert "seedream-4.5" in edited.text
    assert "written to you directly" in told
    assert "Pictures given\n1" in details.text
    assert "deleted" in again.text
    assert heron.pictures


async def test_one_of_several_pictures_is_chosen_before_what_is_done_with_it(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    boats = await drawn(feishu, ann, "/imagine three boats --count 3", pictures=3)
    varied = await pressed(feishu, ann, boats, "Vary", "Edited for Ann", picture="Picture 3")
    await ann.presses(varied, "Details")
    details = await feishu.says(ann, "Details of")
    words = "paint the second one red"
    await pressed(feishu, ann, boats, "Edit", words, picture="Picture 2", prompt=words)
    nothing = await feishu.toast(ann, boats, "Edit", picture="Picture 2")

    assert ":2" in details.text
    assert "What should change?" in boats.placeholders
    assert "Say what should change" in nothing


async def test_a_price_question_is_answered_in_its_own_card_once_and_by_who_asked(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    await ann.says("{bot} /series one day in a harbour --count 5", to=team)
    declined = await feishu.says(team, "Shall I?")
    await ann.presses(declined, "Not now")
    await feishu.says(declined, "Nothing was charged")
    await ann.says("{bot} /series one night in a harbour --count 5", to=team)
    question = await feishu.says(team, "Shall I?")
    stranger = await feishu.toast(ben, question, "Go")
    await asyncio.gather(*(ann.presses(question, "Go") for _ in range(3)))
    await feishu.says(question, "A series for Ann", pictures=5)

    assert "Ann" in stranger
    assert by_bot(fake, team) == [declined, question]
    assert "Nothing was charged" in declined.text


async def test_a_long_series_fills_up_and_goes_on_in_a_second_card(feishu: Bot) -> None:
    ann = feishu.fake.person("Ann")
    await ann.says("/series one day in a harbour --count 11 --size 1280x720")
    question = await feishu.says(ann, "Shall I?")
    await ann.presses(question, "Go")
    await feishu.until(lambda: 0 < len(question.pictures) < 9, "the first pictures")
    more = await feishu.says(ann, "Pictures 10 to 11 of 11", pictures=2)
    await feishu.says(question, "A series for Ann", pictures=9)
    varied = await pressed(feishu, ann, more, "Vary", "Edited for Ann", picture="Picture 11")

    assert by_bot(feishu.fake, ann) == [question, more, varied]


async def test_what_waits_is_cancelled_for_nothing_and_by_nobody_else(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    for snail in ("first", "second", "third"):
        await ann.says(f"{{bot}} the {snail} slow snail sandbox:slow", to=team)
    await feishu.until(lambda: in_line(feishu, team), "two that are drawn and one in line")
    waiting = in_line(feishu, team)[0]
    stranger = await feishu.toast(ben, waiting, "Cancel")
    await ann.presses(waiting, "Cancel")
    await feishu.says(waiting, "Cancelled. Nothing was charged.")

    assert "Ann" in stranger
    assert len(by_bot(fake, team)) == 3


async def test_who_has_not_the_right_is_told_so_over_the_card(feishu: Bot) -> None:
    fake, boss = feishu.fake, feishu.boss
    ann, eve = fake.person("Ann"), fake.person("Eve")
    team = fake.group("Studio", ann, eve, boss)
    heron = await drawn(feishu, ann, "a heron at a lake", to=team)
    others = await feishu.toast(eve, heron, "Delete")
    await eve.says("{bot} /admin space block {Ann}", to=team, mentions=[ann])
    refused = await feishu.says(eve, "admin")
    await changed(feishu, "{bot} /admin space block {Eve}", to=team, mentions=[eve])
    blocked = await feishu.toast(eve, heron, "Again")
    await eve.says("{bot} draw me a walrus please", to=team)
    await feishu.says(eve, "you may not use me")
    await boss.says("/admin audit")
    audit = await feishu.says(boss, "Blocked")

    assert "belongs to Ann" in others
    assert "you may not use me" in blocked
    assert "Changed" not in refused.text
    assert "Eve" in audit.text
    assert by_bot(fake, team) == [heron]
    assert heron.pictures


async def test_a_group_that_is_closed_by_an_admin_draws_for_nobody_to_see(feishu: Bot) -> None:
    fake, boss = feishu.fake, feishu.boss
    ann = fake.person("Ann")
    studio, hall = fake.group("Studio", ann, boss), fake.group("Hall", ann, boss)
    elsewhere = await drawn(feishu, ann, "a heron at a lake", to=hall)
    await changed(feishu, "{bot} /admin space channels add", to=studio)
    refused = await feishu.toast(ann, elsewhere, "Again")
    await ann.says("{bot} a walrus in the hall", to=hall)
    await feishu.says(ann, "I draw only in #Studio")
    await drawn(feishu, ann, "a walrus in the studio", to=studio)
    direct = await drawn(feishu, ann, "a walrus for me alone")
    await changed(feishu, "/admin space channels all")

    assert "I draw only in #Studio" in refused
    assert by_bot(fake, hall) == [elsewhere]
    assert direct.chat.p2p


async def test_what_a_press_claims_is_not_believed(feishu: Bot) -> None:
    fake = feishu.fake
    ann, eve = fake.person("Ann"), fake.person("Eve")
    team = fake.group("Studio", ann, eve)
    heron = await drawn(feishu, ann, "a heron at a lake", to=team)
    id = heron.text.rsplit(" · ", 1)[1].split()[0]
    made_up = ("delete:" + id + ":0", "again:nothing1:0", "rm -rf:x:y", "upscale:" + id + ":999", "go:" + id + ":0")
    toasts = [
        await fake.presses.tell(eve.user, heron, {"tag": "button", "value": {"press": press}}) for press in made_up
    ]
    odd = await fake.presses.tell(eve.user, heron, {"tag": "button", "value": {"command": ["delete", id]}})

    assert [toast.kind for toast in toasts if toast] == ["error"] * 5
    assert odd is None
    assert by_bot(fake, team) == [heron]
    assert heron.pictures


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_buttons_work_in_the_process_that_comes_after_the_one_that_was_killed(
    engine: str, tmp_path: Path
) -> None:
    async with on_feishu(tmp_path, engine=engine) as feishu:
        fake = feishu.fake
        ann = fake.person("Ann")
        team = fake.group("Studio", ann)
        heron = await drawn(feishu, ann, "a heron at a lake", to=team)
        await ann.says("{bot} /series one day in a harbour --count 5", to=team)
        question = await feishu.says(team, "Shall I?")
        await feishu.restart()
        edited = await pressed(feishu, ann, heron, "Edit", "make it a winter night", prompt="make it a winter night")
        await ann.presses(question, "Go")
        await feishu.says(question, "A series for Ann", pictures=5)
        await ann.presses(heron, "Delete")
        await feishu.until(lambda: not heron.pictures, "the end of the picture")

        assert by_bot(fake, team) == [heron, question, edited]


async def test_a_card_older_than_its_life_is_replaced_by_a_new_one(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    heron = await drawn(feishu, ann, "a heron at a lake")
    id = heron.text.rsplit(" · ", 1)[1].split()[0]
    fake.clock.advance(FORTNIGHT)
    await ann.says(f"/delete {id}")
    await feishu.until(lambda: len(by_bot(fake, ann)) == 3, "an answer, and a card in place of the old one")

    assert all("deleted" in one.text for one in by_bot(fake, ann)[1:])
    assert 230031 in [one.code for one in fake.called("im.message.patch")]

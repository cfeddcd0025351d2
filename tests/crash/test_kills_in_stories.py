"""Kills in the middle of what takes more than one request and one picture."""

import io
import json

import pytest
from PIL import Image

from tests.crash.home import Bot, Home, Said
from tests.crash.provider import Provider
from tests.crash.stored import Moment
from tests.crash.waiting import until

pytestmark = pytest.mark.crash

PRICE = 30_000  # micro-USD of one picture of seedream-4
GIVEN_BACK = ("closed", 0, 0)
NOBODY = "http://127.0.0.1:9/api/v3"  # a provider that cannot be reached


async def drawn(bot: Bot, home: Home, words: str, options: str = "") -> Said:
    asked = await bot.draw(words, options)
    await home.reaches(asked, generation="settled", shown="settled", posting="posted")
    return asked


def answer_id(home: Home, asked: Said) -> str:
    """The page's message that answers this one."""
    row = home.stored.one("SELECT id FROM chat_messages WHERE bot=1 AND reply_to=:id", id=asked.id)
    assert row is not None
    return str(row["id"])


def press(home: Home, button: str, asked: Said) -> str:
    generation = home.stored.generation(asked.id)
    assert generation is not None
    return f"{button}:{generation['id']}:0"


async def test_what_was_acknowledged_is_answered_although_nobody_had_looked_at_it(home: Home) -> None:
    async with home.running("hang dispatch") as bot:
        drawing = await bot.draw("a fox")
        looking = await bot.say("/quota", person="bob")
        nonsense = await bot.say("/imagin a fox", person="carol")
        await bot.kill()

    assert drawing.acknowledged
    assert [home.stored.moment(said.id) for said in (drawing, looking, nonsense)] == [Moment(inbox="received")] * 3

    async with home.running():
        await home.quiet()

    assert home.stored.moment(drawing.id).generation == "settled"
    assert home.stored.answers(looking.id)[0]["accounts"]
    assert home.stored.answers(nonsense.id)[0]["tone"] == "refusal"


async def test_a_message_sent_again_after_the_restart_is_answered_once(home: Home) -> None:
    async with home.running("hang dispatch") as bot:
        drawing = await bot.draw("a fox")
        looking = await bot.say("/quota")
        await bot.kill()

    async with home.running() as bot:
        for said in (drawing, looking, drawing, looking):
            assert (await bot.repeat(said)).acknowledged
        await home.quiet()

    assert home.paid("a fox") == 1
    assert [len(home.stored.answers(said.id)) for said in (drawing, looking)] == [1, 1]


@pytest.mark.parametrize("point", ["before post:answer", "after post:answer", "after inbox.close"])
async def test_an_answer_without_a_picture_is_shown_once(home: Home, point: str) -> None:
    async with home.running(point) as bot:
        asked = await bot.say("/quota")
        await bot.died()

    assert home.stored.moment(asked.id).inbox == ("done" if point == "after inbox.close" else "received")

    async with home.running() as bot:
        if not asked.acknowledged:
            await bot.repeat(asked)
        await home.quiet()

    assert len(home.stored.answers(asked.id)) == 1


async def test_a_paid_request_that_was_out_is_unknown_and_its_pictures_are_given_back(home: Home) -> None:
    async with home.running() as bot:
        asked = await bot.draw("a fox sandbox:silent")
        await home.provider.took(home.prompt("a fox sandbox:silent"))
        await bot.kill()

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs, moment.holds) == ("sending", "1 sending", "held")

    async with home.running():
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert (generation["state"], generation["charged"]) == ("unknown", 0)
    assert home.paid("a fox sandbox:silent") == 1
    assert home.stored.account(generation["id"]) == {
        **{(account, "images"): GIVEN_BACK for account in ("person", "share", "space", "all")},
        **{(account, "usd"): GIVEN_BACK for account in ("person", "share")},
        **dict.fromkeys([("space", "usd"), ("all", "usd")], ("possible", PRICE, 0)),
    }
    assert "given back" in home.stored.shown(generation["id"])["text"]["message"]


async def test_of_several_pictures_those_not_yet_asked_for_are_asked_for(home: Home, leisurely: Provider) -> None:
    home.provider = leisurely
    async with home.running("hang settling.sending@3") as bot:
        asked = await bot.draw("a fox", "--count 4")
        await until(lambda: home.paid("a fox") == 2, "two paid requests are out")
        await bot.kill()

    assert home.stored.moment(asked.id).jobs == "2 ready, 2 sending"

    async with home.running():
        await home.quiet()

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs, moment.images) == ("settled", "2 done, 2 unknown", 2)
    assert home.paid("a fox") == 4


async def test_a_series_that_was_cut_keeps_and_charges_the_pictures_that_had_come(home: Home) -> None:
    async with home.running("after settling.produced@2") as bot:
        asked = await bot.say(f"/series {home.prompt('a fox')} --size 1280x720 --count 4")
        await bot.died()

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs, moment.images) == ("sending", "1 sending", 2)

    async with home.running():
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert (generation["state"], generation["charged"]) == ("settled", 2)
    account = home.stored.account(generation["id"])
    assert account["person", "images"] == ("closed", 0, 2)
    assert account["person", "usd"] == ("closed", 0, 2 * PRICE)
    assert account["all", "usd"] == ("possible", 2 * PRICE, 2 * PRICE)


async def test_a_cancelled_request_whose_paid_request_was_out_is_unknown(home: Home) -> None:
    async with home.running() as bot:
        asked = await bot.draw("a fox sandbox:silent")
        await home.provider.took(home.prompt("a fox sandbox:silent"))
        stop = await bot.say(press=press(home, "cancel", asked))
        await home.reaches(stop, inbox="done")
        await bot.kill()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert (generation["state"], generation["cancelled"]) == ("sending", 1)

    async with home.running():
        await home.quiet()

    assert home.stored.moment(asked.id).generation == "unknown"


async def test_a_request_cancelled_before_its_paid_request_costs_nothing(home: Home) -> None:
    async with home.running("hang settling.sending") as bot:
        asked = await bot.draw("a fox", "--count 2")
        await home.reaches(asked, generation="running")
        await bot.say(press=press(home, "cancel", asked))
        await until(lambda: (home.stored.generation(asked.id) or {})["cancelled"], "it is marked")
        await bot.kill()

    assert home.stored.moment(asked.id).jobs == "2 ready"

    async with home.running():
        await home.quiet()

    moment = home.stored.moment(asked.id)
    assert (moment.generation, moment.jobs) == ("cancelled", "2 dropped")
    assert home.paid("a fox") == 0


@pytest.mark.parametrize("point", ["before deleting.delete", "after deleting.delete", "after post:answer"])
async def test_a_picture_whose_deletion_was_interrupted_is_gone_for_good(home: Home, point: str) -> None:
    async with home.running(point) as bot:
        asked = await drawn(bot, home, "a fox")
        deletion = await bot.say(press=press(home, "delete", asked))
        await bot.died()

    async with home.running() as bot:
        if not deletion.acknowledged:
            await bot.repeat(deletion)
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert generation["deleted_at"]
    assert home.stored.shown(generation["id"])["pictures"] == []
    assert home.stored.answers(deletion.id)[0]["tone"] == "answer"
    assert [file for file in (home.folder / "blobs").rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("point", ["before accepting.cancel", "after accepting.cancel", "after post:answer"])
async def test_a_cancel_that_was_interrupted_says_that_it_cancelled(home: Home, point: str) -> None:
    async with home.running(point, BOT_QUEUE__RUNNING="1") as bot:
        first = await bot.draw("a hen sandbox:silent")
        await home.provider.took(home.prompt("a hen sandbox:silent"))
        waiting = await bot.draw("a fox", person="bob")
        await home.reaches(waiting, shown="queued")
        stop = await bot.say(press=press(home, "cancel", waiting), person="bob")
        await bot.died()

    assert home.stored.moment(waiting.id).generation == ("queued" if "before" in point else "cancelled")

    async with home.running(BOT_QUEUE__RUNNING="1") as bot:
        if not stop.acknowledged:
            await bot.repeat(stop)
        await home.quiet()

    assert home.stored.moment(first.id).generation == "unknown"
    if home.stored.moment(waiting.id).generation == "cancelled":  # else its turn came first, which is right too
        (answer,) = home.stored.answers(stop.id)
        assert answer["tone"] == "answer", answer["text"]
        assert home.paid("a fox") == 0


async def test_a_price_question_waits_through_the_restart_with_nothing_held(home: Home) -> None:
    home.settings["BOT_ASK__ABOVE_IMAGES"] = "0"
    async with home.running("after accepting.accept") as bot:
        asked = await bot.draw("a fox")
        await bot.died()

    assert home.stored.moment(asked.id) == Moment(generation="asked", jobs="1 ready", posting="to post")

    async with home.running() as bot:
        await home.reaches(asked, shown="asked", posting="posted")
        await bot.kill()
    async with home.running() as bot:
        await bot.say(press=press(home, "go", asked))
        await home.reaches(asked, generation="settled")
        await home.quiet()

    assert home.paid("a fox") == 1


@pytest.mark.parametrize("point", ["before accepting.go", "after accepting.go"])
async def test_a_go_is_held_and_drawn_once(home: Home, point: str) -> None:
    home.settings["BOT_ASK__ABOVE_IMAGES"] = "0"
    async with home.running(point) as bot:
        asked = await bot.draw("a fox")
        await home.reaches(asked, shown="asked", posting="posted")
        pressed = await bot.say(press=press(home, "go", asked))
        await bot.died()

    moment = home.stored.moment(asked.id)
    expected = ("asked", "") if "before" in point else ("queued", "held")
    assert (moment.generation, moment.holds) == expected

    async with home.running() as bot:
        if not pressed.acknowledged:
            await bot.repeat(pressed)
        await home.reaches(asked, generation="settled")
        await home.quiet()

    assert home.paid("a fox") == 1


@pytest.mark.parametrize("point", ["before settling.keep_blob", "after settling.keep_blob", "after accepting.accept@2"])
async def test_an_edit_by_reply_is_drawn_once_from_the_picture_it_was_a_reply_to(home: Home, point: str) -> None:
    async with home.running(point) as bot:
        first = await drawn(bot, home, "a fox")
        edit = await bot.say(home.prompt("make it night"), reply_to=answer_id(home, first))
        await bot.died()

    async with home.running() as bot:
        if not edit.acknowledged:
            await bot.repeat(edit)
        await home.quiet()

    parent, child = home.stored.generation(first.id), home.stored.generation(edit.id)
    assert parent is not None
    assert child is not None
    assert (child["state"], child["parent"]) == ("settled", parent["id"])
    assert home.paid("make it night") == 1


async def test_a_picture_that_was_sent_along_is_still_there_after_the_restart(home: Home) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    async with home.running("hang dispatch") as bot:
        edit = await bot.say(home.prompt("make it night"), uploads=[await bot.upload(buffer.getvalue())])
        await bot.kill()

    assert edit.acknowledged

    async with home.running():
        await home.quiet()

    generation = home.stored.generation(edit.id)
    assert generation is not None
    assert generation["state"] == "settled"
    assert len(json.loads(generation["request"])["references"]) == 1


@pytest.mark.parametrize("point", ["before settling.put_back", "after settling.put_back"])
async def test_what_the_provider_had_no_time_for_is_asked_for_after_the_restart(home: Home, point: str) -> None:
    async with home.running(point, BOT_MODELARK__BASE_URL=NOBODY) as bot:
        asked = await bot.draw("a fox")
        await bot.died()

    moment = home.stored.moment(asked.id)
    assert moment.generation == ("sending" if "before" in point else "queued")
    assert (moment.jobs, moment.holds) == ("1 ready", "held")

    async with home.running():
        await home.quiet()

    assert home.stored.moment(asked.id).generation == "settled"
    assert home.paid("a fox") == 1


async def test_the_history_stands_on_the_page_as_before(home: Home) -> None:
    async with home.running("after post:end@3") as bot:
        said = [await drawn(bot, home, "a fox"), await bot.say("/help")]
        said.append(await drawn(bot, home, "a hen"))
        await home.quiet()
        before = home.stored.history()
        last = await bot.draw("an owl")
        await bot.died()

    async with home.running() as bot:
        await home.quiet()
        page = await bot.page()

    after = home.stored.history()
    assert {id: after[id] for id in before} == before
    for id in (*before, last.id, answer_id(home, last)):
        assert page.count(f'id="{id}"') == 1


async def test_a_button_under_an_unknown_outcome_works_after_the_restart(home: Home) -> None:
    words = "a fox sandbox:silent"
    async with home.running() as bot:
        asked = await bot.draw(words)
        await home.provider.took(home.prompt(words))
        await bot.kill()
    async with home.running() as bot:
        await home.quiet()
        again = await bot.say(press=press(home, "again", asked))
        await until(lambda: home.paid(words) == 2, "it is asked for again, because a person said so")
        await bot.kill()
    async with home.running():
        await home.quiet()

    assert [home.stored.moment(said.id).generation for said in (asked, again)] == ["unknown", "unknown"]


async def test_what_had_come_before_a_cancel_in_the_line_is_kept_and_charged(home: Home) -> None:
    async with home.running("hang settling.sending@2") as bot:
        asked = await bot.draw("a fox", "--count 2")
        await home.reaches(asked, jobs="1 done, 1 ready")
        await bot.kill()
    async with home.running(BOT_MODELARK__BASE_URL=NOBODY) as bot:
        await home.reaches(asked, generation="queued", jobs="1 done, 1 ready")
        stop = await bot.say(press=press(home, "cancel", asked))
        await home.reaches(stop, inbox="done")
        await home.quiet()

    generation = home.stored.generation(asked.id)
    assert generation is not None
    assert (generation["state"], generation["charged"]) == ("settled", 1)
    assert "billed" in home.stored.answers(stop.id)[0]["text"]["message"]

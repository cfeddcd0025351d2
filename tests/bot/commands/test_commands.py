"""What each command does when all is well."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot import audit
from bot.chat import Quoted, Reply, Tone
from bot.generation import accepting, inbox
from bot.generation.accepting import Accepted
from bot.generation.record import Generation
from bot.generation.states import State
from bot.i18n import say
from bot.request import Mode
from tests.bot.generation.core import PICTURE, Core, working
from tests.fakes import DONE, Make, Wait, attached, painted


async def made(core: Core, line: str, **more: Any) -> Generation:
    reply = await core.answer(line, **more)
    assert reply.state == "settled", reply
    return await core.load(reply.generation)


def read(reply: Reply, language: str = "en") -> str:
    """Everything that stands in a reply, as one text."""
    rows = [f"{say(label, language)}: {say(value, language)}" for label, value in reply.rows]
    return "\n".join([say(reply.text, language), *rows, *(say(note, language) for note in reply.notes)])


# --- making


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("/imagine a fox", {"size": "2K", "count": 1, "mode": Mode.IMAGINE}),
        ("/imagine a fox --ratio 16:9", {"size": "2848x1600", "ratio": "16:9"}),
        ("/imagine a fox --size 4K --ratio 1:1", {"size": "4096x4096"}),
        ("/imagine a fox --size 2560x1440", {"size": "2560x1440", "ratio": ""}),
        ("/imagine a fox --model 4 --size 1K", {"model": "seedream-4", "size": "1K"}),
        ("/imagine a fox --count 3 --watermark", {"count": 3, "watermark": True}),
        ("/画 雪中的狐狸 --比例 16：9", {"prompt": "雪中的狐狸", "size": "2848x1600"}),
        ("／imagine a fox －－count ２", {"count": 2}),
        ("/series a day --count 3", {"mode": Mode.SERIES, "count": 3}),
    ],
)
async def test_a_line_becomes_the_request_that_it_says(running: Core, line: str, wanted: dict[str, Any]) -> None:
    request = (await made(running, line)).request

    assert {name: getattr(request, name) for name in wanted} == wanted


async def test_attached_pictures_are_references_in_their_order(running: Core) -> None:
    pictures = tuple(attached(painted(str(number))) for number in range(3))
    request = (await made(running, "/blend image 1 in image 2", attachments=pictures)).request

    assert [running.blobs.stored[each.blob] for each in request.references] == [painted(str(n)) for n in range(3)]


async def test_the_same_again_is_a_request_of_its_own(running: Core) -> None:
    first = await made(running, "/imagine a fox --ratio 16:9 --count 2")
    second = await made(running, f"/again {first.id}", by="eve")

    assert second.id != first.id
    assert second.request == first.request
    assert second.person_name == "eve"
    assert (await running.spent(by="eve"))["images"] == (2, 0)


# --- the price question


async def question(core: Core, line: str = "/imagine a fox --count 4", **more: Any) -> Reply:
    reply = await core.answer(line, **more)
    assert (reply.tone, reply.state) == (Tone.QUESTION, "asked"), reply
    return reply


async def test_a_dear_request_is_asked_about_before_anything_is_held(running: Core) -> None:
    reply = await question(running)

    assert "4 pictures" in str(reply.text)
    assert "0.16 USD" in str(reply.text)
    assert [button.id for button in reply.buttons] == [f"go:{reply.generation}:0", f"decline:{reply.generation}:0"]
    await running.nothing_is_held()
    assert running.provider.asked == []
    assert await running.database.read(inbox.still_open) == []


async def test_go_holds_and_draws(running: Core) -> None:
    asked = await question(running)
    done = await running.answer(press=f"go:{asked.generation}:0")

    assert (done.generation, done.state, len(done.pictures)) == (asked.generation, "settled", 4)
    assert (await running.spent())["usd"] == (4 * PICTURE, 0)
    assert {post.key for post in running.adapter.shown} == {f"{asked.generation}:0"}
    await running.nothing_is_held()


async def test_not_now_costs_nothing(running: Core) -> None:
    asked = await question(running)
    await running.answer(press=f"decline:{asked.generation}:0")

    assert (await running.load(asked.generation)).state is State.CANCELLED
    assert running.provider.asked == []
    assert await running.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, 0)}
    late = await running.answer(press=f"go:{asked.generation}:0")
    assert late.tone is Tone.REFUSAL
    await running.nothing_is_held()


async def test_go_pressed_twice_draws_once(running: Core) -> None:
    asked = await question(running)
    both = await asyncio.gather(*(running.ask(press=f"go:{asked.generation}:0") for _ in range(4)))

    assert sum(not isinstance(each, Reply) for each in both) == 1
    await running.delivery.end_of(asked.generation)
    assert running.provider.paid == 4
    assert (await running.spent())["images"] == (4, 0)


async def test_not_now_said_twice_is_answered_the_same(running: Core) -> None:
    asked = await running.answer("/imagine a fox --count 4")
    first = await running.answer(press=f"decline:{asked.generation}:0")
    second = await running.answer(press=f"decline:{asked.generation}:0")

    assert second == first


@pytest.mark.parametrize("button", ["go", "decline"])
async def test_somebody_else_cannot_answer(running: Core, button: str) -> None:
    asked = await question(running)
    reply = await running.answer(press=f"{button}:{asked.generation}:0", by="eve")

    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert "bob" in str(reply.text)
    assert (await running.load(asked.generation)).state is State.ASKED


async def test_an_admins_go_is_paid_by_the_asker(running: Core) -> None:
    asked = await question(running)
    await running.answer(press=f"go:{asked.generation}:0", by="root", admin=True)

    assert (await running.spent())["images"] == (4, 0)
    assert (await running.spent(by="root"))["images"] == (0, 0)


async def test_a_question_expires(running: Core) -> None:
    asked = await question(running)
    running.clock.forward(minutes=11)
    before = running.at - round(timedelta(minutes=10).total_seconds() * 1_000_000)
    assert await running.database.transaction(accepting.expire_questions, before, running.at) == [asked.generation]

    late = await running.answer(press=f"go:{asked.generation}:0")
    assert late.tone is Tone.REFUSAL
    assert running.provider.asked == []
    await running.nothing_is_held()


async def test_go_with_too_little_left_is_refused_and_the_question_stays(core: Core) -> None:
    limited = Core(database=core.database, folder=core.folder, policy={("person", "images", "day"): 3})
    async with working(limited):
        asked = await question(limited)
        reply = await limited.answer(press=f"go:{asked.generation}:0")

        assert reply.tone is Tone.REFUSAL
        assert (await limited.load(asked.generation)).state is State.ASKED
        assert await limited.database.read(inbox.still_open) == []
        await limited.nothing_is_held()


# --- settings


async def test_settings_are_kept_and_used(running: Core) -> None:
    changed = await running.answer("/settings --model 4 --size 4K --ratio 16:9 --watermark yes --private yes")
    assert "seedream-4" in read(changed)
    request = (await made(running, "/imagine a fox")).request

    assert (request.model, request.size, request.watermark) == ("seedream-4", "5504x3040", True)
    other = (await made(running, "/imagine a fox", by="eve")).request
    assert (other.model, other.size, other.watermark) == ("seedream-4.5", "2K", False)


async def test_what_is_said_goes_before_what_was_set(running: Core) -> None:
    await running.answer("/settings --size 4K --ratio 16:9 --private yes")

    for line in ("/imagine a fox --size 2048x2048 --private no", "/imagine a fox --size 2048X2048 --private no"):
        drawn = await made(running, line)
        assert (drawn.request.size, drawn.private) == ("2048x2048", False)


async def test_a_usual_size_that_a_model_has_not_gives_way(running: Core) -> None:
    await running.answer("/settings --size 4K --format png")
    request = (await made(running, "/imagine a fox --model 5.5")).request

    assert request.size == "2K"


async def test_settings_are_taken_back(running: Core) -> None:
    await running.answer("/settings --size 4K --model 4")
    shown = await running.answer("/settings --size default")

    assert "4K" not in read(shown)
    assert (await made(running, "/imagine a fox")).request.model == "seedream-4"
    again = await running.answer("/settings")
    assert [str(value) for _, value in again.rows] == [str(value) for _, value in shown.rows]


async def test_the_language_is_a_setting_too(running: Core) -> None:
    assert (await running.answer("/settings --language zh-CN")).language == "zh-CN"
    await running.answer("/settings --language default")
    assert (await running.answer("/settings")).language == "en"


# --- looking


async def test_quota_shows_what_is_left(core: Core) -> None:
    limited = Core(database=core.database, folder=core.folder, policy={("person", "images", "day"): 5})
    async with working(limited):
        await made(limited, "/imagine a fox --count 2")
        reply = await limited.answer("/quota")

    day = next(line for line in reply.accounts if (line.unit, line.window) == ("images", "day"))
    assert (day.used, day.held, day.left) == (2, 0, 3)
    assert reply.private


async def test_history_lists_ones_own_newest_first(running: Core) -> None:
    assert "/imagine" in str((await running.answer("/history")).text)
    mine = [await made(running, f"/imagine fox {number}") for number in range(4)]
    await made(running, "/imagine canary", by="eve")
    await running.answer(f"/delete {mine[1].id}")
    reply = await running.answer("/history 2")

    assert [str(label) for label, _ in reply.rows] == [mine[3].id, mine[2].id]
    assert [picture.generation for picture in reply.pictures] == [mine[3].id, mine[2].id]
    assert {button.id for button in reply.buttons} == {f"show:{each.id}:0" for each in mine[2:]}
    assert reply.private
    everything = read(await running.answer("/history 20"))
    assert mine[1].id not in everything
    assert "canary" not in everything


async def test_show_has_pictures_and_lineage_both_ways(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    second = await made(running, f"{first.id} make it night")
    third = await made(running, f"{second.id} add a moon")
    reply = await running.answer(f"/show {second.id}")

    assert [picture.blob for picture in reply.pictures] == [second.images[0].blob]
    assert f"{first.id}:0" in read(reply)
    shows = {button.generation for button in reply.buttons if button.command == "show"}
    assert shows == {first.id, third.id}
    details = await running.answer(press=f"details:{second.id}:0")
    assert first.id in read(details)
    assert third.id in read(details)


@pytest.mark.parametrize(
    ("count", "index", "words"),
    [
        (3, 9, "There are 3 pictures, numbered from 0; you asked for 9."),
        (1, 1, "There is one picture, with the number 0; you asked for 1."),
    ],
)
async def test_show_refuses_a_picture_that_there_is_not(running: Core, count: int, index: int, words: str) -> None:
    first = await made(running, f"/imagine a fox --count {count}")
    reply = await running.answer(f"/show {first.id}:{index}")

    assert (reply.tone, str(reply.text)) == (Tone.REFUSAL, words)
    assert len((await running.answer(f"/show {first.id}:{count - 1}")).pictures) == count


async def test_how_many_pictures_are_private_is_told_to_nobody_else(running: Core) -> None:
    first = await made(running, "/imagine a fox --private --count 3")
    reply = await running.answer(f"/show {first.id}:9", by="eve")

    assert "made privately" in str(reply.text)


async def test_show_of_a_picture_that_is_not_there_yet_tells_the_state(core: Core) -> None:
    async with core.delivery, core.dispatcher:  # the line does not move
        accepted = await core.ask("/imagine a fox")
        assert isinstance(accepted, Accepted)
        reply = await core.answer(f"/show {accepted.generation}:0")

    assert "State:" in read(reply)


async def test_a_private_picture_is_in_nobody_elses_lineage(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    secret = await made(running, f"{first.id} /edit make it night --private")

    assert secret.id not in read(await running.answer(f"/show {first.id}", by="eve"))
    details = await running.answer(press=f"details:{first.id}:0", by="eve")
    assert secret.id not in read(details) + str(details.buttons)


async def test_a_reply_to_what_show_showed_means_that_picture(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    await running.answer(f"/show {first.id}", id="event-show")
    message = running.adapter.messages["event-show"]

    assert (await made(running, "make it night", quoted=Quoted(message_id=message))).parent == first.id


async def test_show_says_when_pictures_were_cleaned_up(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    await running.database.transaction(lambda connection: connection.execute("UPDATE images SET state='cleaned'"))
    reply = await running.answer(f"/show {first.id}")

    assert reply.pictures == ()
    assert "cleaned" in read(reply)


async def test_details_have_every_parameter(running: Core) -> None:
    first = await made(running, "/imagine a fox --ratio 16:9 --watermark")
    told = read(await running.answer(press=f"details:{first.id}:0"))

    for word in ("bob", "seedream-4.5", "2848x1600", "16:9", "yes", "0.04 USD", "2048×2048", "2026-11-21 12:00"):
        assert word in told, word


async def test_models_say_what_each_takes_and_which_is_ones_own(running: Core) -> None:
    await running.answer("/settings --model 5-pro")
    told = read(await running.answer("/models"))

    for model in running.catalogue.models("sandbox"):
        assert model.name in told
    assert "seedream-5-pro" in told.splitlines()[0]


async def test_help_lists_every_command_and_explains_each(running: Core) -> None:
    told = read(await running.answer("/help", by="root", admin=True))

    for command in running.table.listed:
        assert f"/{command.name}" in told
        explained = read(await running.answer(f"/help {command.name}", by="root", admin=True))
        assert command.usage() in explained
    assert "cancel" in told.lower()


async def test_help_in_chinese_knows_the_chinese_names(running: Core) -> None:
    reply = await running.answer("/帮助 画", language="zh-CN")

    assert "/画" in read(reply, "zh-CN")


# --- taking away


@pytest.mark.parametrize(
    ("by", "admin", "allowed"), [("bob", False, True), ("eve", False, False), ("root", True, True)]
)
async def test_only_the_maker_or_an_admin_deletes(running: Core, by: str, admin: bool, allowed: bool) -> None:
    first = await made(running, "/imagine a fox")
    reply = await running.answer(f"/delete {first.id}", by=by, admin=admin)

    assert (reply.tone is not Tone.REFUSAL) == allowed
    assert (await running.load(first.id)).deleted == allowed
    assert (first.images[0].blob not in running.blobs.stored) == allowed
    if allowed:
        await running.adapter.until(lambda: "deleted" in str(running.adapter.replies(first.id)[-1].text))
    assert (await running.spent())["images"] == (1, 0)
    await running.nothing_is_held()


@pytest.mark.parametrize("index", [0, 1, 2, 9])
async def test_who_names_one_of_several_pictures_deletes_none(running: Core, index: int) -> None:
    first = await made(running, "/imagine a fox --count 3")
    reply = await running.answer(f"/delete {first.id}:{index}")

    words = f"A request is deleted as a whole, with all its pictures: /delete {first.id}"
    assert (reply.tone, str(reply.text)) == (Tone.REFUSAL, words)
    assert not (await running.load(first.id)).deleted
    assert {image.blob for image in first.images} <= set(running.blobs.stored)


@pytest.mark.parametrize(("index", "deleted"), [(0, True), (1, True), (2, False), (9, False)])
async def test_the_only_picture_may_be_named(running: Core, index: int, deleted: bool) -> None:
    first = await made(running, "/imagine a fox")
    reply = await running.answer(command="delete", values={"id": f"{first.id}:{index}"})

    assert (reply.tone is not Tone.REFUSAL) == deleted
    assert (await running.load(first.id)).deleted == deleted


async def test_a_press_deletes_the_whole_request(running: Core) -> None:
    first = await made(running, "/imagine a fox --count 3")
    await running.answer(press=f"delete:{first.id}:2")

    assert (await running.load(first.id)).deleted


async def test_deleting_twice_changes_nothing(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    for _ in range(2):
        assert "deleted" in str((await running.answer(f"/delete {first.id}")).text)
    await running.nothing_is_held()


async def test_a_picture_that_another_was_made_of_stays_for_that_one(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    go_on = asyncio.Event()
    running.provider.scripts.append((Wait(go_on), Make(), DONE))
    editing = await running.ask(f"{first.id} make it night")
    await running.answer(f"/delete {first.id}")
    go_on.set()

    assert not isinstance(editing, Reply)
    assert editing is not None
    assert (await running.delivery.end_of(editing.generation)).state == "settled"


async def drawing(core: Core) -> tuple[str, asyncio.Event]:
    """A generation that the provider is drawing, and what lets it end."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def begin(_: object) -> None:
        begun.set()

    core.provider.scripts.append((begin, Wait(go_on), Make(), DONE))
    accepted = await core.ask("/imagine a fox")
    assert accepted is not None
    assert not isinstance(accepted, Reply)
    await begun.wait()
    return accepted.generation, go_on


async def test_cancelling_in_the_line_is_free(core: Core) -> None:
    async with core.delivery, core.dispatcher:  # the line does not move
        accepted = await core.ask("/imagine a fox")
        assert accepted is not None
        assert not isinstance(accepted, Reply)
        reply = await core.answer(f"/cancel {accepted.generation}")
        assert "Nothing was charged" in str(reply.text)
        assert (await core.delivery.end_of(accepted.generation)).state == "cancelled"
    assert core.provider.asked == []
    await core.nothing_is_held()


async def test_who_names_one_of_several_pictures_cancels_none(core: Core) -> None:
    async with core.delivery, core.dispatcher:  # the line does not move
        several, single = await core.ask("/imagine a fox --count 3"), await core.ask("/imagine a fox")
        assert isinstance(several, Accepted)
        assert isinstance(single, Accepted)
        told = await core.answer(f"/cancel {several.generation}:1")
        await core.answer(f"/cancel {single.generation}:1")

    words = f"A request is cancelled as a whole, with all its pictures: /cancel {several.generation}"
    assert (told.tone, str(told.text)) == (Tone.REFUSAL, words)
    assert not (await core.load(several.generation)).cancelled
    assert (await core.load(single.generation)).state is State.CANCELLED


async def test_cancelling_a_question_is_free(running: Core) -> None:
    asked = await question(running)
    await running.answer(f"/cancel {asked.generation}")

    assert (await running.load(asked.generation)).state is State.CANCELLED
    await running.nothing_is_held()


async def test_cancelling_what_is_drawn_keeps_and_charges_it(running: Core) -> None:
    generation, go_on = await drawing(running)
    reply = await running.answer(f"/cancel {generation}")
    assert "billed" in str(reply.text)
    go_on.set()
    done = await running.delivery.end_of(generation)

    assert (done.state, len(done.pictures)) == ("settled", 1)
    assert "Cancelled too late" in read(done)
    assert (await running.spent())["images"] == (1, 0)
    await running.nothing_is_held()


async def test_what_has_ended_cannot_be_cancelled(running: Core) -> None:
    first = await made(running, "/imagine a fox")
    reply = await running.answer(f"/cancel {first.id}")

    assert reply.tone is Tone.REFUSAL
    assert "ended" in str(reply.text)


async def test_only_the_maker_or_an_admin_cancels(running: Core) -> None:
    generation, go_on = await drawing(running)
    assert (await running.answer(f"/cancel {generation}", by="eve")).tone is Tone.REFUSAL
    assert not (await running.load(generation)).cancelled
    await running.answer(f"/cancel {generation}", by="root", admin=True)
    assert (await running.load(generation)).cancelled
    go_on.set()
    await running.delivery.end_of(generation)


async def test_an_admin_who_stops_what_somebody_else_asked_for_is_on_record_once(core: Core) -> None:
    theirs, own = await core.ask("/imagine a fox"), await core.ask("/imagine a hare", by="root")
    assert isinstance(theirs, Accepted)
    assert isinstance(own, Accepted)
    for id in (theirs.generation, theirs.generation, own.generation):
        await core.answer(f"/cancel {id}", by="root", admin=True)

    rows = [each for each in await core.database.read(audit.entries, None, 50) if each.what.startswith("cancel")]
    assert [(each.name, each.what, each.before, each.after) for each in rows] == [
        ("root", f"cancel {theirs.generation}", "queued", "cancelled")
    ]
    said = await core.answer("/admin audit", by="root", admin=True)
    assert f"root: stopped {theirs.generation}" in [str(words) for _, words in said.rows]


async def test_what_runs_cannot_be_deleted(running: Core) -> None:
    generation, go_on = await drawing(running)
    reply = await running.answer(f"/delete {generation}")
    go_on.set()
    await running.delivery.end_of(generation)

    assert reply.tone is Tone.REFUSAL
    assert "cancel" in str(reply.text)

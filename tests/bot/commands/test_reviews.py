"""Results that an admin looks at first: made and charged, seen by nobody else, and decided once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.chat import CannotPost, Place, Quoted, Reply, Tone
from bot.people import Person
from bot.spaces import WordRule
from tests.bot.generation.core import PICTURE, Core, working
from tests.fakes import Make

SPACE = "fake/team"
ROOT = Person(id="p0", name="root", settings={}, admin=True, space=SPACE)
BLOOD = (WordRule("blood", "review"),)


async def ruled(core: Core, **rules: Any) -> None:
    await core.spaces.change(SPACE, lambda before: replace(before, **rules), by=ROOT, at=core.at)


def place(room: str) -> Place:
    return Place(adapter="fake", data={"room": room}, room=room)


def in_room(core: Core, room: str = "desk") -> list[Reply]:
    return [post.reply for post in core.adapter.shown if post.place.room == room]


def to_asker(core: Core, generation: str) -> list[Reply]:
    posts = [post for post in core.adapter.shown if post.key == f"{generation}:0"]
    return [post.reply for post in posts]


async def reviewed(core: Core, line: str = "/imagine blood on snow", **more: Any) -> Reply:
    """Ask for something; returns once it stands before the admins, with what the asker sees of it."""
    before = len(in_room(core))
    reply = await core.answer(line, **more)
    await core.adapter.until(lambda: len(in_room(core)) > before)
    return reply


async def press(core: Core, what: str, generation: str, by: str = "root", **more: Any) -> Reply:
    return await core.answer(
        press=f"{what}:{generation}:0", **{"by": by, "admin": True, "place": place("desk"), **more}
    )


async def review_rows(core: Core) -> list[tuple[str, str]]:
    rows = await core.database.fetch("SELECT state, by_name FROM reviews ORDER BY generation")
    return [(row["state"], row["by_name"]) for row in rows]


async def audited(core: Core) -> list[tuple[str, str, object, object]]:
    found = await core.spaces.audit(SPACE, 20)
    return [(each.name, each.what, each.before, each.after) for each in found if not each.what.startswith("space ")]


# --- what is held back


async def test_what_is_reviewed_is_made_and_charged_and_not_shown(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)

    assert (waits.state, waits.pictures, [button.command for button in waits.buttons]) == ("settled", (), ["delete"])
    assert "waits" in str(waits.text)
    assert (await running.spent())["images"] == (1, 0)
    assert (await running.spent())["usd"] == (PICTURE, 0)
    assert await review_rows(running) == [("waiting", "")]


async def test_the_review_room_sees_the_picture_under_a_spoiler_with_two_buttons(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD, language="zh-CN")
    waits = await reviewed(running)
    (asked,) = in_room(running)

    assert (len(asked.pictures), asked.spoiler, asked.private, asked.language) == (1, True, False, "zh-CN")
    assert [button.id for button in asked.buttons] == [f"approve:{waits.generation}:0", f"refuse:{waits.generation}:0"]
    assert "bob" in str(asked.text)
    assert asked.prompt == "blood on snow"


async def test_only_words_of_the_list_are_reviewed_or_everything(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    assert len((await running.answer("/imagine a fox")).pictures) == 1
    await ruled(running, review_all=True)

    assert (await reviewed(running, "/imagine a fox")).pictures == ()


async def test_without_a_review_room_words_to_review_are_drawn_as_any(running: Core) -> None:
    await ruled(running, words=BLOOD)

    assert len((await running.answer("/imagine blood on snow")).pictures) == 1


async def test_no_picture_is_shown_while_the_others_are_drawn(running: Core) -> None:
    await ruled(running, review="desk", review_all=True)
    waits = await reviewed(running, "/imagine a fox --count 3")

    assert len(in_room(running)[-1].pictures) == 3
    assert [reply.pictures for reply in to_asker(running, waits.generation) if reply.pictures] == []


async def test_what_was_asked_privately_is_reviewed_the_same_way(running: Core) -> None:
    await ruled(running, review="desk", review_all=True, log="log")
    waits = await reviewed(running, "/imagine a fox --private", place=place("studio"))
    assert (waits.private, waits.pictures, in_room(running)[-1].private) == (True, (), False)
    await press(running, "approve", waits.generation)
    await running.adapter.until(lambda: to_asker(running, waits.generation)[-1].pictures)

    assert to_asker(running, waits.generation)[-1].private
    assert in_room(running, "log") == []


async def test_what_failed_asks_nobody(running: Core) -> None:
    await ruled(running, review="desk", review_all=True)
    running.provider.scripts.append((RuntimeError("a bug"),))
    failed = await running.answer("/imagine a fox")

    assert failed.state == "failed" or failed.state == "unknown"
    assert [button.command for button in failed.buttons] == ["again"]
    assert in_room(running) == []


@pytest.mark.parametrize("decided", [False, True])
@pytest.mark.parametrize("what", ["show", "details", "again", "vary", "edit", "upscale"])
async def test_nobody_gets_at_it_by_another_way(running: Core, what: str, decided: bool) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    if decided:
        await press(running, "refuse", waits.generation)
    asked = len(running.provider.asked)
    values = {"prompt": "make it night"}

    for more in ({"by": "bob"}, {"by": "eve"}, {"by": "root", "admin": True}):
        reply = await running.answer(press=f"{what}:{waits.generation}:0", values=values, **more)
        assert (reply.tone, reply.pictures) == (Tone.REFUSAL, ()), more
    assert len(running.provider.asked) == asked


async def test_its_words_and_history_show_no_picture_either(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)

    assert (await running.answer(f"/show {waits.generation}")).tone is Tone.REFUSAL
    assert (await running.answer(f"{waits.generation} make it night")).tone is Tone.REFUSAL
    assert (await running.answer("/history")).pictures == ()


async def test_a_reply_to_the_message_of_the_review_room_draws_nothing(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    message = running.adapter.messages[f"{waits.generation}:review:desk"]
    reply = await running.answer("make it night", by="root", admin=True, quoted=Quoted(message_id=message))

    assert len(running.provider.asked) == 1
    assert reply.pictures == ()


# --- what is decided


async def test_what_is_approved_is_shown_to_the_asker(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    told = await press(running, "approve", waits.generation)
    await running.adapter.until(lambda: to_asker(running, waits.generation)[-1].pictures)
    await running.adapter.until(lambda: any("root approved" in str(each.text) for each in in_room(running)))

    assert (told.tone, told.private) == (Tone.ANSWER, True)
    assert "again" in [button.command for button in to_asker(running, waits.generation)[-1].buttons]
    assert [each.buttons for each in in_room(running) if "root approved" in str(each.text)] == [()]
    assert await audited(running) == [("root", f"review {waits.generation}", "waiting", "approved")]
    assert (await running.happened(waits.generation))[-3:] == ["settled", "review asked", "review approved"]
    assert len((await running.answer(f"/show {waits.generation}")).pictures) == 1


async def test_what_is_refused_is_told_to_the_asker_and_kept(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    told = await press(running, "refuse", waits.generation)
    await running.adapter.until(lambda: to_asker(running, waits.generation)[-1].tone is Tone.REFUSAL)
    await running.adapter.until(lambda: in_room(running)[-1].pictures == ())

    assert "decided not to show" in str(to_asker(running, waits.generation)[-1].text)
    assert [button.command for button in told.buttons] == ["give-back"]
    assert [image.state for image in (await running.load(waits.generation)).images] == ["made"]
    assert (await running.spent())["images"] == (1, 0)
    assert await audited(running) == [("root", f"review {waits.generation}", "waiting", "refused")]


async def test_the_quota_is_given_back_once_where_an_admin_says_so(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    await press(running, "refuse", waits.generation)
    replies = [await press(running, "give-back", waits.generation, by=name) for name in ("root", "ann", "root")]
    await running.adapter.until(
        lambda: "given back" in " ".join(map(str, to_asker(running, waits.generation)[-1].notes))
    )

    assert {str(reply.text) for reply in replies} == {"The quota was given back."}
    assert (await running.spent())["images"] == (0, 0)
    assert (await running.spent())["usd"] == (0, 0)
    assert [what for _, what, _, _ in await audited(running)].count(f"refund {waits.generation}") == 1
    await running.check_books()


async def test_what_was_approved_is_not_given_back(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    await press(running, "approve", waits.generation)

    assert (await press(running, "give-back", waits.generation)).tone is Tone.REFUSAL
    assert (await running.spent())["images"] == (1, 0)


async def test_whoever_presses_first_decides_and_the_second_is_told_who(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    names = ("ann", "ben", "cid", "dee")
    verdicts = ("approve", "refuse", "approve", "refuse")
    pressed = (
        press(running, verdict, waits.generation, by=name) for verdict, name in zip(verdicts, names, strict=True)
    )
    told = dict(zip(names, await asyncio.gather(*pressed), strict=True))
    ((state, winner),) = await review_rows(running)

    first = [name for name, reply in told.items() if str(reply.text).startswith(("Approved", "Refused"))]
    assert first == [winner]
    assert all(str(reply.text).startswith(f"{winner} has {state}") for name, reply in told.items() if name != winner)
    assert len(await audited(running)) == 1


async def test_who_presses_twice_is_told_the_same(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    one, two = [await press(running, "approve", waits.generation) for _ in range(2)]

    assert one.text == two.text
    assert len(await audited(running)) == 1


@pytest.mark.parametrize("what", ["approve", "refuse", "give-back"])
async def test_nobody_but_an_admin_decides(running: Core, what: str) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    reply = await press(running, what, waits.generation, by="bob", admin=False)

    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert await review_rows(running) == [("waiting", "")]


async def test_an_admin_of_another_space_decides_nothing_here(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    invocation = running.invocation(press=f"approve:{waits.generation}:0", by="kim", admin=True)
    foreign = replace(invocation, actor=replace(invocation.actor, space="elsewhere"))
    running.adapter.events[foreign.id] = foreign
    await running.dispatcher.accept(foreign, {"event": foreign.id})
    reply = await running.dispatcher.outcome(foreign.id)

    assert isinstance(reply, Reply)
    assert reply.tone is Tone.REFUSAL
    assert await review_rows(running) == [("waiting", "")]


async def test_admins_press_where_nothing_may_be_drawn_for_all_to_see(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD, rooms=("studio",))
    waits = await reviewed(running, place=place("studio"))

    assert (await press(running, "approve", waits.generation)).tone is Tone.ANSWER


async def test_what_waits_for_nobody_cannot_be_decided(running: Core) -> None:
    drawn = await running.answer("/imagine a fox")

    assert (await press(running, "approve", drawn.generation)).tone is Tone.REFUSAL
    assert (await press(running, "approve", "00000000")).tone is Tone.REFUSAL


async def test_what_was_deleted_meanwhile_is_not_decided_any_more(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    await running.answer(f"/delete {waits.generation}")
    await running.adapter.until(lambda: "deleted" in str(in_room(running)[-1].text))
    reply = await press(running, "approve", waits.generation)

    assert (in_room(running)[-1].pictures, in_room(running)[-1].prompt) == ((), "")
    assert "deleted" in str(reply.text)


# --- the log


async def test_the_log_room_hears_of_it_once_it_is_decided(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD, log="log")
    one = await reviewed(running, place=place("studio"))
    two = await reviewed(running, "/imagine more blood", place=place("studio"))
    assert in_room(running, "log") == []
    await press(running, "approve", one.generation)
    await running.adapter.until(lambda: len(in_room(running, "log")) == 1)
    await press(running, "refuse", two.generation)
    await running.adapter.until(lambda: len(in_room(running, "log")) == 2)
    shown, refused = in_room(running, "log")

    assert (shown.prompt, len(shown.buttons)) == ("blood on snow", 1)
    assert (refused.prompt, refused.buttons) == ("", ())
    assert "refused by an admin" in [str(value) for _, value in refused.rows]


# --- rules that change


async def test_switching_reviews_off_releases_what_waits(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    await ruled(running, review="")
    await running.adapter.until(lambda: to_asker(running, waits.generation)[-1].pictures)
    await running.adapter.until(lambda: in_room(running)[-1].buttons == ())

    assert await review_rows(running) == [("released", "root")]
    assert "switched off" in str((await press(running, "refuse", waits.generation)).text)


async def test_what_was_refused_stays_so_when_reviews_are_switched_off(running: Core) -> None:
    await ruled(running, review="desk", words=BLOOD)
    waits = await reviewed(running)
    await press(running, "refuse", waits.generation)
    await ruled(running, review="")

    assert await review_rows(running) == [("refused", "root")]
    assert (await running.answer(f"/show {waits.generation}")).tone is Tone.REFUSAL


async def test_what_is_still_drawn_when_reviews_are_switched_off_is_shown(core: Core) -> None:
    await ruled(core, review="desk", review_all=True)
    async with core.delivery, core.dispatcher:
        await core.ask("/imagine a fox")
        await ruled(core, review="")
        (mine,) = await core.admitted()
        await core.runner.run(mine)
        shown = await core.delivery.end_of(mine.id)

    assert len(shown.pictures) == 1
    assert in_room(core) == []


async def test_a_review_room_that_is_gone_keeps_what_waits_for_another_one(running: Core) -> None:
    await ruled(running, review="gone", words=BLOOD)
    running.adapter.refuses = lambda post: CannotPost("gone", final=True) if post.place.room == "gone" else None
    waits = await running.answer("/imagine blood on snow")
    for _ in range(200):
        rows = await running.database.fetch("SELECT state FROM postings WHERE key LIKE '%:review:gone'")
        if [row["state"] for row in rows] == ["kept"]:
            break
        await asyncio.sleep(0.01)
    seen = await running.answer("/admin", by="root", admin=True)
    assert [note for note in map(str, seen.notes) if "review channel" in note]
    assert "waits" in str(seen.notes[0])
    assert (await running.answer("/quota")).tone is Tone.ANSWER
    assert [post for post in running.adapter.shown if post.key.endswith(":kept")] == []

    await ruled(running, review="desk")
    await running.adapter.until(lambda: in_room(running))
    await press(running, "approve", waits.generation)
    await running.adapter.until(lambda: to_asker(running, waits.generation)[-1].pictures)
    assert (await running.answer("/admin", by="root", admin=True)).notes == ()


async def test_go_is_reviewed_by_the_rules_of_the_moment(running: Core) -> None:
    question = await running.answer("/imagine blood on snow --count 4 --size 4K")
    if question.state != "asked":
        question = await running.answer("/series blood on snow --count 6")
    assert question.state == "asked"
    await ruled(running, review="desk", words=BLOOD)
    await running.answer(press=f"go:{question.generation}:0")
    await running.adapter.until(lambda: in_room(running))

    assert to_asker(running, question.generation)[-1].pictures == ()
    assert await review_rows(running) == [("waiting", "")]


# --- crashes


async def test_the_review_room_is_asked_once_although_the_process_ended_before(core: Core) -> None:
    await ruled(core, review="desk", review_all=True)
    async with core.dispatcher:
        await core.ask("/imagine a fox")
    (mine,) = await core.admitted()
    await core.runner.run(mine)
    assert core.adapter.shown == []
    for _ in range(2):
        later = Core(database=core.database, folder=core.folder, adapter=core.adapter, numbers=core.numbers)
        await later.spaces.load()
        async with working(later):
            await later.adapter.until(lambda: in_room(core))
            await later.answer("/quota")

    assert len(in_room(core)) == 1
    assert to_asker(core, mine.id)[-1].pictures == ()


async def test_a_decision_holds_although_the_process_ended_before_anybody_saw_it(core: Core) -> None:
    await ruled(core, review="desk", review_all=True)
    async with core.delivery, core.dispatcher:
        await core.ask("/imagine a fox")
        (mine,) = await core.admitted()
        await core.runner.run(mine)
        await core.delivery.end_of(mine.id)
    core.adapter.shown.clear()
    async with core.dispatcher:
        assert (await press(core, "approve", mine.id)).tone is Tone.ANSWER
    later = Core(database=core.database, folder=core.folder, adapter=core.adapter, numbers=core.numbers)
    async with working(later):
        await later.adapter.until(lambda: to_asker(core, mine.id) and to_asker(core, mine.id)[-1].pictures)

    assert len(to_asker(core, mine.id)) == 1


async def test_part_of_a_series_that_came_is_reviewed_too(running: Core) -> None:
    await ruled(running, review="desk", review_all=True)
    running.provider.scripts.append((Make(0), Make(1), RuntimeError("a bug")))
    waits = await running.answer("/series a harbour --count 3")
    await running.adapter.until(lambda: in_room(running))

    assert waits.pictures == ()
    assert len(in_room(running)[-1].pictures) == 2

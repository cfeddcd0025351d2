"""The rules of a space: kept through a restart, with a trace of every change, and obeyed by whatever is asked."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.chat import CannotPost, Place, Post, Quoted, Reply, Tone
from bot.errors import UsageError
from bot.generation import inbox, outbox
from bot.generation.states import PostingState
from bot.i18n import text
from bot.people import Person
from bot.spaces import NO_RULES, SpaceRules, Spaces, WordRule
from bot.storage.database import Database
from tests.bot.generation.core import Core, working

SPACE = "fake/team"
ROOT = Person(id="p0", name="root", settings={}, admin=True, space=SPACE)


def place(room: str, *, private: bool = False) -> Place:
    return Place(adapter="fake", data={"room": room}, private=private, room=room)


async def ruled(core: Core, **rules: Any) -> None:
    """Give the space of all these people its rules."""
    await core.spaces.change(SPACE, lambda before: replace(before, **rules), by=ROOT, at=core.at)


# --- as they are kept


async def test_rules_are_known_again_after_a_restart(database: Database) -> None:
    rules = SpaceRules(
        rooms=("a", "b"), model="m", size="4K", private="yes", language="zh-CN", log="c", blocked={"7": "eve"}
    )
    await Spaces(database).change(SPACE, lambda _: rules, by=ROOT, at=1)
    later = Spaces(database)
    assert later.of(SPACE) == NO_RULES
    await later.load()

    assert later.of(SPACE) == rules
    assert later.of("fake/other") == NO_RULES


async def test_every_change_is_on_record_with_who_and_when_and_what_it_was(database: Database) -> None:
    spaces = Spaces(database)
    await spaces.change(SPACE, lambda rules: replace(rules, size="4K"), by=ROOT, at=1_000_000)
    await spaces.change(SPACE, lambda rules: replace(rules, size="2K", log="c"), by=ROOT, at=2_000_000)
    newest = await spaces.audit(SPACE, 10)

    assert [(each.what, each.before, each.after, each.name) for each in newest] == [
        ("space log", "", "c", "root"),
        ("space size", "4K", "2K", "root"),
        ("space size", "", "4K", "root"),
    ]
    assert [each.at.timestamp() for each in newest] == [2.0, 2.0, 1.0]
    assert await spaces.audit("fake/other", 10) == []


async def test_what_changes_nothing_leaves_no_trace(database: Database) -> None:
    spaces = Spaces(database)
    changes = [await spaces.change(SPACE, lambda rules: replace(rules, size="4K"), by=ROOT, at=at) for at in (1, 2)]

    assert [changed for _, changed in changes] == [True, False]
    assert len(await spaces.audit(SPACE, 10)) == 1


async def test_changes_at_the_same_moment_lose_nothing(database: Database) -> None:
    spaces = Spaces(database)

    def adds(room: str) -> Any:
        return lambda rules: replace(rules, rooms=(*rules.rooms, room))

    await asyncio.gather(*(spaces.change(SPACE, adds(f"r{at}"), by=ROOT, at=at) for at in range(20)))
    stored = Spaces(database)
    await stored.load()

    assert set(spaces.of(SPACE).rooms) == {f"r{at}" for at in range(20)}
    assert stored.of(SPACE) == spaces.of(SPACE)


async def test_every_kind_of_rule_is_known_again_after_a_restart(database: Database) -> None:
    rules = SpaceRules(
        words=(WordRule("gore", "refuse"), WordRule("/x+/", "allow")),
        models=("seedream-4",),
        watermark="always",
        review="r",
        review_all=True,
        alerts="a",
        digest="weekly",
        zone="Asia/Shanghai",
    )
    known, _ = await Spaces(database).change(SPACE, lambda _: rules, by=ROOT, at=7)
    later = Spaces(database)
    await later.load()

    assert known == replace(rules, zones=(("Asia/Shanghai", 7),))
    assert later.of(SPACE) == known
    assert hash(later.of(SPACE).words)  # by which what was compiled of them is found again


async def test_the_history_of_zones_keeps_what_a_running_month_needs(database: Database) -> None:
    spaces = Spaces(database)
    day = 24 * 3600 * 1_000_000
    moves = [("Asia/Tokyo", 1), ("UTC", 30), ("", 50), ("Asia/Shanghai", 100), ("Asia/Shanghai", 101)]
    for zone, at in moves:
        await spaces.change(SPACE, lambda rules, zone=zone: replace(rules, zone=zone), by=ROOT, at=at * day)  # type: ignore[misc]
    after = spaces.of(SPACE).zones
    recorded = [(each.what, each.after) for each in await spaces.audit(SPACE, 10)]

    assert after == (("", 50 * day), ("Asia/Shanghai", 100 * day))
    assert recorded == [("space zone", zone) for zone in ("Asia/Shanghai", "", "UTC", "Asia/Tokyo")]


async def test_what_a_change_brings_with_it_happens_with_it_or_not_at_all(database: Database) -> None:
    def fails(*_: object) -> None:
        raise UsageError(text("no"))

    with pytest.raises(UsageError):
        await Spaces(database, follow=fails).change(SPACE, lambda rules: replace(rules, size="4K"), by=ROOT, at=1)
    stored = Spaces(database)
    await stored.load()

    assert stored.of(SPACE) == NO_RULES
    assert await stored.audit(SPACE, 10) == []


async def test_a_rule_of_a_later_version_is_left_alone(database: Database) -> None:
    def newer(connection: Any) -> None:
        connection.execute('INSERT INTO spaces (id, rules) VALUES (\'fake/team\', \'{"size": "4K", "moon": 1}\')')

    await database.transaction(newer)
    spaces = Spaces(database)
    await spaces.load()

    assert spaces.of(SPACE) == SpaceRules(size="4K")


# --- as they are obeyed


async def test_a_blocked_person_is_refused_with_nothing_held(running: Core) -> None:
    await ruled(running, blocked={"eve": "eve"})
    reply = await running.answer("/imagine a fox", by="eve")

    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert "admin" in str(reply.text)
    assert await running.database.read(inbox.still_open) == []
    assert running.provider.asked == []
    await running.nothing_is_held()
    assert (await running.answer("/imagine a fox", by="bob")).state == "settled"


async def test_a_button_does_nothing_for_a_blocked_person(running: Core) -> None:
    drawn = await running.answer("/imagine a fox")
    await ruled(running, blocked={"eve": "eve"})

    assert (await running.answer(press=f"again:{drawn.generation}:0", by="eve")).tone is Tone.REFUSAL
    assert len(running.provider.asked) == 1


async def test_who_is_blocked_in_one_space_is_welcome_in_another(running: Core) -> None:
    await running.spaces.change("fake/elsewhere", lambda rules: replace(rules, blocked={"bob": "bob"}), by=ROOT, at=1)

    assert (await running.answer("/imagine a fox")).state == "settled"


async def test_in_a_room_that_is_not_allowed_the_refusal_names_those_that_are(running: Core) -> None:
    await ruled(running, rooms=("42", "43"))
    reply = await running.answer("/imagine a fox", place=place("7"))

    assert reply.tone is Tone.REFUSAL
    assert "<#42>, <#43>" in str(reply.text)
    assert (await running.answer("/imagine a fox", place=place("43"))).state == "settled"


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("/imagine a fox --private", {}),
        ("/help", {}),
        ("/quota", {}),
        ("a fox", {"place": place("7", private=True)}),
    ],
)
async def test_private_answers_are_allowed_anywhere(running: Core, line: str, more: dict[str, Any]) -> None:
    await ruled(running, rooms=("42",))

    assert (await running.answer(line, **{"place": place("7"), **more})).tone is Tone.ANSWER


@pytest.mark.parametrize("words", ["make it night", "/edit make it night", "/edit 1=2"])
async def test_an_id_before_the_words_opens_no_other_room(running: Core, words: str) -> None:
    drawn = await running.answer("/imagine a fox", place=place("42"))
    await ruled(running, rooms=("42",))
    reply = await running.answer(f"{drawn.generation} {words}", place=place("7"))

    assert (reply.tone, len(running.provider.asked)) == (Tone.REFUSAL, 1)
    assert "<#42>" in str(reply.text)


async def test_who_usually_draws_privately_may_do_so_anywhere(running: Core) -> None:
    await ruled(running, rooms=("42",))
    await running.answer("/settings --private yes", place=place("7"))

    assert (await running.answer("/imagine a fox", place=place("7"))).private
    assert (await running.answer("/imagine a fox --private no", place=place("7"))).tone is Tone.REFUSAL


async def test_what_is_said_goes_before_ones_own_and_that_before_the_spaces(running: Core) -> None:
    await ruled(running, model="seedream-4", size="4K", private="yes")
    plain = await running.load((await running.answer("/imagine a fox")).generation)
    await running.answer("/settings --size 2K --private no")
    own = await running.load((await running.answer("/imagine a fox")).generation)
    said = await running.load((await running.answer("/imagine a fox --model 4.5 --private")).generation)

    assert (plain.request.model, plain.request.size, plain.private) == ("seedream-4", "4K", True)
    assert (own.request.model, own.request.size, own.private) == ("seedream-4", "2K", False)
    assert (said.request.model, said.private) == ("seedream-4.5", True)


async def test_the_spaces_language_goes_before_that_of_somebodys_menus(running: Core) -> None:
    await ruled(running, language="zh-CN")
    assert (await running.answer("/quota", language="en")).language == "zh-CN"
    await running.answer("/settings --language en")

    assert (await running.answer("/quota")).language == "en"


# --- the log room


def log_posts(core: Core) -> list[Reply]:
    return [post.reply for post in core.adapter.shown if post.place.room == "log"]


async def ended(core: Core, line: str, **more: Any) -> Reply:
    return await core.answer(line, place=place("studio"), **more)


async def test_the_log_room_is_told_who_made_what_and_what_it_cost(running: Core) -> None:
    await ruled(running, log="log")
    drawn = await ended(running, "/imagine a red fox")
    await running.adapter.until(lambda: log_posts(running))
    (told,) = log_posts(running)

    rows = {str(label): str(value) for label, value in told.rows}
    assert "bob" in str(told.text)
    assert told.prompt == "a red fox"
    assert (rows["Cost"], rows["State"], rows["Pictures made"]) == ("0.04 USD", "done", "1")
    assert told.pictures == ()
    assert [button.id for button in told.buttons] == [f"show:{drawn.generation}:0"]
    (post,) = [post for post in running.adapter.shown if post.place.room == "log"]
    assert (post.key, post.place.data) == (f"{drawn.generation}:log", {"room": "studio"})


async def test_what_failed_is_logged_too(running: Core) -> None:
    await ruled(running, log="log")
    running.provider.scripts.append((RuntimeError("a bug"),))
    await ended(running, "/imagine a fox")
    await running.adapter.until(lambda: log_posts(running))

    rows = {str(label): str(value) for label, value in log_posts(running)[0].rows}
    assert rows["Pictures made"] == "0"
    assert rows["State"] != "done"
    assert log_posts(running)[0].buttons == ()


async def log_rows(core: Core) -> list[dict[str, Any]]:
    return [dict(row) for row in await core.database.fetch("SELECT * FROM postings WHERE key LIKE '%:log'")]


async def test_what_is_private_is_not_logged(running: Core) -> None:
    await ruled(running, log="log")
    await ended(running, "/imagine a fox --private")

    assert await log_rows(running) == []


async def test_what_was_made_in_the_log_room_itself_is_not_logged(running: Core) -> None:
    await ruled(running, log="studio")
    await ended(running, "/imagine a fox")

    assert await log_rows(running) == []


async def test_a_log_is_posted_once_although_the_process_ended_before_it(core: Core) -> None:
    await ruled(core, log="log")
    generation = (await core.run()).id
    (row,) = await log_rows(core)
    assert row["state"] == PostingState.TO_POST
    async with core.delivery:
        await core.delivery.end_of(generation)
        await core.adapter.until(lambda: log_posts(core))
    later = Core(database=core.database, folder=core.folder, adapter=core.adapter, numbers=core.numbers)
    async with working(later):
        await later.answer("/quota")

    assert len(log_posts(core)) == 1


async def test_a_log_room_that_takes_nothing_harms_nobody(running: Core) -> None:
    await ruled(running, log="log")
    running.adapter.refuses = lambda post: CannotPost("gone", final=True) if post.place.room == "log" else None
    drawn = await ended(running, "/imagine a fox")
    await running.adapter.until(lambda: any(post.place.room == "log" for post in running.adapter.calls))
    await running.answer("/quota")

    assert drawn.state == "settled"
    assert [post for post in running.adapter.shown if post.key.endswith(":kept")] == []


async def test_a_log_that_is_not_posted_yet_keeps_nobody_waiting(running: Core) -> None:
    await ruled(running, log="log")
    running.adapter.refuses = lambda post: CannotPost("later") if post.place.room == "log" else None

    drawn = await ended(running, "/imagine a fox")
    assert (await log_rows(running))[0]["state"] != PostingState.POSTED
    async with asyncio.timeout(5):
        again = await running.delivery.end_of(drawn.generation)

    assert drawn.state == again.state == "settled"


async def test_whoever_waits_for_the_picture_is_not_given_the_log(running: Core) -> None:
    await ruled(running, log="log")

    def not_before_the_log(post: Post) -> Exception | None:
        waits = post.place.room != "log" and not log_posts(running)
        return CannotPost("not yet", retry_after=0.02) if waits else None

    running.adapter.refuses = not_before_the_log

    assert len((await ended(running, "/imagine a fox")).pictures) == 1


async def test_a_reply_to_the_log_means_its_picture(running: Core) -> None:
    await ruled(running, log="log")
    drawn = await ended(running, "/imagine a fox")
    await running.adapter.until(lambda: f"{drawn.generation}:log" in running.adapter.messages)
    message = running.adapter.messages[f"{drawn.generation}:log"]
    for _ in range(100):
        if await running.database.read(outbox.quoted, "fake", message):
            break
        await asyncio.sleep(0.01)
    edited = await running.answer("make it night", quoted=Quoted(message_id=message))

    assert (await running.load(edited.generation)).parent == drawn.generation


async def test_what_is_deleted_is_gone_from_the_log(running: Core) -> None:
    await ruled(running, log="log")
    drawn = await ended(running, "/imagine canary words")
    await running.adapter.until(lambda: log_posts(running))
    await running.answer(f"/delete {drawn.generation}")
    await running.adapter.until(lambda: "deleted" in str(log_posts(running)[-1].text))

    assert log_posts(running)[-1].prompt == ""

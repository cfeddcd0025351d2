"""/admin, /team and /grant as people use them: what changes, what is audited, and who is refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from bot import audit
from bot.chat import Place, Reply, Tone
from bot.errors import BotError
from bot.generation import inbox
from bot.generation.accepting import Accepted
from bot.generation.presenting import present
from bot.quota import ledger
from bot.storage.database import Database
from tests.bot.generation.core import Core, working

SPACE, OTHER = "fake/team", "fake/other"
HERE = Place(adapter="fake", data={"room": "7"}, room="7")
OPERATOR = "olga"


@pytest_asyncio.fixture
async def bot(core: Core) -> AsyncIterator[Core]:
    """Everything running, an operator listed, and bob, ann and eve known here."""
    core.dispatcher.admins = [f"fake/{OPERATOR}"]
    async with working(core):
        for name in ("bob", "ann", "eve"):
            assert (await core.answer("/imagine a fox", by=name)).tone is Tone.ANSWER
        yield core


async def told(core: Core, line: str, *, by: str = "root", **more: Any) -> Reply:
    """What is answered to an admin (`root`), the operator, or somebody else."""
    return await core.answer(line, by=by, admin=by == "root", place=HERE, **more)


async def done(core: Core, line: str = "", *, by: str = "root", **more: str) -> Reply:
    reply = await told(core, line, by=by, **more)
    assert reply.tone is Tone.ANSWER, str(reply.text)
    assert reply.private
    return reply


def shown(reply: Reply) -> str:
    return "\n".join(f"{label} {value}" for label, value in reply.rows)


async def refused(core: Core, line: str, *, by: str = "root") -> str:
    before = await _kept(core.database)
    reply = await told(core, line, by=by)
    assert (reply.tone, reply.private) == (Tone.REFUSAL, True), str(reply.text)
    assert await _kept(core.database) == before, "something was changed"
    return str(reply.text)


async def elsewhere(core: Core, line: str, *, by: str = "mallory") -> Reply:
    """What an admin of another space is answered."""
    invocation = core.invocation(line, by=by, admin=True, place=HERE)
    invocation = replace(invocation, actor=replace(invocation.actor, space="other"))
    core.adapter.events[invocation.id] = invocation
    await core.dispatcher.accept(invocation, {"event": invocation.id})
    answer = await core.dispatcher.outcome(invocation.id)
    assert isinstance(answer, Reply)
    return answer


async def audited(core: Core, space: str | None = SPACE) -> list[tuple[str, str, object, object]]:
    found = await core.database.read(audit.entries, space, 50)
    return [(each.name, each.what, each.before, each.after) for each in found]


async def limits(core: Core, account: str) -> dict[tuple[str, str], int | None]:
    return await core.database.read(ledger.own_limits, account)


async def person(core: Core, name: str) -> str:
    return (await core.person(name)).id


async def _kept(database: Database) -> list[object]:
    tables = ("limits", "grants", "teams", "team_members", "role_maps", "tiers", "tier_holders", "spaces")
    return [[tuple(row) for row in await database.fetch(f"SELECT * FROM {table}")] for table in tables]


# --- limits


async def test_an_admin_limits_a_person_in_this_space(bot: Core) -> None:
    bob = await person(bot, "bob")
    reply = await done(bot, "/admin limit person @bob 20 images per day")

    assert await limits(bot, f"share:space:{SPACE}/{bob}") == {("images", "day"): 20}
    assert [(line.left, line.limit) for line in reply.accounts if line.limit is not None] == [(19, 20)]
    assert (await audited(bot))[0] == ("root", f"limit share:space:{SPACE}/{bob}", "default", "20 images per day")
    await done(bot, "/admin limit person @bob default")
    assert await limits(bot, f"share:space:{SPACE}/{bob}") == {}
    assert (await audited(bot))[0][2:] == ("20 images per day", "default")


async def test_limits_are_told_in_words(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 20 images per day")
    await done(bot, "/admin limit space 9 images per day")

    await done(bot, "/admin team create Design")
    await done(bot, "/admin team add Design @bob")
    await done(bot, "/admin limit team Design 8 images per day")
    await done(bot, "/admin limit share Design 7 images per day")
    await done(bot, "/admin limit share Design @bob 6 images per day")
    await done(bot, "/admin limit all 5 images per day", by=OPERATOR)
    await done(bot, "/admin limit person @bob 4 images per day", by=OPERATOR)

    words = shown(await done(bot, "/admin audit"))
    assert "root: The limit of Design is 8 images per day now; it was default." in words
    assert "root: The limit of each member of Design is 7 images per day now; it was default." in words
    assert "root: The limit of bob in Design is 6 images per day now; it was default." in words
    assert "root: The limit of bob in this space is 20 images per day now; it was default." in words
    assert "root: The limit of this space is 9 images per day now; it was default." in words


async def test_the_limit_holds(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 2 images per day")
    assert isinstance(await bot.ask("/imagine one", by="bob"), Accepted)
    refusal = await bot.answer("/imagine two", by="bob")

    assert refusal.tone is Tone.REFUSAL
    assert "an admin of this space can give more" in str(refusal.text)
    assert isinstance(await bot.ask("/imagine two", by="eve"), Accepted)


async def test_the_operator_limits_a_person_everywhere(bot: Core) -> None:
    bob = await person(bot, "bob")
    await done(bot, "/admin limit person @bob 2.50 usd per month", by=OPERATOR)

    assert await limits(bot, f"person:{bob}") == {("usd", "month"): 2_500_000}
    assert (await audited(bot, ""))[0] == (OPERATOR, f"limit person:{bob}", "default", "2.50 usd per month")


async def test_none_and_unlimited_differ(bot: Core) -> None:
    bob = await person(bot, "bob")
    reply = await done(bot, "/admin limit person @bob 0 images per day")

    assert "0 means none" in str(reply.notes[0])
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.REFUSAL
    await done(bot, "/admin limit person @bob unlimited images per day")
    assert await limits(bot, f"share:space:{SPACE}/{bob}") == {("images", "day"): None}
    assert isinstance(await bot.ask("/imagine x", by="bob"), Accepted)


async def test_an_admin_may_lower_what_the_space_has_and_not_raise_it(bot: Core) -> None:
    await done(bot, "/admin limit space 100 images per month", by=OPERATOR)
    await done(bot, "/admin limit space 50 images per month")

    for more in ("101", "unlimited"):
        assert "The operator of this bot allows this space 100 pictures" in await refused(
            bot, f"/admin limit space {more} images per month"
        )
    shown = await done(bot, "/admin limit")
    assert [line.limit for line in shown.accounts if line.window == "month"] == [50]
    await done(bot, "/admin limit space default")
    shown = await done(bot, "/admin limit")
    assert [line.limit for line in shown.accounts if line.window == "month"] == [100]


async def test_what_is_so_already_leaves_no_row(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 20 images per day")
    rows = len(await audited(bot))

    assert "It is so already" in str((await done(bot, "/admin limit person @bob 20 images per day")).text)
    assert len(await audited(bot)) == rows


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/admin limit person @bob -5 images per day", "below zero"),
        ("/admin limit person @bob 1e9 images per day", "no amount"),
        ("/admin limit person @bob 2.5 images per day", "whole"),
        ("/admin limit person @bob 9999999999999 images per day", "more than I can count"),
        ("/admin limit person @bob lots of images per day", "no amount"),
        ("/admin limit person @zed 5 images per day", "zed is unknown here"),
        ("/admin limit team Dezign 5 images per day", "Do you mean Design?"),
        ("/admin limit tier pro 5 images per day", "no tier “pro”"),
        ("/admin limit all 5 images per day", "Only the operator"),
        ("/admin limit share Design @eve 5 images per day", "eve is not in Design"),
        ("/admin limit space fake/other 5 images per day", "unknown here"),
        ("/admin team create design", "Design"),
        ("/admin team add Design", "Say whom"),
        ("/admin team remove Design @eve", "eve"),
        ("/admin tier set pro priority 5", "no tier “pro”"),
        ("/admin tier create pro max", "one word"),
        ("/admin role team Design", "which role"),
        ("/admin role #draw team Dezign", "Do you mean Design?"),
        ("/admin refund zzzzzzzz because", "Nothing with the id"),
        ("/admin refund", "Say which"),
        ("/admin grants end 77", "no grant 77"),
        ("/admin export nonsense", "one of usage"),
        ("/admin dashboard", "not served here"),
        ("/grant @bob 20 images", "until when"),
        ("/grant 20 images until 3d", "Say whom"),
        ("/grant @zed 20 until 3d", "zed is unknown here"),
        ("/grant @bob 20 until 3d from Dezign", "Do you mean Design?"),
        ("/grant @eve 20 until 3d from Design", "eve is not in Design"),
        ("/grant @bob 20 until 3d from all", "Only the operator"),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_word(bot: Core, line: str, word: str) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team add Design @bob")

    assert word in await refused(bot, line)


# --- teams


async def test_a_team_is_made_filled_limited_and_closed(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team add Design @bob")
    await done(bot, "/admin team owner Design @ann")
    await done(bot, "/admin limit team Design 10 images per month")
    await done(bot, "/admin limit share Design 5 images per day")
    await bot.answer("/imagine a fox --team Design", by="bob")

    mine = await done(bot, "/team", by="bob")
    assert [(str(name), str(part)) for name, part in mine.rows] == [("ann", "owner"), ("bob", "member")]
    assert {(line.limit, line.left) for line in mine.accounts if line.limit} == {(10, 9), (5, 4)}
    owners = await done(bot, "/team", by="ann")
    assert [str(part) for _, part in owners.rows] == [
        "owner; 5 of 5 left today",
        "member; 4 of 5 left today, 1 picture used, 0.04 USD used",
    ]
    await done(bot, "/admin team rename Design to 设计")
    await done(bot, "/admin team close 设计")
    assert "You are in no team" in str((await done(bot, "/team", by="bob")).text)
    await bot.check_books()


async def test_an_owner_rules_the_team_and_nothing_else(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team owner Design @ann")
    await done(bot, "/team add @bob", by="ann")
    await done(bot, "/team share @bob 3 images per day", by="ann")
    await done(bot, "/team share 2 images per day", by="ann")
    await done(bot, "/admin team add Design @eve", by="ann")
    await done(bot, "/team remove @eve", by="ann")

    for line in (
        "/admin limit team Design 99 images per day",
        "/admin team close Design",
        "/admin team owner Design @bob",
        "/admin team create More",
        "/admin limit person @bob 5 images per day",
        "/admin audit",
        "/admin space size 4K",
        "/admin tier create pro",
        "/grant @bob 20 until 3d from space",
    ):
        assert "admin" in await refused(bot, line, by="ann")


async def test_a_member_rules_nothing_and_sees_their_own_team_only(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team create Secret")
    await done(bot, "/admin team add Design @bob")

    assert await refused(bot, "/team add @eve", by="bob")
    assert await refused(bot, "/team share 9 images per day", by="bob")
    assert await refused(bot, "/grant @bob 9 until 3d", by="bob")
    assert "no team “Secret”" in await refused(bot, "/team Secret", by="bob")
    assert "no team “Design”" in await refused(bot, "/team Design", by="eve")


async def test_whoever_is_nobody_here_is_not_taught_how_it_is_written(bot: Core) -> None:
    for line in ("/admin limit person @bob -5 images per day", "/admin team kick", "/admin export everything"):
        assert "is for admins" in await refused(bot, line, by="eve")


async def test_somebody_from_the_platforms_own_list_needs_not_to_have_spoken(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    assert "unknown here" in await refused(bot, "/admin team add Design @newbie")
    reply = await told(bot, "/admin team add Design <@n-1>", names={"n-1": "Newbie"})

    assert str(reply.text) == "Newbie is in Design now."
    shown = await bot.answer("/team", by="n-1")
    assert "Design" in str(shown.text)


async def test_the_attempts_of_others_are_audited(bot: Core) -> None:
    await refused(bot, "/admin limit person @bob 999 images per day", by="eve")
    await refused(bot, "/admin", by="eve")
    await refused(bot, "/admin tier create pro", by="eve")

    rows = [(name, after) for name, what, _, after in await audited(bot) if what == "refused"]
    assert rows == [("eve", "/admin tier create"), ("eve", "/admin space"), ("eve", "/admin limit person")]


async def test_the_last_owner_is_taken_by_an_admin_only(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team owner Design @ann")

    await refused(bot, "/team remove @ann", by="ann")
    await done(bot, "/admin team remove Design @ann")


# --- tiers and roles


async def test_a_tier_is_made_given_and_taken(bot: Core) -> None:
    await done(bot, "/admin tier create pro")
    await done(bot, "/admin tier set pro models seedream-4 seedream-4.5")
    await done(bot, "/admin tier set pro size 4k")
    await done(bot, "/admin tier set pro references 2")
    await done(bot, "/admin limit tier pro 1 images per day")
    await done(bot, "/admin tier give pro @bob")

    shown = {str(label): str(value) for label, value in (await done(bot, "/admin tier show pro")).rows}
    assert shown["Models"] == "seedream-4, seedream-4.5"
    assert (shown["Largest size"], shown["Limits"]) == ("4K", "1 images per day")
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.REFUSAL, "one was drawn today"
    await done(bot, "/admin tier take pro @bob")
    assert isinstance(await bot.ask("/imagine x", by="bob"), Accepted)
    await done(bot, "/admin tier drop pro")
    assert "There is no tier yet" in str((await done(bot, "/admin tier")).text)


async def test_priority_is_the_operators(bot: Core) -> None:
    await done(bot, "/admin tier create pro")

    assert "Only the operator" in await refused(bot, "/admin tier set pro priority 5")
    await done(bot, "/admin tier create gold", by=OPERATOR)
    await done(bot, "/admin tier set gold priority 5", by=OPERATOR)
    assert "no tier “gold”" in await refused(bot, "/admin tier give gold @bob")


async def test_a_channel_gives_a_team(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin role #7 team Design")
    assert str((await done(bot, "/admin role")).rows[0][1]) == "team Design"

    assert "Design" in str((await done(bot, "/team", by="eve")).text)
    await done(bot, "/admin role #7 off")
    assert "You are in no team" in str((await done(bot, "/team", by="eve")).text)


@pytest.mark.parametrize(
    ("bound", "grows"), [("size 2K", False), ("size 4K", True), ("references 0", False), ("models seedream-4", True)]
)
async def test_nobody_is_offered_to_enlarge_what_their_tier_does_not_let_them(
    bot: Core, bound: str, grows: bool
) -> None:
    """By the one who asked, whoever looks at it: in this channel alone people have the tier."""
    await done(bot, "/admin tier create pro")
    await done(bot, f"/admin tier set pro {bound}")
    await done(bot, "/admin role #7 tier pro")

    drawn = await bot.answer("/imagine a fox --model seedream-4", by="bob", place=HERE)
    free = await bot.answer("/imagine a fox --model seedream-4", by="bob")
    shown = await bot.answer(f"/show {drawn.generation}", by="eve")
    again = await bot.answer(press=f"again:{drawn.generation}:0", by="eve")
    offered = ["upscale" in {each.command for each in reply.buttons} for reply in (drawn, free, shown, again)]
    assert offered == [grows, True, grows, True]
    assert {"again", "vary", "edit"} <= {each.command for each in drawn.buttons}
    pressed = await bot.answer(press=f"upscale:{drawn.generation}:0", by="bob", place=HERE)
    assert (pressed.tone is Tone.ANSWER) == grows


# --- grants and refunds


async def test_what_the_operator_grants_stands_in_for_a_limit_that_the_operator_set(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 1 images per month", by=OPERATOR)
    await done(bot, "/grant @bob 1 images until 3d")
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.REFUSAL
    reply = await done(bot, "/grant @bob 1 images until 3d", by=OPERATOR)

    assert "out of what everybody may use" in str(reply.text)
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.ANSWER


async def test_a_grant_stands_in_and_ends(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 1 images per day")
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.REFUSAL
    reply = await done(bot, "/grant @bob 2 images until 3d")

    assert "bob may use 2 pictures more" in str(reply.text)
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.ANSWER
    assert any("Given to you by root" in str(line.name) for line in (await done(bot, "/quota", by="bob")).accounts)
    assert "bob: 2 pictures" in str((await done(bot, "/admin grants")).rows[0][1])
    await done(bot, f"/admin grants end {reply.text.values['number']}")
    assert (await bot.answer("/imagine x", by="bob")).tone is Tone.REFUSAL
    await bot.check_books()


async def test_an_asking_that_is_dispatched_again_grants_once(bot: Core) -> None:
    invocation = bot.invocation("/grant @bob 2 images until 3d", by="root", admin=True, place=HERE)
    bot.adapter.events[invocation.id] = invocation
    await bot.dispatcher.accept(invocation, {"event": invocation.id})
    await bot.dispatcher.outcome(invocation.id)

    await bot.dispatcher.dispatch(invocation)
    assert len(await bot.database.fetch("SELECT * FROM grants")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "/grant @bob 2 images until 3d",
        "/admin refund {generation} it was torn",
        "/admin team create More",
        "/admin team add Design @eve",
        "/admin team close Design",
        "/admin limit person @bob 7 images per day",
        "/admin limit team Design 7 images per day",
        "/admin tier create pro",
        "/admin role #8 team Design",
        "/team share @bob 5 images per day",
        "/team remove @bob",
        "link:{asked}:0",
        "/unlink",
    ],
)
async def test_what_was_done_and_never_answered_is_answered_the_same_and_not_done_again(bot: Core, line: str) -> None:
    for made in ("team create Design", "team owner Design @root", "team add Design @bob"):
        await done(bot, f"/admin {made}")
    if line == "/unlink":
        await done(bot, press=f"link:{await _asked(bot, 'eve')}:0")
    (generation,) = await bot.database.fetch("SELECT id FROM generations WHERE person_name='bob'")
    words = line.format(generation=generation["id"], asked=await _asked(bot, "bob"))
    first = await _unanswered(bot, "event", words)
    kept, rows = await _kept(bot.database), len(await audited(bot, None))
    again = await _unanswered(bot, "event", words)

    assert first.tone is again.tone is Tone.ANSWER, str(again.text)
    assert str(again.text) == str(first.text)
    assert "restarted in between" in str(again.notes)
    assert await _kept(bot.database) == kept
    assert len(await audited(bot, None)) == rows
    await bot.check_books()


async def test_what_was_refused_and_never_answered_is_refused_again(bot: Core) -> None:
    first, again = [await _unanswered(bot, "event", "/link WRONG234") for _ in range(2)]

    assert first.tone is again.tone is Tone.REFUSAL
    assert "I do not know this code" in str(again.text)


async def _code(bot: Core, by: str) -> str:
    return str((await done(bot, "/link", by=by)).text).split()[2].rstrip(".")


async def _asked(bot: Core, by: str) -> str:
    """What the button carries when an admin has typed somebody's code."""
    return (await told(bot, f"/link {await _code(bot, by)}")).buttons[0].generation


async def _unanswered(bot: Core, event: str, line: str) -> Reply:
    """What an admin would be answered by a process that ends before anybody reads it."""
    said = {"line": line} if line.startswith("/") else {"press": line}
    invocation = bot.invocation(**said, by="root", admin=True, place=HERE, id=event)
    # In its lease, or the dispatcher would take it over meanwhile.
    await bot.database.transaction(inbox.receive, event, "fake", {"event": event}, bot.at, "ended", 3_600_000_000)
    try:
        answer = await bot.dispatcher._answer(await bot.dispatcher._asking(invocation))
    except BotError as refusal:
        return Reply(text=refusal.text, tone=Tone.REFUSAL)
    assert isinstance(answer, Reply)
    return answer


async def test_a_picture_is_refunded_once(bot: Core) -> None:
    taken = await bot.ask("/imagine a fox", by="bob")
    assert isinstance(taken, Accepted)
    await bot.delivery.end_of(taken.generation)
    reply = await done(bot, f"/admin refund {taken.generation} it was torn")

    assert "refunded to bob: 1 picture, 0.04 USD" in str(reply.text)
    assert (await audited(bot))[0][1:] == (f"refund {taken.generation}", None, "it was torn")
    assert "refunded before" in await refused(bot, f"/admin refund {taken.generation} once more")
    await bot.check_books()


# --- another space


async def test_an_admin_of_another_space_touches_nothing_here(bot: Core) -> None:
    await done(bot, "/admin team create Design")
    await done(bot, "/admin team add Design @bob")
    (generation,) = await bot.database.fetch("SELECT id FROM generations WHERE person_name='bob'")
    before = await _kept(bot.database)

    for line, word in {
        "/admin limit person @bob 0 images per day": "unknown here",
        "/admin limit team Design 0 images per day": "no team",
        "/admin limit space fake/team 0 images per day": "unknown here",
        "/admin team close Design": "no team",
        "/admin team add Design @mallory": "no team",
        f"/admin refund {generation['id']} because": "Nothing with the id",
        "/grant @bob 5 until 3d": "unknown here",
    }.items():
        reply = await elsewhere(bot, line)
        assert reply.tone is Tone.REFUSAL
        assert word in str(reply.text), line
    assert "Design" not in str((await elsewhere(bot, "/admin team")).text)
    assert await _kept(bot.database) == before
    assert all(name != "mallory" for name, *_ in await audited(bot))


# --- one's own


async def test_the_question_says_what_the_tightest_account_has_left(bot: Core) -> None:
    await done(bot, "/admin limit person @bob 12 images per day")
    question = await bot.ask("/series a day in a harbour --count 6", by="bob")

    assert isinstance(question, Accepted)
    asked = await bot.load(question.generation)
    accounts = await bot.service.accounts_of(asked)
    words = str(present(asked, accounts=accounts).text)
    assert (
        words == "This takes up to 6 of your 11 pictures (0.24 USD); there is more from 2026-11-22 00:00 UTC on."
        " Shall I?"
    )
    await done(bot, "/admin limit space 0.50 usd per month")
    words = str(present(asked, accounts=await bot.service.accounts_of(asked)).text)
    assert "This takes up to 0.24 USD of the 0.38 USD left here (This space, 6 pictures)" in words


async def test_forgetting_is_asked_first_and_is_for_oneself(bot: Core) -> None:
    assert "Only you yourself" in await refused(bot, "/forget", by="bob")
    assert "Only you yourself" in await refused(bot, "/forget eve", by="bob")
    question = await bot.answer("/forget me", by="bob")
    assert (question.tone, question.private) == (Tone.QUESTION, True)
    yes, no = (button.id for button in question.buttons)

    assert "somebody else" in str((await bot.answer(press=yes, by="eve")).text)
    assert "Nothing was changed" in str((await bot.answer(press=no, by="bob")).text)
    bot.clock.forward(minutes=11)
    assert "too old" in str((await bot.answer(press=yes, by="bob")).text)


@pytest.mark.parametrize("press", ["forget:me:0", "forget:-1:0", "forget::0", "forget:x-99999999999999999999:0"])
async def test_a_forged_button_forgets_nobody(bot: Core, press: str) -> None:
    assert (await bot.answer(press=press, by="bob")).tone is Tone.REFUSAL


async def test_accounts_are_linked_by_a_code(bot: Core) -> None:
    code = await _code(bot, "bob")
    question = await told(bot, f"/link {code.lower()}", by="eve")
    assert (question.tone, question.private) == (Tone.QUESTION, True)
    assert "joins your account with “bob” (fake)" in str(question.text)
    assert "until 2026-11-21 12:10 UTC" in str(question.notes[1])
    assert code not in str(question)
    assert "2 accounts" in str((await done(bot, press=question.buttons[0].id, by="eve")).text)

    lines = [line for line in (await done(bot, "/quota", by="eve")).accounts if line.account.startswith("person:")]
    assert len({line.account for line in lines if (line.unit, line.window) == ("images", "total")}) == 1
    assert "used already" in await refused(bot, f"/link {code}", by="ann")
    await done(bot, "/unlink", by="eve")
    assert "not linked" in await refused(bot, "/unlink", by="eve")

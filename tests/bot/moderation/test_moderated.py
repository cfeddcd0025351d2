"""Rules of words, models and watermarks, as they are obeyed by whatever makes a picture."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.chat import Button, Place, Quoted, Reply, Tone
from bot.generation.accepting import Accepted
from bot.people import Person
from bot.spaces import Spaces, WordRule
from tests.bot.generation.core import Core

SPACE = "fake/team"
ROOT = Person(id="p0", name="root", settings={}, admin=True, space=SPACE)
GORE = (WordRule("gore", "refuse"), WordRule("/n[o0]pe/", "refuse"), WordRule("al gore", "allow"))


async def ruled(core: Core, **rules: Any) -> None:
    await core.spaces.change(SPACE, lambda before: replace(before, **rules), by=ROOT, at=core.at)


async def request_of(core: Core, reply: Reply) -> Any:
    return (await core.load(reply.generation)).request


async def refusals(core: Core) -> list[tuple[str, object]]:
    found = await core.spaces.audit(SPACE, 20)
    return [(each.name, each.after) for each in found if each.what == "refused words"]


# --- words


async def test_refused_words_cost_nothing_and_say_nothing_of_the_list(running: Core) -> None:
    await ruled(running, words=GORE)
    reply = await running.answer("/imagine a canary full of N0PE")

    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert "not allowed here" in str(reply.text)
    assert "ope" not in str(reply.text)
    assert running.provider.asked == []
    await running.nothing_is_held()


async def test_the_audit_names_the_rule_and_never_the_words(running: Core) -> None:
    await ruled(running, words=GORE)
    await running.answer("/imagine a canary full of N0PE")

    assert await refusals(running) == [("bob", "/n[o0]pe/")]
    rows = await running.database.fetch("SELECT * FROM audit")
    assert "canary" not in str([dict(row) for row in rows])


async def test_allowed_words_are_drawn(running: Core) -> None:
    await ruled(running, words=GORE)

    assert (await running.answer("/imagine a portrait of Al Gore")).state == "settled"
    assert await refusals(running) == []


@pytest.mark.parametrize(
    "line",
    [
        "gore",
        "/画 gore",
        "/series gore --count 2",
        "/imagine gore --private",
        "/imagine ＧＯ\u200bＲＥ --count 2",
        "/imagine gore --team none",
    ],
)
async def test_every_command_that_draws_obeys(running: Core, line: str) -> None:
    if "--team" in line and running.table.find("imagine").option("team") is None:
        pytest.skip("there is no such option")
    await ruled(running, words=GORE)

    assert (await running.answer(line)).tone is Tone.REFUSAL
    assert running.provider.asked == []


@pytest.mark.parametrize("what", ["again", "vary", "upscale", "edit"])
async def test_buttons_obey_rules_that_came_later(running: Core, what: str) -> None:
    drawn = await running.answer("/imagine gore")
    await ruled(running, words=GORE)
    values = {"prompt": "more gore"} if what == "edit" else {}
    reply = await running.answer(press=f"{what}:{drawn.generation}:0", values=values)

    assert (reply.tone, len(running.provider.asked)) == (Tone.REFUSAL, 1)
    assert len(await refusals(running)) == 1


async def test_words_in_reply_to_a_picture_obey(running: Core) -> None:
    drawn = await running.answer("/imagine a fox")
    await ruled(running, words=GORE)

    reply = await running.answer("more gore", quoted=Quoted(generation=drawn.generation))
    assert (reply.tone, len(running.provider.asked)) == (Tone.REFUSAL, 1)


async def test_admins_obey_as_well(running: Core) -> None:
    await ruled(running, words=GORE)

    assert (await running.answer("/imagine gore", by="root", admin=True)).tone is Tone.REFUSAL


async def test_rules_of_words_hold_in_their_own_space_alone(running: Core) -> None:
    await running.spaces.change("fake/elsewhere", lambda rules: replace(rules, words=GORE), by=ROOT, at=1)

    assert (await running.answer("/imagine gore")).state == "settled"


async def question(core: Core) -> Reply:
    asked = await core.answer("/series gore in a harbour --count 6")
    assert asked.state == "asked"
    return asked


async def test_go_is_refused_where_the_words_were_forbidden_since(running: Core) -> None:
    asked = await question(running)
    await ruled(running, words=GORE)

    assert (await running.answer(press=f"go:{asked.generation}:0")).tone is Tone.REFUSAL
    assert running.provider.asked == []
    await running.nothing_is_held()


# --- models


async def test_a_model_that_is_not_allowed_is_refused_with_those_that_are(running: Core) -> None:
    await ruled(running, models=("seedream-4",))
    reply = await running.answer("/imagine a fox --model 4.5")

    assert reply.tone is Tone.REFUSAL
    assert "seedream-4," in f"{reply.text},"
    assert running.provider.asked == []


async def test_whoever_names_no_model_gets_one_that_is_allowed(running: Core) -> None:
    await running.answer("/settings --model 4.5")
    await ruled(running, models=("seedream-4",))

    assert (await request_of(running, await running.answer("/imagine a fox"))).model == "seedream-4"
    assert (await request_of(running, await running.answer("/series a fox --count 2"))).model == "seedream-4"


async def test_of_those_allowed_one_is_taken_that_can_do_it(running: Core) -> None:
    offers = {model.name: model for model in running.router.models()}
    unable = next((name for name, model in offers.items() if not model.series and model.references), "")
    drawn = await running.answer("/imagine a fox --model 4.5")
    await running.answer("/settings --model 4.5")
    await ruled(running, models=tuple(filter(None, (unable, "seedream-4"))))

    assert (await request_of(running, await running.answer("/series a fox --count 2"))).model == "seedream-4"
    reply = await running.answer("make it night", quoted=Quoted(generation=drawn.generation))
    assert (await request_of(running, reply)).model in (unable, "seedream-4")


async def test_where_no_allowed_model_can_do_it_the_allowed_ones_are_named(running: Core) -> None:
    await ruled(running, models=("seedream-99",))
    reply = await running.answer("/imagine a fox")

    assert reply.tone is Tone.REFUSAL
    assert "seedream-99" in str(reply.text)


async def test_the_spaces_usual_model_is_taken_where_it_is_allowed(running: Core) -> None:
    await running.answer("/settings --model 4.5")
    await ruled(running, models=("seedream-5-lite", "seedream-4"), model="seedream-4")

    assert (await request_of(running, await running.answer("/imagine a fox"))).model == "seedream-4"


@pytest.mark.parametrize("what", ["again", "vary", "upscale"])
async def test_buttons_use_no_model_that_was_forbidden_since(running: Core, what: str) -> None:
    drawn = await running.answer("/imagine a fox --model 4.5")
    await ruled(running, models=("seedream-4",))
    reply = await running.answer(press=f"{what}:{drawn.generation}:0")

    assert (reply.tone, len(running.provider.asked)) == (Tone.REFUSAL, 1)
    await running.nothing_is_held()


async def test_go_uses_no_model_that_was_forbidden_since(running: Core) -> None:
    asked = await question(running)
    await ruled(running, models=("seedream-4",))

    assert (await running.answer(press=f"go:{asked.generation}:0")).tone is Tone.REFUSAL
    assert running.provider.asked == []


# --- watermarks


@pytest.mark.parametrize(("rule", "said", "marked"), [("always", "no", True), ("never", "yes", False)])
async def test_the_rule_of_watermarks_goes_before_what_is_said(
    running: Core, rule: str, said: str, marked: bool
) -> None:
    await ruled(running, watermark=rule)
    told = await running.answer(f"/imagine a fox --watermark {said}")
    await running.answer(f"/settings --watermark {said}")
    quiet = await running.answer("/imagine a fox")

    assert (await request_of(running, told)).watermark is marked
    assert (await request_of(running, quiet)).watermark is marked
    assert "mark" in " ".join(map(str, told.notes))
    assert "mark" not in " ".join(map(str, quiet.notes))


async def test_without_a_rule_of_watermarks_everybody_chooses(running: Core) -> None:
    assert (await request_of(running, await running.answer("/imagine a fox --watermark yes"))).watermark
    assert not (await request_of(running, await running.answer("/imagine a fox"))).watermark


@pytest.mark.parametrize("what", ["again", "vary", "upscale"])
async def test_buttons_obey_a_rule_of_watermarks_that_came_later(running: Core, what: str) -> None:
    drawn = await running.answer("/imagine a fox")
    await ruled(running, watermark="always")
    repeated = await running.answer(press=f"{what}:{drawn.generation}:0")

    assert (await request_of(running, repeated)).watermark
    assert isinstance(repeated.buttons[0], Button)


async def test_go_with_another_watermark_than_the_rule_wants_is_asked_anew(running: Core) -> None:
    asked = await question(running)
    await ruled(running, watermark="always")
    reply = await running.answer(press=f"go:{asked.generation}:0")

    assert reply.tone is Tone.REFUSAL
    assert "anew" in str(reply.text)


# --- changed by another process, which this one has not heard of


async def changed_elsewhere(core: Core, **rules: Any) -> None:
    await Spaces(core.database).change(SPACE, lambda before: replace(before, **rules), by=ROOT, at=core.at)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"words": GORE}, "not allowed here"),
        ({"models": ("seedream-4",)}, "allow only seedream-4"),
        ({"blocked": {"bob": "bob"}}, "may not use me"),
        ({"rooms": ("elsewhere",)}, "I draw only in"),
    ],
    ids=["words", "models", "blocked", "rooms"],
)
async def test_what_is_accepted_obeys_the_rules_as_they_are_stored(core: Core, rules: Any, words: str) -> None:
    await changed_elsewhere(core, **rules)
    place = Place(adapter="fake", data={"room": "studio"}, room="studio")
    reply = await core.ask("/imagine gore --model seedream-4.5", place=place)

    assert isinstance(reply, Reply)
    assert words in str(reply.text)
    assert await core.database.fetch("SELECT id FROM generations") == []


async def test_what_another_process_wants_marked_and_reviewed_is(core: Core) -> None:
    await changed_elsewhere(core, watermark="always", review="desk", review_all=True)
    accepted = await core.ask("/imagine a fox")

    assert isinstance(accepted, Accepted)
    generation = await core.load(accepted.generation)
    assert (generation.request.watermark, generation.review) == (True, "due")


async def test_a_yes_obeys_the_rules_as_they_are_stored(core: Core) -> None:
    asked = await core.ask("/imagine gore --count 4")
    assert isinstance(asked, Accepted)
    await changed_elsewhere(core, words=GORE)
    reply = await core.ask(press=f"go:{asked.generation}:0")

    assert isinstance(reply, Reply)
    assert "not allowed here" in str(reply.text)
    await core.nothing_is_held()


async def test_a_yes_is_said_where_it_was_asked(core: Core) -> None:
    asked = await core.ask("/imagine gore --count 4")
    assert isinstance(asked, Accepted)
    await ruled(core, words=GORE)
    here = core.invocation(press=f"go:{asked.generation}:0")
    there = replace(here, actor=replace(here.actor, space="another"))
    await core.dispatcher.accept(there, {"event": there.id})
    reply = await core.dispatcher.outcome(there.id)

    assert isinstance(reply, Reply)
    assert "where it was asked" in str(reply.text)
    await core.nothing_is_held()


@pytest.mark.slow
async def test_a_long_list_keeps_nobody_else_waiting(running: Core) -> None:
    """Half a second of searching is spread over the others' time, in which hundreds of things happen."""
    slow = tuple(WordRule(f"/{'([a-z]|.|aa){1,30}q' * 4}q{number}/", "refuse") for number in range(50))
    await ruled(running, words=slow)
    happened = 0

    async def meanwhile() -> None:
        nonlocal happened
        while True:
            await asyncio.sleep(0.001)
            happened += 1

    task = asyncio.create_task(meanwhile())
    await running.answer(f"/imagine {'aq' * 1900}")
    task.cancel()
    assert happened > 50

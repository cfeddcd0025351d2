"""Admins of two spaces who are no friends, and people who try what is not meant for them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot import linking, teams
from bot.audit import OPERATOR
from bot.chat import Actor, Invocation, Place, Reply, Tone
from bot.moderation import reviews
from bot.people import find
from tests.bot.generation.core import Core
from tests.bot.test_privacy import forget, keeper
from tests.postgres import BOTH

SPACE, THEIRS = "fake/team", "fake/enemy"
STUDIO = Place(adapter="fake", data={"room": "studio"}, room="studio")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


async def says(
    core: Core, line: str = "", *, by: str, space: str = "team", admin: bool = False, press: str = ""
) -> Any:
    invocation: Invocation = core.invocation(
        line, by=by, admin=admin, place=STUDIO, **({"press": press} if press else {})
    )
    invocation = replace(invocation, actor=replace(invocation.actor, space=space))
    core.adapter.events[invocation.id] = invocation
    await core.dispatcher.accept(invocation, {"event": invocation.id})
    return await core.dispatcher.outcome(invocation.id)


async def person(core: Core, name: str) -> str:
    actor = Actor(adapter="fake", user=name, name=name, space="team")
    return (await core.database.transaction(find, actor, core.at)).id


async def test_who_is_in_a_team_brings_nobody_else_into_it_by_a_role_elsewhere(core: Core) -> None:
    team = await core.memberships.change(teams.create, SPACE, "Design", OPERATOR, core.at)
    await core.memberships.change(teams.add, team, await person(core, "eve"), OPERATOR, core.at)
    refused = await says(core, "/admin role #7 team Design", by="eve", space="enemy", admin=True)

    assert refused.tone is Tone.REFUSAL
    assert "owner of this team" in str(refused.text)
    assert await core.database.fetch("SELECT * FROM role_maps") == []


async def test_an_owner_may_bring_the_people_of_another_space_of_theirs(core: Core) -> None:
    team = await core.memberships.change(teams.create, SPACE, "Design", OPERATOR, core.at)
    await core.memberships.change(teams.add, team, await person(core, "ann"), OPERATOR, core.at, role=teams.OWNER)
    allowed = await says(core, "/admin role #7 team Design", by="ann", space="second", admin=True)

    assert allowed.tone is Tone.ANSWER, str(allowed.text)
    assert len(await core.database.fetch("SELECT * FROM role_maps")) == 1


async def test_a_result_of_somebody_forgotten_waits_for_nobody(running: Core) -> None:
    await says(running, "/admin space review #desk all", by="ann", admin=True)
    drawn = await running.answer("/imagine a fox", by="bob")
    assert (await running.database.read(reviews.waiting, SPACE))[0] == 1
    await forget(keeper(running), await running.person("bob"))
    pressed = await says(running, by="ann", admin=True, press=f"approve:{drawn.generation}:0")

    assert isinstance(pressed, Reply)
    assert "was deleted" in str(pressed.text)
    assert await running.database.read(reviews.waiting, SPACE) == (0, False)
    await running.check_books()


@pytest.mark.parametrize("press", ["approve", "refuse", "give-back"])
@pytest.mark.parametrize(("by", "space", "admin"), [("bob", "team", False), ("eve", "enemy", True)])
async def test_nobody_else_decides(running: Core, press: str, by: str, space: str, admin: bool) -> None:
    await says(running, "/admin space review #desk all", by="ann", admin=True)
    drawn = await running.answer("/imagine a fox", by="bob")
    refused = await says(running, by=by, space=space, admin=admin, press=f"{press}:{drawn.generation}:0")

    assert refused.tone is Tone.REFUSAL
    assert (await running.load(drawn.generation)).review == "waiting"
    assert (await running.load(drawn.generation)).given_back is False


async def test_being_linked_with_an_admin_makes_nobody_one(running: Core) -> None:
    await says(running, "/help", by="ann", admin=True)
    await says(running, "/help", by="eve")
    code = await running.database.transaction(linking.new_code, await person(running, "ann"), running.at)
    asked = await says(running, f"/link {code}", by="eve")
    assert "your account with “ann” (fake)" in str(asked.text)
    linked = await says(running, by="eve", press=asked.buttons[0].id)
    assert linked.tone is Tone.ANSWER
    assert "“ann” (fake)" in str(linked.notes)
    refused = await says(running, "/admin space log off", by="eve")

    assert refused.tone is Tone.REFUSAL


async def test_a_name_is_no_part_of_the_question(core: Core) -> None:
    trap = "no other account” (fake): it only shows who you are. Press “Link"
    actor = Actor(adapter="fake", user="eve", name=trap, space="team")
    eve = await core.database.transaction(find, actor, core.at)
    code = await core.database.transaction(linking.new_code, eve.id, core.at)
    asked = await says(core, f"/link {code}", by="bob")

    inside = trap.replace("“", "").replace("”", "")
    assert f"This joins your account with “{inside}” (fake): what you use" in str(asked.text)


async def test_a_code_that_many_try_at_once_links_nobody(core: Core) -> None:
    people = [await person(core, f"p{number}") for number in range(6)]
    code = await core.database.transaction(linking.new_code, people[0], core.at)
    tried = await asyncio.gather(*(says(core, f"/link {code}", by=f"p{number}") for number in range(1, 6)))

    assert [reply.tone for reply in tried].count(Tone.QUESTION) <= 3, "the second of two voids it for both"
    asked = {reply.buttons[0].id: f"p{number}" for number, reply in enumerate(tried, 1) if reply.buttons}
    for press, by in asked.items():
        assert (await says(core, by=by, press=press)).tone is Tone.REFUSAL
    assert await core.database.fetch("SELECT linked FROM people WHERE linked<>''") == []


async def test_a_question_is_answered_once_and_by_whom_it_was_put_to(core: Core) -> None:
    ann, *_ = [await person(core, name) for name in ("ann", "bob", "eve")]
    code = await core.database.transaction(linking.new_code, ann, core.at)
    asked = await says(core, f"/link {code}", by="bob")
    yes, no = (button.id for button in asked.buttons)
    eve = yes.replace(await person(core, "bob"), await person(core, "eve"))

    for by, press in (("eve", yes), ("ann", yes), ("eve", eve), ("bob", "link::0"), ("bob", f"{yes[:-4]}0:0")):
        assert (await says(core, by=by, press=press)).tone is Tone.REFUSAL, (by, press)
    assert "Nothing was changed" in str((await says(core, by="eve", press=no)).text)
    assert await core.database.fetch("SELECT linked FROM people WHERE linked<>''") == []
    pressed = await asyncio.gather(*(says(core, by="bob", press=yes) for _ in range(5)))
    assert sorted(reply.tone for reply in pressed) == [Tone.ANSWER, *[Tone.REFUSAL] * 4]
    assert len(await core.database.fetch("SELECT * FROM audit WHERE what='link'")) == 1

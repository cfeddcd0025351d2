"""Who pays for a generation: alone, for a team, by a tier; also after a price question."""

import json
from typing import Any

import pytest

from bot.chat import Actor, Place
from bot.errors import NotAllowed, QuotaExceeded
from bot.generation import inbox, settling
from bot.generation.accepting import Accepted, Draft, payer_of
from bot.generation.states import State
from bot.i18n import say
from bot.people import Person, find
from bot.quota import ledger
from bot.quota.standing import Payer
from bot.quota.tiers import Tier, to_json
from bot.storage.connection import Connection
from tests.bot.generation.core import PICTURE, Core

BASIC = Tier(name="basic", models=("seedream-4.5",), size="2K", series=2, in_flight=1, priority=4)


async def person(core: Core, name: str = "bob", *, roles: tuple[str, ...] = (), space: str = "team") -> Person:
    found = await core.database.transaction(find, Actor(adapter="fake", user=name, name=name, space=space), core.at)
    return Person(id=found.id, name=name, settings={}, admin=False, space=found.space, roles=roles)


async def store(core: Core, sql: str, **values: Any) -> None:
    def run(connection: Connection) -> None:
        connection.execute(sql, **values)

    await core.database.transaction(run)


async def team(core: Core, *members: Person) -> None:
    await store(
        core,
        "INSERT INTO teams (id, space, name, same_name, created_at) VALUES ('red', 'fake/team', 'Red', 'red', 0)",
    )
    for each in members:
        await store(
            core,
            "INSERT INTO team_members (team, person, role, source, added_at)"
            " VALUES ('red', :person, 'member', 'admin', 0)",
            person=each.id,
        )


async def tier(core: Core, holder: str, tier: Tier = BASIC) -> None:
    await store(
        core,
        "INSERT INTO tiers (space, name, rules) VALUES ('', :name, :rules)",
        name=tier.name,
        rules=json.dumps(to_json(tier)),
    )
    await store(
        core,
        "INSERT INTO tier_holders (space, holder, tier) VALUES ('', :holder, :tier)",
        holder=holder,
        tier=tier.name,
    )


async def accept(core: Core, who: Person, *, payer: Payer | None = None, ask: bool = False, **wanted: Any) -> Accepted:
    event = f"event-{next(core.numbers)}"
    await core.database.transaction(inbox.receive, event, "fake", {}, core.at)
    request = core.request(**wanted)
    draft = Draft(
        invocation=event,
        person=who,
        place=Place(adapter="fake", data={"room": "studio"}),
        language="en",
        request=request,
        price=PICTURE * request.count,
        ask=ask,
        payer=payer,
    )
    taken = await core.service.accept(draft)
    assert taken is not None
    return taken


async def go(core: Core, generation: str, who: Person) -> Accepted | None:
    event = f"event-{next(core.numbers)}"
    await core.database.transaction(inbox.receive, event, "fake", {}, core.at)
    return await core.service.go(generation, event, who)


async def pool(core: Core) -> tuple[int, int]:
    (line,) = [
        line
        for line in await core.database.read(ledger.account_lines, ["team:red"], core.rules())
        if line.window == "total" and line.unit == "images"
    ]
    return line.used, line.held


async def stored(core: Core, generation: str) -> tuple[str, int, int]:
    (row,) = await core.database.fetch("SELECT team, in_flight, priority FROM generations WHERE id=:id", id=generation)
    return row["team"], row["in_flight"], row["priority"]


async def test_a_team_pays_and_is_charged_for_what_was_made(core: Core) -> None:
    bob = await person(core)
    await team(core, bob)
    taken = await accept(core, bob, payer=payer_of(bob, "red"), count=2)

    assert await pool(core) == (0, 2)
    assert (await core.load(taken.generation)).team == "red"
    (mine,) = await core.admitted()
    await core.runner.run(mine)
    assert await pool(core) == (2, 0)
    await core.check_books()


async def test_who_is_not_in_the_team_is_refused_and_nothing_stands(core: Core) -> None:
    bob = await person(core)
    await team(core)

    with pytest.raises(NotAllowed):
        await accept(core, bob, payer=payer_of(bob, "red"))
    assert await core.database.fetch("SELECT id FROM generations") == []
    await core.nothing_is_held()


@pytest.mark.parametrize("ask", [False, True])
async def test_what_a_tier_does_not_include_is_refused_before_it_is_asked_about(core: Core, ask: bool) -> None:
    bob = await person(core)
    await tier(core, f"person:{bob.id}")

    with pytest.raises(NotAllowed) as refused:
        await accept(core, bob, ask=ask, size="4K")
    assert say(refused.value.text, "en") == "The tier basic goes up to 2K."
    with pytest.raises(NotAllowed, match="at most 2 pictures"):
        await accept(core, bob, ask=ask, count=3)
    assert await core.database.fetch("SELECT id FROM generations") == []


async def test_a_generation_keeps_what_the_tier_says_of_the_line(core: Core) -> None:
    bob = await person(core)
    await tier(core, f"person:{bob.id}")
    first, second = [(await accept(core, bob)).generation for _ in range(2)]

    assert await stored(core, first) == ("", 1, 4)
    assert [each.id for each in await core.admitted()] == [first]
    assert await core.admitted() == []
    assert (await core.load(second)).state is State.QUEUED


async def test_a_price_question_is_held_for_the_team_for_which_it_was_asked(core: Core) -> None:
    bob = await person(core)
    await team(core, bob)
    asked = await accept(core, bob, payer=payer_of(bob, "red"), ask=True, count=3)
    assert await pool(core) == (0, 0)

    assert await go(core, asked.generation, bob) is not None
    assert await pool(core) == (0, 3)
    await core.check_books()


async def test_a_pool_that_is_short_by_then_is_said_and_the_question_still_stands(core: Core) -> None:
    bob = await person(core)
    await team(core, bob)
    asked = await accept(core, bob, payer=payer_of(bob, "red"), ask=True, count=3)
    await core.database.transaction(ledger.set_limit, "team:red", "images", "day", 2)

    with pytest.raises(QuotaExceeded, match="Team Red"):
        await go(core, asked.generation, bob)
    assert (await core.load(asked.generation)).state is State.ASKED
    await core.nothing_is_held()


async def test_the_answer_counts_with_the_roles_that_the_person_has_then(core: Core) -> None:
    bob = await person(core)
    vip = await person(core, roles=("vip",))
    await tier(core, "role:vip")
    asked = await accept(core, bob, ask=True)

    assert await stored(core, asked.generation) == ("", 0, 0)
    await go(core, asked.generation, vip)
    assert (await stored(core, asked.generation))[1] == 1


async def test_an_admin_who_answers_for_somebody_lends_them_no_roles(core: Core) -> None:
    bob = await person(core)
    await tier(core, "role:vip", Tier(name="rich", limits={("images", "day"): 9}))
    await core.database.transaction(ledger.set_limit, f"share:space:{bob.space}/{bob.id}", "images", "day", 9)
    core.service.policy = {("person", "images", "day"): 1}
    asked = await accept(core, bob, ask=True, count=2)
    eve = await person(core, "eve", roles=("vip",))
    admin = Person(id=eve.id, name="eve", settings={}, admin=True, space=bob.space, roles=("vip",))

    await core.database.transaction(ledger.clear_limit, f"share:space:{bob.space}/{bob.id}", "images", "day")
    with pytest.raises(QuotaExceeded):
        await go(core, asked.generation, admin)


async def test_what_was_made_is_counted_by_day_and_team(core: Core) -> None:
    bob = await person(core)
    await team(core, bob)
    await accept(core, bob, payer=payer_of(bob, "red"), count=2)
    (mine,) = await core.admitted()
    await core.runner.run(mine)

    rows = await core.database.fetch("SELECT day, team, person, requests, failed, images, usd FROM usage_days")
    assert [dict(row) for row in rows] == [
        {
            "day": core.clock().date().isoformat(),
            "team": "red",
            "person": bob.id,
            "requests": 1,
            "failed": 0,
            "images": 2,
            "usd": 2 * PICTURE,
        }
    ]


async def test_a_refund_comes_back_to_the_team_and_is_seen(core: Core) -> None:
    bob = await person(core)
    await team(core, bob)
    taken = await accept(core, bob, payer=payer_of(bob, "red"), count=2)
    (mine,) = await core.admitted()
    await core.runner.run(mine)

    back = await core.database.transaction(ledger.refund, taken.generation, core.at, "blurred")
    assert back == {"images": 2, "usd": 2 * PICTURE}
    assert await pool(core) == (0, 0)
    assert (await core.load(taken.generation)).refunded_at == core.at
    rows = await core.database.fetch("SELECT sum(images) AS images, sum(usd) AS usd FROM usage_days")
    assert [dict(row) for row in rows] == [{"images": 0, "usd": 0}]
    await core.check_books()


@pytest.mark.parametrize("charge", [True, False])
async def test_what_was_possibly_billed_is_decided_for_one_alone(core: Core, charge: bool) -> None:
    taken = await core.accepted()
    await core.admitted()
    await core.lose(taken, PICTURE)

    def decide(connection: Connection) -> bool:
        return settling.resolve_one(connection, taken, core.at, charge=charge, reason="the invoice says so")

    assert await core.database.transaction(decide)
    assert not await core.database.transaction(decide)
    rows = await core.database.fetch("SELECT usd, requests FROM usage_days")
    assert [dict(row) for row in rows] == [{"usd": PICTURE if charge else 0, "requests": 1}]
    await core.check_books()

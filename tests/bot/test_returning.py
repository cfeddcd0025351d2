"""Whoever has themselves forgotten is bound, for a while, by the limits that held for them; and then by nothing."""

import asyncio
from typing import Any

import pytest

from bot import linking, people, returning, teams
from bot.audit import OPERATOR
from bot.chat import Actor, Reply, Tone
from bot.generation.accepting import payer_of
from bot.i18n import say
from bot.people import Person
from bot.privacy import Privacy
from bot.quota import ledger, standing
from bot.quota.tiers import Tier
from bot.storage.connection import Connection
from tests.bot.generation.core import Core, working
from tests.bot.test_privacy import everything, forget
from tests.linked import link

SPACE = "fake/team"
DAILY = {("person", "images", "day"): 3}


def keeper(core: Core) -> Privacy:
    return Privacy(
        database=core.database,
        preferences=core.preferences,
        memberships=core.memberships,
        clock=core.clock,
        remove=core.blobs.delete,
        changed=core._changed,
    )


async def forgotten(core: Core, name: str = "bob") -> Person:
    """Has them forgotten, and returns who they were."""
    person = await core.person(name)
    await forget(keeper(core), person)
    return person


async def drawn(core: Core, *, by: str = "bob", line: str = "/imagine a fox") -> Reply:
    return await core.answer(line, by=by)


async def refused(core: Core, *, by: str = "bob", line: str = "/imagine a fox") -> str:
    reply = await core.answer(line, by=by)
    assert reply.tone is Tone.REFUSAL
    return say(reply.text, "en", "UTC")


async def limit(core: Core, account: str, amount: int | None, window: str = "day") -> None:
    await core.database.transaction(ledger.set_limit, account, "images", window, amount)


async def test_being_forgotten_is_no_way_around_a_daily_limit(core: Core) -> None:
    core.service.policy = DAILY
    async with working(core):
        assert (await drawn(core, line="/imagine a fox --count 2")).state == "settled"
        await forgotten(core)
        assert (await drawn(core)).state == "settled"
        said = await refused(core)
        assert "before you were forgotten: 0 left of 3 pictures a day" in said
        await forgotten(core)
        await refused(core)
        core.clock.forward(days=1)
        assert (await drawn(core)).state == "settled"
    await core.check_books()


async def test_none_stays_none(core: Core) -> None:
    async with working(core):
        bob = await core.person("bob")
        await limit(core, f"person:{bob.id}", 0)
        await forgotten(core)
        assert "no pictures are allowed" in await refused(core)
        await forgotten(core)
        assert "no pictures are allowed" in await refused(core)
        assert (await drawn(core, by="eve")).state == "settled"
    await core.check_books()


async def test_what_is_set_for_who_came_back_counts(core: Core) -> None:
    async with working(core):
        bob = await core.person("bob")
        await limit(core, f"person:{bob.id}", 0)
        await forgotten(core)
        again = await core.person("bob")
        await limit(core, f"person:{again.id}", 4)
        assert (await drawn(core)).state == "settled"
        await forgotten(core)
        assert (await drawn(core, line="/imagine a fox --count 3")).state == "settled"
        await refused(core)
    await core.check_books()


async def test_what_an_admin_gave_somebody_in_a_space_goes_on(core: Core) -> None:
    core.service.policy = DAILY
    async with working(core):
        bob = await core.person("bob")
        await limit(core, f"share:space:{SPACE}/{bob.id}", 4)
        assert (await drawn(core, line="/imagine a fox --count 3")).state == "settled"
        await forgotten(core)
        assert (await drawn(core)).state == "settled"  # more than everybody has, as it was
        await refused(core)
    await core.check_books()


async def test_a_share_of_a_team_goes_on_for_whoever_is_in_it_again(core: Core) -> None:
    async with working(core):
        team = await core.memberships.change(teams.create, SPACE, "Design", OPERATOR, core.at)
        await core.memberships.change(teams.add, team, (await core.person()).id, OPERATOR, core.at)
        await limit(core, f"share:team:{team.id}", 2)
        assert (await drawn(core)).state == "settled"
        await forgotten(core)
        await core.memberships.change(teams.add, team, (await core.person()).id, OPERATOR, core.at)
        assert (await drawn(core)).state == "settled"
        assert "0 left of 2" in await refused(core)
        assert (await drawn(core, line="/imagine a fox --team none")).state == "settled"
    await core.check_books()


async def test_a_tier_that_was_given_to_somebody_goes_on(core: Core) -> None:
    async with working(core):
        bob = await core.person()
        guest = Tier(name="guest", limits={("images", "day"): 1})
        await core.memberships.change(teams.put_tier, "", guest, OPERATOR, core.at)
        await core.memberships.change(teams.hold_tier, "", f"person:{bob.id}", "guest", OPERATOR, core.at)
        assert (await drawn(core)).state == "settled"
        await forgotten(core)
        assert "0 left of 1" in await refused(core)


async def test_linking_brings_what_a_linked_account_was_before(core: Core) -> None:
    async with working(core):
        bob = await core.person("bob")
        await limit(core, f"person:{bob.id}", 0)
        await forgotten(core)
        assert (await drawn(core, by="eve")).state == "settled"
        again, eve = await core.person("bob"), await core.person("eve")
        code = await core.database.transaction(linking.new_code, again.id, core.at)
        await core.memberships.change(link, code, eve.id, core.at, OPERATOR)
        assert "no pictures are allowed" in await refused(core, by="eve")


async def test_nothing_of_before_is_theirs(core: Core) -> None:
    async with working(core):
        before = await drawn(core)
        await forgotten(core)
        await drawn(core, line="/imagine a hare")
        again = await core.person()
        given = await keeper(core).mine(again)
        assert [each["prompt"] for each in given["generations"]] == ["a hare"]
        assert len((await core.answer("/history")).rows) == 1
        assert (await core.answer(f"/show {before.generation}")).tone is Tone.REFUSAL


async def test_what_is_kept_names_nobody(core: Core) -> None:
    async with working(core):
        await drawn(core)
        gone = await forgotten(core)
        stored = await everything(core.database)
        assert gone.id not in stored
        assert '"bob"' not in stored
        assert "fake/bob" not in stored
        (seal,) = await core.database.fetch("SELECT name, value FROM meta WHERE name LIKE 'sealed account %'")
        assert "bob" not in seal["name"] + seal["value"]


async def test_after_forty_days_nothing_holds_and_nothing_tells(core: Core) -> None:
    async with working(core):
        bob = await core.person()
        await limit(core, f"person:{bob.id}", 4, "total")
        assert (await drawn(core, line="/imagine a fox --count 3")).state == "settled"
        await forgotten(core)
        assert (await drawn(core)).state == "settled"
        await refused(core)
        core.clock.forward(days=39)
        await keeper(core).tidy()
        await refused(core)
        core.clock.forward(days=1, hours=1)
        assert (await drawn(core)).state == "settled"  # before anything was tidied up
        await keeper(core).tidy()
        assert (await drawn(core)).state == "settled"
    stored = [row["name"] for row in await core.database.fetch("SELECT name FROM meta")]
    assert [name for name in stored if name.startswith(("sealed account", "former", "books to part"))] == []
    assert await core.database.fetch("SELECT * FROM limits") == []
    await core.check_books()
    again = await core.person()
    rows = await core.database.fetch(
        "SELECT DISTINCT h.account, g.person FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE h.account LIKE 'person:%'"
    )
    of_others = {row["account"] for row in rows if row["person"] != again.id}
    assert of_others & {row["account"] for row in rows if row["person"] == again.id} == set()


async def test_books_are_parted_once_nothing_of_them_is_open(core: Core) -> None:
    await core.run()
    await forgotten(core)
    await core.accepted()  # draws on both
    core.clock.forward(days=41)
    await keeper(core).tidy()
    await core.check_books()
    kept = "SELECT 1 AS one FROM meta WHERE name LIKE 'books to part%'"
    assert len(await core.database.fetch(kept)) == 1
    (waiting,) = await core.admitted()
    await core.runner.run(waiting)
    await keeper(core).tidy()
    assert await core.database.fetch(kept) == []
    await core.check_books()


async def test_being_forgotten_again_and_again_costs_no_more_each_time(core: Core) -> None:
    for _ in range(5):
        await core.person()
        await forgotten(core)
    person = await core.person()

    def accounts(connection: Connection) -> list[str]:
        found = standing.of(connection, payer_of(person), core.rules())
        return [account.name.partition(":")[0] for account in found.accounts]

    kinds = await core.database.read(accounts)
    assert (kinds.count("person"), kinds.count("share")) == (2, 2)


@pytest.mark.parametrize("many", [1, 8])
async def test_who_comes_back_at_once_is_one_person_and_bound(core: Core, many: int) -> None:
    bob = await core.person()
    await limit(core, f"person:{bob.id}", 0)
    await forgotten(core)
    actor = Actor(adapter="fake", user="bob", name="bob", space="team")
    found: list[Any] = await asyncio.gather(
        *(core.database.transaction(people.find, actor, core.at) for _ in range(many))
    )
    assert len({each.id for each in found}) == 1
    assert await core.database.read(returning.former, found[0].id, core.at)

"""Teams, roles and tiers at the door: what is known from memory, what menus offer, and whom a picture is for."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot import linking, teams
from bot.audit import By
from bot.chat import Actor, Place, Reply, Tone
from bot.command import Option
from bot.generation.accepting import Accepted
from bot.quota import ledger
from bot.quota.tiers import Tier
from bot.storage.database import Database
from bot.teams import Memberships, Team
from tests.bot.generation.core import Core
from tests.linked import link

SPACE = "fake/team"
ROOT = By("p0", "root")
STUDIO = Place(adapter="fake", data={"room": "studio"}, room="studio")


def actor(user: str = "bob", *roles: str) -> Actor:
    return Actor(adapter="fake", user=user, name=user, space="team", roles=roles)


async def team_of(core: Core, name: str, *members: str, space: str = SPACE) -> Team:
    team = await core.memberships.change(teams.create, space, name, ROOT, core.at)
    for member in members:
        person = await core.person(member)
        await core.memberships.change(teams.add, team, person.id, ROOT, core.at)
    return team


async def tier(core: Core, holder: str, space: str = SPACE, **rules: Any) -> Tier:
    made = Tier(**{"name": "free", "space": space, **rules})
    await core.memberships.change(teams.put_tier, space, made, ROOT, core.at)
    await core.memberships.change(teams.hold_tier, space, holder, made.name, ROOT, core.at)
    return made


async def says(core: Core, line: str, *roles: str, by: str = "bob", place: Place = STUDIO) -> Any:
    invocation = replace(core.invocation(line, place=place), actor=actor(by, *roles))
    core.adapter.events[invocation.id] = invocation
    await core.dispatcher.accept(invocation, {"event": invocation.id})
    return await core.dispatcher.outcome(invocation.id)


def offered(core: Core, command: str, name: str, who: Actor) -> tuple[str, ...]:
    found = core.table.find(command)
    option = next(each for each in found.options if each.name == name)
    assert isinstance(option, Option)
    return core.dispatcher.suggest(who, found, option)


async def paid_by(core: Core) -> list[str]:
    rows = await core.database.fetch("SELECT team FROM generations ORDER BY seq")
    return [row["team"] for row in rows]


# --- in memory


async def test_teams_are_known_again_after_a_restart(core: Core) -> None:
    await core.person()
    team = await team_of(core, "Design", "bob")
    later = Memberships(core.database)
    assert later.teams_of(actor()) == ()
    await later.load()

    assert [each.id for each in later.teams_of(actor())] == [team.id]
    assert (
        later.teams_of(actor("eve")) == later.teams_of(Actor(adapter="x", user="bob", name="bob", space="team")) == ()
    )


async def test_a_linked_account_is_in_the_same_teams(core: Core) -> None:
    team = await team_of(core, "Design", "bob")
    bob, too = await core.person("bob"), await core.person("robert")
    code = await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.memberships.change(link, code, too.id, core.at, ROOT)

    assert [each.id for each in core.memberships.teams_of(actor("robert"))] == [team.id]
    await core.memberships.change(linking.unlink, too.id, core.at, ROOT)
    assert core.memberships.teams_of(actor("robert")) == ()


async def test_others_are_told_of_a_change(database: Database) -> None:
    told: list[str] = []
    memberships = Memberships(database, told=told.append)
    await memberships.change(teams.create, SPACE, "Design", ROOT, 1)

    assert told == [""]


class Away:
    """A database that is away for so many reads."""

    def __init__(self, database: Database, times: int) -> None:
        self._database = database
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def read(self, *arguments: Any) -> Any:
        self._times -= 1
        if self._times >= 0:
            raise self._database.passing[0]("away")
        return await self._database.read(*arguments)


@pytest.mark.parametrize(("times", "known"), [(2, True), (len(teams.KNOW_AGAIN) + 1, False)])
async def test_what_is_stored_is_no_failure_although_it_cannot_be_read_back(
    core: Core, monkeypatch: pytest.MonkeyPatch, times: int, *, known: bool
) -> None:
    monkeypatch.setattr(teams, "KNOW_AGAIN", (0.0, 0.0, 0.0))
    told: list[str] = []
    memberships = Memberships(Away(core.database, times), told=told.append)  # type: ignore[arg-type]
    await memberships.change(teams.create, SPACE, "Design", ROOT, 1)
    later = Memberships(core.database)
    await later.load()

    assert [each.name for each in later.teams_in(SPACE)] == ["Design"]
    assert memberships.teams_in(SPACE) == (later.teams_in(SPACE) if known else ())
    assert told == [""]
    await memberships.expire(1)
    assert memberships.teams_in(SPACE) == later.teams_in(SPACE)


async def test_what_changes_at_the_same_moment_is_all_known(core: Core) -> None:
    await core.person()
    await asyncio.gather(*(team_of(core, f"Team {n}", "bob") for n in range(8)))
    later = Memberships(core.database)
    await later.load()

    assert len(core.memberships.teams_of(actor())) == 8
    assert core.memberships.teams_of(actor()) == later.teams_of(actor())


async def test_the_best_tier_is_the_one_of_the_highest_rank(core: Core) -> None:
    bob = await core.person()
    await tier(core, f"person:{bob.id}", name="low", rank=1)
    await tier(core, "role:r1", name="high", rank=5)
    await core.memberships.change(teams.put_tier, SPACE, Tier(name="mid", space=SPACE, rank=3), ROOT, core.at)
    await core.memberships.change(teams.map_role, SPACE, "room:studio", "tier", "mid", ROOT, core.at)

    def name(*roles: str, room: str = "") -> str:
        held = core.memberships.tier_of(actor("bob", *roles), room)
        return held.name if held else ""

    assert (name(), name("r1"), name(room="studio"), name("r1", room="studio")) == ("low", "high", "mid", "high")
    assert core.memberships.tier_of(actor("eve")) is None


async def test_a_tier_of_the_settings_is_held_as_the_operator_says(core: Core) -> None:
    bob = await core.person()
    core.memberships.operator = {"pro": Tier(name="pro", rank=2)}
    await core.memberships.change(teams.hold_tier, "", f"person:{bob.id}", "pro", ROOT, core.at)
    await tier(core, f"space:{SPACE}", name="guest")

    assert [each.name for each in core.memberships.tiers_of(actor())] == ["pro", "guest"]
    assert [each.name for each in core.memberships.tiers_of(actor("eve"))] == ["guest"]
    assert {each.name for each in core.memberships.every_tier(SPACE)} == {"pro", "guest"}


async def test_a_teams_tier_counts_for_what_is_asked_for_that_team(core: Core) -> None:
    team = await team_of(core, "Design", "bob")
    await tier(core, f"team:{team.id}", name="studio")

    assert core.memberships.tiers_of(actor()) == ()
    assert [each.name for each in core.memberships.tiers_of(actor(), team=team.id)] == ["studio"]


# --- menus


async def test_a_menu_offers_only_the_models_and_sizes_of_the_tier(core: Core) -> None:
    bob = await core.person()
    everything = offered(core, "imagine", "model", actor())
    await tier(core, f"person:{bob.id}", models=("seedream-4", "seedream-4.5"), size="2K")

    assert offered(core, "imagine", "model", actor("eve")) == everything
    assert set(offered(core, "imagine", "model", actor())) == {"seedream-4", "seedream-4.5"}
    assert set(offered(core, "settings", "model", actor())) <= {"seedream-4", "seedream-4.5", "default"}
    assert "4K" in offered(core, "imagine", "size", actor("eve"))
    assert "4K" not in offered(core, "imagine", "size", actor())
    assert "2K" in offered(core, "imagine", "size", actor())


async def test_a_menu_offers_only_the_models_that_the_space_allows(core: Core) -> None:
    bob = await core.person(admin=True)
    await core.spaces.change(SPACE, lambda rules: replace(rules, models=("seedream-4",)), by=bob, at=core.at)

    assert offered(core, "imagine", "model", actor()) == ("seedream-4",)


async def test_a_menu_of_teams_begins_with_the_usual_one(core: Core) -> None:
    bob = await core.person()
    assert offered(core, "settings", "team", actor()) == ()
    await team_of(core, "Ads", "bob")
    design = await team_of(core, "Design", "bob")
    await core.preferences.change(bob.id, {"team": design.id})

    assert offered(core, "settings", "team", actor()) == ("Design", "Ads", "none", "default")
    assert offered(core, "settings", "team", actor("eve")) == ()


# --- refused at once, from memory


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/imagine a fox --model seedream-4.5", "seedream-4.5"),
        ("/imagine a fox --size 4K", "2K"),
        ("/imagine a fox --count 3", "one picture"),
    ],
)
async def test_what_a_tier_does_not_include_is_refused_at_once(core: Core, line: str, words: str) -> None:
    bob = await core.person()
    await tier(core, f"person:{bob.id}", models=("seedream-4",), size="2K", series=1)
    reply = core.dispatcher.check(core.invocation(line))

    assert reply
    assert (reply.tone, reply.private) == (Tone.REFUSAL, True)
    assert words in str(reply.text)
    assert core.dispatcher.check(core.invocation(line, by="eve")) is None
    assert core.dispatcher.check(core.invocation("/imagine a fox --model seedream-4 --size 2K")) is None


async def test_a_refusal_names_the_tier_that_would_do(core: Core) -> None:
    bob = await core.person()
    await tier(core, f"person:{bob.id}", size="1K")
    big = Tier(name="big", space=SPACE)
    await core.memberships.change(teams.put_tier, SPACE, big, ROOT, core.at)
    reply = core.dispatcher.check(core.invocation("/imagine a fox --size 4K"))

    assert reply
    assert "big allows it" in str(reply.text)


async def test_who_has_just_got_a_role_is_not_refused_from_memory(core: Core) -> None:
    bob = await core.person()
    await tier(core, f"person:{bob.id}", size="1K")
    team = await team_of(core, "Design")
    await core.memberships.change(teams.map_role, SPACE, "r1", "team", team.id, ROOT, core.at)
    invocation = replace(core.invocation("/imagine a fox --size 4K"), actor=actor("bob", "r1"))

    assert core.dispatcher.check(invocation) is None


# --- whom a picture is for


async def test_the_only_team_pays_without_a_word(running: Core) -> None:
    team = await team_of(running, "Design", "bob")
    assert (await running.answer("/imagine a fox")).state == "settled"
    assert (await running.answer("/imagine a fox", by="eve")).state == "settled"

    assert await paid_by(running) == [team.id, ""]
    await running.check_books()


async def test_settings_choose_the_team_by_its_name(running: Core) -> None:
    await team_of(running, "Ads", "bob")
    design = await team_of(running, "Design", "bob")
    await running.answer("/imagine a fox")
    reply = await running.answer("/settings --team design")
    await running.answer("/imagine a fox")
    await running.database.transaction(teams.rename, design, "Studio", ROOT, running.at)
    renamed = await running.answer("/settings")
    await running.answer("/settings --team none")
    await running.answer("/imagine a fox")
    await running.answer("/settings --team default")
    await running.answer("/imagine a fox")

    assert ("team", "Design") in [(str(name), str(value)) for name, value in reply.rows]
    assert ("team", "Studio") in [(str(name), str(value)) for name, value in renamed.rows]
    assert await paid_by(running) == ["", design.id, "", ""]


async def test_a_picture_is_for_the_team_that_is_named(running: Core) -> None:
    ads, design = await team_of(running, "Ads", "bob"), await team_of(running, "Design 团队", "bob")
    for line in ("--team ads", '--team "design 团队"', "--team none"):
        assert (await running.answer(f"/imagine a fox {line}")).state == "settled"

    assert await paid_by(running) == [ads.id, design.id, ""]
    await running.check_books()


@pytest.mark.parametrize(
    ("named", "words"), [("Desing", "Do you mean Design"), ("Zebra", "You are in Ads, Design"), ("Secret", "not in")]
)
async def test_a_picture_for_a_team_that_one_is_not_in_is_refused(running: Core, named: str, words: str) -> None:
    await team_of(running, "Ads", "bob")
    await team_of(running, "Design", "bob")
    await team_of(running, "Secret")
    line = f"/imagine a fox --team {named}"
    foreseen = running.dispatcher.check(running.invocation(line))
    reply = await running.answer(line)

    assert foreseen
    assert str(foreseen.text) == str(reply.text)
    assert words in str(reply.text)
    assert await paid_by(running) == []
    assert running.provider.asked == []


async def test_a_team_that_one_is_not_in_is_no_setting(running: Core) -> None:
    await team_of(running, "Ads", "bob")
    await team_of(running, "Secret")
    reply = await running.answer("/settings --team Secret")

    assert reply.tone is Tone.REFUSAL
    assert "You are in Ads" in str(reply.text)
    assert (await running.person()).settings == {}


async def test_whoever_was_removed_draws_for_themselves(running: Core) -> None:
    team = await team_of(running, "Design", "bob")
    bob = await running.person()
    await running.preferences.change(bob.id, {"team": team.id})
    await running.memberships.change(teams.remove, team, bob.id, ROOT, running.at)

    assert (await running.answer("/imagine a fox")).state == "settled"
    assert await paid_by(running) == [""]


async def test_a_role_brings_somebody_into_the_team_as_they_ask(running: Core) -> None:
    team = await team_of(running, "Design")
    await running.memberships.change(teams.map_role, SPACE, "r1", "team", team.id, ROOT, running.at)
    for roles in (("r1",), ("r1", "r2"), ("r2",)):
        await says(running, "/imagine a fox", *roles)

    assert await paid_by(running) == [team.id, team.id, ""]
    assert await running.database.read(teams.members, team) == []
    assert running.memberships.teams_of(actor()) == ()


async def test_a_room_brings_somebody_into_the_team_who_asks_there(running: Core) -> None:
    team = await team_of(running, "Design")
    await running.memberships.change(teams.map_role, SPACE, "room:studio", "team", team.id, ROOT, running.at)
    lounge = Place(adapter="fake", data={"room": "lounge"}, room="lounge")
    await says(running, "/imagine a fox", place=lounge)
    await says(running, "/imagine a fox")
    await says(running, "/imagine a fox", place=lounge)

    assert await paid_by(running) == ["", team.id, team.id]


async def test_the_usual_asking_costs_no_look_at_teams(core: Core) -> None:
    """Only who is in a team, or may be by a role, is looked up."""
    seen: list[str] = []

    class Watched:
        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            ask = getattr(self._connection, name)

            def called(sql: str, *rest: Any, **values: Any) -> Any:
                seen.append(sql)
                return ask(sql, *rest, **values)

            return called

    def arrive(connection: Any, who: Actor) -> Any:
        from bot.dispatch import _arrive

        return _arrive(Watched(connection), who, "studio", core.at, in_teams=False, fresh=True)

    await core.person()
    person, found, changed = await core.database.transaction(arrive, actor())

    assert (person.name, found, changed) == ("bob", [], False)
    assert len(seen) == 1
    assert person.roles == ("room:studio",)


# --- what is one's own


async def test_what_a_linked_account_drew_is_ones_own(running: Core) -> None:
    drawn = await running.answer("/imagine a fox --private yes", by="bob")
    bob, too = await running.person("bob"), await running.person("robert")
    assert (await running.answer(f"/show {drawn.generation}", by="robert")).tone is Tone.REFUSAL
    code = await running.database.transaction(linking.new_code, bob.id, running.at)
    await running.memberships.change(link, code, too.id, running.at, ROOT)

    listed = await running.answer("/history", by="robert")
    assert [str(row[0]) for row in listed.rows] == [drawn.generation]
    shown = await running.answer(f"/show {drawn.generation}", by="robert")
    assert shown.generation == drawn.generation
    assert (await running.answer(f"/delete {drawn.generation}", by="robert")).tone is not Tone.REFUSAL
    assert (await running.load(drawn.generation)).deleted


async def test_a_linked_account_cancels_what_waits(core: Core) -> None:
    generation = await core.accepted(by="bob")
    bob, too = await core.person("bob"), await core.person("robert")
    code = await core.database.transaction(linking.new_code, bob.id, core.at)
    await core.memberships.change(link, code, too.id, core.at, ROOT)
    await core.service.cancel(generation, await core.person("robert"))

    assert (await core.load(generation)).state == "cancelled"
    await core.nothing_is_held()


async def test_accounts_that_part_while_they_ask_leave_the_books_in_order(running: Core) -> None:
    bob, too = await running.person("bob"), await running.person("robert")
    for each in (bob, too):
        await running.database.transaction(ledger.set_limit, f"person:{each.id}", "images", "total", 5)
    code = await running.database.transaction(linking.new_code, bob.id, running.at)
    await running.memberships.change(link, code, too.id, running.at, ROOT)

    async def asked(by: str) -> Reply:
        return await running.answer("/imagine a fox", by=by)

    async def parted() -> None:
        await running.memberships.change(linking.unlink, too.id, running.at, ROOT)

    replies = await asyncio.gather(asked("bob"), asked("robert"), parted(), asked("bob"), asked("robert"))

    assert {reply.state for reply in replies if reply} == {"settled"}
    await running.nothing_is_held()
    rows = await running.database.fetch(
        "SELECT account, spent FROM balances WHERE win='total' AND unit='images' AND account LIKE 'person:%'"
    )
    assert all(row["spent"] <= 5 for row in rows)
    assert sum(row["spent"] for row in rows) >= 4


# --- who is blocked, and who has left


async def blocked(core: Core, user: str) -> None:
    root = await core.person("root", admin=True)
    await core.spaces.change(SPACE, lambda rules: replace(rules, blocked={user: user}), by=root, at=core.at)


async def linked(core: Core, one: str, other: str) -> None:
    first, second = await core.person(one), await core.person(other)
    code = await core.database.transaction(linking.new_code, first.id, core.at)
    await core.memberships.change(link, code, second.id, core.at, ROOT)


async def test_whoever_is_blocked_is_so_by_all_their_accounts(running: Core) -> None:
    await linked(running, "bob", "robert")
    await blocked(running, "bob")
    for name in ("bob", "robert"):
        reply = await running.answer("/imagine a fox", by=name)
        assert "may not use me" in str(reply.text)
        assert running.dispatcher.check(running.invocation("/imagine a fox", by=name))
    assert (await running.answer("/imagine a fox", by="eve")).state == "settled"
    assert (await running.answer("/imagine a fox", by="robert", admin=True)).state == "settled"


async def test_whoever_a_space_has_blocked_draws_on_none_of_its_teams_elsewhere(running: Core) -> None:
    await team_of(running, "Ads", "bob")
    await blocked(running, "bob")
    invocation = running.invocation("/imagine a fox")
    elsewhere = replace(invocation, actor=replace(invocation.actor, space="another"))
    running.adapter.events[elsewhere.id] = elsewhere
    await running.dispatcher.accept(elsewhere, {"event": elsewhere.id})
    assert isinstance(await running.dispatcher.outcome(elsewhere.id), Accepted)

    assert await paid_by(running) == [""]


async def test_who_was_not_seen_with_a_role_for_a_month_is_out_and_comes_back(running: Core) -> None:
    team = await team_of(running, "Ads")
    await running.memberships.change(teams.map_role, SPACE, "r1", "team", team.id, ROOT, running.at)
    await says(running, "/imagine a fox", "r1")
    assert [each.name for each in running.memberships.teams_of(actor())] == ["Ads"]
    running.clock.forward(days=20)
    await says(running, "/imagine a fox", "r1")
    running.clock.forward(days=20)
    await running.memberships.expire(running.at)
    assert [each.name for each in running.memberships.teams_of(actor())] == ["Ads"]
    running.clock.forward(days=20)
    await running.memberships.expire(running.at)
    assert running.memberships.teams_of(actor()) == ()
    await says(running, "/imagine a fox", "r1")

    assert await paid_by(running) == [team.id] * 3


async def test_a_crowd_that_changes_teams_reads_them_together(core: Core) -> None:
    """Each of ten thousand who get a role in one day would read all of them otherwise."""
    reads = 0
    read = core.database.read

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(core.database, name)

        async def read(self, *given: Any, **named: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(*given, **named)

    memberships = Memberships(Counting())
    await team_of(core, "Ads", "bob")
    await asyncio.gather(*(memberships.load() for _ in range(50)))

    assert len(memberships.teams_of(actor())) == 1
    assert reads <= 2

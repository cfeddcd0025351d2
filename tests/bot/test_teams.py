"""Teams: made, joined by hand or by a role, and left; every change on record, and nothing changed by a refusal."""

import asyncio
import json
from typing import Any

import pytest

from bot import linking, people, teams
from bot.audit import By
from bot.chat import Actor
from bot.errors import BotError, NotAllowed, NotThere, UsageError
from bot.people import Person
from bot.quota.tiers import Tier
from bot.storage.database import Database
from bot.teams import Team
from tests.linked import link

SPACE, ELSEWHERE = "fake/team", "fake/other"
NOW = 1_700_000_000_000_000
DAY = 86_400_000_000
ROOT = By("p0", "root")


async def known(database: Database, user: str) -> Person:
    actor = Actor(adapter="fake", user=user, name=user, space="team")
    return await database.transaction(people.find, actor, NOW)


async def made(database: Database, name: str = "Design", space: str = SPACE) -> Team:
    return await database.transaction(teams.create, space, name, ROOT, NOW)


async def do(database: Database, function: Any, *arguments: Any, **named: Any) -> Any:
    """With who did it and when put in at the end."""
    return await database.transaction(lambda connection: function(connection, *arguments, ROOT, NOW, **named))


async def inside(database: Database, team: Team) -> dict[str, str]:
    return {each.name: each.role for each in await database.read(teams.members, team)}


async def mine(database: Database, person: Person) -> dict[str, str]:
    persons = await database.read(linking.persons_of, person.id)
    return {each.name: each.role for each in await database.read(teams.teams_of, persons)}


async def seen(database: Database, person: Person, *roles: str, at: int = NOW, space: str = SPACE) -> bool:
    return await database.transaction(teams.refresh, person.id, space, roles, at)


async def audited(database: Database) -> list[tuple[str, Any, Any]]:
    rows = await database.fetch("SELECT * FROM audit ORDER BY seq")
    assert all((row["person"], row["name"], row["at"]) == (*(ROOT.id, ROOT.name), NOW) for row in rows)
    return [(row["what"], json.loads(row["before"]), json.loads(row["after"])) for row in rows]


# --- teams themselves


async def test_a_team_is_found_by_its_name_however_it_is_typed(database: Database) -> None:
    team = await made(database, "  Design   团队 ")

    for name in ("Design 团队", "design 团队", "ＤＥＳＩＧＮ 团队", team.id):
        assert (await database.read(teams.by_name, SPACE, name)).id == team.id
    assert team.name == "Design 团队"


async def test_an_unknown_team_is_refused_with_the_nearest(database: Database) -> None:
    await made(database, "Design")

    with pytest.raises(NotThere, match="Do you mean Design"):
        await database.read(teams.by_name, SPACE, "Desing")
    with pytest.raises(NotThere, match=r"no team “Zebra” here\.$"):
        await database.read(teams.by_name, SPACE, "Zebra")


async def test_a_team_of_another_space_is_unknown_here(database: Database) -> None:
    await made(database, "Design", ELSEWHERE)

    with pytest.raises(NotThere):
        await database.read(teams.by_name, SPACE, "Design")
    assert (await database.read(teams.by_name, "", "Design")).space == ELSEWHERE


async def test_the_operator_says_which_of_two_teams_is_meant(database: Database) -> None:
    here, there = await made(database), await made(database, space=ELSEWHERE)

    with pytest.raises(UsageError, match=here.id):
        await database.read(teams.by_name, "", "design")
    assert (await database.read(teams.by_name, "", there.id)) == there


@pytest.mark.parametrize(
    "name", ["", "   ", "none", "Default", "无", "@bob", "#room", "--x", "<@1>", "x" * 41, "a\x00b"]
)
async def test_what_cannot_be_a_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(UsageError):
        await made(database, name)
    assert await database.fetch("SELECT * FROM teams") == []
    assert await audited(database) == []


async def test_a_name_is_taken_once_in_a_space(database: Database) -> None:
    await made(database, "Design")
    await made(database, "Design", ELSEWHERE)

    with pytest.raises(UsageError, match="already"):
        await made(database, "ＤＥＳＩＧＮ")
    assert len(await database.fetch("SELECT * FROM teams")) == 2


async def test_two_who_make_the_same_team_at_once_make_one(database: Database) -> None:
    done = await asyncio.gather(*(made(database) for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(each, Team) for each in done) == 1
    assert sum(isinstance(each, UsageError) for each in done) == 9


async def test_a_team_is_renamed_but_not_to_anothers_name(database: Database) -> None:
    team, _ = await made(database), await made(database, "Ads")

    with pytest.raises(UsageError, match="already"):
        await do(database, teams.rename, team, "ADS")
    assert (await do(database, teams.rename, team, "DESIGN")).name == "DESIGN"
    assert (await database.read(teams.by_name, SPACE, "design")).id == team.id
    assert (await audited(database))[-1] == (
        "team",
        {"team": team.id, "name": "Design"},
        {"team": team.id, "name": "DESIGN"},
    )


async def test_a_closed_team_has_nobody_in_it_and_its_name_is_free(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.add, team, ann.id)
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await do(database, teams.close, team)

    assert await mine(database, ann) == {}
    assert await seen(database, ann, "r1") is False
    with pytest.raises(NotThere):
        await database.read(teams.by_name, SPACE, "Design")
    for change in (
        do(database, teams.close, team),
        do(database, teams.add, team, ann.id),
        do(database, teams.rename, team, "X"),
    ):
        with pytest.raises(NotThere, match="closed"):
            await change
    assert (await made(database)).id != team.id


# --- members


async def test_a_member_is_added_once(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")

    assert await do(database, teams.add, team, ann.id)
    assert not await do(database, teams.add, team, ann.id)
    assert await inside(database, team) == {"ann": "member"}
    told = {"team": "Design", "person": ann.id, "name": "ann", "role": "member"}
    assert (await audited(database))[1:] == [("team member", None, told)]


async def test_an_owner_is_not_made_less_by_being_added_again(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.add, team, ann.id, role="owner")

    assert not await do(database, teams.add, team, ann.id)
    assert await inside(database, team) == {"ann": "owner"}
    assert await database.read(teams.owners, team.id) == ("ann",)


async def test_who_is_not_in_a_team_can_neither_leave_nor_own_it(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")

    with pytest.raises(NotThere, match="ann is not in Design"):
        await do(database, teams.remove, team, ann.id)
    with pytest.raises(NotThere, match="ann is not in Design"):
        await do(database, teams.set_role, team, ann.id, "owner")


async def test_the_last_owner_stays_unless_an_admin_says_so(database: Database) -> None:
    team, ann, bob = await made(database), await known(database, "ann"), await known(database, "bob")
    await do(database, teams.add, team, ann.id, role="owner")
    await do(database, teams.add, team, bob.id)

    with pytest.raises(NotAllowed, match="only owner"):
        await do(database, teams.remove, team, ann.id)
    with pytest.raises(NotAllowed, match="only owner"):
        await do(database, teams.set_role, team, ann.id, "member")
    assert await inside(database, team) == {"ann": "owner", "bob": "member"}
    await do(database, teams.set_role, team, bob.id, "owner")
    await do(database, teams.remove, team, ann.id)
    await do(database, teams.remove, team, bob.id, admin=True)
    assert await inside(database, team) == {}


async def test_two_owners_who_remove_each_other_at_once_leave_one(database: Database) -> None:
    team, ann, bob = await made(database), await known(database, "ann"), await known(database, "bob")
    for each in (ann, bob):
        await do(database, teams.add, team, each.id, role="owner")
    done = await asyncio.gather(
        do(database, teams.remove, team, ann.id), do(database, teams.remove, team, bob.id), return_exceptions=True
    )

    assert sum(isinstance(each, NotAllowed) for each in done) == 1
    assert list((await inside(database, team)).values()) == ["owner"]


async def test_linked_accounts_are_one_member(database: Database) -> None:
    team, ann, too = await made(database), await known(database, "ann"), await known(database, "ann2")
    await do(database, teams.add, team, ann.id)
    code = await database.transaction(linking.new_code, ann.id, NOW)
    await database.transaction(link, code, too.id, NOW, ROOT)

    assert await mine(database, too) == {"Design": "member"}
    (found,) = await database.read(teams.teams_of, (ann.id, too.id))
    assert found.person == ann.id
    assert not await do(database, teams.add, team, too.id)
    await do(database, teams.set_role, team, too.id, "owner")
    assert [each.role for each in await database.read(teams.members, team)] == ["owner"]
    await do(database, teams.remove, team, too.id, admin=True)
    assert await mine(database, ann) == {}


async def test_a_membership_stays_with_its_account_when_they_part(database: Database) -> None:
    team, ann, too = await made(database), await known(database, "ann"), await known(database, "ann2")
    code = await database.transaction(linking.new_code, ann.id, NOW)
    await database.transaction(link, code, too.id, NOW, ROOT)
    await do(database, teams.add, team, ann.id)
    await database.transaction(linking.unlink, too.id, NOW, ROOT)

    assert await mine(database, ann) == {"Design": "member"}
    assert await mine(database, too) == {}


# --- by roles


async def test_a_role_brings_its_people_in_and_out(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id, name="artists")

    assert await seen(database, ann, "r1", "r2")
    assert await inside(database, team) == {"ann": "member"}
    assert not await seen(database, ann, "r1")
    assert await seen(database, ann, "r2")
    assert await inside(database, team) == {}


async def test_what_one_space_gave_another_does_not_take(database: Database) -> None:
    here, there = await made(database), await made(database, "Ads", ELSEWHERE)
    ann = await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", here.id)
    await do(database, teams.map_role, ELSEWHERE, "r1", "team", there.id)
    await do(database, teams.add, there, ann.id)
    await seen(database, ann, "r1")
    await seen(database, ann, "r1", space=ELSEWHERE)
    await seen(database, ann, space=ELSEWHERE)

    assert await mine(database, ann) == {"Design": "member", "Ads": "member"}
    await seen(database, ann)
    assert await mine(database, ann) == {"Ads": "member"}  # by hand


async def test_a_space_whose_name_begins_like_anothers_is_another(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await seen(database, ann, "r1")
    await seen(database, ann, space="fake/tea")

    assert await inside(database, team) == {"ann": "member"}


async def test_who_is_in_by_a_role_is_not_removed_by_hand(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await seen(database, ann, "r1")

    with pytest.raises(UsageError, match="by a role"):
        await do(database, teams.remove, team, ann.id, admin=True)
    assert await inside(database, team) == {"ann": "member"}


async def test_an_owner_who_loses_a_role_still_owns(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await seen(database, ann, "r1")
    await do(database, teams.set_role, team, ann.id, "owner")
    await seen(database, ann)

    assert await inside(database, team) == {"ann": "owner"}


async def test_a_role_that_gives_nothing_more_takes_its_people_along(database: Database) -> None:
    team, ann, bob = await made(database), await known(database, "ann"), await known(database, "bob")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await seen(database, ann, "r1")
    await do(database, teams.add, team, bob.id)

    assert await do(database, teams.unmap_role, SPACE, "r1") == 1
    assert await do(database, teams.unmap_role, SPACE, "r1") == 0
    assert await inside(database, team) == {"bob": "member"}


async def test_a_room_is_not_left_by_asking_in_another_one(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "room:studio", "team", team.id)
    await seen(database, ann, "room:studio")
    await seen(database, ann, "room:lounge", at=NOW + 29 * DAY)

    assert await inside(database, team) == {"ann": "member"}
    await seen(database, ann, "room:studio", at=NOW + 29 * DAY)
    await seen(database, ann, "room:lounge", at=NOW + 58 * DAY)
    assert await inside(database, team) == {"ann": "member"}
    await seen(database, ann, "room:lounge", at=NOW + 60 * DAY)
    assert await inside(database, team) == {}


async def test_a_role_is_mapped_once_and_on_record(database: Database) -> None:
    team = await made(database)

    assert await do(database, teams.map_role, SPACE, "r1", "team", team.id, name="artists")
    assert not await do(database, teams.map_role, SPACE, "r1", "team", team.id, name="artists")
    await do(database, teams.unmap_role, SPACE, "r1", kind="team", target=team.id)
    given = {"role": "r1", "name": "artists", "team": "Design"}
    assert (await audited(database))[1:] == [("role", None, given), ("role", given, None)]


async def test_what_asks_at_the_same_moment_is_in_the_team_once(database: Database) -> None:
    team, ann = await made(database), await known(database, "ann")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await asyncio.gather(*(seen(database, ann, "r1") for _ in range(10)))

    assert len(await database.fetch("SELECT * FROM team_members")) == 1


# --- tiers


async def test_a_tier_is_kept_changed_and_dropped_on_record(database: Database) -> None:
    free = Tier(name="free", space=SPACE, limits={("images", "day"): 3}, models=("seedream-4",), size="2K", series=1)
    assert await do(database, teams.put_tier, SPACE, free)
    assert not await do(database, teams.put_tier, SPACE, free)
    assert await database.read(teams.tiers_in, SPACE) == [free]
    assert await database.read(teams.tier_named, SPACE, "FREE") == free
    assert await database.read(teams.tiers_in, ELSEWHERE) == []
    await do(database, teams.drop_tier, SPACE, "Free")

    assert await database.read(teams.tiers_in, SPACE) == []
    assert [(what, bool(before), bool(after)) for what, before, after in await audited(database)] == [
        ("tier free", False, True),
        ("tier free", True, False),
    ]
    with pytest.raises(NotThere):
        await do(database, teams.drop_tier, SPACE, "free")


async def test_a_tier_that_is_dropped_is_held_by_nobody(database: Database) -> None:
    for space in (SPACE, ELSEWHERE):
        await do(database, teams.put_tier, space, Tier(name="free", space=space))
        await do(database, teams.hold_tier, space, "person:p1", "free")
        await do(database, teams.map_role, space, "r1", "tier", "free")
    await do(database, teams.drop_tier, SPACE, "free")

    for table in ("tier_holders", "role_maps"):
        assert [row["space"] for row in await database.fetch(f"SELECT space FROM {table}")] == [ELSEWHERE]


async def test_everybody_holds_one_tier_of_a_space(database: Database) -> None:
    assert await do(database, teams.hold_tier, SPACE, "person:p1", "free")
    assert not await do(database, teams.hold_tier, SPACE, "person:p1", "free")
    assert await do(database, teams.hold_tier, SPACE, "person:p1", "pro")
    assert [row["tier"] for row in await database.fetch("SELECT tier FROM tier_holders")] == ["pro"]
    assert await do(database, teams.hold_tier, SPACE, "person:p1", "")
    assert not await do(database, teams.hold_tier, SPACE, "person:p1", "")

    assert await database.fetch("SELECT * FROM tier_holders") == []
    told = [(before, after) for _, before, after in await audited(database)]
    assert told == [("", "free"), ("free", "pro"), ("pro", "")]


# --- whom a picture is for

ADS, DESIGN = Team(id="t1", space=SPACE, name="Ads"), Team(id="t2", space=SPACE, name="Design")


@pytest.mark.parametrize(
    ("own", "named", "usual", "expected"),
    [
        ((), "", "", None),
        ((ADS,), "", "", ADS),
        ((ADS, DESIGN), "", "", None),
        ((ADS, DESIGN), "", "t2", DESIGN),
        ((ADS, DESIGN), "", "t9", None),
        ((ADS,), "", "t9", ADS),
        ((ADS,), "", "none", None),
        ((ADS, DESIGN), "ads", "t2", ADS),
        ((ADS, DESIGN), "t1", "t2", ADS),
        ((ADS, DESIGN), "None", "t2", None),
    ],
)
def test_a_picture_is_for_the_team_that_was_named_else_the_usual_else_the_only_one(
    own: tuple[Team, ...], named: str, usual: str, expected: Team | None
) -> None:
    assert teams.paying(own, named, usual) == expected


@pytest.mark.parametrize(
    ("own", "named", "words"),
    [
        ((), "Ads", "in no team"),
        ((ADS, DESIGN), "Desgin", "Do you mean Design"),
        ((ADS,), "Zebra", r"You are in Ads, not in “Zebra”\.$"),
    ],
)
def test_a_team_that_one_is_not_in_is_refused_with_those_that_one_is(
    own: tuple[Team, ...], named: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        teams.paying(own, named, "")
    assert isinstance(refused.value, BotError)


async def test_who_left_with_a_role_and_asks_from_a_linked_account_is_out_in_a_month(database: Database) -> None:
    team, bob, too = await made(database), await known(database, "bob"), await known(database, "robert")
    await do(database, teams.map_role, SPACE, "r1", "team", team.id)
    await do(database, teams.add, team, too.id)
    await seen(database, bob, "r1")
    assert await seen(database, bob, "r1", at=NOW + 20 * DAY)  # that they still have it
    assert await database.transaction(teams.expire, NOW + 49 * DAY) == 0
    assert await database.transaction(teams.expire, NOW + 51 * DAY) == 1

    assert await inside(database, team) == {"robert": "member"}
    assert await seen(database, bob, "r1", at=NOW + 60 * DAY)
    assert await mine(database, bob) == {"Design": "member"}


@pytest.mark.parametrize("name", ["D\u0435sign", "\u0421ola", "Gr\u03bfup one"])
async def test_a_name_that_mixes_alphabets_is_refused(database: Database, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        await made(database, name)


@pytest.mark.parametrize("name", ["Дизайн", "Design Группа", "设计 Design", "Ünïcode é"])
async def test_a_name_in_any_one_alphabet_will_do(database: Database, name: str) -> None:
    assert (await made(database, name)).name == name

"""Who may do what, as a table of roles and deeds; and whom somebody may name."""

from dataclasses import replace

import pytest

from bot import teams
from bot.audit import OPERATOR, By
from bot.chat import Actor
from bot.errors import NotAllowed, NotThere
from bot.people import find
from bot.rights import COMMAND_LINE, NEEDS, Deed, Role, Who, found, known_here, owned_teams
from bot.storage.database import Database
from tests.bot.generation.core import Core

HOME, OTHER = "fake/team", "fake/other"
MEMBER = Who(by=By("m", "mia"), space=HOME, persons=("m",))
ADMIN = Who(by=By("a", "adam"), space=HOME, admin=True, persons=("a",))
OPERATES = Who(by=OPERATOR, space=HOME, operator=True)

# member, owner, admin here, admin elsewhere, operator
TABLE = {
    Deed.DASHBOARD: "yes yes yes yes yes",
    Deed.TEAM_SEEN: "yes yes yes yes yes",
    Deed.MEMBERS: "no yes yes no yes",
    Deed.SHARES: "no yes yes no yes",
    Deed.GRANT_TEAM: "no yes yes no yes",
    Deed.EXPORT: "no yes yes no yes",
    Deed.RULES: "no no yes no yes",
    Deed.BLOCK: "no no yes no yes",
    Deed.AUDIT: "no no yes no yes",
    Deed.REFUND: "no no yes no yes",
    Deed.TEAMS: "no no yes no yes",
    Deed.OWNERS: "no no yes no yes",
    Deed.POOL: "no no yes no yes",
    Deed.PERSON: "no no yes no yes",
    Deed.SPACE: "no no yes no yes",
    Deed.TIERS: "no no yes no yes",
    Deed.ROLES: "no no yes no yes",
    Deed.GRANT_SPACE: "no no yes no yes",
    Deed.PERSON_EVERYWHERE: "no no no no yes",
    Deed.RAISE_SPACE: "no no no no yes",
    Deed.ALL: "no no no no yes",
    Deed.TIERS_EVERYWHERE: "no no no no yes",
    Deed.GRANT_ALL: "no no no no yes",
}
WHO = (
    (MEMBER, False),
    (MEMBER, True),
    (ADMIN, False),
    (replace(ADMIN, space=OTHER), False),
    (OPERATES, False),
)


def test_every_deed_is_in_the_table() -> None:
    assert set(TABLE) == set(NEEDS) == set(Deed)


@pytest.mark.parametrize("deed", Deed)
def test_who_may_do_it(deed: Deed) -> None:
    for (who, owns), may in zip(WHO, TABLE[deed].split(), strict=True):
        assert who.may(deed, HOME, owns=owns) is (may == "yes"), (who.by.name, owns)
        if may == "yes":
            who.check(deed, HOME, owns=owns)
        else:
            with pytest.raises(NotAllowed):
                who.check(deed, HOME, owns=owns)


def test_the_command_line_is_the_operators() -> None:
    assert COMMAND_LINE.role("anywhere") is Role.OPERATOR


async def test_a_person_of_elsewhere_is_unknown_here(core: Core) -> None:
    await core.accepted(by="bob")
    database = core.database
    bob = await _person(database, "bob")
    new = await _person(database, "new")

    assert await database.read(known_here, HOME, bob)
    assert not await database.read(known_here, OTHER, bob)
    assert not await database.read(known_here, "elsewhere/1", bob)
    assert await database.read(known_here, OTHER, new), "nobody has seen them anywhere else"
    stranger = replace(ADMIN, space=OTHER)
    with pytest.raises(NotThere, match="unknown here"):
        await database.read(found, stranger, "bob")
    assert await database.read(found, ADMIN, "bob") == (bob, "bob")


async def test_the_operator_names_anybody_in_any_way(core: Core) -> None:
    bob = await _person(core.database, "bob")

    for name in ("bob", "fake/bob", bob):
        assert await core.database.read(found, COMMAND_LINE, name) == (bob, "bob")
    for name in ("nobody", "other/bob", ""):
        with pytest.raises(NotThere):
            await core.database.read(found, COMMAND_LINE, name)


async def test_two_of_one_name_are_told_apart(core: Core) -> None:
    for user in ("1", "2"):
        actor = Actor(adapter="fake", user=user, name="kim", space="team")
        await core.database.transaction(find, actor, core.at)

    with pytest.raises(NotThere, match="Several people are called kim"):
        await core.database.read(found, COMMAND_LINE, "kim")


async def test_an_owner_owns_while_the_team_is_there(core: Core) -> None:
    ann = await _person(core.database, "ann")
    team = await core.database.transaction(teams.create, HOME, "Design", OPERATOR, core.at)
    await core.database.transaction(teams.add, team, ann, OPERATOR, core.at, role=teams.OWNER)

    assert await core.database.read(owned_teams, (ann,)) == (team.id,)
    await core.database.transaction(teams.close, team, OPERATOR, core.at)
    assert await core.database.read(owned_teams, (ann,)) == ()
    assert await core.database.read(owned_teams, ()) == ()


async def _person(database: Database, name: str) -> str:
    actor = Actor(adapter="fake", user=name, name=name, space="team")
    return (await database.transaction(find, actor, 1)).id

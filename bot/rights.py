"""Who may do what: the operator, the admins of a space, the owners of a team, and everybody for themselves.

An admin's rights end where the space does: what belongs to another one does not exist for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from bot.audit import OPERATOR, By
from bot.errors import NotAllowed, NotThere
from bot.i18n import text
from bot.people import Person
from bot.storage.connection import Connection, Row


class Role(IntEnum):
    """Whoever is more may do all that the lesser ones may."""

    MEMBER = 0
    OWNER = 1
    ADMIN = 2
    OPERATOR = 3


class Deed(StrEnum):
    """What somebody may do, or not."""

    RULES = "change the rules of a space"
    BLOCK = "block"
    AUDIT = "look at the audit"
    REFUND = "refund"
    TEAMS = "make and close teams"
    MEMBERS = "change who is in a team"
    OWNERS = "choose the owners of a team"
    SHARES = "divide what a team has"
    POOL = "limit a team"
    PERSON = "limit a person in a space"
    PERSON_EVERYWHERE = "limit a person everywhere"
    SPACE = "limit a space"
    RAISE_SPACE = "give a space more"
    ALL = "limit everybody"
    TIERS = "change the tiers of a space"
    TIERS_EVERYWHERE = "change the operator's tiers"
    ROLES = "say what a role gives"
    GRANT_TEAM = "grant out of a team's pool"
    GRANT_SPACE = "grant out of a space's pool"
    GRANT_ALL = "grant out of everybody's pool"
    EXPORT = "export"
    DASHBOARD = "open the dashboard"
    TEAM_SEEN = "see who is in a team"


NEEDS: Mapping[Deed, Role] = {
    **dict.fromkeys((Deed.DASHBOARD, Deed.TEAM_SEEN), Role.MEMBER),
    **dict.fromkeys((Deed.MEMBERS, Deed.SHARES, Deed.GRANT_TEAM, Deed.EXPORT), Role.OWNER),
    **dict.fromkeys((Deed.RULES, Deed.BLOCK, Deed.AUDIT, Deed.REFUND, Deed.TEAMS, Deed.OWNERS, Deed.POOL), Role.ADMIN),
    **dict.fromkeys((Deed.PERSON, Deed.SPACE, Deed.TIERS, Deed.ROLES, Deed.GRANT_SPACE), Role.ADMIN),
    **dict.fromkeys((Deed.PERSON_EVERYWHERE, Deed.RAISE_SPACE, Deed.ALL, Deed.TIERS_EVERYWHERE), Role.OPERATOR),
    Deed.GRANT_ALL: Role.OPERATOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody who orders something. space: where they speak, "" on the command line. admin: of that space.

    persons: all accounts of this human.
    """

    by: By
    space: str = ""
    operator: bool = False
    admin: bool = False
    persons: tuple[str, ...] = ()

    def role(self, space: str, *, owns: bool = False) -> Role:
        """What they are where something belongs to `space`. owns: whether it is a team of theirs."""
        if self.operator:
            return Role.OPERATOR
        if self.admin and space == self.space:
            return Role.ADMIN
        return Role.OWNER if owns else Role.MEMBER

    def may(self, deed: Deed, space: str, *, owns: bool = False) -> bool:
        return self.role(space, owns=owns) >= NEEDS[deed]

    def check(self, deed: Deed, space: str, *, owns: bool = False) -> None:
        """Raises `NotAllowed`."""
        if self.may(deed, space, owns=owns):
            return
        match NEEDS[deed]:
            case Role.OPERATOR:
                raise NotAllowed(text("Only the operator of this bot may do that."))
            case Role.OWNER:
                raise NotAllowed(text("Only an owner of this team, or an admin, may do that."))
            case _:
                raise NotAllowed(text("/{command} is for admins.", command="admin"))


COMMAND_LINE = Who(by=OPERATOR, operator=True)
"""Whoever has the command line has the machine."""


def who_is(person: Person) -> Who:
    return Who(
        by=By(person.id, person.name),
        space=person.space,
        operator=person.everywhere,
        admin=person.rules(person.space),
        persons=person.persons,
    )


def owned_teams(connection: Connection, persons: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of the teams of which any of these accounts is an owner."""
    names = {f"p{number}": person for number, person in enumerate(persons)}
    if not names:
        return ()
    rows = connection.rows(
        "SELECT DISTINCT m.team FROM team_members m JOIN teams t ON t.id=m.team WHERE m.role='owner'"
        f" AND t.closed_at=0 AND m.person IN ({', '.join(f':{name}' for name in names)}) ORDER BY m.team",
        **names,
    )
    return tuple(row["team"] for row in rows)


def known_here(connection: Connection, space: str, person: str) -> bool:
    """Whether somebody has to do with this space: not where they were only ever seen in others."""
    adapter = space.partition("/")[0]
    if not connection.row(
        "SELECT 1 AS one FROM actors WHERE person=:person AND adapter=:adapter LIMIT 1", person=person, adapter=adapter
    ):
        return False
    if connection.row(
        "SELECT 1 AS one FROM generations WHERE person=:person AND space=:space LIMIT 1", person=person, space=space
    ) or connection.row(
        "SELECT 1 AS one FROM team_members m JOIN teams t ON t.id=m.team WHERE m.person=:person AND t.space=:space"
        " LIMIT 1",
        person=person,
        space=space,
    ):
        return True
    elsewhere = connection.row(
        "SELECT 1 AS one FROM generations WHERE person=:person LIMIT 1", person=person
    ) or connection.row("SELECT 1 AS one FROM team_members WHERE person=:person LIMIT 1", person=person)
    return elsewhere is None


def found(connection: Connection, who: Who, user: str, shown: str = "") -> tuple[str, str]:
    """The person whom somebody names, as (id, name). user: the platform's id where they speak, or on the command line
    a name, `platform/id` or the person's own id. Raises `NotThere`.
    """
    rows: Sequence[Row] = ()
    if who.space:
        adapter = who.space.partition("/")[0]
        rows = connection.rows(
            "SELECT p.id, p.name FROM actors a JOIN people p ON p.id=a.person"
            " WHERE a.adapter=:adapter AND a.user_id=:user",
            adapter=adapter,
            user=user,
        )
        rows = [row for row in rows if who.operator or known_here(connection, who.space, row["id"])]
    if not rows and who.operator:
        adapter, _, bare = user.rpartition("/")
        rows = connection.rows(
            "SELECT DISTINCT p.id, p.name FROM people p LEFT JOIN actors a ON a.person=p.id"
            " WHERE (p.id=:user OR p.name=:user OR a.user_id=:bare) AND (:adapter='' OR a.adapter=:adapter)"
            " ORDER BY p.id LIMIT 6",
            user=user if not adapter else "",
            bare=bare,
            adapter=adapter,
        )
    if len(rows) > 1:
        ids = tuple(row["id"] for row in rows)
        raise NotThere(text("Several people are called {name}; say which by the id: {ids}.", name=user, ids=ids))
    if not rows:
        raise NotThere(
            text("{name} is unknown here: they must have spoken to me in this place first.", name=shown or user)
        )
    return rows[0]["id"], rows[0]["name"]

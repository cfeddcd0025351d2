"""Whose figures somebody may see. Every query of the dashboard takes its condition from here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.errors import NotAllowed
from bot.i18n import text
from bot.storage.connection import Connection, Row

Values = dict[str, Any]
OPERATOR, SPACE, TEAM, PERSON = "operator", "space", "team", "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """kind: "operator", who sees everything; "space", an admin of `spaces` and of the teams at home there; "team", an
    owner of `teams`; "person". persons: the ids of whoever looks, on every platform.
    """

    kind: str
    spaces: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    name: str = ""

    @property
    def operates(self) -> bool:
        return self.kind == OPERATOR


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of SQL and the values that it names."""

    sql: str
    values: Values


ALL = Where("0=0", {})
NONE = Where("0=1", {})


def any_of(column: str, wanted: Iterable[str], name: str) -> Where:
    """The column is one of these. name: what the values are called in the statement."""
    values: Values = {f"{name}{number}": each for number, each in enumerate(wanted)}
    if not values:
        return NONE
    return Where(f"{column} IN ({', '.join(f':{each}' for each in values)})", values)


def either(*wheres: Where) -> Where:
    there = [each for each in wheres if each is not NONE]
    if not there:
        return NONE
    sql = " OR ".join(each.sql for each in there)
    return Where(f"({sql})", {name: value for each in there for name, value in each.values.items()})


def sums(viewer: Rights) -> Where:
    """Of the rows of a day: those of what this viewer answers for. The table has `space` and `team`."""
    match viewer.kind:
        case "operator":
            return ALL
        case "space":
            return either(any_of("space", viewer.spaces, "space"), _home_teams("team", viewer))
        case "team":
            return any_of("team", viewer.teams, "team")
        case _:
            return NONE


def own_sums(viewer: Rights) -> Where:
    """The same, of a table that has `person`, too."""
    return any_of("person", viewer.persons, "own") if viewer.kind == PERSON else sums(viewer)


def terms(viewer: Rights, teams: Iterable[str]) -> list[Where]:
    """The generations in sight, as one condition for each index that finds them in order (`… , seq`).

    teams: the ids of `visible_teams`.
    """
    match viewer.kind:
        case "operator":
            return [ALL]
        case "space":
            spaces = [any_of("space", (each,), f"space{number}_") for number, each in enumerate(viewer.spaces)]
            return spaces + [any_of("team", (each,), f"team{number}_") for number, each in enumerate(teams)]
        case "team":
            return [any_of("team", (each,), f"team{number}_") for number, each in enumerate(viewer.teams)]
        case _:
            return [any_of("person", (each,), f"own{number}_") for number, each in enumerate(viewer.persons)]


def in_sight(viewer: Rights) -> Where:
    """Of `generations`: all that the viewer may know of; IS TRUE keeps it from choosing the index."""
    where = own_sums(viewer)
    return where if where in (ALL, NONE) else Where(f"({where.sql}) IS TRUE", where.values)


# What waits for a review, or was refused by one, is its reviewers' to see alone.
_HELD_BACK = (
    "EXISTS (SELECT 1 FROM reviews r WHERE r.generation=generations.id AND r.state IN ('due', 'waiting', 'refused'))"
)


def public(viewer: Rights) -> Where:
    """Of `generations`: what was not made privately and is not held back, or may be seen all the same."""
    if viewer.operates:
        return ALL
    shown = either(Where("private=0", {}), any_of("person", viewer.persons, "private_of"))
    shown = Where(f"({shown.sql} AND NOT {_HELD_BACK})", shown.values)
    return either(shown, any_of("space", viewer.spaces, "private_in")) if viewer.kind == SPACE else shown


def held_back(connection: Connection, viewer: Rights, generation: Row) -> bool:
    """Whether its pictures must not be shown, although its words may."""
    if viewer.operates or (viewer.kind == SPACE and generation["space"] in viewer.spaces):
        return False
    sql = f"SELECT 1 FROM generations WHERE id=:id AND {_HELD_BACK}"
    return connection.row(sql, id=generation["id"]) is not None


def may_see(viewer: Rights, generation: Row) -> bool:
    """Whether its words and pictures may be shown; the row is one that is in sight."""
    if viewer.operates or not generation["private"] or generation["person"] in viewer.persons:
        return True
    return viewer.kind == SPACE and generation["space"] in viewer.spaces


def may_stop(viewer: Rights, generation: Row) -> bool:
    if viewer.operates or generation["person"] in viewer.persons:
        return True
    return viewer.kind == SPACE and generation["space"] in viewer.spaces


def teams_in_sight(viewer: Rights) -> Where:
    """Of the table `teams`."""
    match viewer.kind:
        case "operator":
            return ALL
        case "space":
            return either(any_of("space", viewer.spaces, "home"), any_of("id", viewer.teams, "team"))
        case "team":
            return any_of("id", viewer.teams, "team")
        case _:
            members = any_of("person", viewer.persons, "member")
            if members is NONE:
                return NONE
            return Where(f"id IN (SELECT team FROM team_members WHERE {members.sql})", members.values)


def concerns(viewer: Rights, account: str) -> bool:
    """Whether an account of the books is this viewer's business: pools they answer for, and the shares out of them."""
    return (
        viewer.operates
        or any(account == own or account.startswith(f"share:{own}/") for own in pools(viewer))
        or (any(account == f"person:{own}" or account.endswith(f"/{own}") for own in viewer.persons))
    )


def pools(viewer: Rights) -> tuple[str, ...]:
    """The names of the pools that a space's admin or a team's owner answers for."""
    spaces = tuple(f"space:{each}" for each in viewer.spaces) if viewer.kind == SPACE else ()
    teams = tuple(f"team:{each}" for each in viewer.teams) if viewer.kind in (SPACE, TEAM) else ()
    return spaces + teams


def only_operator(viewer: Rights) -> None:
    if not viewer.operates:
        raise not_yours()


def not_yours() -> NotAllowed:
    return NotAllowed(text("This page is not for you."))


def _home_teams(column: str, viewer: Rights) -> Where:
    own = any_of(column, viewer.teams, "team")
    home = any_of("space", viewer.spaces, "home")
    if home is NONE:
        return own
    return either(own, Where(f"{column} IN (SELECT id FROM teams WHERE {home.sql})", home.values))

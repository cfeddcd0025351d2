"""Who uses the bot, and what one of them used: people with all their linked accounts as one."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bot.chat import AccountLine
from bot.errors import NotThere, UsageError
from bot.i18n import text
from bot.ops.board.humans import Account, like, linked, storable
from bot.ops.board.pictures import Shot, shots_of
from bot.ops.board.rights import OPERATOR, PERSON, SPACE, Rights, in_sight, own_sums, pools, teams_in_sight
from bot.ops.board.spending import HUMAN, Spent, Sums, days, own_sums_by, step_of
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.quota.usage import sums_by
from bot.storage.connection import Connection, Row

PAGE = 50
NEWEST = 12
SORTS = {
    "name": "lower(name)",
    "requests": "requests",
    "failed": "failed",
    "images": "images",
    "usd": "usd",
    "seen": "seen",
}
_SUMS = "sum(requests) AS requests, sum(failed) AS failed, sum(images) AS images, sum(usd) AS usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Human:
    """One person, linked accounts and all. id: theirs, or what the linked ones have in common. seen: the last day on
    which they asked for something in the time that was asked for, "" for none.
    """

    id: str
    name: str
    accounts: int
    sums: Sums
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """next: what asks for the page behind this one, "" where there is none. known: how many there are in all."""

    rows: tuple[Human, ...]
    known: int
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """lines: what they may still use, as far as it is the viewer's. days: what they used, as `Spend` has it by day."""

    id: str
    name: str
    accounts: tuple[Account, ...]
    teams: tuple[str, ...]
    lines: tuple[AccountLine, ...]
    total: Sums
    days: tuple[Spent, ...]
    newest: tuple[Shot, ...]
    step: str = "day"


def people(
    connection: Connection,
    viewer: Rights,
    since: str,
    until: str,
    *,
    sort: str = "usd",
    desc: bool = True,
    search: str = "",
    page: str = "",
) -> People:
    """Everybody in sight. The operator also sees those who used nothing; page: as `People.next` said."""
    if sort not in SORTS:
        raise UsageError(text("There is no such order; there are: {names}.", names=", ".join(SORTS)))
    since, until = days(since, until)
    parts, values = own_sums_by(connection, viewer, "person", since, until)
    all_people = "LEFT JOIN" if viewer.operates else "JOIN"
    used = f"SELECT key, {_SUMS}, max(seen) AS seen FROM ({parts}) s GROUP BY key"
    human = HUMAN.replace("u.key", "p.id")
    listed = (
        f"SELECT {human} AS id, min(p.name) AS name, count(*) AS accounts, coalesce(sum(u.requests), 0) AS requests,"
        " coalesce(sum(u.failed), 0) AS failed, coalesce(sum(u.images), 0) AS images, coalesce(sum(u.usd), 0) AS usd,"
        f" coalesce(max(u.seen), '') AS seen FROM people p {all_people} ({used}) u ON u.key=p.id GROUP BY 1"
    )
    if search:
        values["like"] = like(search)
    key, direction, beyond = SORTS[sort], "DESC" if desc else "ASC", "<" if desc else ">"
    found = f"SELECT h.*, {key} AS place, count(*) OVER () AS known FROM ({listed}) h"
    if search:
        found += " WHERE lower(name) LIKE lower(:like) ESCAPE '!'"
    further = ""
    if page:
        values["last"], values["last_id"] = _place(page, sort)
        further = f"WHERE (place, id) {beyond} (:last, :last_id)"
    rows = connection.rows(
        f"SELECT * FROM ({found}) c {further} ORDER BY place {direction}, id {direction} LIMIT :most",
        most=PAGE + 1,
        **values,
    )
    kept = rows[:PAGE]
    next_page = json.dumps([kept[-1]["place"], kept[-1]["id"]]) if len(rows) > PAGE else ""
    return People(rows=tuple(_human(row) for row in kept), known=rows[0]["known"] if rows else 0, next=next_page)


def person(connection: Connection, viewer: Rights, id: str, since: str, until: str, rules: Rules) -> Dossier:
    """Raises `NotThere` for whoever is out of sight, too: nobody learns who else there is, or where else."""
    since, until = days(since, until)
    everywhere = linked(connection, id)
    known = dict.fromkeys(each.person for each in everywhere)
    names = tuple(each for each in known if _is_in_sight(connection, viewer, (each,)))
    if not names or (id in known and id not in names):
        raise NotThere(text("There is nobody with the id {id}.", id=id[:40]))
    accounts = tuple(each for each in everywhere if each.person in names)
    where = own_sums(viewer)
    their, values = _of(names)
    step = step_of(since, until)
    parts, of_days = sums_by(connection, step, since, until, f"{their} AND {where.sql}", persons=True)
    used = connection.rows(
        f"SELECT key, {_SUMS} FROM ({parts}) u GROUP BY key ORDER BY key", **values, **where.values, **of_days
    )
    every = tuple(Spent(key=row["key"], name=row["key"], sums=Sums.of(row)) for row in used)
    teams = _teams(connection, viewer, names)
    return Dossier(
        id=id,
        name=accounts[0].name,
        accounts=accounts,
        teams=tuple(teams.values()),
        lines=(
            *ledger.account_lines(connection, _purses(connection, viewer, names, teams, since), rules),
            *ledger.given_lines(connection, names, _pools(viewer, names, teams), rules.at),
        ),
        total=Sums(
            requests=sum(each.sums.requests for each in every),
            failed=sum(each.sums.failed for each in every),
            images=sum(each.sums.images for each in every),
            usd=sum(each.sums.usd for each in every),
        ),
        days=every,
        newest=shots_of(connection, viewer, names, NEWEST),
        step=step,
    )


def _place(page: str, sort: str) -> tuple[str | int, str]:
    with suppress(ValueError):
        match json.loads(page):
            case [str(last), str(id)] if sort in ("name", "seen") and storable(last) and storable(id):
                return last, id
            case [last, str(id)] if sort not in ("name", "seen") and type(last) is int and storable(id):
                if abs(last) < 2**63:
                    return last, id
    raise UsageError(text("There is no such page."))


def _human(row: Row) -> Human:
    return Human(id=row["id"], name=row["name"], accounts=row["accounts"], sums=Sums.of(row), seen=row["seen"])


def _of(persons: tuple[str, ...]) -> tuple[str, Mapping[str, str]]:
    values = {f"of{number}": each for number, each in enumerate(persons)}
    return f"person IN ({', '.join(f':{name}' for name in values)})", values


def _is_in_sight(connection: Connection, viewer: Rights, persons: tuple[str, ...]) -> bool:
    if viewer.kind == OPERATOR or set(persons) & set(viewer.persons):
        return True
    if viewer.kind == PERSON:
        return False
    if _teams(connection, viewer, persons):
        return True
    their, values = _of(persons)
    where = in_sight(viewer)
    row = connection.row(f"SELECT 1 FROM generations WHERE {their} AND {where.sql} LIMIT 1", **values, **where.values)
    return row is not None


def _teams(connection: Connection, viewer: Rights, persons: tuple[str, ...]) -> dict[str, str]:
    """Those in sight of which they are members, by id."""
    their, values = _of(persons)
    where = teams_in_sight(viewer)
    rows = connection.rows(
        f"SELECT id, name FROM teams WHERE closed_at=0 AND id IN (SELECT team FROM team_members WHERE {their})"
        f" AND {where.sql} ORDER BY name",
        **values,
        **where.values,
    )
    return {row["id"]: row["name"] for row in rows}


def _pools(viewer: Rights, persons: tuple[str, ...], teams: Mapping[str, str]) -> list[str] | None:
    """Those of which what was given out of them is the viewer's business; None for all."""
    if viewer.operates or set(persons) & set(viewer.persons):
        return None
    return [*pools(viewer), *(f"team:{team}" for team in teams)]


def _purses(
    connection: Connection, viewer: Rights, persons: tuple[str, ...], teams: Mapping[str, str], since: str
) -> list[str]:
    """The accounts of theirs that are the viewer's business: an admin's and an owner's are the shares they give."""
    shares = [f"share:team:{team}/{each}" for team in teams for each in persons]
    if viewer.kind == SPACE:
        return [f"share:space:{space}/{each}" for space in viewer.spaces for each in persons] + shares
    if not viewer.operates and not set(persons) & set(viewer.persons):
        return shares
    their, values = _of(persons)
    rows = connection.rows(
        f"SELECT DISTINCT space, person FROM person_months WHERE seen>=:since AND {their}", since=since, **values
    )
    spaces = sorted(f"share:space:{row['space']}/{row['person']}" for row in rows)
    return [f"person:{each}" for each in persons] + spaces + shares

"""The pools: everybody's, the spaces' and the teams', with what is used, held and left of each."""

from dataclasses import dataclass

from bot.chat import AccountLine
from bot.ops.board.rights import OPERATOR, SPACE, Rights, teams_in_sight
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.quota.usage import month_of
from bot.storage.connection import Connection

MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """account: its name in the books. kind: "all", "space" or "team"; name: what a team is called, else its id."""

    account: str
    kind: str
    name: str
    members: int
    lines: tuple[AccountLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The most used first; more: there are others that nobody has used since."""

    rows: tuple[Pool, ...]
    more: bool


def pools(connection: Connection, viewer: Rights, since: str, rules: Rules) -> Pools:
    """since: the day from whose month on their use is compared."""
    found = [("all", "all", "", 0)] if viewer.kind == OPERATOR else []
    spaces, more_spaces = _spaces(connection, viewer, since)
    teams, more_teams = _teams(connection, viewer)
    found += spaces + teams
    lines: dict[str, list[AccountLine]] = {}
    for line in ledger.account_lines(connection, [account for account, *_ in found], rules):
        lines.setdefault(line.account, []).append(line)
    return Pools(
        rows=tuple(
            Pool(account=account, kind=kind, name=name, members=members, lines=tuple(lines.get(account, ())))
            for account, kind, name, members in found
        ),
        more=more_spaces or more_teams,
    )


def _spaces(connection: Connection, viewer: Rights, since: str) -> tuple[list[tuple[str, str, str, int]], bool]:
    if viewer.kind == SPACE:
        names = list(viewer.spaces)
        return [(f"space:{each}", "space", each, 0) for each in names[:MOST]], len(names) > MOST
    if viewer.kind != OPERATOR:
        return [], False
    rows = connection.rows(
        "SELECT space, sum(usd) AS usd FROM usage_months WHERE month>=:month GROUP BY space"
        " ORDER BY usd DESC, space LIMIT :most",
        month=month_of(since),
        most=MOST + 1,
    )
    return [(f"space:{row['space']}", "space", row["space"], 0) for row in rows[:MOST]], len(rows) > MOST


def _teams(connection: Connection, viewer: Rights) -> tuple[list[tuple[str, str, str, int]], bool]:
    where = teams_in_sight(viewer)
    rows = connection.rows(
        f"SELECT id, name, (SELECT count(DISTINCT m.person) FROM team_members m WHERE m.team=teams.id) AS members"
        f" FROM teams WHERE closed_at=0 AND {where.sql} ORDER BY name, id LIMIT :most",
        most=MOST + 1,
        **where.values,
    )
    return [(f"team:{row['id']}", "team", row["name"], row["members"]) for row in rows[:MOST]], len(rows) > MOST

"""Proves the books: entries, balances, holds and generations must tell the same story; so must grants and teams."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.storage.connection import Connection

_POOL = "(account='all' OR account LIKE 'space:%' OR account LIKE 'team:%')"
_OWN = "(account LIKE 'person:%' OR account LIKE 'share:%')"

# Each query finds rows that must not exist; the sentence says what is wrong with one. The first needs every entry.
_CHECKS = (
    (
        "{account} {unit}: balance held {held}, spent {spent}, but its entries add up to {entry_held}, {entry_spent}",
        "SELECT b.account, b.unit, b.held, b.spent, coalesce(e.held, 0) AS entry_held,"
        " coalesce(e.spent, 0) AS entry_spent"
        " FROM balances b LEFT JOIN (SELECT account, unit, sum(held) AS held, sum(spent) AS spent FROM {entries}"
        " GROUP BY account, unit) e ON e.account=b.account AND e.unit=b.unit"
        " WHERE b.win='total' AND (b.held <> coalesce(e.held, 0) OR b.spent <> coalesce(e.spent, 0))",
    ),
    (
        "{account} {unit} in {win} {period}: balance held {held}, spent {spent}, but its entries add up to {entry_held}"
        " and {entry_spent}",
        "SELECT b.account, b.unit, b.win, b.period, b.held, b.spent, coalesce(e.held, 0) AS entry_held,"
        " coalesce(e.spent, 0) AS entry_spent FROM balances b LEFT JOIN ("
        # First by what a hold says of all three: that are few, whatever is joined with them.
        "WITH s AS MATERIALIZED ("
        "SELECT h.account, h.unit, h.day, h.week, h.month, sum(e.held) AS held, sum(e.spent) AS spent"
        " FROM {entries} e JOIN {holds} h ON h.generation=e.generation AND h.account=e.account AND h.unit=e.unit"
        " GROUP BY h.account, h.unit, h.day, h.week, h.month)"
        " SELECT s.account, s.unit, w.win, CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END"
        " AS period, sum(s.held) AS held, sum(s.spent) AS spent FROM s"
        " CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'week' UNION ALL SELECT 'month') w"
        " GROUP BY s.account, s.unit, w.win, CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END"
        ") e ON e.account=b.account AND e.unit=b.unit AND e.win=b.win AND e.period=b.period"
        " WHERE b.win<>'total' AND {in_full}"
        " AND (b.held <> coalesce(e.held, 0) OR b.spent <> coalesce(e.spent, 0))",
    ),
    (
        "{account} {unit}: entries exist, but no balance",
        "SELECT DISTINCT e.account, e.unit FROM {entries} e"
        " LEFT JOIN balances b ON b.account=e.account AND b.unit=e.unit AND b.win='total' WHERE b.account IS NULL",
    ),
    (
        "{account} {unit}: {generation} counts in {win} {period}, but there is no balance",
        "SELECT s.generation, s.account, s.unit, w.win,"
        " CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END AS period FROM ("
        "SELECT min(generation) AS generation, account, unit, day, week, month FROM {holds} h"
        " GROUP BY account, unit, day, week, month) s"
        " CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'week' UNION ALL SELECT 'month') w"
        " LEFT JOIN balances b ON b.account=s.account AND b.unit=s.unit AND b.win=w.win"
        " AND b.period=CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END"
        " WHERE b.account IS NULL",
    ),
    (
        "{account} {unit}: an entry ({kind}) of {generation} belongs to no hold",
        "SELECT e.account, e.unit, e.kind, e.generation FROM {entries} e LEFT JOIN {holds} h"
        " ON h.generation=e.generation AND h.account=e.account AND h.unit=e.unit WHERE h.generation IS NULL",
    ),
    (
        "{account} {unit} in {win} {period}: held {held} or spent {spent} is below zero",
        "SELECT account, unit, win, period, held, spent FROM balances WHERE held < 0 OR spent < 0",
    ),
    (
        "{generation} on {account} {unit}: the hold says {amount}, its entries {entry_held}",
        "SELECT h.generation, h.account, h.unit, h.amount, coalesce(sum(e.held), 0) AS entry_held FROM {holds} h"
        " LEFT JOIN {entries} e ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit"
        " GROUP BY h.generation, h.account, h.unit, h.amount HAVING h.amount <> coalesce(sum(e.held), 0)",
    ),
    (
        "{generation} on {account} {unit}: there is a hold, but no entry tells of it",
        "SELECT h.generation, h.account, h.unit FROM {holds} h WHERE NOT EXISTS (SELECT 1 FROM {entries} e"
        " WHERE e.generation=h.generation AND e.account=h.account AND e.unit=h.unit)",
    ),
    (
        "{generation} on {account} {unit}: the hold is closed, but {amount} is still held",
        "SELECT generation, account, unit, amount FROM {holds} WHERE state='closed' AND amount<>0",
    ),
    (
        "{id} is {state}, but {account} holds {amount} for it as possibly billed",
        "SELECT g.id, g.state, h.account, h.amount FROM {holds} h JOIN {generations} g ON g.id=h.generation"
        " WHERE h.state='possible' AND g.state NOT IN ('settled', 'unknown')",
    ),
    (
        "{id} is {state}, but has {open} open holds",
        "SELECT g.id, g.state, count(h.generation) AS open FROM {generations} g"
        " LEFT JOIN {holds} h ON h.generation=g.id AND h.state='held' GROUP BY g.id, g.state HAVING"
        " (g.state IN ('queued','running','sending','submitted') AND count(h.generation)=0)"
        " OR (g.state IN ('asked','settled','failed','refused','cancelled','unknown') AND count(h.generation)>0)",
    ),
    (
        "{id} was charged for {charged} pictures, but the account of all says {spent}",
        "SELECT g.id, g.charged, coalesce(sum(e.spent), 0) AS spent FROM {generations} g LEFT JOIN {entries} e"
        " ON e.generation=g.id AND e.account='all' AND e.unit='images'"
        " AND e.kind='settle' GROUP BY g.id, g.charged HAVING g.charged <> coalesce(sum(e.spent), 0)",
    ),
    (
        "{generation} {unit} ({kind}): pools say {least_pool} to {most_pool}, what is the person's own {least_own} to"
        " {most_own}, and grants {given}, the operator's {operators}",
        "SELECT * FROM (SELECT generation, kind, unit,"
        f" min(CASE WHEN {_POOL} THEN n END) AS least_pool, max(CASE WHEN {_POOL} THEN n END) AS most_pool,"
        f" min(CASE WHEN {_OWN} THEN n END) AS least_own, max(CASE WHEN {_OWN} THEN n END) AS most_own,"
        " coalesce(sum(CASE WHEN account LIKE 'grant:%' THEN n END), 0) AS given,"
        " coalesce(sum(CASE WHEN account IN (SELECT 'grant:' || CAST(seq AS TEXT) FROM grants WHERE pool='all')"
        " THEN n END), 0) AS operators"
        " FROM (SELECT generation, kind, unit, account, CASE kind WHEN 'hold' THEN held ELSE spent END AS n"
        " FROM {entries} WHERE kind IN ('hold', 'settle')) told GROUP BY generation, kind, unit) summed"
        # What the operator limited holds more than the rest of the person's: only the operator's grants stand in there.
        " WHERE least_pool<>most_pool OR least_own+given<>least_pool"
        " OR most_own NOT IN (least_own, least_pool-operators)",
    ),
    (
        "{generation} on {account} {unit}: {refunded} were given back of {spent} that were charged",
        "SELECT * FROM (SELECT generation, account, unit, sum(CASE WHEN kind='refund' THEN 1 ELSE 0 END) AS refunds,"
        " -sum(CASE WHEN kind='refund' THEN spent ELSE 0 END) AS refunded,"
        " sum(CASE WHEN kind='settle' THEN spent ELSE 0 END) AS spent,"
        " sum(CASE WHEN kind='charge' THEN spent ELSE 0 END) AS later"
        " FROM {entries} GROUP BY generation, account, unit) told"
        " WHERE refunds>0 AND refunded<>spent AND refunded<>spent+later",
    ),
    (
        "{id} was refunded, but no entry tells of it",
        "SELECT g.id FROM {generations} g WHERE g.refunded_at>0"
        " AND NOT EXISTS (SELECT 1 FROM {entries} e WHERE e.generation=g.id AND e.kind='refund')",
    ),
    (
        "an entry tells that {id} was refunded, but it was not",
        "SELECT DISTINCT g.id FROM {entries} e JOIN {generations} g ON g.id=e.generation"
        " WHERE e.kind='refund' AND g.refunded_at=0",
    ),
    (
        "{account} {unit}: held {held} and spent {spent}, but {amount} {given} were given",
        "SELECT b.account, b.unit, b.held, b.spent, coalesce(g.amount, 0) AS amount, coalesce(g.unit, b.unit) AS given"
        " FROM balances b LEFT JOIN grants g ON b.account='grant:' || CAST(g.seq AS TEXT)"
        " WHERE b.account LIKE 'grant:%' AND b.win='total'"
        " AND (g.seq IS NULL OR b.unit<>g.unit OR b.held+b.spent>g.amount)",
    ),
    (
        "{account}: there is no such team",
        "SELECT DISTINCT b.account FROM balances b WHERE b.account LIKE 'team:%'"
        " AND NOT EXISTS (SELECT 1 FROM teams t WHERE b.account='team:' || t.id)",
    ),
    (
        "{generation} is for the team {team}, but holds on {account}",
        "SELECT h.generation, h.account, g.team FROM {holds} h JOIN {generations} g ON g.id=h.generation"
        " WHERE h.account LIKE 'team:%' AND h.account<>'team:' || g.team",
    ),
    (
        "{id} is for the team {team}, but holds nothing of it",
        "SELECT g.id, g.team FROM {generations} g WHERE g.team<>''"
        " AND EXISTS (SELECT 1 FROM {holds} h WHERE h.generation=g.id)"
        " AND NOT EXISTS (SELECT 1 FROM {holds} h WHERE h.generation=g.id AND h.account='team:' || g.team)",
    ),
    (
        "{account}: a share of a pool on which {generation} does not draw",
        "SELECT h.account, h.generation FROM {holds} h WHERE h.account LIKE 'share:%' AND NOT EXISTS ("
        "SELECT 1 FROM {holds} p WHERE p.generation=h.generation AND p.unit=h.unit"
        " AND h.account LIKE 'share:' || p.account || '/%')",
    ),
    (
        "{id} is linked to nobody",
        "SELECT min(id) AS id FROM people WHERE linked<>'' GROUP BY linked HAVING count(*)=1",
    ),
    (
        "{generation} holds {amount} {unit} on {account}, but there is no such generation",
        "SELECT h.generation, h.amount, h.unit, h.account FROM {holds} h LEFT JOIN {generations} g ON g.id=h.generation"
        " WHERE g.id IS NULL AND h.state<>'closed'",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The outcome of an audit; `problems` is empty when everything agrees."""

    problems: tuple[str, ...]
    accounts: int
    entries: int
    held: int
    possible: int


_ALL = {"entries": "entries", "holds": "holds", "generations": "generations", "in_full": "1=1"}
_RECENT = {name: f"recent_{name}" for name in ("entries", "holds", "generations")} | {
    "in_full": "b.win='day' AND b.period>=:day"
}
_TOUCHED = "IN (SELECT generation FROM entries WHERE at>=:since)"
_OF_RECENT = (
    f"WITH recent_entries AS (SELECT * FROM entries WHERE generation {_TOUCHED}),"
    f" recent_holds AS (SELECT * FROM holds WHERE generation {_TOUCHED}),"
    f" recent_generations AS (SELECT * FROM generations WHERE id {_TOUCHED}) "
)
RECENT = timedelta(days=4)
_KEPT = "books"  # a row of `meta`


def recent(connection: Connection, now: datetime) -> tuple[str, ...]:
    """What is wrong with all that was held, charged or given back in the last days, and with the days' sums.

    In a moment, however old the books are; `verify` proves all of them.
    """
    values = {
        "since": round((now - RECENT).timestamp() * 1_000_000),
        # Whatever the zone, everything that counts in such a day was held since.
        "day": (now - RECENT + timedelta(days=2)).strftime("%Y-%m-%d"),
    }
    return tuple(
        words.format_map(dict(row))
        for words, sql in _CHECKS[1:]
        for row in connection.rows(_OF_RECENT + sql.format_map(_RECENT), **values)
    )


def keep(connection: Connection, problems: Sequence[str]) -> None:
    """Have it known to every process what a look at the books found."""
    row = connection.row("SELECT value FROM meta WHERE name=:name", name=_KEPT)
    found = problems[0] if problems else ""
    if found != (row["value"] if row else ""):
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (:name, :found) ON CONFLICT (name) DO UPDATE SET value=:found",
            name=_KEPT,
            found=found,
        )


def kept(connection: Connection) -> str:
    """The first of what the last look found, "" where the books agreed."""
    row = connection.row("SELECT value FROM meta WHERE name=:name", name=_KEPT)
    return str(row["value"]) if row else ""


def verify(connection: Connection) -> Books:
    """Compare every sum with every other; reads only."""
    problems = tuple(
        words.format_map(dict(row)) for words, sql in _CHECKS for row in connection.rows(sql.format_map(_ALL))
    )

    def number(sql: str) -> int:
        row = connection.row(sql)
        return int(row["n"]) if row else 0

    return Books(
        problems=problems,
        accounts=number("SELECT count(DISTINCT account) AS n FROM balances"),
        entries=number("SELECT count(*) AS n FROM entries"),
        held=number("SELECT count(*) AS n FROM holds WHERE state='held'"),
        possible=number("SELECT count(DISTINCT generation) AS n FROM holds WHERE state='possible'"),
    )

"""Proves the books: entries, balances, holds and generations must tell the same story."""

from dataclasses import dataclass

from bot.storage.connection import Connection

# Each query finds rows that must not exist; the sentence says what is wrong with one.
_CHECKS = (
    (
        "{account} {unit}: balance held {held}, spent {spent}, but its entries add up to {entry_held}, {entry_spent}",
        "SELECT b.account, b.unit, b.held, b.spent, coalesce(e.held, 0) AS entry_held,"
        " coalesce(e.spent, 0) AS entry_spent"
        " FROM balances b LEFT JOIN (SELECT account, unit, sum(held) AS held, sum(spent) AS spent FROM entries"
        " GROUP BY account, unit) e ON e.account=b.account AND e.unit=b.unit"
        " WHERE b.win='total' AND (b.held <> coalesce(e.held, 0) OR b.spent <> coalesce(e.spent, 0))",
    ),
    (
        "{account} {unit} in {win} {period}: balance held {held}, spent {spent}, but its entries add up to {entry_held}"
        " and {entry_spent}",
        "SELECT b.account, b.unit, b.win, b.period, b.held, b.spent, coalesce(e.held, 0) AS entry_held,"
        " coalesce(e.spent, 0) AS entry_spent FROM balances b LEFT JOIN ("
        "SELECT h.account, h.unit, w.win,"
        " CASE w.win WHEN 'day' THEN h.day WHEN 'week' THEN h.week ELSE h.month END AS period,"
        " sum(e.held) AS held, sum(e.spent) AS spent FROM entries e JOIN holds h ON h.generation=e.generation"
        " AND h.account=e.account AND h.unit=e.unit"
        " CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'week' UNION ALL SELECT 'month') w"
        " GROUP BY h.account, h.unit, w.win, period"
        ") e ON e.account=b.account AND e.unit=b.unit AND e.win=b.win AND e.period=b.period"
        " WHERE b.win<>'total' AND (b.held <> coalesce(e.held, 0) OR b.spent <> coalesce(e.spent, 0))",
    ),
    (
        "{account} {unit}: entries exist, but no balance",
        "SELECT DISTINCT e.account, e.unit FROM entries e LEFT JOIN balances b ON b.account=e.account AND b.unit=e.unit"
        " AND b.win='total' WHERE b.account IS NULL",
    ),
    (
        "{account} {unit}: {generation} counts in {win} {period}, but there is no balance",
        "SELECT min(h.generation) AS generation, h.account, h.unit, w.win,"
        " CASE w.win WHEN 'day' THEN h.day WHEN 'week' THEN h.week ELSE h.month END AS period FROM holds h"
        " CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'week' UNION ALL SELECT 'month') w"
        " LEFT JOIN balances b ON b.account=h.account AND b.unit=h.unit AND b.win=w.win"
        " AND b.period=CASE w.win WHEN 'day' THEN h.day WHEN 'week' THEN h.week ELSE h.month END"
        " WHERE b.account IS NULL GROUP BY h.account, h.unit, w.win,"
        " CASE w.win WHEN 'day' THEN h.day WHEN 'week' THEN h.week ELSE h.month END",
    ),
    (
        "{account} {unit}: an entry ({kind}) of {generation} belongs to no hold",
        "SELECT e.account, e.unit, e.kind, e.generation FROM entries e LEFT JOIN holds h ON h.generation=e.generation"
        " AND h.account=e.account AND h.unit=e.unit WHERE h.generation IS NULL",
    ),
    (
        "{account} {unit} in {win} {period}: held {held} or spent {spent} is below zero",
        "SELECT account, unit, win, period, held, spent FROM balances WHERE held < 0 OR spent < 0",
    ),
    (
        "{generation} on {account} {unit}: the hold says {amount}, its entries {entry_held}",
        "SELECT h.generation, h.account, h.unit, h.amount, coalesce(sum(e.held), 0) AS entry_held FROM holds h"
        " LEFT JOIN entries e ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit"
        " GROUP BY h.generation, h.account, h.unit, h.amount HAVING h.amount <> coalesce(sum(e.held), 0)",
    ),
    (
        "{generation} on {account} {unit}: there is a hold, but no entry tells of it",
        "SELECT h.generation, h.account, h.unit FROM holds h WHERE NOT EXISTS (SELECT 1 FROM entries e"
        " WHERE e.generation=h.generation AND e.account=h.account AND e.unit=h.unit)",
    ),
    (
        "{generation} on {account} {unit}: the hold is closed, but {amount} is still held",
        "SELECT generation, account, unit, amount FROM holds WHERE state='closed' AND amount<>0",
    ),
    (
        "{id} is {state}, but {account} holds {amount} for it as possibly billed",
        "SELECT g.id, g.state, h.account, h.amount FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE h.state='possible' AND g.state NOT IN ('settled', 'unknown')",
    ),
    (
        "{id} is {state}, but has {open} open holds",
        "SELECT g.id, g.state, count(h.generation) AS open FROM generations g LEFT JOIN holds h ON h.generation=g.id"
        " AND h.state='held' GROUP BY g.id, g.state HAVING"
        " (g.state IN ('queued','running','sending','submitted') AND count(h.generation)=0)"
        " OR (g.state IN ('asked','settled','failed','refused','cancelled','unknown') AND count(h.generation)>0)",
    ),
    (
        "{id} was charged for {charged} pictures, but its maker's account says {spent}",
        "SELECT g.id, g.charged, coalesce(sum(e.spent), 0) AS spent FROM generations g LEFT JOIN entries e"
        " ON e.generation=g.id AND e.account='person:' || g.person AND e.unit='images'"
        " AND e.kind='settle' GROUP BY g.id, g.charged HAVING g.charged <> coalesce(sum(e.spent), 0)",
    ),
    (
        "{generation} holds {amount} {unit} on {account}, but there is no such generation",
        "SELECT h.generation, h.amount, h.unit, h.account FROM holds h LEFT JOIN generations g ON g.id=h.generation"
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


def verify(connection: Connection) -> Books:
    """Compare every sum with every other; reads only."""
    problems = tuple(words.format_map(dict(row)) for words, sql in _CHECKS for row in connection.rows(sql))

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

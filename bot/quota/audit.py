"""Proves the books: entries, balances, holds and generations must tell the same story; so must grants and teams.

Whatever belongs to one generation is proven by itself, some thousands at a time; what accounts have in all and in each
window is added up on the way and compared at the end. So each table is gone through once, and what is kept in memory
grows with the balances only, not with the generations.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.quota import usage
from bot.quota.limits import UNITS
from bot.quota.windows import WINDOWS
from bot.storage.connection import Connection, Row

Check = tuple[str, str]
"""The sentence, and the query that finds rows which must not exist. `{touched}` are the generations that are looked at.
"""
Progress = Callable[[int, int], object]
"""Told how many generations are proven, of how many."""

SLICE = 20_000  # generations that are proven at once: what is sorted for them fits into memory

_POOL = "(account='all' OR account LIKE 'space:%' OR account LIKE 'team:%')"
_OWN = "(account LIKE 'person:%' OR account LIKE 'share:%')"
_OFF = "{account} {unit}: balance held {held}, spent {spent}, but its entries add up to {entry_held}, {entry_spent}"
_OFF_IN_WINDOW = (
    "{account} {unit} in {win} {period}: balance held {held}, spent {spent}, but its entries add up to {entry_held}"
    " and {entry_spent}"
)
_N = "CASE kind WHEN 'hold' THEN held ELSE spent END"
_UNEVEN = " OR ".join(
    (
        *(f"min(CASE unit WHEN '{unit}' THEN {_N} END)<>max(CASE unit WHEN '{unit}' THEN {_N} END)" for unit in UNITS),
        "max(CASE WHEN account LIKE 'grant:%' THEN 1 ELSE 0 END)=1",
    )
)
_MISCOUNTED = (
    "{person} in {space}, team {team}, {model} of {provider} through {adapter}: the days count {requests} requests,"
    " {failed} failed, {images} pictures and {usd} micro-USD, but there were {least} to {most}, {failures},"
    " {charged} and {cost}"
)

# All that is added up, in one pass. odd: holds that are at variance with their entries; `_UNLIKE` says in what.
_SUMS = """
WITH later AS MATERIALIZED (
  SELECT generation, account, unit, sum(held) AS held, sum(spent) AS spent, count(*) AS entries FROM entries
  WHERE kind NOT IN ('hold', 'settle') AND generation {touched} GROUP BY generation, account, unit
)
SELECT account, unit, day, week, month, sum(held) AS held, sum(spent) AS spent, sum(entries) AS entries,
count(*) AS holds, sum(open) AS open,
sum(CASE WHEN entries=0 OR amount<>held OR (state='closed' AND amount<>0) THEN 1 ELSE 0 END) AS odd
FROM (
  SELECT h.account, h.unit, h.day, h.week, h.month, h.amount, h.state,
  coalesce(a.held, 0)+coalesce(s.held, 0)+coalesce(l.held, 0) AS held,
  coalesce(a.spent, 0)+coalesce(s.spent, 0)+coalesce(l.spent, 0) AS spent,
  CASE WHEN a.held IS NULL THEN 0 ELSE 1 END+CASE WHEN s.held IS NULL THEN 0 ELSE 1 END+coalesce(l.entries, 0)
  AS entries, CASE WHEN h.state='held' THEN 1 ELSE 0 END AS open
  FROM holds h
  LEFT JOIN entries a ON a.generation=h.generation AND a.kind='hold' AND a.account=h.account AND a.unit=h.unit
  LEFT JOIN entries s ON s.generation=h.generation AND s.kind='settle' AND s.account=h.account AND s.unit=h.unit
  LEFT JOIN later l ON l.generation=h.generation AND l.account=h.account AND l.unit=h.unit
  WHERE h.generation {touched}
) told GROUP BY account, unit, day, week, month
"""

# What a hold says and what its entries say.
_UNLIKE: tuple[Check, ...] = (
    (
        "{generation} on {account} {unit}: the hold says {amount}, its entries {entry_held}",
        "SELECT h.generation, h.account, h.unit, h.amount, coalesce(sum(e.held), 0) AS entry_held FROM holds h"
        " LEFT JOIN entries e ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit"
        " WHERE h.generation {touched}"
        " GROUP BY h.generation, h.account, h.unit, h.amount HAVING h.amount <> coalesce(sum(e.held), 0)",
    ),
    (
        "{generation} on {account} {unit}: there is a hold, but no entry tells of it",
        "SELECT h.generation, h.account, h.unit FROM holds h WHERE h.generation {touched}"
        " AND NOT EXISTS (SELECT 1 FROM entries e"
        " WHERE e.generation=h.generation AND e.account=h.account AND e.unit=h.unit)",
    ),
    (
        "{generation} on {account} {unit}: the hold is closed, but {amount} is still held",
        "SELECT generation, account, unit, amount FROM holds"
        " WHERE state='closed' AND amount<>0 AND generation {touched}",
    ),
)

_ORPHANS: Check = (
    "{account} {unit}: an entry ({kind}) of {generation} belongs to no hold",
    "SELECT e.account, e.unit, e.kind, e.generation, e.held, e.spent FROM entries e LEFT JOIN holds h"
    " ON h.generation=e.generation AND h.account=e.account AND h.unit=e.unit"
    " WHERE h.generation IS NULL AND e.generation {touched}",
)

_MISSING: tuple[Check, ...] = (
    (
        "{account} {unit}: entries exist, but no balance",
        "SELECT DISTINCT e.account, e.unit FROM entries e"
        " LEFT JOIN balances b ON b.account=e.account AND b.unit=e.unit AND b.win='total'"
        " WHERE b.account IS NULL AND e.generation {touched}",
    ),
    (
        "{account} {unit}: {generation} counts in {win} {period}, but there is no balance",
        "SELECT s.generation, s.account, s.unit, w.win,"
        " CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END AS period FROM ("
        "SELECT min(generation) AS generation, account, unit, day, week, month FROM holds WHERE generation {touched}"
        " GROUP BY account, unit, day, week, month) s"
        " CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'week' UNION ALL SELECT 'month') w"
        " LEFT JOIN balances b ON b.account=s.account AND b.unit=s.unit AND b.win=w.win"
        " AND b.period=CASE w.win WHEN 'day' THEN s.day WHEN 'week' THEN s.week ELSE s.month END"
        " WHERE b.account IS NULL",
    ),
)

_OF_EACH: tuple[Check, ...] = (
    (
        "{id} is {state}, but {account} holds {amount} for it as possibly billed",
        "SELECT g.id, g.state, h.account, h.amount FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE h.state='possible' AND g.state NOT IN ('settled', 'unknown') AND h.generation {touched}",
    ),
    (
        "{id} is {state}, but has {open} open holds",
        "SELECT g.id, g.state, count(h.generation) AS open FROM generations g"
        " LEFT JOIN holds h ON h.generation=g.id AND h.state='held' WHERE g.id {touched} GROUP BY g.id, g.state HAVING"
        " (g.state IN ('queued','running','sending','submitted') AND count(h.generation)=0)"
        " OR (g.state IN ('asked','settled','failed','refused','cancelled','unknown') AND count(h.generation)>0)",
    ),
    (
        "{id} was charged for {charged} pictures, but the account of all says {spent}",
        "SELECT g.id, g.charged, coalesce(sum(e.spent), 0) AS spent FROM generations g LEFT JOIN entries e"
        " ON e.generation=g.id AND e.account='all' AND e.unit='images' AND e.kind='settle' WHERE g.id {touched}"
        " GROUP BY g.id, g.charged HAVING g.charged <> coalesce(sum(e.spent), 0)",
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
        " FROM entries WHERE kind IN ('hold', 'settle') AND generation IN ("
        # Nearly always everybody takes the same and there is no grant: nothing can be wrong then.
        "SELECT generation FROM entries WHERE kind IN ('hold', 'settle') AND generation {touched}"
        f" GROUP BY generation, kind HAVING {_UNEVEN}"
        ")) told GROUP BY generation, kind, unit) summed"
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
        " FROM entries WHERE generation IN (SELECT generation FROM entries WHERE kind='refund'"
        " AND generation {touched}) GROUP BY generation, account, unit) told"
        " WHERE refunds>0 AND refunded<>spent AND refunded<>spent+later",
    ),
    (
        "{id} was refunded, but no entry tells of it",
        "SELECT g.id FROM generations g WHERE g.refunded_at>0 AND g.id {touched}"
        " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.generation=g.id AND e.kind='refund')",
    ),
    (
        "an entry tells that {id} was refunded, but it was not",
        "SELECT DISTINCT g.id FROM entries e JOIN generations g ON g.id=e.generation"
        " WHERE e.kind='refund' AND e.generation {touched} AND g.refunded_at=0",
    ),
    (
        "{generation} is for the team {team}, but holds on {account}",
        "SELECT h.generation, h.account, g.team FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE h.account LIKE 'team:%' AND h.account<>'team:' || g.team AND h.generation {touched}",
    ),
    (
        "{id} is for the team {team}, but holds nothing of it",
        "SELECT g.id, g.team FROM generations g WHERE g.team<>'' AND g.id {touched}"
        " AND EXISTS (SELECT 1 FROM holds h WHERE h.generation=g.id)"
        " AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.generation=g.id AND h.account='team:' || g.team)",
    ),
    (
        "{account}: a share of a pool on which {generation} does not draw",
        "SELECT h.account, h.generation FROM holds h WHERE h.account LIKE 'share:%' AND h.generation {touched}"
        " AND NOT EXISTS (SELECT 1 FROM holds p WHERE p.generation=h.generation AND p.unit=h.unit"
        " AND h.account LIKE 'share:' || p.account || '/%')",
    ),
    (
        "{generation} holds {amount} {unit} on {account}, but there is no such generation",
        "SELECT h.generation, h.amount, h.unit, h.account FROM holds h LEFT JOIN generations g ON g.id=h.generation"
        " WHERE g.id IS NULL AND h.state<>'closed' AND h.generation {touched}",
    ),
)

# Of whole tables that stay small.
_CHECKS: tuple[Check, ...] = (
    (
        "{account} {unit} in {win} {period}: held {held} or spent {spent} is below zero",
        "SELECT account, unit, win, period, held, spent FROM balances WHERE held < 0 OR spent < 0",
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
        "{id} is linked to nobody",
        "SELECT min(id) AS id FROM people WHERE linked<>'' GROUP BY linked HAVING count(*)=1",
    ),
)

# The sums of months and the days that they are made of. `{touched}` are the months, and the days in them.
_MADE = "adapter || ' ' || provider || ' ' || model"
_OF_DAYS = "-requests, -failed, -images, -usd FROM usage_days WHERE day {touched}"
_MONTHS: Check = (
    "{whose} in {month}, {space}, team {team}: the sums of months differ from those of days by {requests} requests,"
    " {failed} failed, {images} pictures and {usd} micro-USD",
    "SELECT month, space, team, whose, sum(requests) AS requests, sum(failed) AS failed, sum(images) AS images,"
    " sum(usd) AS usd FROM ("
    "SELECT month, space, team, person AS whose, requests, failed, images, usd FROM person_months WHERE month {touched}"
    f" UNION ALL SELECT month, space, team, {_MADE}, requests, failed, images, usd FROM usage_months"
    " WHERE month {touched}"
    f" UNION ALL SELECT substr(day, 1, 7), space, team, person, {_OF_DAYS}"
    f" UNION ALL SELECT substr(day, 1, 7), space, team, {_MADE}, {_OF_DAYS}"
    ") told GROUP BY month, space, team, whose"
    " HAVING sum(requests)<>0 OR sum(failed)<>0 OR sum(images)<>0 OR sum(usd)<>0",
)

_WHOSE = ("space", "team", "person", "adapter", "provider", "model")
_FAILED = f"g.state IN {usage.FAILED}"
# What generations and their entries say of that.
_USED = f"""
SELECT g.space, g.team, g.person, g.adapter, g.provider, g.model,
sum(CASE WHEN g.state='{usage.SETTLED}' OR {_FAILED} THEN 1 ELSE 0 END) AS least,
sum(CASE WHEN g.state='cancelled' THEN 1 ELSE 0 END) AS cancelled, sum(CASE WHEN {_FAILED} THEN 1 ELSE 0 END) AS failed,
sum(coalesce(e.images, 0)) AS images, sum(coalesce(e.usd, 0)) AS usd
FROM generations g LEFT JOIN (
  SELECT generation, sum(CASE unit WHEN 'images' THEN spent ELSE 0 END) AS images,
  sum(CASE unit WHEN 'usd' THEN spent ELSE 0 END) AS usd FROM entries
  WHERE account='all' AND generation {{touched}} GROUP BY generation
) e ON e.generation=g.id
WHERE g.id {{touched}} GROUP BY g.space, g.team, g.person, g.adapter, g.provider, g.model
"""
_COUNTED = """
SELECT space, team, person, adapter, provider, model, sum(requests) AS requests, sum(failed) AS failed,
sum(images) AS images, sum(usd) AS usd FROM usage_days GROUP BY space, team, person, adapter, provider, model
"""

_SLICED = "IN (SELECT id FROM generations WHERE seq>:after AND seq<=:upto)"
_STRAY = "IN (SELECT f.generation FROM holds f LEFT JOIN generations g ON g.id=f.generation WHERE g.id IS NULL)"
_TOUCHED = "IN (SELECT generation FROM entries WHERE at>=:since)"
_ALL = "IS NOT NULL"

RECENT = timedelta(days=4)
_KEPT = "books"  # a row of `meta`


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The outcome of an audit; `problems` is empty when everything agrees."""

    problems: tuple[str, ...]
    accounts: int
    entries: int
    held: int
    possible: int


class _Sums:
    """What the entries of each account and unit add up to, in every window in which they count."""

    def __init__(self) -> None:
        self.entries = self.holds = self.open = 0
        self.odd = False
        self._of: defaultdict[tuple[str, str, str], dict[str, tuple[int, int]]] = defaultdict(dict)

    def add(self, connection: Connection, touched: str, **values: Any) -> None:
        self.odd = False
        for row in connection.rows(_SUMS.format(touched=touched), **values):
            self.entries += int(row["entries"])
            self.holds += row["holds"]
            self.open += int(row["open"])
            self.odd |= row["odd"] > 0
            for window in WINDOWS:
                period = "all" if window == "total" else row[window]
                self.put(row["account"], row["unit"], window, period, int(row["held"]), int(row["spent"]))

    def put(self, account: str, unit: str, window: str, period: str, held: int, spent: int) -> None:
        periods = self._of[account, unit, window]
        before = periods.get(period, (0, 0))
        periods[sys.intern(str(period))] = before[0] + held, before[1] + spent

    def unlike(self, balances: Iterable[Row]) -> Iterator[str]:
        """The balances that say something else. They are taken away: what is `left` has none."""
        for row in balances:
            key = row["account"], row["unit"], row["win"]
            held, spent = self._of[key].pop(row["period"], (0, 0))
            if (held, spent) != (row["held"], row["spent"]):
                words = _OFF if row["win"] == "total" else _OFF_IN_WINDOW
                yield words.format(entry_held=held, entry_spent=spent, **row)

    @property
    def left(self) -> bool:
        return any(self._of.values())


class _Used:
    """What requests came to, by whose they were and who made them: in all, as not every day is known in whose zone."""

    def __init__(self) -> None:
        self._of: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * 5)

    def add(self, connection: Connection, touched: str, **values: Any) -> None:
        for row in connection.rows(_USED.format(touched=touched), **values):
            found = self._of[tuple(row[name] for name in _WHOSE)]
            for place, name in enumerate(("least", "cancelled", "failed", "images", "usd")):
                found[place] += int(row[name])

    def unlike(self, connection: Connection) -> Iterator[str]:
        counted = {tuple(row[name] for name in _WHOSE): row for row in connection.rows(_COUNTED)}
        for key in sorted(self._of.keys() | counted.keys()):
            least, cancelled, *sums = self._of[key]
            row = counted.get(key, dict.fromkeys(("requests", "failed", "images", "usd"), 0))
            # Of what was cancelled only what had been begun is counted.
            enough = least <= row["requests"] <= least + cancelled
            if not enough or sums != [row["failed"], row["images"], row["usd"]]:
                whose = dict(zip(_WHOSE, key, strict=True))
                told = {name: row[name] for name in ("requests", "failed", "images", "usd")}
                came_to = dict(zip(("failures", "charged", "cost"), sums, strict=True))
                yield _MISCOUNTED.format(**whose, **told, **came_to, least=least, most=least + cancelled)


def recent(connection: Connection, now: datetime) -> tuple[str, ...]:
    """What is wrong with all that was held, charged or given back in the last days, and with the days' sums.

    In a moment, however old the books are; `verify` proves all of them.
    """
    since = round((now - RECENT).timestamp() * 1_000_000)
    # Whatever the zone, everything that counts in such a day was held since.
    day = (now - RECENT + timedelta(days=2)).strftime("%Y-%m-%d")
    sums = _Sums()
    sums.add(connection, _TOUCHED, since=since)
    days = connection.rows("SELECT * FROM balances WHERE win='day' AND period>=:day", day=day)
    return (
        *sums.unlike(days),
        *_found(connection, _CHECKS),
        *_found(connection, (*(_UNLIKE if sums.odd else ()), _ORPHANS, *_MISSING, *_OF_EACH), _TOUCHED, since=since),
        *_found(connection, (_MONTHS,), ">=:month", month=last_month(now)),
    )


def last_month(now: datetime) -> str:
    """The one before the running one, whatever the zone."""
    return (now.replace(day=1) - timedelta(days=2)).strftime("%Y-%m")


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


def generations(connection: Connection) -> int:
    """How many there are to prove."""
    return _number(connection, "SELECT count(*) AS n FROM generations")


def possible(connection: Connection) -> int:
    """Generations of which it is not known whether they were billed."""
    return _number(connection, "SELECT count(DISTINCT generation) AS n FROM holds WHERE state='possible'")


def silent(done: int, of: int) -> None:
    """A `Progress` of which nobody is told."""


def verify(connection: Connection, progress: Progress = silent, *, counted: bool = True) -> Books:
    """Compare every sum with every other; reads only.

    All of it is one moment, that of the caller's transaction: balances change with every entry, so slices of several
    moments would agree with no balances at all. On SQLite the log grows meanwhile by what is written.
    counted: whether somebody counted by day what was used, as all do but those who drive the ledger alone.
    """
    sums, used, problems = _Sums(), _Used(), list(_found(connection, _CHECKS))
    problems += _found(connection, (_MONTHS,), _ALL)

    def look(touched: str, **values: Any) -> None:
        sums.add(connection, touched, **values)
        used.add(connection, touched, **values)
        problems.extend(_found(connection, (*_UNLIKE, *_OF_EACH) if sums.odd else _OF_EACH, touched, **values))

    for done, of, after, upto in _slices(connection):
        look(_SLICED, after=after, upto=upto)
        progress(done, of)
    entries = _number(connection, "SELECT count(*) AS n FROM entries")
    if sums.holds != _number(connection, "SELECT count(*) AS n FROM holds"):
        look(_STRAY)
    if sums.entries != entries:
        for row in connection.rows(_ORPHANS[1].format(touched=_ALL)):
            problems.append(_ORPHANS[0].format_map(dict(row)))
            sums.put(row["account"], row["unit"], "total", "all", row["held"], row["spent"])
    accounts: set[str] = set()
    problems += sums.unlike(_balances(connection, accounts))
    if sums.left:
        problems += _found(connection, _MISSING, _ALL)
    if counted:
        problems += used.unlike(connection)
    return Books(
        problems=tuple(problems),
        accounts=len(accounts),
        entries=entries,
        held=sums.open,
        possible=possible(connection),
    )


def _slices(connection: Connection) -> Iterator[tuple[int, int, int, int]]:
    """How many generations are done after it and how many there are, and between which numbers it lies."""
    of, done, after = generations(connection), 0, 0
    next_ones = "SELECT seq FROM generations WHERE seq>:after ORDER BY seq LIMIT :many"
    while done < of:
        row = connection.row(f"SELECT max(seq) AS upto, count(*) AS n FROM ({next_ones}) s", after=after, many=SLICE)
        assert row is not None
        done += row["n"]
        yield done, of, after, row["upto"]
        after = row["upto"]


def _balances(connection: Connection, accounts: set[str]) -> Iterator[Row]:
    """All of them, those of some accounts at a time; their names are put into `accounts`."""
    after = ""
    next_ones = "SELECT DISTINCT account FROM balances WHERE account>:after ORDER BY account LIMIT 50"
    sql = (
        "SELECT account, unit, win, period, held, spent FROM balances"
        f" WHERE account>:after AND account<=(SELECT max(account) FROM ({next_ones}) s) ORDER BY account"
    )
    while rows := connection.rows(sql, after=after):
        accounts.update(row["account"] for row in rows)
        yield from rows
        after = rows[-1]["account"]


def _found(connection: Connection, checks: Iterable[Check], touched: str = "", **values: Any) -> Iterator[str]:
    for words, sql in checks:
        for row in connection.rows(sql.format(touched=touched), **values):
            yield words.format_map(dict(row))


def _number(connection: Connection, sql: str) -> int:
    row = connection.row(sql)
    return int(row["n"]) if row else 0

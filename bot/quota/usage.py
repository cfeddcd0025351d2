"""What was used, by day and by month: sums that stay small however many generations there are, and what is read from
them.

A day is the local one in the bot's zone, and a month is what its days add up to. The ledger decides who may spend; this
only tells what was spent.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.clock import moment
from bot.storage.connection import Connection, Row

LATENCY = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610)
"""Upper bounds of the buckets in seconds; what took longer is in one more."""

BY = ("day", "model", "provider", "adapter", "person", "team", "space")
MONTH = "month"
SETTLED, FAILED = "settled", ("failed", "refused", "unknown")  # states of `bot.generation.states`
REFUNDED, RESOLVED = "refunded", "resolved"

_MONTHS = {
    "usage_months": ("", MONTH, "space", "team", "adapter", "provider", "model"),
    "person_months": ("", MONTH, "space", "team", "person"),
}
"""By what the tables that add up whole months can sum."""
_DAYS = "u.day>=:since AND u.day<=:until"
_SUMS = "sum(u.requests) AS requests, sum(u.failed) AS failed, sum(u.images) AS images, sum(u.usd) AS usd"

_USED = (
    "INSERT INTO usage_days (day, space, team, person, adapter, provider, model, requests, failed, images, usd)"
    " VALUES (:day, :space, :team, :person, :adapter, :provider, :model, :requests, :failed, :images, :usd)"
    " ON CONFLICT (day, space, team, person, adapter, provider, model) DO UPDATE SET"
    " requests=usage_days.requests+:requests, failed=usage_days.failed+:failed,"
    " images=usage_days.images+:images, usd=usage_days.usd+:usd"
)
_USED_BY = (
    "INSERT INTO person_months (month, space, team, person, seen, requests, failed, images, usd)"
    " VALUES (:month, :space, :team, :person, :day, :requests, :failed, :images, :usd)"
    " ON CONFLICT (month, space, team, person) DO UPDATE SET"
    " seen=CASE WHEN person_months.seen<:day THEN :day ELSE person_months.seen END,"
    " requests=person_months.requests+:requests, failed=person_months.failed+:failed,"
    " images=person_months.images+:images, usd=person_months.usd+:usd"
)
_USED_IN = (
    "INSERT INTO usage_months (month, space, team, adapter, provider, model, requests, failed, images, usd)"
    " VALUES (:month, :space, :team, :adapter, :provider, :model, :requests, :failed, :images, :usd)"
    " ON CONFLICT (month, space, team, adapter, provider, model) DO UPDATE SET"
    " requests=usage_months.requests+:requests, failed=usage_months.failed+:failed,"
    " images=usage_months.images+:images, usd=usage_months.usd+:usd"
)
_TOOK = (
    "INSERT INTO latency_days (day, space, team, provider, model, bucket, n)"
    " VALUES (:day, :space, :team, :provider, :model, :bucket, 1)"
    " ON CONFLICT (day, space, team, provider, model, bucket) DO UPDATE SET n=latency_days.n+1"
)
_FAILED = (
    "INSERT INTO failure_days (day, space, team, provider, cause, n)"
    " VALUES (:day, :space, :team, :provider, :cause, 1)"
    " ON CONFLICT (day, space, team, provider, cause) DO UPDATE SET n=failure_days.n+1"
)


def _mend(table: str, keys: str, more: str = "") -> str:
    """Adds to the months what the days have and they have not. more: a column that days tell along."""
    numbers = ("requests", "failed", "images", "usd")
    sums = ", ".join(f"sum({name})" for name in numbers)
    parts, seen = ", ".join(numbers), f", max({more})" if more else ""
    changes = [f"{name}={table}.{name}+excluded.{name}" for name in numbers]
    if more:
        changes.append(f"{more}=CASE WHEN {table}.{more}<excluded.{more} THEN excluded.{more} ELSE {table}.{more} END")
    return (
        f"INSERT INTO {table} (month, {keys}{', ' + more if more else ''}, {parts})"
        f" SELECT month, {keys}{seen}, {sums} FROM ("
        f"SELECT substr(day, 1, 7) AS month, {keys}{', day AS ' + more if more else ''}, {parts} FROM usage_days"
        f" WHERE day>=:month UNION ALL SELECT month, {keys}{', ' + more if more else ''},"
        f" {', '.join('-' + name for name in numbers)} FROM {table} WHERE month>=:month) told"
        f" GROUP BY month, {keys} HAVING {' OR '.join(f'sum({name})<>0' for name in numbers)}"
        f" ON CONFLICT (month, {keys}) DO UPDATE SET"
        f" {', '.join(changes)}"
    )


_MEND_BY = _mend("person_months", "space, team, person", "seen")
_MEND_IN = _mend("usage_months", "space, team, adapter, provider, model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose use is read: of one space, one team, one human (all their linked accounts); "" or () for all."""

    space: str = ""
    team: str = ""
    person: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """key: the day, the model ... or the id of the person or team; name: theirs, "" where it is not known (any more).

    images: pictures that were charged; usd: micro-USD.
    """

    key: str
    name: str = ""
    requests: int = 0
    failed: int = 0
    images: int = 0
    usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """In seconds, as exact as the buckets are."""

    key: str
    n: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    key: str
    n: int


def count(
    connection: Connection, row: Row, *, images: int, usd: int, state: str, cause: str = "", at: int, zone: str
) -> None:
    """Add what a generation came to. row: its row of `generations`, as it was before it ended or later.

    state: the one it ends in. REFUNDED and RESOLVED change the sums of the day on which it ended: images and usd are
    what is added to them, negative for a refund. cause: the kind of the error, where it failed.
    Call it just before the ledger, always in this order: others wait for these rows until the commit, for those that
    belong to many people the longest.
    """
    after = state in (REFUNDED, RESOLVED)
    day = day_of(moment(row["finished_at"] if after and row["finished_at"] else at), zone)
    kept = {name: row[name] for name in ("space", "team", "provider")}
    failed = state in FAILED
    added = {"requests": 0 if after else 1, "failed": int(failed), "images": images, "usd": usd}
    made = {"adapter": row["adapter"], "model": row["model"]}
    month = month_of(day)
    own = {"space": row["space"], "team": row["team"], "person": row["person"]}
    connection.execute(_USED, **kept, **made, **added, day=day, person=row["person"])
    connection.execute(_USED_BY, **own, **added, month=month, day=day)
    connection.execute(_USED_IN, **kept, **made, **added, month=month)
    if state == SETTLED and row["started_at"]:
        connection.execute(_TOOK, **kept, day=day, model=row["model"], bucket=bucket(at - row["started_at"]))
    if failed:
        connection.execute(_FAILED, **kept, day=day, cause=cause or state)


def mend_months(connection: Connection, month: str) -> int:
    """Have the months since this one add up to their days; returns how many sums were wrong.

    A process of a version that knows no months may still have finished its work after their tables were made. What is
    counted meanwhile is in neither of what is compared, or in both, and the difference is added to what stands by then.
    """
    connection.lock("months")  # not twice
    # In the order of `count`, which would wait for these rows while these wait for it.
    wrong = connection.execute(_MEND_BY, month=month)
    nothing = " AND ".join(f"{name}=0" for name in ("requests", "failed", "images", "usd"))
    connection.execute(f"DELETE FROM person_months WHERE month>=:month AND {nothing}", month=month)
    return wrong + connection.execute(_MEND_IN, month=month)


def day_of(now: datetime, zone: str) -> str:
    return now.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")


def month_of(day: str) -> str:
    return day[:7]


def bucket(micros: int) -> int:
    return bisect_left(LATENCY, micros / 1_000_000)


def spent_by(
    connection: Connection, by: str, since_day: str, until_day: str, scope: Scope = Scope()
) -> tuple[Spent, ...]:
    """Sums over the days from since to until, both included: by day or MONTH in their order, else the most used first.

    by "": everything in one. Linked accounts count as one person, under the id that they have in common.
    """
    where, values = _within(scope)
    sums, days = sums_by(connection, by, since_day, until_day, where, persons=bool(scope.person))
    rows = connection.rows(f"SELECT u.key, {_SUMS} FROM ({sums}) u GROUP BY u.key", **values, **days)
    found = {
        row["key"]: Spent(
            key=row["key"],
            requests=int(row["requests"]),
            failed=int(row["failed"]),
            images=int(row["images"]),
            usd=int(row["usd"]),
        )
        for row in rows
    }
    if by == "person":
        found = _humans(connection, found)
    if by == "team":
        found |= {row["id"]: replace(found[row["id"]], name=row["name"]) for row in _known(connection, "teams", found)}
    if by in ("day", MONTH, ""):
        return tuple(sorted(found.values(), key=lambda each: each.key))
    return tuple(sorted(found.values(), key=lambda each: (-each.usd, -each.images, -each.requests, each.key)))


def sums_by(
    connection: Connection, by: str, since_day: str, until_day: str, where: str, *, persons: bool = False
) -> tuple[str, dict[str, str]]:
    """A SELECT, and its values, of `key` and what was used on these days: up to three rows of a key, to be added up.

    by: as for `spent_by`; by "person" there is also `seen`, the last day of use. where: whose use it is, by space and
    team; `persons`: and by person. Whole months are read from the sums of months, the days at both ends from those of
    days.
    """
    column = _of(by, (*BY, MONTH))
    table = next((name for name, of in _MONTHS.items() if by in of and (not persons or "person" in of)), "")
    begin, beyond = _whole_months(connection, since_day, until_day) if table else (since_day, since_day)
    end = (date.fromisoformat(until_day) + timedelta(days=1)).isoformat()

    def part(kept: str, key: str, seen: str, span: str) -> str:
        seen = f", max({seen}) AS seen" if by == "person" else ""
        return f"SELECT {key} AS key, {_SUMS}{seen} FROM {kept} u WHERE {span} AND {where} GROUP BY 1"

    key = "substr(u.day, 1, 7)" if by == MONTH else column
    parts = [
        part("usage_days", key, "u.day", "u.day>=:since AND u.day<:begin"),
        part("usage_days", key, "u.day", "u.day>=:beyond AND u.day<:end"),
    ]
    if table:
        parts.append(part(table, column, "u.seen", "u.month>=:begin_month AND u.month<:beyond_month"))
    values = {"since": since_day, "begin": begin, "beyond": beyond, "end": end}
    return " UNION ALL ".join(parts), values | {"begin_month": month_of(begin), "beyond_month": month_of(beyond)}


def _whole_months(connection: Connection, since_day: str, until_day: str) -> tuple[str, str]:
    """The first day of the whole months between two days, and that of the month behind them; the same where there are
    none. A month is whole, too, while nothing is counted after the last of these days: mostly that is today.
    """
    since, until = date.fromisoformat(since_day), date.fromisoformat(until_day)
    begin = since if since.day == 1 else _next_month(since)
    beyond = _next_month(until)
    later = "SELECT 1 FROM usage_days WHERE day>:until AND day<:beyond LIMIT 1"
    if connection.row(later, until=until_day, beyond=beyond.isoformat()):
        beyond = until.replace(day=1)
    if begin >= beyond:
        return since_day, since_day
    return begin.isoformat(), beyond.isoformat()


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def percentiles(
    connection: Connection, since_day: str, until_day: str, scope: Scope = Scope(), by: str = ""
) -> tuple[Latency, ...]:
    """How long pictures took from the first work on them. by: "", "day", "space", "team", "provider" or "model".

    Kept for spaces and teams, not for people: a scope's person is not looked at.
    """
    where, values = _within(Scope(space=scope.space, team=scope.team))
    key = _of(by, ("day", "space", "team", "provider", "model"))
    rows = connection.rows(
        f"SELECT {key} AS key, u.bucket AS bucket, sum(u.n) AS n FROM latency_days u WHERE {_DAYS} AND {where}"
        " GROUP BY 1, 2",
        since=since_day,
        until=until_day,
        **values,
    )
    counted: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        counted[row["key"]][row["bucket"]] = int(row["n"])
    return tuple(
        Latency(key=name, n=sum(each.values()), p50=quantile(each, 0.5), p95=quantile(each, 0.95))
        for name, each in sorted(counted.items())
    )


def failures(
    connection: Connection, since_day: str, until_day: str, scope: Scope = Scope(), by: str = "cause"
) -> tuple[Failures, ...]:
    """By "cause", "provider", "day", "space", "team" or "", the most frequent first; not kept for people."""
    where, values = _within(Scope(space=scope.space, team=scope.team))
    key = _of(by, ("day", "space", "team", "provider", "cause"))
    rows = connection.rows(
        f"SELECT {key} AS key, sum(u.n) AS n FROM failure_days u WHERE {_DAYS} AND {where} GROUP BY 1"
        " ORDER BY 2 DESC, 1",
        since=since_day,
        until=until_day,
        **values,
    )
    return tuple(Failures(key=row["key"], n=int(row["n"])) for row in rows)


def quantile(counted: Mapping[int, int], share: float) -> float:
    """Seconds below which that share lies, as if a bucket's were spread evenly; the last bucket has only its start."""
    rank = share * sum(counted.values())
    for index in sorted(counted):
        if rank > counted[index]:
            rank -= counted[index]
            continue
        low = LATENCY[index - 1] if index else 0
        high = LATENCY[index] if index < len(LATENCY) else low
        return low + (high - low) * rank / counted[index]
    return 0.0


def _of(by: str, columns: Sequence[str]) -> str:
    if by and by not in columns:
        raise ValueError(f"nothing is summed by {by!r}")
    return f"u.{by}" if by else "''"


def _within(scope: Scope) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {}
    where = "0=0"
    if scope.space:
        values["space"] = scope.space
        where += " AND u.space=:space"
    if scope.team:
        values["team"] = scope.team
        where += " AND u.team=:team"
    if scope.person:
        values |= (persons := _listed(scope.person))
        where += f" AND u.person IN ({', '.join(f':{name}' for name in persons)})"
    return where, values


def _humans(connection: Connection, found: Mapping[str, Spent]) -> dict[str, Spent]:
    """Accounts that are linked become one, and each has its name."""
    known = {row["id"]: row for row in _known(connection, "people", found)}
    merged: dict[str, Spent] = {}
    for id, one in sorted(found.items()):
        person = known.get(id)
        key = person["linked"] or id if person else id
        name = person["name"] if person else ""
        merged[key] = added(merged[key], one) if key in merged else replace(one, key=key, name=name)
    return merged


def added(one: Spent, other: Spent) -> Spent:
    """Both together, under the name of the first."""
    return replace(
        one,
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        images=one.images + other.images,
        usd=one.usd + other.usd,
    )


def _known(connection: Connection, table: str, ids: Iterable[str]) -> Iterator[Row]:
    """Their rows; a thousand at a time, which every engine takes."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), 1000):
        keys = _listed(wanted[start : start + 1000])
        yield from connection.rows(
            f"SELECT * FROM {table} WHERE id IN ({', '.join(f':{name}' for name in keys)})", **keys
        )


def _listed(values: Iterable[str]) -> dict[str, str]:
    return {f"of{number}": value for number, value in enumerate(values)}

"""What was spent, how long it took and why it failed: sums by day or month, however many generations there are."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from bot.errors import UsageError
from bot.i18n import text
from bot.ops.board.rights import PERSON, Rights, own_sums, sums
from bot.quota.usage import BY, MONTH, quantile, sums_by
from bot.storage.connection import Connection, Row

MOST_ROWS = 100
LONG, LONGEST = 100, 400  # days
FIRST_YEAR, LAST_YEAR = 1970, 2999
_SUMS = (
    "coalesce(sum(requests), 0) AS requests, coalesce(sum(failed), 0) AS failed, coalesce(sum(images), 0) AS images,"
    " coalesce(sum(usd), 0) AS usd"
)
HUMAN = "CASE WHEN coalesce(p.linked, '')<>'' THEN p.linked ELSE u.key END"
"""All linked accounts of one person, under what they have in common."""
_KEYS = {
    "person": (HUMAN, "min(p.name)", " LEFT JOIN people p ON p.id=u.key"),
    "team": ("u.key", "min(t.name)", " LEFT JOIN teams t ON t.id=u.key"),
}
"""What the rows of a table are told apart by where it is not the column itself, their names, and what they need."""
_DAYS = "day>=:since AND day<=:until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """usd: micro-USD."""

    requests: int = 0
    failed: int = 0
    images: int = 0
    usd: int = 0

    @classmethod
    def of(cls, row: Row) -> "Sums":
        return cls(requests=row["requests"], failed=row["failed"], images=row["images"], usd=row["usd"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """key: a day, a month such as `2026-11`, a model, or the id of a person or team. name: what people call it."""

    key: str
    name: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """rows: by day every day that there was, in order; else the dearest first, and no more than MOST_ROWS: `total` is
    that of all. step: what a row by day stands for, `day`, or `month` of more than LONG days.
    """

    by: str
    since: str
    until: str
    rows: tuple[Spent, ...]
    total: Sums
    more: bool = False
    step: str = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds from the first work on a request to its pictures: half of all took less than p50."""

    provider: str
    model: str
    n: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    provider: str
    cause: str
    n: int


def day(said: str) -> date:
    """Raises `UsageError`, also for one of an age in which no clock of ours can tell the time."""
    with suppress(ValueError):
        found = date.fromisoformat(said)
        if FIRST_YEAR <= found.year <= LAST_YEAR:
            return found
    raise UsageError(text("A day is written like 2026-11-21."))


def days(since: str, until: str) -> tuple[str, str]:
    """The first and the last day of a time, both as written; raises `UsageError`."""
    first, last = day(since), day(until)
    if last < first:
        raise UsageError(text("The first day comes after the last one."))
    if last - first > timedelta(days=LONGEST):
        raise UsageError(text("That is too long; ask for at most {count} days.", count=LONGEST))
    return first.isoformat(), last.isoformat()


def step_of(since: str, until: str) -> str:
    return MONTH if date.fromisoformat(until) - date.fromisoformat(since) > timedelta(days=LONG) else "day"


def spend(connection: Connection, viewer: Rights, by: str, since: str, until: str) -> Spend:
    if by not in BY:
        raise UsageError(text("There is no such table; there are: {names}.", names=", ".join(BY)))
    since, until = days(since, until)
    step = step_of(since, until)
    inner, values = own_sums_by(connection, viewer, step if by == "day" else by, since, until)
    order = "key" if by == "day" else "usd DESC, images DESC, key"
    # Of a person's names that of an account which is in these sums: the others may be none of the viewer's business.
    key, name, joined = _KEYS.get(by, ("u.key", "''", ""))
    rows = connection.rows(
        f"SELECT {key} AS key, {name} AS name, {_SUMS} FROM ({inner}) u{joined} GROUP BY 1 ORDER BY {order}"
        " LIMIT :most",
        most=LONGEST + 1 if by == "day" else MOST_ROWS + 1,
        **values,
    )
    more = by != "day" and len(rows) > MOST_ROWS
    kept = rows[:MOST_ROWS] if more else rows
    total = total_of(connection, viewer, since, until) if more else _added(Sums.of(row) for row in rows)
    found = tuple(Spent(key=row["key"], name=row["name"] or row["key"], sums=Sums.of(row)) for row in kept)
    return Spend(by=by, since=since, until=until, rows=found, total=total, more=more, step=step)


def own_sums_by(connection: Connection, viewer: Rights, by: str, since: str, until: str) -> tuple[str, dict[str, Any]]:
    """As `sums_by`, of what is this viewer's business."""
    where = own_sums(viewer)
    inner, values = sums_by(connection, by, since, until, where.sql, persons=viewer.kind == PERSON)
    return inner, values | where.values


def total_of(connection: Connection, viewer: Rights, since: str, until: str) -> Sums:
    inner, values = own_sums_by(connection, viewer, "", since, until)
    row = connection.row(f"SELECT {_SUMS} FROM ({inner}) u", **values)
    assert row is not None
    return Sums.of(row)


def latency(connection: Connection, viewer: Rights, since: str, until: str) -> tuple[Latency, ...]:
    """All together first (provider and model ""), then each model at each provider, the most used first; of more than
    LONG days all together alone.
    """
    since, until = days(since, until)
    where = sums(viewer)
    each = step_of(since, until) == "day"
    of = "provider, model" if each else "'' AS provider, '' AS model"
    rows = connection.rows(
        f"SELECT {of}, bucket, sum(n) AS n FROM latency_days WHERE {_DAYS} AND {where.sql}"
        f" GROUP BY {'provider, model, ' if each else ''}bucket",
        since=since,
        until=until,
        **where.values,
    )
    counted: dict[tuple[str, str], dict[int, int]] = {}
    for row in rows:
        for key in {("", ""), (row["provider"], row["model"])}:
            buckets = counted.setdefault(key, {})
            buckets[row["bucket"]] = buckets.get(row["bucket"], 0) + row["n"]
    found = [
        Latency(
            provider=provider,
            model=model,
            n=sum(buckets.values()),
            p50=quantile(buckets, 0.5),
            p95=quantile(buckets, 0.95),
        )
        for (provider, model), buckets in counted.items()
    ]
    return tuple(sorted(found, key=lambda each: (bool(each.model), -each.n, each.provider, each.model)))


def failures(connection: Connection, viewer: Rights, since: str, until: str) -> tuple[Failed, ...]:
    since, until = days(since, until)
    where = sums(viewer)
    rows = connection.rows(
        f"SELECT provider, cause, sum(n) AS n FROM failure_days WHERE {_DAYS} AND {where.sql}"
        " GROUP BY provider, cause ORDER BY sum(n) DESC, provider, cause LIMIT :most",
        since=since,
        until=until,
        most=MOST_ROWS,
        **where.values,
    )
    return tuple(Failed(provider=row["provider"], cause=row["cause"], n=row["n"]) for row in rows)


def _added(all_sums: Iterable[Sums]) -> Sums:
    every = tuple(all_sums)
    return Sums(
        requests=sum(each.requests for each in every),
        failed=sum(each.failed for each in every),
        images=sum(each.images for each in every),
        usd=sum(each.usd for each in every),
    )

"""Usage, the ledger and the audit log as rows, a batch at a time: however many there are, few are in memory.

Each batch is a read of its own that goes on behind the last row by its key; a row that comes in meanwhile may be there
or not, none comes twice.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.clock import micros, moment
from bot.errors import UsageError
from bot.i18n import text
from bot.ops.board import auditing
from bot.ops.board.cells import Cell, safe
from bot.ops.board.few import Reads
from bot.ops.board.rights import Rights, Where, any_of, either, own_sums, pools
from bot.ops.board.spending import day as written_day
from bot.storage.connection import Connection, Row

BATCH = 1000
LONGEST = 3700  # days
Line = tuple[Cell, ...]
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """head: the columns' names. batch: the rows behind a key, at most BATCH of them; line: one of them as cells."""

    head: tuple[str, ...]
    key: tuple[str, ...]
    batch: Callable[[Connection, Rights, int, int, Key | None, str], list[Row]]
    line: Callable[[Row], Line]


async def export(database: Reads, viewer: Rights, what: str, since: str, until: str, zone: str) -> AsyncIterator[Line]:
    """The head, then the rows in the order of time, each cell safe in a spreadsheet. since, until: days, both included,
    in the zone of the bot.
    """
    if what not in EXPORTS:
        raise UsageError(text("There is no such export; there are: {names}.", names=", ".join(EXPORTS)))
    wanted = EXPORTS[what]
    days = _days(since, until)
    yield tuple(map(safe, wanted.head))
    # A day at a time: what a viewer may see is a small part of each, and no read looks through more than one.
    for day in days:
        first, last = _bounds(day, zone)
        key: Key | None = None
        while True:
            rows = await database.read(wanted.batch, viewer, first, last, key, day.isoformat())
            for row in rows:
                yield tuple(map(safe, wanted.line(row)))
            if len(rows) < BATCH:
                break
            key = tuple(rows[-1][name] for name in wanted.key)


def _days(since: str, until: str) -> list[date]:
    first, last = written_day(since), written_day(until)
    if last < first:
        raise UsageError(text("The first day comes after the last one."))
    if (last - first).days > LONGEST:
        raise UsageError(text("That is too long; ask for at most {count} days.", count=LONGEST))
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _bounds(day: date, zone: str) -> tuple[int, int]:
    begins = datetime.combine(day, time(), ZoneInfo(zone))
    ends = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    return micros(begins), micros(ends)


_USAGE_KEY = ("space", "team", "person", "adapter", "provider", "model")


def _usage(connection: Connection, viewer: Rights, first: int, last: int, key: Key | None, day: str) -> list[Row]:
    where = own_sums(viewer)
    beyond = _beyond(_USAGE_KEY, key)
    names = ", ".join(f"d.{name}" for name in _USAGE_KEY)
    found = (
        f"SELECT * FROM usage_days WHERE day=:day AND {where.sql} AND {beyond.sql}"
        f" ORDER BY {', '.join(_USAGE_KEY)} LIMIT :most"
    )
    return connection.rows(
        f"SELECT d.*, coalesce(p.name, '') AS person_name, coalesce(t.name, '') AS team_name FROM ({found}) d"
        f" LEFT JOIN people p ON p.id=d.person LEFT JOIN teams t ON t.id=d.team ORDER BY {names}",
        day=day,
        most=BATCH,
        **where.values,
        **beyond.values,
    )


def _usage_line(row: Row) -> Line:
    return (
        *(row["day"], row["space"], row["team_name"], row["person"], row["person_name"], row["adapter"]),
        *(row["provider"], row["model"], row["requests"], row["failed"], row["images"], _usd(row["usd"])),
    )


_LEDGER_KEY = ("at", "generation", "kind", "account", "unit")


def _ledger(connection: Connection, viewer: Rights, first: int, last: int, key: Key | None, day: str) -> list[Row]:
    where = _accounts(viewer)
    beyond = _beyond(_LEDGER_KEY, key)
    return connection.rows(
        f"SELECT * FROM entries WHERE at>=:first AND at<:last AND {where.sql} AND {beyond.sql}"
        f" ORDER BY {', '.join(_LEDGER_KEY)} LIMIT :most",
        first=key[0] if key else first,
        last=last,
        most=BATCH,
        **where.values,
        **beyond.values,
    )


def _accounts(viewer: Rights) -> Where:
    """As `rights.concerns`, for the database."""
    if viewer.operates:
        return Where("0=0", {})
    own = pools(viewer)
    people = tuple(f"person:{each}" for each in viewer.persons)
    named = any_of("account", own + people, "account")
    starts = {f"share{number}": f"share:{each}/" for number, each in enumerate(own)}
    ends = {f"own{number}": f"/{each}" for number, each in enumerate(viewer.persons)}
    shares = [Where(f"substr(account, 1, {len(start)})=:{name}", {name: start}) for name, start in starts.items()]
    shares += [
        Where(f"account LIKE 'share:%' AND substr(account, length(account)-{len(end) - 1})=:{name}", {name: end})
        for name, end in ends.items()
    ]
    return either(named, *shares)


def _ledger_line(row: Row) -> Line:
    money = row["unit"] == "usd"
    held, spent = (_usd(row[name]) if money else row[name] for name in ("held", "spent"))
    return _time(row["at"]), row["generation"], row["kind"], row["account"], row["unit"], held, spent, row["reason"]


def _audit(connection: Connection, viewer: Rights, first: int, last: int, key: Key | None, day: str) -> list[Row]:
    where = either(*auditing.terms(viewer)) if viewer.operates else any_of("space", viewer.spaces, "space")
    if not viewer.operates:
        auditing.terms(viewer)  # raises for whom it is not
    beyond = _beyond(("at", "seq"), key)
    return connection.rows(
        f"SELECT * FROM audit WHERE at>=:first AND at<:last AND {where.sql} AND {beyond.sql} ORDER BY at, seq"
        " LIMIT :most",
        first=key[0] if key else first,
        last=last,
        most=BATCH,
        **where.values,
        **beyond.values,
    )


def _audit_line(row: Row) -> Line:
    return _time(row["at"]), row["space"], row["person"], row["name"], row["what"], row["before"], row["after"]


def _beyond(names: tuple[str, ...], key: Key | None) -> Where:
    """Behind the row with this key."""
    if key is None:
        return Where("0=0", {})
    values = {f"after_{name}": value for name, value in zip(names, key, strict=True)}
    return Where(f"({', '.join(names)}) > ({', '.join(f':{name}' for name in values)})", values)


def _usd(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-6)


def _time(at: int) -> str:
    return moment(at).astimezone(UTC).isoformat(timespec="milliseconds")


EXPORTS = {
    "usage": Export(
        (
            *("day", "space", "team", "person_id", "person", "platform", "provider", "model"),
            *("requests", "failed", "images", "usd"),
        ),
        _USAGE_KEY,
        _usage,
        _usage_line,
    ),
    "ledger": Export(
        ("time", "generation", "kind", "account", "unit", "held", "spent", "reason"),
        _LEDGER_KEY,
        _ledger,
        _ledger_line,
    ),
    "audit": Export(
        ("time", "space", "person_id", "person", "what", "before", "after"), ("at", "seq"), _audit, _audit_line
    ),
}

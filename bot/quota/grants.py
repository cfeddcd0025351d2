"""Grants: extra that a pool's owners give one person until a date, a purse by itself.

It stands in where the person's own limits are short, never where the pool is: what is given comes out of the pool. For
a limit that the operator set for this very person only the operator's own grants stand in, those out of `all`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot import audit
from bot.audit import By
from bot.errors import NotThere
from bot.i18n import text
from bot.quota.limits import EVERYONE, Account
from bot.storage.connection import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """amount: pictures or micro-USD, until a moment in micros. pool: the account that it is out of."""

    seq: int
    pool: str
    person: str
    unit: str
    amount: int
    until: int
    by: str
    by_name: str
    created_at: int
    ended_at: int

    @property
    def account(self) -> Account:
        return Account(f"grant:{self.seq}")

    @property
    def is_operators(self) -> bool:
        return self.pool == EVERYONE.name


def give(connection: Connection, *, pool: str, person: str, unit: str, amount: int, until: int, by: By, at: int) -> int:
    """Returns its number. pool: `all`, `space:ID` or `team:ID`."""
    row = connection.row(
        "INSERT INTO grants (pool, person, unit, amount, until, by, by_name, created_at)"
        " VALUES (:pool, :person, :unit, :amount, :until, :by, :name, :at) RETURNING seq",
        pool=pool,
        person=person,
        unit=unit,
        amount=amount,
        until=until,
        by=by.id,
        name=by.name,
        at=at,
    )
    assert row is not None
    given = {"person": person, "pool": pool, "unit": unit, "amount": amount, "until": until}
    audit.note(connection, _space(connection, pool), by, f"grant {row['seq']}", None, given, at)
    return int(row["seq"])


def end(connection: Connection, seq: int, by: By, at: int) -> None:
    """Nothing more is taken from it; what is held stays. Raises `NotThere` where it has ended or never was."""
    row = connection.lock_row("SELECT * FROM grants WHERE seq=:seq", seq=seq)
    if row is None or row["ended_at"] or row["until"] <= at:
        raise NotThere(text("There is no grant {number} that still holds.", number=str(seq)))
    connection.execute("UPDATE grants SET ended_at=:at WHERE seq=:seq", at=at, seq=seq)
    before = {name: row[name] for name in ("person", "pool", "unit", "amount", "until")}
    audit.note(connection, _space(connection, row["pool"]), by, f"grant {seq}", before, None, at)


def active(
    connection: Connection, persons: Iterable[str], pools: Iterable[str] | None, now: int, unit: str = ""
) -> list[Grant]:
    """Those that hold now for these accounts of one human, out of these pools; the first to expire first.

    pools: None for any. unit: "" for both.
    """
    people = {f"p{number}": each for number, each in enumerate(persons)}
    sources = {f"s{number}": each for number, each in enumerate(pools or ())}
    out_of = "" if pools is None else f" AND pool IN ({_places(sources)})"
    rows = connection.rows(
        f"SELECT * FROM grants WHERE person IN ({_places(people)}) AND until>:now AND created_at<=:now AND ended_at=0"
        f"{out_of} ORDER BY until, seq",
        **people,
        **sources,
        now=now,
    )
    return [grant for grant in map(_grant, rows) if unit in ("", grant.unit)]


def given(connection: Connection, pool: str, now: int) -> list[Grant]:
    """Everything out of a pool that still holds, the first to expire first."""
    rows = connection.rows(
        "SELECT * FROM grants WHERE pool=:pool AND until>:now AND ended_at=0 ORDER BY until, seq", pool=pool, now=now
    )
    return [_grant(row) for row in rows]


def in_order(connection: Connection, accounts: Iterable[str]) -> list[Grant]:
    """By their accounts, in the order in which they are used: the first to expire first."""
    seqs = {f"g{number}": int(name.partition(":")[2]) for number, name in enumerate(accounts)}
    rows = connection.rows(f"SELECT * FROM grants WHERE seq IN ({_places(seqs)}) ORDER BY until, seq", **seqs)
    return [_grant(row) for row in rows]


def _grant(row: Row) -> Grant:
    return Grant(**{name: row[name] for name in Grant.__slots__})


def _places(names: Iterable[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _space(connection: Connection, pool: str) -> str:
    """Where a change of this pool is audited: its own space, a team's home."""
    account = Account(pool)
    if account.kind == "team":
        row = connection.row("SELECT space FROM teams WHERE id=:id", id=account.team)
        return str(row["space"]) if row else ""
    return account.space

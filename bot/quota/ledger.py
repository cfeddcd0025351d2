"""Quota as bookkeeping: hold, then settle what was made and release the rest, exactly once.

Every function works inside a transaction that the caller owns. Balances are one row per account, unit, window and
period; `held` and `spent` change only by a statement that decides by itself (never read, compare, write). Each change
leaves an entry, so the sum of entries equals the balances, always: `verify` proves it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.chat import AccountLine
from bot.quota import limits
from bot.quota.limits import UNITS, UNLIMITED, Account, Policy
from bot.quota.windows import WINDOWS, periods, resets
from bot.storage.connection import Connection, Row

# One window of an account and unit, by its whole key: an old account has a row for every day on which it was used.
_KEY = "account=:account AND unit=:unit AND win=:win AND period=:period"
_OPEN = (
    "INSERT INTO balances (account, unit, win, period, held, spent) VALUES (:account, :unit, :win, :period, 0, 0)"
    " ON CONFLICT DO NOTHING"
)
_TAKE = f"UPDATE balances SET held=held+:amount WHERE {_KEY} AND held+spent+:amount<=:cap"
_GIVE = f"UPDATE balances SET held=held-:gone, spent=spent+:spent WHERE {_KEY}"
_HOLD = (
    "INSERT INTO holds (generation, account, unit, amount, state, day, week, month)"
    " VALUES (:generation, :account, :unit, :amount, 'held', :day, :week, :month)"
)
_ENTRY = (
    "INSERT INTO entries (generation, kind, account, unit, held, spent, at, reason)"
    " VALUES (:generation, :kind, :account, :unit, :held, :spent, :at, :reason)"
)
_CLOSE = (
    "UPDATE holds SET amount=:left, state=:state WHERE generation=:generation AND account=:account AND unit=:unit"
    " AND state=:was"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds at this moment: the limits of settings, the time, and the zone in which windows begin."""

    policy: Policy
    now: datetime
    zone: str

    @property
    def at(self) -> int:
        return round(self.now.timestamp() * 1_000_000)


def hold(
    connection: Connection, generation: str, accounts: Iterable[Account], amounts: Mapping[str, int], rules: Rules
) -> None:
    """Set the amounts aside on every account, or raise `QuotaExceeded`, and the caller's transaction leaves nothing."""
    taken = periods(rules.now, rules.zone)
    ordered = sorted(accounts)
    caps = _limits(connection, ordered, rules.policy)
    wanted = [(account, unit, window) for account in ordered for unit in UNITS for window in WINDOWS]
    takes: list[dict[str, Any]] = [
        {
            "account": account.name,
            "unit": unit,
            "win": window,
            "period": taken[window],
            "amount": amounts[unit],
            "cap": caps[account.name, unit, window],
        }
        for account, unit, window in wanted
    ]
    for (account, unit, window), take, done in zip(wanted, takes, connection.execute_many(_TAKE, takes), strict=True):
        if not done and not _open(connection, take):
            raise limits.refusal(_line(connection, account, unit, window, take["cap"], rules), take["amount"])
    rows: list[dict[str, Any]] = [
        {"generation": generation, "account": account.name, "unit": unit, "amount": amounts[unit], **taken}
        for account in ordered
        for unit in UNITS
    ]
    connection.execute_many(_HOLD, rows)
    entries = [_entry(row, "hold", rules.at, held=row["amount"]) for row in rows]
    connection.execute_many(_ENTRY, entries)


def settle(
    connection: Connection,
    generation: str,
    spent: Mapping[str, int],
    at: int,
    *,
    possible: Mapping[str, int] | None = None,
    reason: str = "",
) -> bool:
    """Charge what was made, give back the rest; False if this generation's holds were closed before.

    possible: what the provider may have billed without anybody knowing. It is given back to the person, and pictures
    to everybody; the money stays held on the other accounts as `possible` until `resolve` charges or releases it.
    """
    rows = connection.rows("SELECT * FROM holds WHERE generation=:generation AND state='held'", generation=generation)
    closing = []
    for row in sorted(rows, key=lambda row: (row["account"], row["unit"])):
        uncertain = (possible or {}).get(row["unit"], 0)
        if row["unit"] == "images" or row["account"].startswith("person:"):
            uncertain = 0
        closing.append((row, spent[row["unit"]], uncertain))
    _close(connection, closing, at, reason=reason)
    return bool(rows)


def release(connection: Connection, generation: str, at: int, *, reason: str = "") -> bool:
    """Give everything back."""
    return settle(connection, generation, dict.fromkeys(UNITS, 0), at, reason=reason)


def resolve(connection: Connection, generation: str, at: int, *, charge: bool, reason: str) -> bool:
    """Decide what was possibly billed: charge it or give it back. False if there is nothing to decide."""
    rows = connection.rows(
        "SELECT * FROM holds WHERE generation=:generation AND state='possible'", generation=generation
    )
    ordered = sorted(rows, key=lambda row: (row["account"], row["unit"]))
    _close(connection, [(row, row["amount"] if charge else 0, 0) for row in ordered], at, reason=reason)
    return bool(rows)


def lines(connection: Connection, accounts: Iterable[Account], rules: Rules) -> tuple[AccountLine, ...]:
    """Every limited or used account as a person reads it: pictures and money, in each window that has a limit."""
    ordered = sorted(accounts)
    caps = _limits(connection, ordered, rules.policy)
    found = []
    for account in ordered:
        for unit in UNITS:
            for window in WINDOWS:
                cap = caps[account.name, unit, window]
                if cap != UNLIMITED or (window == "total" and account.kind == "person"):
                    found.append(_line(connection, account, unit, window, cap, rules))
    return tuple(found)


def set_limit(connection: Connection, account: str, unit: str, window: str, amount: int | None) -> None:
    """Give one account a limit of its own; None means unlimited."""
    connection.execute(
        "INSERT INTO limits (account, unit, win, amount) VALUES (:account, :unit, :window, :amount)"
        " ON CONFLICT (account, unit, win) DO UPDATE SET amount=:amount",
        account=account,
        unit=unit,
        window=window,
        amount=amount,
    )


def _open(connection: Connection, take: Mapping[str, Any]) -> bool:
    """Its row is missing at the first use in a period only; else there is no room."""
    key = {name: take[name] for name in ("account", "unit", "win", "period")}
    connection.execute(_OPEN, **key)
    return bool(connection.execute(_TAKE, **take))


def _close(connection: Connection, closing: Sequence[tuple[Row, int, int]], at: int, *, reason: str) -> None:
    """Turn holds into what was spent; a part may stay held as possibly billed. closing: the hold, spent, left.

    The balances come last: everybody waits for those of `all`, from here to the commit.
    """
    changes: list[dict[str, Any]] = []
    entries, holds = [], []
    for row, spent, left in closing:
        gone = row["amount"] - left
        key = {name: row[name] for name in ("generation", "account", "unit")}
        holds.append({**key, "left": left, "state": "possible" if left else "closed", "was": row["state"]})
        owed = {"account": row["account"], "unit": row["unit"], "gone": gone, "spent": spent}
        changes += [{**owed, "win": window, "period": _period(row, window)} for window in WINDOWS]
        kind = ("charge" if spent else "release") if row["state"] == "possible" else "settle"
        entries.append(_entry(key, kind, at, held=-gone, spent=spent, reason=reason))
    for hold, closed in zip(holds, connection.execute_many(_CLOSE, holds), strict=True):
        if closed != 1:
            raise RuntimeError(f"the hold of {hold['generation']} on {hold['account']} was closed twice")
    connection.execute_many(_ENTRY, entries)
    connection.execute_many(_GIVE, changes)


def _period(hold: Row, window: str) -> str:
    """The period in which the hold was taken."""
    return "all" if window == "total" else str(hold[window])


def _entry(row: Row, kind: str, at: int, *, held: int, spent: int = 0, reason: str = "") -> dict[str, object]:
    key = {name: row[name] for name in ("generation", "account", "unit")}
    return {**key, "kind": kind, "held": held, "spent": spent, "at": at, "reason": reason}


def _limits(connection: Connection, accounts: list[Account], policy: Policy) -> dict[tuple[str, str, str], int]:
    own: dict[tuple[str, str, str], int | None] = {}
    for account in accounts:
        rows = connection.rows("SELECT unit, win, amount FROM limits WHERE account=:account", account=account.name)
        own.update({(account.name, row["unit"], row["win"]): row["amount"] for row in rows})
    caps = {}
    for account in accounts:
        for unit in UNITS:
            for window in WINDOWS:
                cap = own.get((account.name, unit, window), policy.get((account.kind, unit, window)))
                caps[account.name, unit, window] = UNLIMITED if cap is None else cap
    return caps


def _line(connection: Connection, account: Account, unit: str, window: str, cap: int, rules: Rules) -> AccountLine:
    row = connection.row(
        "SELECT held, spent FROM balances WHERE account=:account AND unit=:unit AND win=:window AND period=:period",
        account=account.name,
        unit=unit,
        window=window,
        period=periods(rules.now, rules.zone)[window],
    )
    return limits.line(
        account,
        unit,
        window,
        used=row["spent"] if row else 0,
        held=row["held"] if row else 0,
        limit=None if cap == UNLIMITED else cap,
        resets=resets(window, rules.now, rules.zone),
    )

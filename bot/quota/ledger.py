"""Quota as bookkeeping: hold, then settle what was made and release the rest, exactly once.

Every function works inside a transaction that the caller owns. Balances are one row per account, unit, window and
period; `held` and `spent` change only by a statement that decides by itself (never read, compare, write). Each change
leaves an entry, so the sum of entries equals the balances, always: `verify` proves it.

Where a person's own limits are short, grants stand in for what is missing: then the rows of both are locked, it is
computed how much each takes, and the taking is by the same statement. An account that the operator has limited holds
all but what the operator's own grants do; the others of the person, all but what any grant does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.chat import AccountLine
from bot.clock import moment
from bot.errors import NotThere, UsageError
from bot.i18n import Text, text
from bot.quota import grants, limits, standing, usage
from bot.quota.grants import Grant
from bot.quota.limits import UNITS, UNLIMITED, Account
from bot.quota.standing import Payer as Payer
from bot.quota.standing import Rules as Rules
from bot.quota.standing import Standing
from bot.quota.windows import WINDOWS, Zones, resets_at
from bot.storage.connection import Connection, Row

# One window of an account and unit, by its whole key: an old account has a row for every day on which it was used.
_KEY = "account=:account AND unit=:unit AND win=:win AND period=:period"
_OPEN = (
    "INSERT INTO balances (account, unit, win, period, held, spent) VALUES (:account, :unit, :win, :period, 0, 0)"
    " ON CONFLICT DO NOTHING"
)
_LOCK = f"UPDATE balances SET held=held WHERE {_KEY}"
# The first use in a period makes the row: a second statement for that would lock it after those that come later.
_TAKE = (
    "INSERT INTO balances (account, unit, win, period, held, spent)"
    " SELECT :account, :unit, :win, :period, :amount, 0 WHERE :amount<=:cap"
    " ON CONFLICT (account, unit, win, period) DO UPDATE SET held=balances.held+:amount"
    " WHERE balances.held+balances.spent+:amount<=:cap"
)
_GIVE = f"UPDATE balances SET held=held-:gone, spent=spent+:spent WHERE {_KEY}"
_HOLD = (
    "INSERT INTO holds (generation, account, unit, amount, state, day, week, month)"
    " VALUES (:generation, :account, :unit, :amount, 'held', :day, :week, :month)"
)
_ENTRY = (
    "INSERT INTO entries (generation, kind, account, unit, held, spent, at, reason)"
    " VALUES (:generation, :kind, :account, :unit, :held, :spent, :at, :reason)"
)
_HELD = (
    "INSERT INTO entries (generation, kind, account, unit, held, spent, at, reason)"
    " SELECT generation, 'hold', account, unit, amount, 0, :at, '' FROM holds WHERE generation=:generation"
)
_LEAVE = (
    "UPDATE holds SET amount=:left, state='possible' WHERE generation=:generation AND account=:account AND unit=:unit"
    " AND state=:was"
)
_CLOSE = "UPDATE holds SET amount=0, state='closed' WHERE generation=:generation AND state=:was"

Parts = dict[tuple[Account, str], int]
"""How much of which unit each account takes."""
Periods = Mapping[str, Mapping[str, str]]
"""The running period of every window, by the account's name."""


def hold(connection: Connection, generation: str, payer: Payer, amounts: Mapping[str, int], rules: Rules) -> Standing:
    """Set the amounts aside on every account that the payer draws on, or raise `QuotaExceeded`, and the caller's
    transaction leaves nothing. Also raises `NotAllowed`, as `standing.of` does.
    """
    found = standing.of(connection, payer, rules)
    take(connection, generation, found, amounts, rules)
    return found


def take(connection: Connection, generation: str, payer: Standing, amounts: Mapping[str, int], rules: Rules) -> None:
    """`hold` for a payer whose standing was read in this very transaction."""
    parts: Parts = {(account, unit): amounts[unit] for account in payer.accounts for unit in UNITS}
    periods = payer.periods(rules.now)
    if payer.grants:
        # In the order of locking: what everybody draws on comes before what is the payer's own.
        first = [(account, unit) for account, unit in parts if account == limits.EVERYONE]
        _take(connection, {key: parts[key] for key in first}, payer, periods, amounts, rules)
        parts |= _with_grants(connection, payer, periods, amounts, rules)
        rest = {key: part for key, part in parts.items() if key not in first}
        _take(connection, rest, payer, periods, amounts, rules)
    else:
        _take(connection, parts, payer, periods, amounts, rules)
    rows: list[dict[str, Any]] = [
        {"generation": generation, "account": account.name, "unit": unit, "amount": part, **periods[account.name]}
        for (account, unit), part in _ordered(parts)
    ]
    connection.execute_many(_HOLD, rows)
    connection.execute(_HELD, generation=generation, at=rules.at)


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
    to everybody; the money stays held on the pools as `possible` until `resolve` charges or releases it.
    """
    rows = connection.rows("SELECT * FROM holds WHERE generation=:generation AND state='held'", generation=generation)
    shares = _shared(connection, rows, spent)
    closing = []
    for row in sorted(rows, key=lambda row: (row["account"], row["unit"])):
        account, unit = Account(row["account"]), row["unit"]
        uncertain = (possible or {}).get(unit, 0) if unit == "usd" and account.is_pool else 0
        closing.append((row, shares.get((account.name, unit), spent[unit]), uncertain))
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


def refund(
    connection: Connection, generation: str, at: int, reason: str, *, zone: str = "UTC", by_operator: bool = True
) -> dict[str, int]:
    """Give back, once, what a generation was charged, in the periods in which it was; returns how much of each unit.

    by_operator: or by somebody whose space it was made in. They give back what is the person's own; what is spent stays
    spent for the pools, and for what the operator set for this person, or whoever rules a space could draw on for ever.
    What is possibly billed is not decided by it. zone: the bot's, in whose days it was counted. Raises `NotThere`, and
    `UsageError` where nothing is to be given back (any more).
    """
    row = connection.lock_row("SELECT * FROM generations WHERE id=:id", id=generation)
    if row is None:
        raise NotThere(text("There is no picture with the id {id}. /history lists yours.", id=generation[:40]))
    if row["refunded_at"]:
        raise UsageError(text("{id} was refunded before.", id=generation))
    charged = connection.rows(
        "SELECT h.generation, h.account, h.unit, h.day, h.week, h.month, sum(e.spent) AS spent FROM holds h"
        " JOIN entries e ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit"
        " WHERE h.generation=:id GROUP BY h.generation, h.account, h.unit, h.day, h.week, h.month",
        id=generation,
    )
    back = dict.fromkeys(UNITS, 0) | {
        each["unit"]: int(each["spent"]) for each in charged if each["account"] == limits.EVERYONE.name
    }
    if not any(back.values()):
        raise UsageError(text("Nothing was charged for {id}, so there is nothing to refund.", id=generation))
    # In the order of locking; a database sorts names by the rules of some language.
    given = sorted((each for each in charged if each["spent"]), key=lambda each: (each["account"], each["unit"]))
    if by_operator:
        usage.count(
            connection, row, images=-back["images"], usd=-back["usd"], state=usage.REFUNDED, cause="", at=at, zone=zone
        )
    else:
        kept = standing.operators(connection, {each["account"] for each in given})
        given = [each for each in given if (each["account"], each["unit"]) not in kept]
        if not given:
            raise UsageError(text("Only the bot's operator can refund {id}.", id=generation))
        back = {unit: max((int(each["spent"]) for each in given if each["unit"] == unit), default=0) for unit in UNITS}
    connection.execute("UPDATE generations SET refunded_at=:at WHERE id=:id", at=at, id=generation)
    connection.execute_many(
        _ENTRY, [_entry(each, "refund", at, held=0, spent=-each["spent"], reason=reason) for each in given]
    )
    connection.execute_many(
        _GIVE,
        [
            {
                "account": each["account"],
                "unit": each["unit"],
                "win": window,
                "period": _period(each, window),
                "gone": 0,
                "spent": -each["spent"],
            }
            for each in given
            for window in WINDOWS
        ],
    )
    return back


def lines(connection: Connection, payer: Payer, rules: Rules) -> tuple[AccountLine, ...]:
    """Every limited account as the payer reads it, and what they used themselves in all; then what they were given."""
    found = standing.of(connection, payer, rules)
    own = limits.of_person(payer.person)
    wanted = [
        (account, unit, window)
        for account in found.accounts
        for unit in UNITS
        for window in WINDOWS
        if found.cap(account, unit, window) != UNLIMITED or (window == "total" and account == own)
    ]
    named = {account.name: _title(account, found) for account in found.accounts}
    owners = standing.owners_of(connection, payer.team)
    shown = (
        replace(line, who=standing.giver(found, Account(line.account), line.unit, line.window, rules.policy, owners))
        for line in _lines(connection, wanted, found.caps, found.zones, rules, named)
    )
    return (*shown, *_given(connection, found.grants, text("Given to you by {name}")))


def as_one(lines: Iterable[AccountLine]) -> tuple[AccountLine, ...]:
    """Of an account that stands there twice the tightest line; linked accounts of one human are one."""
    found: dict[tuple[str, str, str], AccountLine] = {}
    for line in lines:
        mine = line.account.startswith("person:")
        key = ("person" if mine else line.account, line.unit, line.window)
        if key not in found or _room(line) < _room(found[key]):
            found[key] = line
    return tuple(found.values())


def _room(line: AccountLine) -> float:
    return float("inf") if line.left is None else line.left


def account_lines(connection: Connection, names: Iterable[str], rules: Rules) -> tuple[AccountLine, ...]:
    """Accounts by their names, as others than the payer read them: every window with a limit, and the total.

    A tier that somebody has by a role is not seen here.
    """
    accounts = [Account(name) for name in sorted(set(names)) if not name.startswith("grant:")]
    caps = standing.caps_of(connection, accounts, rules) if accounts else {}
    zones = standing.zones_by_account(connection, accounts, rules)
    wanted = [
        (account, unit, window)
        for account in accounts
        for unit in UNITS
        for window in WINDOWS
        if caps.get((account.name, unit, window)) is not None or window == "total"
    ]
    return _lines(connection, wanted, caps, zones, rules, standing.titles(connection, accounts))


def given_lines(
    connection: Connection, persons: Iterable[str], pools: Iterable[str] | None, now: int
) -> tuple[AccountLine, ...]:
    """What these accounts of one human were given out of these pools, None for any, and may still use; as others than
    they read it.
    """
    return _given(connection, grants.active(connection, persons, pools, now), text("Given by {name}"))


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


def clear_limit(connection: Connection, account: str, unit: str, window: str) -> bool:
    """Take its own limit back, so that the usual one holds; False where it had none."""
    return bool(
        connection.execute(
            "DELETE FROM limits WHERE account=:account AND unit=:unit AND win=:window",
            account=account,
            unit=unit,
            window=window,
        )
    )


def own_limits(connection: Connection, account: str) -> dict[tuple[str, str], int | None]:
    """What was set for this very account, by (unit, window)."""
    found = standing.own_limits_of(connection, [account])
    return {(unit, window): amount for (_, unit, window), amount in found.items()}


def _take(
    connection: Connection,
    parts: Parts,
    payer: Standing,
    periods: Periods,
    amounts: Mapping[str, int],
    rules: Rules,
) -> None:
    """Take each part in every window, or raise `QuotaExceeded` for the first account that is short."""
    takes: list[dict[str, Any]] = []
    for (account, unit), part in _ordered(parts):
        owed = {"account": account.name, "unit": unit, "amount": part}
        # Where grants have taken all of it nothing is asked of an account, which may be over its limit already.
        asked = part or not amounts[unit]
        for window, period in periods[account.name].items():
            cap = payer.cap(account, unit, window) if asked else UNLIMITED
            takes.append({**owed, "win": window, "period": period, "cap": cap})
    for take, done in zip(takes, connection.execute_many(_TAKE, takes), strict=True):
        if not done:
            _refuse(connection, Account(take["account"]), take["unit"], take["win"], payer, amounts, rules)


def _ordered(parts: Parts) -> list[tuple[tuple[Account, str], int]]:
    """In the order of locking."""
    return sorted(parts.items(), key=lambda part: (part[0][0].name, part[0][1]))


def _with_grants(
    connection: Connection, payer: Standing, periods: Periods, amounts: Mapping[str, int], rules: Rules
) -> Parts:
    """What personal accounts and grants take, so that what is short of the ones comes out of the others."""
    personal = [account for account in payer.accounts if account.is_personal]
    touched = [(grant.account, grant.unit) for grant in payer.grants]
    touched += [(account, unit) for account in personal for unit in UNITS]
    rows = [
        {"account": account.name, "unit": unit, "win": window, "period": period}
        for account, unit in sorted(touched)
        for window, period in periods[account.name].items()
    ]
    connection.execute_many(_OPEN, rows)
    connection.execute_many(_LOCK, rows)  # whoever comes at the same time waits here, and finds what is left then
    used = _balances(connection, rows)
    parts: Parts = {}
    for unit in UNITS:
        given = [grant for grant in payer.grants if grant.unit == unit]
        bound = [account for account in personal if (account.name, unit) in payer.bound]
        firm, firmest = _short(bound, unit, payer, used, amounts)
        short, shortest = _short(personal, unit, payer, used, amounts)
        drawn = dict.fromkeys(given, 0)
        own = [grant for grant in given if grant.is_operators]
        for needed, grants_for_it, which in ((firm, own, firmest), (short - firm, given, shortest)):
            for grant in grants_for_it:
                left = grant.amount - sum(used[grant.account.name, unit, "total"]) - drawn[grant]
                part = max(0, min(needed, left))
                drawn[grant] += part
                needed -= part
            if needed and which:
                _refuse(connection, *which, payer, amounts, rules)
        parts |= {(grant.account, unit): part for grant, part in drawn.items() if part}
        for account in personal:
            stood_in = sum(drawn[grant] for grant in own) if account in bound else short
            parts[account, unit] = amounts[unit] - stood_in
    return parts


def _short(
    personal: Sequence[Account],
    unit: str,
    payer: Standing,
    used: Mapping[tuple[str, str, str], tuple[int, int]],
    amounts: Mapping[str, int],
) -> tuple[int, tuple[Account, str, str] | None]:
    """The most that any of them is short of, and which account and window that is."""
    found: list[tuple[int, tuple[Account, str, str]]] = []
    for account in personal:
        for window in WINDOWS:
            room = payer.cap(account, unit, window) - sum(used[account.name, unit, window])
            found.append((min(amounts[unit], amounts[unit] - room), (account, unit, window)))
    most, which = max(found, key=lambda each: each[0], default=(0, None))
    return (most, which) if most > 0 else (0, None)


def _refuse(
    connection: Connection,
    account: Account,
    unit: str,
    window: str,
    payer: Standing,
    amounts: Mapping[str, int],
    rules: Rules,
) -> None:
    named = {account.name: _title(account, payer)}
    (line,) = _lines(connection, [(account, unit, window)], payer.caps, payer.zones, rules, named)
    owners = standing.owners_of(connection, payer.payer.team)
    who = standing.giver(payer, account, unit, window, rules.policy, owners)
    raise limits.refusal(line, amounts[unit], who)


def _shared(connection: Connection, rows: Sequence[Row], spent: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Where grants stand in: what of the spent is charged to each of them, and to the personal accounts.

    The grants come second, and never pay more than they hold.
    """
    granted = {(row["account"], row["unit"]): row["amount"] for row in rows if row["account"].startswith("grant:")}
    if not granted:
        return {}
    order = grants.in_order(connection, {name for name, _ in granted})
    shares: dict[tuple[str, str], int] = {}
    for unit in {unit for _, unit in granted}:
        personal = [row for row in rows if row["unit"] == unit and Account(row["account"]).is_personal]
        least = min((row["amount"] for row in personal), default=0)
        left = max(0, spent[unit] - least)
        paid = operators = 0
        for grant in order:
            part = min(left - paid, granted.get((grant.account.name, unit), 0))
            shares[grant.account.name, unit] = part
            paid += part
            operators += part if grant.is_operators else 0
        for row in personal:
            # What holds more than others do is limited by the operator, and counts what anybody else gave.
            shares[row["account"], unit] = spent[unit] - (paid if row["amount"] == least else operators)
    return shares


def _close(connection: Connection, closing: Sequence[tuple[Row, int, int]], at: int, *, reason: str) -> None:
    """Turn holds into what was spent; a part may stay held as possibly billed. closing: the hold, spent, left.

    The balances come last: everybody waits for those of `all`, from here to the commit.
    """
    if not closing:
        return
    changes: list[dict[str, Any]] = []
    entries, leaving = [], []
    generation, was = closing[0][0]["generation"], closing[0][0]["state"]
    for row, spent, left in closing:
        gone = row["amount"] - left
        if left:
            key = {"generation": generation, "account": row["account"], "unit": row["unit"]}
            leaving.append({**key, "left": left, "was": was})
        owed = {"account": row["account"], "unit": row["unit"], "gone": gone, "spent": spent}
        changes += [{**owed, "win": window, "period": _period(row, window)} for window in WINDOWS]
        kind = ("charge" if spent else "release") if was == "possible" else "settle"
        entries.append(_entry(row, kind, at, held=-gone, spent=spent, reason=reason))
    closed = sum(connection.execute_many(_LEAVE, leaving))
    closed += connection.execute(_CLOSE, generation=generation, was=was)
    if closed != len(closing):
        raise RuntimeError(f"the holds of {generation} were closed twice")
    connection.execute_many(_ENTRY, entries)
    connection.execute_many(_GIVE, changes)


def _period(hold: Row, window: str) -> str:
    """The period in which the hold was taken."""
    return "all" if window == "total" else str(hold[window])


def _entry(row: Row, kind: str, at: int, *, held: int, spent: int = 0, reason: str = "") -> dict[str, object]:
    return {
        "generation": row["generation"],
        "account": row["account"],
        "unit": row["unit"],
        "kind": kind,
        "held": held,
        "spent": spent,
        "at": at,
        "reason": reason,
    }


def _title(account: Account, payer: Standing) -> Text:
    if account.kind == "team":
        return text("Team {team}", team=payer.team_name)
    if account.kind == "person" and account.person in payer.former:
        return text("You, also before you were forgotten")
    return text("Your share of {team}", team=payer.team_name) if account.team else account.title


def _lines(
    connection: Connection,
    wanted: Sequence[tuple[Account, str, str]],
    caps: standing.Caps,
    zones: Mapping[str, Zones],
    rules: Rules,
    named: Mapping[str, Text],
) -> tuple[AccountLine, ...]:
    periods = standing.periods_of(zones, rules.now)
    keys = [
        {"account": account.name, "unit": unit, "win": window, "period": periods[account.name][window]}
        for account, unit, window in wanted
    ]
    used = _balances(connection, keys)
    found = []
    for account, unit, window in wanted:
        held, spent = used[account.name, unit, window]
        found.append(
            limits.line(
                account,
                unit,
                window,
                used=spent,
                held=held,
                limit=caps.get((account.name, unit, window)),
                resets=resets_at(window, rules.now, zones[account.name]),
                name=named.get(account.name),
                period=periods[account.name][window],
            )
        )
    return tuple(found)


def _given(connection: Connection, found: Sequence[Grant], named: Text) -> tuple[AccountLine, ...]:
    """named: as each is called, with a place for the name of whoever gave it."""
    keys = [{"account": each.account.name, "unit": each.unit, "win": "total", "period": "all"} for each in found]
    used = _balances(connection, keys)
    return tuple(
        limits.line(
            grant.account,
            grant.unit,
            "total",
            used=used[grant.account.name, grant.unit, "total"][1],
            held=used[grant.account.name, grant.unit, "total"][0],
            limit=grant.amount,
            resets=None,
            name=Text(named.message, {"name": grant.by_name or text("somebody who was forgotten")}),
            period="all",
            ends=moment(grant.until),
        )
        for grant in found
    )


def _balances(connection: Connection, keys: Sequence[Mapping[str, str]]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(held, spent) by (account, unit, window); nothing where a period was never used. keys: one period of each."""
    used = {(key["account"], key["unit"], key["win"]): (0, 0) for key in keys}
    wanted = {(key["account"], key["unit"], key["win"], key["period"]) for key in keys}
    places: dict[str, str] = {}
    values: dict[str, str] = {}
    for column in ("account", "unit", "win", "period"):
        # The whole key, or the database would read every day of an account that is years old.
        places[column], named = standing.listed("{}", sorted({key[column] for key in keys}), column)
        values |= named
    inside = " AND ".join(f"{column} IN ({place})" for column, place in places.items())
    sql = f"SELECT account, unit, win, period, held, spent FROM balances WHERE {inside}"
    for row in connection.rows(sql, **values) if keys else ():
        if (row["account"], row["unit"], row["win"], row["period"]) in wanted:
            used[row["account"], row["unit"], row["win"]] = (row["held"], row["spent"])
    return used

"""Somebody who was forgotten and comes back: for a while the limits that held for them go on, or `/forget` would lift
them all.

What is kept for that is a digest of the platform's account under a key of this bot, and the anonymous name that its
books have. Neither says who that is to whoever does not know the account; after that time both are gone, and the books
of before and after have nothing in common any more.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import timedelta

from bot.storage.connection import Connection, Row

# Longer than any window but “in all”, in whatever zone.
KEPT = timedelta(days=40) // timedelta(microseconds=1)

FORMER = "former "
"""Before a person's id, in `meta`: since when until when, and which anonymous one they were before."""
_SEALED, _KEY, _TO_PART = "sealed account ", "key of sealed accounts", "books to part "


def anonymous() -> str:
    return f"gone-{secrets.token_hex(6)}"


def keep(connection: Connection, adapter: str, user: str, gone: str, at: int) -> None:
    """Have whoever comes from this account within 40 days bound by what bound `gone`."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (:name, :key) ON CONFLICT (name) DO NOTHING",
        name=_KEY,
        key=secrets.token_hex(32),
    )
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value=:value",
        name=_sealed(_key(connection), adapter, user),
        value=_written(gone, at + KEPT),
    )


def recognise(connection: Connection, adapter: str, user: str, person: str, at: int) -> None:
    """A person who is seen for the first time, and may have been here before."""
    key = _key(connection)
    row = key and connection.row("SELECT value FROM meta WHERE name=:name", name=_sealed(key, adapter, user))
    if row and read(row["value"], at):
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
            name=FORMER + person,
            value=row["value"],
        )


def former(connection: Connection, person: str, at: int) -> str:
    """The anonymous one who they were before, "" for nobody."""
    row = connection.row("SELECT value FROM meta WHERE name=:name", name=FORMER + person)
    return read(row["value"], at) if row else ""


def read(value: str, at: int) -> str:
    """Who is meant by a row of `meta`, "" once its time is over."""
    until, _, gone = value.partition(" ")
    return gone if int(until) > at else ""


def drop(connection: Connection, person: str) -> None:
    """They are forgotten again."""
    connection.execute("DELETE FROM meta WHERE name=:name", name=FORMER + person)


def tidy(connection: Connection, at: int) -> None:
    """Let go of whose time is over."""
    over = _written("", at)
    rows = connection.rows(
        "DELETE FROM meta WHERE (name LIKE :sealed OR name LIKE :former) AND value<:over RETURNING value",
        sealed=f"{_SEALED}%",
        former=f"{FORMER}%",
        over=over,
    )
    for gone in {row["value"].partition(" ")[2] for row in rows}:
        connection.execute(
            "INSERT INTO meta (name, value) VALUES (:name, '') ON CONFLICT DO NOTHING", name=_TO_PART + gone
        )
    for row in connection.rows("SELECT name FROM meta WHERE name LIKE :all ORDER BY name", all=f"{_TO_PART}%"):
        gone = row["name"].removeprefix(_TO_PART)
        if _is_kept(connection, gone) or not _part(connection, gone):
            continue
        connection.execute("DELETE FROM limits WHERE account=:own OR account LIKE :share", **_accounts(gone))
        connection.execute("DELETE FROM tier_holders WHERE holder=:own", own=f"person:{gone}")
        connection.execute("DELETE FROM meta WHERE name=:name", name=row["name"])


def _is_kept(connection: Connection, gone: str) -> bool:
    """They were forgotten once more, so that it goes on."""
    found = connection.row(
        "SELECT 1 AS one FROM meta WHERE (name LIKE :sealed OR name LIKE :former) AND value LIKE :gone",
        sealed=f"{_SEALED}%",
        former=f"{FORMER}%",
        gone=f"% {gone}",
    )
    return found is not None


def _part(connection: Connection, gone: str) -> bool:
    """Have what others drew on these accounts in books of its own; False while something of it is still open."""
    rows = connection.rows(
        "SELECT DISTINCT h.account, h.state, g.person FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE (h.account=:own OR h.account LIKE :share) AND g.person<>:gone ORDER BY h.account, g.person",
        gone=gone,
        **_accounts(gone),
    )
    if any(row["state"] != "closed" for row in rows):
        return False
    names = {row["person"]: anonymous() for row in rows}
    for account in sorted({row["account"] for row in rows}):
        # First: whoever takes of it meanwhile waits here, and what they took is counted anew below.
        connection.execute("DELETE FROM balances WHERE account=:account", account=account)
        parted = {row["person"] for row in rows if row["account"] == account}
        new = {person: account.removesuffix(gone) + names[person] for person in sorted(parted)}
        for person, name in new.items():
            for table in ("entries", "holds"):
                connection.execute(
                    f"UPDATE {table} SET account=:new WHERE account=:old"
                    " AND generation IN (SELECT id FROM generations WHERE person=:person)",
                    new=name,
                    old=account,
                    person=person,
                )
        _count(connection, (account, *new.values()))
    return True


def _count(connection: Connection, accounts: Collection[str]) -> None:
    """The balances of accounts, from their entries."""
    for account in accounts:
        connection.execute(
            "INSERT INTO balances (account, unit, win, period, held, spent)"
            " SELECT account, unit, 'total', 'all', sum(held), sum(spent) FROM entries WHERE account=:account"
            " GROUP BY account, unit",
            account=account,
        )
        for window in ("day", "week", "month"):
            connection.execute(
                "INSERT INTO balances (account, unit, win, period, held, spent)"
                f" SELECT e.account, e.unit, :win, h.{window}, sum(e.held), sum(e.spent) FROM entries e"
                " JOIN holds h ON h.generation=e.generation AND h.account=e.account AND h.unit=e.unit"
                f" WHERE e.account=:account GROUP BY e.account, e.unit, h.{window}",
                account=account,
                win=window,
            )


def _accounts(gone: str) -> dict[str, str]:
    return {"own": f"person:{gone}", "share": f"share:%/{gone}"}


def _key(connection: Connection) -> bytes:
    """b"" where nobody was ever forgotten."""
    row: Row | None = connection.row("SELECT value FROM meta WHERE name=:name", name=_KEY)
    return bytes.fromhex(row["value"]) if row else b""


def _sealed(key: bytes, adapter: str, user: str) -> str:
    return _SEALED + hmac.digest(key, f"{adapter}/{user}".encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def _written(gone: str, until: int) -> str:
    return f"{until:020} {gone}"

"""The ledger's tables, in memory or on PostgreSQL: one connection, transactions that hold or leave nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.quota import audit
from bot.quota.limits import Account
from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.database import SQLiteConnection

EVERYONE, TEAM = Account("all"), Account("space:team")
BOB, EVE = Account("person:bob"), Account("person:eve")


class Books:
    """The whole schema in memory, with what a test asks of it most."""

    def __init__(self, migrated: Path) -> None:
        self.raw = sqlite3.connect(":memory:", isolation_level=None)
        self.raw.row_factory = sqlite3.Row
        source = sqlite3.connect(migrated)
        source.backup(self.raw)
        source.close()
        self.connection: Connection = SQLiteConnection(self.raw)

    def close(self) -> None:
        self.raw.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.raw.execute("BEGIN")
        try:
            yield self.connection
        except BaseException:
            self.raw.execute("ROLLBACK")
            raise
        self.raw.execute("COMMIT")

    def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self.transaction() as connection:
            return function(connection, *arguments, **named)

    def problems(self) -> tuple[str, ...]:
        return audit.verify(self.connection).problems

    def dump(self) -> list[tuple[Any, ...]]:
        """Everything the ledger knows, to compare."""
        tables = ("balances", "holds", "entries")
        return [
            (table, *dict(row).values()) for table in tables for row in self.connection.rows(f"SELECT * FROM {table}")
        ]

    def generation(self, name: str, state: str = "queued", *, person: str = "bob", charged: int = 0) -> None:
        """A row that says just enough to own holds, new or changed."""
        self.connection.execute(
            "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
            " model, count, price, state, charged, created_at)"
            " VALUES (:id, :id, :person, :person, 'team', 'fake', 'en', '{}', 'p', 'm', 1, 0, :state, :charged, 0)"
            " ON CONFLICT (id) DO UPDATE SET state=:state, charged=:charged",
            id=name,
            person=person,
            state=state,
            charged=charged,
        )

    def balance(self, account: Account, unit: str, window: str, period: str) -> tuple[int, int]:
        """(spent, held)"""
        row = self.connection.row(
            "SELECT spent, held FROM balances WHERE account=:account AND unit=:unit AND win=:window AND period=:period",
            account=account.name,
            unit=unit,
            window=window,
            period=period,
        )
        return (row["spent"], row["held"]) if row else (0, 0)


class PostgresBooks(Books):
    def __init__(self, url: str) -> None:
        self.raw: Any = postgres.connect(url)
        self.connection = postgres.PostgresConnection(self.raw)

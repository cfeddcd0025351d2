"""The ledger's tables, in memory or on PostgreSQL: one connection, transactions that hold or leave nothing."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.clock import micros
from bot.quota import audit
from bot.quota.limits import Account
from bot.quota.standing import Payer
from bot.quota.tiers import Tier, to_json
from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.database import SQLiteConnection

EVERYONE, SPACE = Account("all"), Account("space:team")
BOB, EVE = Account("person:bob"), Account("person:eve")
SHARE = Account("share:space:team/bob")


def payer(person: str = "bob", **more: Any) -> Payer:
    return Payer(**{"person": person, "space": "team", **more})


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
        """Of the ledger alone: what counts by day is called by those who end a generation."""
        return audit.verify(self.connection, counted=False).problems

    def dump(self) -> list[tuple[Any, ...]]:
        """Everything the ledger knows, to compare."""
        tables = ("balances", "holds", "entries")
        return [
            (table, *dict(row).values()) for table in tables for row in self.connection.rows(f"SELECT * FROM {table}")
        ]

    def generation(
        self, name: str, state: str = "queued", *, person: str = "bob", charged: int = 0, team: str = ""
    ) -> None:
        """A row that says just enough to own holds; of one that is there, what it came to."""
        self.connection.execute(
            "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
            " model, count, price, state, charged, created_at, team)"
            " VALUES (:id, :id, :person, :person, 'team', 'fake', 'en', '{}', 'p', 'm', 1, 0, :state, :charged, 0,"
            " :team)"
            " ON CONFLICT (id) DO UPDATE SET state=:state, charged=:charged",
            id=name,
            person=person,
            state=state,
            charged=charged,
            team=team,
        )

    # --- what the rest of the bot would have written

    def person(self, name: str, linked: str = "") -> None:
        self.connection.execute(
            "INSERT INTO people (id, name, created_at, linked) VALUES (:name, :shown, 0, :linked)"
            " ON CONFLICT (id) DO UPDATE SET linked=:linked",
            name=name,
            shown=name.title(),
            linked=linked,
        )

    def team(self, team: str, *members: str, owner: str = "", space: str = "team") -> None:
        self.connection.execute(
            "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:id, :space, :id, :id, 0)",
            id=team,
            space=space,
        )
        for person in members:
            self.connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES (:team, :person, :role, 'admin', 0)",
                team=team,
                person=person,
                role="owner" if person == owner else "member",
            )

    def tier(self, tier: Tier, *holders: str) -> None:
        self.connection.execute(
            "INSERT INTO tiers (space, name, rules) VALUES (:space, :name, :rules)",
            space=tier.space,
            name=tier.name,
            rules=json.dumps(to_json(tier)),
        )
        for holder in holders:
            self.connection.execute(
                "INSERT INTO tier_holders (space, holder, tier) VALUES (:space, :holder, :tier)",
                space=tier.space,
                holder=holder,
                tier=tier.name,
            )

    def moved(self, *zones: tuple[str, datetime], space: str = "team") -> None:
        """The zones that a space's admins chose, and when."""
        history = [(zone, micros(at)) for zone, at in zones]
        self.connection.execute(
            "INSERT INTO spaces (id, rules) VALUES (:id, :rules) ON CONFLICT (id) DO UPDATE SET rules=:rules",
            id=space,
            rules=json.dumps({"zone": history[-1][0], "zones": history}),
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

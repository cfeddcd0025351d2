"""What is asked again and again must not read a whole table, however long the bot has been in use."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.generation import inbox, outbox, queue, settling
from bot.generation.queue import Capacity
from bot.storage.connection import Connection, Row
from bot.storage.database import Database
from tests.postgres import about_sqlite

pytestmark = about_sqlite(reason="PostgreSQL plans by its statistics, and reads a small table whole")

LONG_AGO, NOW = 1, 10**15

SHORT = ("SCAN rates", "SCAN provider_health")  # one row for each provider


class Explained:
    """A connection that asks for the plan of every statement before it runs it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.whole_tables: list[str] = []

    def _explain(self, sql: str, values: dict[str, Any]) -> None:
        for step in self._connection.rows(f"EXPLAIN QUERY PLAN {sql}", **values):
            if str(step["detail"]).startswith("SCAN ") and not str(step["detail"]).startswith(SHORT):
                self.whole_tables.append(f"{step['detail']}: {sql}")

    def execute(self, sql: str, /, **values: Any) -> int:
        self._explain(sql, values)
        return self._connection.execute(sql, **values)

    def execute_many(self, sql: str, rows: Any, /) -> list[int]:
        for row in rows[:1]:
            self._explain(sql, row)
        return self._connection.execute_many(sql, rows)

    def rows(self, sql: str, /, **values: Any) -> list[Row]:
        self._explain(sql, values)
        return self._connection.rows(sql, **values)

    def row(self, sql: str, /, **values: Any) -> Row | None:
        self._explain(sql, values)
        return self._connection.row(sql, **values)

    lock_row, free_rows = row, rows

    def lock(self, name: str, /) -> None:
        pass


WIDE = Capacity(per_person=2, running=16, images_per_minute=500)


@pytest.mark.parametrize(
    "step",
    [
        lambda connection: outbox.due(connection, "web", now=NOW),
        lambda connection: outbox.unfinished(connection),
        lambda connection: outbox.abandoned(connection, NOW),
        lambda connection: outbox.claim(connection, "g:0", "me", 1, NOW),
        lambda connection: outbox.claim_progress(connection, "g:0", "me", 1, NOW),
        lambda connection: outbox.standing(connection, "g", NOW),
        lambda connection: outbox.is_open(connection, "g"),
        lambda connection: outbox.quoted(connection, "web", "m"),
        lambda connection: outbox.kept(connection, "p"),
        lambda connection: queue.admit(connection, "me", NOW, 16, WIDE),
        lambda connection: queue.places(connection),
        lambda connection: settling.undecided(connection, LONG_AGO),
        lambda connection: settling.resolve_one(connection, "g", NOW, charge=True, reason=""),
        lambda connection: inbox.still_open(connection),
    ],
    ids=[
        "due",
        "unfinished",
        "abandoned",
        "claim",
        "claim progress",
        "standing",
        "is open",
        "quoted",
        "kept",
        "admit",
        "places",
        "undecided",
        "resolve one",
        "still open",
    ],
)
async def test_it_reads_no_whole_table(database: Database, step: Callable[[Connection], object]) -> None:
    def explain(connection: Connection) -> list[str]:
        explained = Explained(connection)
        step(explained)
        return explained.whole_tables

    assert await database.transaction(explain) == []

"""Writes down every statement that the product runs to accept and settle, for somebody else to run the same.

`folder` gets the database as it was before the first statement, and a line for each action of each phase: its
transactions, each a list of (how, SQL, values).
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from bench.runs import books_ours, product
from bench.runs.meter import main
from bot.storage.connection import Connection, Row
from bot.storage.database import SQLiteDatabase

P = ParamSpec("P")
T = TypeVar("T")

Statement = tuple[str, str, Any]


class Recording:
    """A connection that notes what passes through it."""

    def __init__(self, connection: Connection, statements: list[Statement]) -> None:
        self._connection = connection
        self._statements = statements

    def execute(self, sql: str, /, **values: Any) -> int:
        self._statements.append(("execute", sql, values))
        return self._connection.execute(sql, **values)

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> list[int]:
        self._statements.append(("execute_many", sql, [dict(row) for row in rows]))
        return self._connection.execute_many(sql, rows)

    def rows(self, sql: str, /, **values: Any) -> list[Row]:
        self._statements.append(("rows", sql, values))
        return self._connection.rows(sql, **values)

    def row(self, sql: str, /, **values: Any) -> Row | None:
        self._statements.append(("rows", sql, values))
        return self._connection.row(sql, **values)

    lock_row, free_rows = row, rows  # on SQLite they are no more

    def lock(self, name: str, /) -> None:
        pass


class RecordingDatabase(SQLiteDatabase):
    """Notes each transaction under the task that asked for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.actions: dict[str, list[list[Statement]]] = {}

    async def transaction(
        self, function: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        task = asyncio.current_task()
        assert task
        statements: list[Statement] = []
        self.actions.setdefault(task.get_name(), []).append(statements)
        return await super().transaction(
            lambda connection: function(Recording(connection, statements), *arguments, **named)
        )


async def work(*, folder: str, persons: int) -> dict[str, Any]:
    path = Path(folder)
    async with product.database(path) as opened:
        askers = await books_ours.make_known(opened, persons)
    shutil.copyfile(path / "bot.db", path / "before.db")
    async with RecordingDatabase(path / "bot.db") as recording:
        asks = {f"accept {n}": books_ours.ask(recording, asker, str(n)) for n, asker in enumerate(askers)}
        await _named(asks)
        admitted = await books_ours.admit_all(recording, persons)
        await _named({f"settle {n}": books_ours.settle(recording, each) for n, each in enumerate(admitted)})
    phases: dict[str, list[list[list[Statement]]]] = {"accept": [], "admit": [], "settle": []}
    for name, transactions in recording.actions.items():
        phases.get(name.split()[0], phases["admit"]).append(transactions)
    with (path / "actions.jsonl").open("w") as file:
        for phase, actions in phases.items():
            file.writelines(json.dumps([phase, action]) + "\n" for action in actions)
    last = [*phases["accept"][-1], *phases["settle"][-1]]
    return {"transactions": len(last), "statements": sum(len(transaction) for transaction in last)}


async def _named(things: Mapping[str, Any]) -> None:
    await asyncio.gather(*(asyncio.create_task(thing, name=name) for name, thing in things.items()))


if __name__ == "__main__":
    main(work)

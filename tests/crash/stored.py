"""What is stored at this moment, read over a connection that cannot write: beside a living bot, and after its death."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.generation.states import ENDED, listed
from bot.ops.folder import reading
from bot.quota.audit import verify
from bot.storage.connection import Connection

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How far one asking has come. jobs: how many are in which state. holds: the states of its six rows.

    shown: the state of the generation as the page shows it, "" before the first post.
    """

    inbox: str = "done"
    generation: str = ""
    jobs: str = ""
    images: int = 0
    holds: str = ""
    posting: str = ""
    shown: str = ""


@dataclass(frozen=True)
class Stored:
    """url: of the database, where it is not the folder's."""

    folder: Path
    url: str = ""
    _held: Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if self._held is not None:
            yield self._held
            return
        with reading(self.url or self.folder / "bot.db") as connection:
            yield connection

    @contextmanager
    def still(self) -> Iterator["Stored"]:
        """The same at one moment, for whoever has a lot to look at."""
        with self.reading() as connection:
            yield replace(self, _held=connection)

    def rows(self, sql: str, **values: Any) -> list[Row]:
        with self.reading() as connection:
            return [dict(row) for row in connection.rows(sql, **values)]

    def one(self, sql: str, **values: Any) -> Row | None:
        return next(iter(self.rows(sql, **values)), None)

    def problems(self) -> tuple[str, ...]:
        """What `ledger verify` would say."""
        with self.reading() as connection:
            return verify(connection).problems

    def moment(self, asked: str) -> Moment:
        """How far the asking with this message's id has come."""
        inbox = self.one("SELECT state FROM inbox WHERE id=:id", id=asked)
        generation = self.generation(asked)
        if generation is None:
            return Moment(inbox=inbox["state"] if inbox else "")
        id = generation["id"]
        jobs = self.rows(
            "SELECT state, count(*) AS n FROM jobs WHERE generation=:id GROUP BY state ORDER BY state", id=id
        )
        holds = self.rows("SELECT DISTINCT state FROM holds WHERE generation=:id ORDER BY state", id=id)
        posting = self.one("SELECT state FROM postings WHERE key=:key", key=f"{id}:0")
        return Moment(
            inbox=inbox["state"] if inbox else "",
            generation=generation["state"],
            jobs=", ".join(f"{row['n']} {row['state']}" for row in jobs),
            images=len(self.images(id)),
            holds=", ".join(row["state"] for row in holds),
            posting=posting["state"] if posting else "",
            shown=self.shown(id).get("state", ""),
        )

    def generation(self, asked: str) -> Row | None:
        return self.one("SELECT * FROM generations WHERE invocation=:id", id=asked)

    def images(self, generation: str) -> list[Row]:
        return self.rows("SELECT * FROM images WHERE generation=:id ORDER BY position", id=generation)

    def shown(self, generation: str) -> Row:
        """The reply that the page shows for a generation, empty before the first post."""
        row = self.one("SELECT reply FROM chat_messages WHERE key=:key", key=f"{generation}:0")
        return json.loads(row["reply"]) if row else {}

    def answers(self, asked: str) -> list[Row]:
        """The replies to a person's message, oldest first."""
        rows = self.rows("SELECT reply FROM chat_messages WHERE bot=1 AND reply_to=:id ORDER BY born", id=asked)
        return [json.loads(row["reply"]) for row in rows]

    def history(self) -> dict[str, str]:
        """The words of every message that stands on the page."""
        return {row["id"]: row["words"] for row in self.rows("SELECT id, words FROM chat_messages WHERE removed=0")}

    def account(self, generation: str) -> dict[tuple[str, str], tuple[str, int, int]]:
        """(kind of account, unit) -> (state of the hold, what is still held, what was spent)."""
        rows = self.rows(
            "SELECT h.account, h.unit, h.state, h.amount, coalesce(sum(e.spent), 0) AS spent FROM holds h"
            " LEFT JOIN entries e ON e.generation=h.generation AND e.account=h.account AND e.unit=h.unit"
            " WHERE h.generation=:id GROUP BY h.account, h.unit, h.state, h.amount",
            id=generation,
        )
        return {
            (row["account"].partition(":")[0], row["unit"]): (row["state"], row["amount"], row["spent"]) for row in rows
        }

    def unfinished(self) -> list[str]:
        """What has no end yet; a question that waits for its answer has one."""
        rows = self.rows(
            "SELECT 'message ' || id || ' is ' || state AS what FROM inbox WHERE state<>'done'"
            " UNION ALL SELECT 'generation ' || id || ' is ' || state FROM generations"
            f" WHERE state<>'asked' AND state NOT IN ({listed(ENDED)})"
            " UNION ALL SELECT 'posting ' || key || ' is ' || state FROM postings WHERE state<>'posted'"
        )
        return [row["what"] for row in rows]

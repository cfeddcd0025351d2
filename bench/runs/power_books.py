"""What a database that was opened after a crash tells: whether it is whole, and what of the acknowledged is in it."""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from bot.generation.states import ENDED, listed
from bot.quota.audit import verify
from bot.storage import database
from bot.storage.connection import Connection

# What one transaction writes together stands together. Each query finds what must not exist.
_HALVES = (
    (
        "the generation {id} stands for no asking that was dealt with",
        "SELECT g.id FROM generations g LEFT JOIN inbox i ON i.id=g.invocation AND i.generation=g.id AND i.state='done'"
        " WHERE i.id IS NULL",
    ),
    (
        "the asking {id} became a generation that is not there",
        "SELECT i.id FROM inbox i LEFT JOIN generations g ON g.id=i.generation WHERE i.generation<>'' AND g.id IS NULL",
    ),
    (
        "the generation {id} has {jobs} jobs, {holds} holds and {postings} postings",
        "SELECT g.id, (SELECT count(*) FROM jobs WHERE generation=g.id) AS jobs,"
        " (SELECT count(*) FROM holds WHERE generation=g.id) AS holds,"
        " (SELECT count(*) FROM postings WHERE generation=g.id) AS postings"
        " FROM generations g WHERE jobs<>g.count OR holds<>8 OR postings<>1",
    ),
    (
        "the generation {id} is {state}, with {made} pictures, and its story says otherwise",
        "SELECT g.id, g.state, g.made FROM generations g"
        f" WHERE (SELECT count(*) FROM events WHERE generation=g.id AND kind IN ({listed(ENDED)}))"
        f" <> (g.state IN ({listed(ENDED)}))"
        " OR (g.state='settled' AND g.made<>(SELECT count(*) FROM images WHERE generation=g.id))",
    ),
    (
        "the generation {generation} has {events} notes of pictures, and {images} pictures",
        "SELECT g.id AS generation, (SELECT count(*) FROM events WHERE generation=g.id AND kind='produced') AS events,"
        " (SELECT count(*) FROM images WHERE generation=g.id) AS images FROM generations g WHERE events<>images",
    ),
)


def opened(path: Path) -> sqlite3.Connection:
    """As the product opens it to write: whatever a crash left is recovered now."""
    return database._connect(path)


def damage(raw: sqlite3.Connection) -> list[str]:
    """What is wrong with the file itself."""
    return [row[0] for row in raw.execute("PRAGMA integrity_check") if row[0] != "ok"]


def faults(connection: Connection) -> list[str]:
    """What is wrong with the books, and with what should have been written together."""
    halves = (words.format_map(dict(row)) for words, sql in _HALVES for row in connection.rows(sql))
    return [*verify(connection).problems, *halves]


def contents(execute: Callable[[str], Iterable[Any]]) -> str:
    """A digest of every row of every table."""
    digest = hashlib.blake2b(digest_size=16)
    tables = [row[0] for row in execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
    for table in tables:
        digest.update(repr((table, [tuple(row) for row in execute(f'SELECT * FROM "{table}"')])).encode())
    return digest.hexdigest()


def missing(connection: Connection, told: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of what people and workers were told (`power_work.Told`), what is not so."""
    there = {("received", row["id"]) for row in connection.rows("SELECT id FROM inbox")}
    there |= {("closed", row["id"]) for row in connection.rows("SELECT id FROM inbox WHERE state='done'")}
    there |= {(row["kind"], row["generation"]) for row in connection.rows("SELECT kind, generation FROM events")}
    there |= {(row["state"], row["id"]) for row in connection.rows("SELECT state, id FROM generations")}
    shown = "SELECT p.generation FROM postings p JOIN posted_messages m ON m.key=p.key WHERE p.shown>0"
    there |= {("posted", row["generation"]) for row in connection.rows(shown)}
    return sorted(set(told) - there)

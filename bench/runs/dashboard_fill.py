"""Fills an empty database, on either engine, with a year of use and everything that belongs to it; the books balance.

By statements of its own, as the product would take hours; `audit.verify` finds nothing wrong with what they leave.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench.runs import dashboard_made
from bench.runs.dashboard_made import COLUMNS
from bot.storage import postgres, schema
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, SQLiteConnection, read_only

Run = Callable[[str], object]
MADE = f"CREATE TEMP TABLE made ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
# Every purse that a generation draws on, in the order of the names, so that rows come in the order of their keys.
PURSES = (
    ("all", "'all'"),
    ("person", "'person:' || m.person"),
    ("share", "'share:space:' || m.space || '/' || m.person"),
    ("team share", "'share:team:' || m.team || '/' || m.person"),
    ("space", "'space:' || m.space"),
    ("team", "'team:' || m.team"),
)
ACCOUNT = "CASE k.kind " + " ".join(f"WHEN '{kind}' THEN {name}" for kind, name in PURSES) + " END"
DRAWS = "(m.team<>'' OR k.kind NOT IN ('team', 'team share'))"
BLOB = "'" + "0" * 55 + "' || n.n || m.id"
REQUEST = (
    """'{"mode": "' || mode || '", "prompt": "' || prompt || '", "providers": ["' || provider || '"], "model": "'"""
    """ || model || '", "size": "2K", "ratio": "", "count": ' || count || ', "format": "", "watermark": false,"""
    """ "optimize": "", "background": "", "search": false, "seed": null, "guidance": null, "references": []}'"""
)
FAILURE = '{"message": "The provider is busy just now.", "values": {}, "plural": "", "count": 0}'
SMALL: dict[str, tuple[str, list[tuple[object, ...]]]] = {
    "kinds": ("kind TEXT", [(kind,) for kind, _ in PURSES]),
    "units": ("unit TEXT", [("images",), ("usd",)]),
    "places": ("n BIGINT", [(number,) for number in range(4)]),
    "windows": ("win TEXT", [("day",), ("week",), ("month",), ("total",)]),
    "steps": ("step BIGINT, kind TEXT", [(0, "accepted"), (1, "admitted"), (2, "sending"), (3, "")]),
    "deeds": ("deed TEXT", [("hold",), ("settle",)]),
}
ROWS = {
    "generations": (
        "(id, invocation, person, person_name, space, team, adapter, language, request, provider, providers, model,"
        " count, price, state, attempt, owner, made, charged, private, parent, parent_index, failure, created_at,"
        f" started_at, finished_at) SELECT id, 'filled ' || id, person, name, space, team, adapter, 'en', {REQUEST},"
        " provider, provider, model, count, price, state, 1, 'host:1:1', made, made, private, parent, parent_index,"
        f" CASE WHEN cause='' THEN '' ELSE '{FAILURE}' END, at, started, finished FROM made ORDER BY number"
    ),
    "jobs": (
        "(generation, number, state, provider, error, sent_at) SELECT m.id, n.n, CASE m.state WHEN 'settled' THEN"
        " 'done' WHEN 'cancelled' THEN 'dropped' WHEN 'unknown' THEN 'unknown' ELSE 'failed' END, m.provider, m.cause,"
        " m.started FROM made m CROSS JOIN places n WHERE n.n<m.count"
    ),
    "images": (
        "(generation, position, job, blob, media_type, width, height, size, price, state)"
        f" SELECT m.id, n.n, n.n, {BLOB}, 'image/png', 2048, 2048, 4500000, m.price/m.count, 'made' FROM made m"
        " CROSS JOIN places n WHERE n.n<m.made"
    ),
    "blobs": f"(key, size, used_at) SELECT {BLOB}, 4500000, m.at FROM made m CROSS JOIN places n WHERE n.n<m.made",
    "holds": (
        f"(generation, account, unit, amount, state, day, week, month) SELECT m.id, {ACCOUNT}, u.unit, 0, 'closed',"
        f" m.day, m.week, m.month FROM made m CROSS JOIN kinds k CROSS JOIN units u WHERE {DRAWS}"
    ),
    "entries": (
        f"(generation, kind, account, unit, held, spent, at) SELECT m.id, d.deed, {ACCOUNT}, u.unit,"
        " CASE WHEN u.unit='usd' THEN m.price ELSE m.count END * CASE WHEN d.deed='hold' THEN 1 ELSE -1 END,"
        " CASE WHEN d.deed='hold' THEN 0 WHEN u.unit='usd' THEN m.usd ELSE m.made END,"
        " CASE WHEN d.deed='hold' THEN m.at ELSE m.finished END"
        f" FROM made m CROSS JOIN deeds d CROSS JOIN kinds k CROSS JOIN units u WHERE {DRAWS}"
    ),
    "balances": (
        "(account, unit, win, period, held, spent) SELECT s.account, s.unit, w.win, CASE w.win WHEN 'day' THEN s.day"
        " WHEN 'week' THEN s.week WHEN 'month' THEN s.month ELSE 'all' END, 0, sum(s.spent) FROM ("
        f"SELECT {ACCOUNT} AS account, u.unit, m.day, m.week, m.month,"
        " sum(CASE WHEN u.unit='usd' THEN m.usd ELSE m.made END) AS spent FROM made m CROSS JOIN kinds k"
        f" CROSS JOIN units u WHERE {DRAWS} GROUP BY 1, 2, 3, 4, 5) s CROSS JOIN windows w GROUP BY 1, 2, 3, 4"
    ),
    "postings": (
        "(key, generation, adapter, place, state, wanted, shown, message, attempt, owner)"
        """ SELECT id || ':0', id, adapter, '{"data": {"room": "general"}, "private": false, "room": ""}',"""
        " 'posted', 2, 2, 'message-of-' || id, 3, 'host:1:1' FROM made ORDER BY number"
    ),
    "posted_messages": (
        "(adapter, message, key) SELECT adapter, 'message-of-' || id, id || ':0' FROM made ORDER BY number"
    ),
    "events": (
        "(generation, at, kind, detail) SELECT m.id, CASE WHEN s.step=3 THEN m.finished ELSE m.at + s.step END,"
        " CASE WHEN s.step=3 THEN m.state ELSE s.kind END, CASE WHEN s.step=2 THEN '0 ' || m.provider ELSE '' END"
        " FROM made m CROSS JOIN steps s"
    ),
    "usage_days": (
        "(day, space, team, person, adapter, provider, model, requests, failed, images, usd) SELECT day, space, team,"
        " person, adapter, provider, model, count(*), sum(CASE WHEN cause='' THEN 0 ELSE 1 END), sum(made), sum(usd)"
        " FROM made GROUP BY 1, 2, 3, 4, 5, 6, 7"
    ),
    "usage_months": (
        "(month, space, team, adapter, provider, model, requests, failed, images, usd) SELECT substr(day, 1, 7), space,"
        " team, adapter, provider, model, sum(requests), sum(failed), sum(images), sum(usd) FROM usage_days"
        " GROUP BY 1, 2, 3, 4, 5, 6"
    ),
    "person_months": (
        "(month, space, team, person, seen, requests, failed, images, usd) SELECT substr(day, 1, 7), space, team,"
        " person, max(day), sum(requests), sum(failed), sum(images), sum(usd) FROM usage_days GROUP BY 1, 2, 3, 4"
    ),
    "latency_days": (
        "(day, space, team, provider, model, bucket, n) SELECT day, space, team, provider, model, bucket, count(*)"
        " FROM made WHERE state='settled' GROUP BY 1, 2, 3, 4, 5, 6"
    ),
    "failure_days": (
        "(day, space, team, provider, cause, n) SELECT day, space, team, provider, cause, count(*) FROM made"
        " WHERE cause<>'' GROUP BY 1, 2, 3, 4, 5"
    ),
}
AUDITED = 5_000


def work(*, url: str, count: int) -> dict[str, Any]:
    """url: `sqlite:///FILE` or `postgresql://...`, of the newest schema or of none; nothing may be kept there."""
    begun = time.perf_counter()
    file = Path(url.removeprefix(SQLITE))
    if url.startswith(SQLITE):
        file.parent.mkdir(parents=True, exist_ok=True)
        schema.migrate(file)
        with closing(read_only(file)) as kept:
            _check_empty(SQLiteConnection(kept))
        with closing(sqlite3.connect(file, isolation_level=None)) as raw:
            _sqlite(raw, count)
        size = file.stat().st_size
    else:
        schema.migrate(url)
        with postgres.connected(url) as raw_postgres:
            _check_empty(postgres.PostgresConnection(raw_postgres))
        size = _postgres(url, count)
    return {"seconds": time.perf_counter() - begun, "mb": size / 1e6}


def _check_empty(connection: Connection) -> None:
    """What is filled is written without a journal: nobody's own data may be there."""
    if connection.row("SELECT 1 FROM people LIMIT 1"):
        raise SystemExit("that database is in use; name an empty one")


def _sqlite(raw: sqlite3.Connection, count: int) -> None:
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000", "temp_store=FILE"):
        raw.execute(f"PRAGMA {pragma}")

    def put(table: str, rows: Iterable[Sequence[object]], columns: int) -> None:
        raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)

    raw.execute("BEGIN")
    _temporary(raw.execute, put, count)
    names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL")]
    definitions = [
        row[0] for row in raw.execute("SELECT sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL")
    ]
    for name in names:
        raw.execute(f"DROP INDEX {name}")
    _fill(raw.execute)
    for definition in definitions:
        raw.execute(definition)
    raw.execute("COMMIT")
    raw.execute("PRAGMA journal_mode=WAL")


def _postgres(url: str, count: int) -> int:
    with postgres.connected(url) as raw:
        raw.execute("SET synchronous_commit=off; SET maintenance_work_mem='256MB'; SET work_mem='128MB'")

        def put(table: str, rows: Iterable[Sequence[object]], columns: int) -> None:
            with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)

        def run(sql: str) -> object:
            return raw.execute(sql.encode())

        with raw.transaction():
            _temporary(run, put, count)
            run("ANALYZE made")
            with _without_indexes(raw):
                _fill(run)
        run("VACUUM ANALYZE")
        row = raw.execute("SELECT pg_database_size(current_database()) AS size").fetchone()
        assert row is not None
        return int(row["size"])


@contextmanager
def _without_indexes(raw: postgres.Raw) -> Iterator[None]:
    """Keys stay: what fills them comes in their order."""
    indexes = raw.execute(
        "SELECT i.indexname AS name, i.indexdef AS definition FROM pg_indexes i WHERE i.schemaname=current_schema()"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname=i.indexname)"
    ).fetchall()
    indexes = [each for each in indexes if each["name"] != "alembic_version_pkc"]
    for each in indexes:
        raw.execute(f"DROP INDEX {each['name']}".encode())
    yield
    for each in indexes:
        raw.execute(each["definition"].encode())


def _temporary(run: Run, put: Callable[[str, Iterable[Sequence[object]], int], None], count: int) -> None:
    for name, (columns, rows) in SMALL.items():
        run(f"CREATE TEMP TABLE {name} ({columns})")
        put(name, rows, columns.count(",") + 1)
    run(MADE)
    put("made", dashboard_made.made(count, dashboard_made.now()), len(COLUMNS))
    humans, teams = dashboard_made.people(count)
    run("CREATE TEMP TABLE humans (id TEXT, name TEXT, space TEXT, team TEXT, linked TEXT)")
    put("humans", ((each.id, each.name, each.space, each.team, each.linked) for each in humans), 5)
    run("CREATE TEMP TABLE groups_made (id TEXT, name TEXT, space TEXT)")
    put("groups_made", ((each.id, each.name, each.space) for each in teams), 3)


def _fill(run: Run) -> None:
    run("INSERT INTO meta (name, value) VALUES ('demo', '1')")  # no bot that is in earnest takes it for its own
    run("INSERT INTO people (id, name, created_at, linked) SELECT id, name, 0, linked FROM humans")
    run(
        "INSERT INTO actors (adapter, user_id, person) SELECT CASE WHEN space LIKE 'web/%' THEN 'web' WHEN space LIKE"
        " 'feishu/%' THEN 'feishu' ELSE 'discord' END, 'user-' || id, id FROM humans"
    )
    run(
        "INSERT INTO teams (id, space, name, same_name, created_at)"
        " SELECT id, space, name, lower(name), 0 FROM groups_made"
    )
    run(
        "INSERT INTO team_members (team, person, role, source, added_at)"
        " SELECT team, min(id), 'owner', 'admin', 0 FROM humans WHERE team<>'' GROUP BY team"
    )
    run(
        "INSERT INTO team_members (team, person, role, source, added_at) SELECT h.team, h.id, 'member', 'admin', 0"
        " FROM humans h WHERE h.team<>'' AND h.id NOT IN (SELECT person FROM team_members)"
    )
    for table, rows in ROWS.items():
        run(f"INSERT INTO {table} {rows}")
    limits = (
        "SELECT 'team:' || id AS account, 'images' AS unit, 'month' AS win, 4000 AS amount FROM groups_made",
        "SELECT 'team:' || id, 'usd', 'month', 200000000 FROM groups_made",
        "SELECT DISTINCT 'space:' || space, 'images', 'month', 100000 FROM humans",
    )
    for sql in limits:
        run(f"INSERT INTO limits (account, unit, win, amount) {sql}")
    run(
        "INSERT INTO audit (at, space, person, name, what, before, after) SELECT at, space, person, name,"
        " 'space model', '\"\"', '\"' || model || '\"' FROM made WHERE number<=" + str(AUDITED) + " ORDER BY number"
    )


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

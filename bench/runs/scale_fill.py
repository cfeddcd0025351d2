"""Fills a database as years of use would: generations that ended, with everything that belongs to them.

By statements of its own, as the product would take hours. Indexes are made afterwards, which is faster.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.runs import product
from bot.storage import postgres
from bot.storage.postgres import Raw

DAYS = 90  # of use
A_PERSON = 100  # generations of each person
A_SPACE = 20_000
LEAST_PERSONS = 50

# Their ids look like chance, and are all different: an odd factor permutes the numbers below 2^32.
MADE = """
CREATE TEMP TABLE made AS
SELECT number, at, micros, id, 'p' || lpad(to_hex(number % :persons), 8, '0') AS person,
  CASE number % :spaces WHEN 0 THEN ':space' ELSE ':space ' || number % :spaces END AS space,
  to_char(at, 'YYYY-MM-DD') AS day, to_char(at, 'IYYY-"W"IW') AS week, to_char(at, 'YYYY-MM') AS month
FROM (
  SELECT number, at, (extract(epoch FROM at) * 1000000)::bigint AS micros,
    lpad(to_hex((number * 2654435761) % 4294967296), 8, '0') AS id
  FROM (
    SELECT number, now() AT TIME ZONE 'UTC' - interval '1 day' * (:days * (1 - number::float / :count)) AS at
    FROM generate_series(1::bigint, :count) AS number
  ) AS numbers
) AS moments;
ANALYZE made;
CREATE TEMP TABLE drawn_on AS
SELECT id, micros, day, week, month, account, unit, CASE unit WHEN 'usd' THEN 30000 ELSE 1 END AS amount
FROM made, LATERAL (VALUES ('all'), ('person:' || person), ('space:' || space)) AS accounts (account),
  (VALUES ('images'), ('usd')) AS units (unit);
"""
REQUEST = (
    '{"mode": "imagine", "prompt": "a red fox in the snow, seen from far away, early light", "providers": ["sandbox"],'
    ' "model": "seedream-4", "size": "1024x1024"}'
)
ROWS = {
    "people": "(id, name, created_at, turn) SELECT DISTINCT person, 'person ' || person, 0, 0 FROM made",
    "actors": (
        "(adapter, user_id, person) SELECT ':space', row_number() OVER (ORDER BY id) - 1, id FROM people"
        " WHERE id LIKE 'p0%'"
    ),
    "generations": (
        "(id, invocation, person, person_name, space, adapter, language, request, provider, providers, model, count,"
        " price, state, attempt, owner, made, charged, created_at, started_at, finished_at)"
        " SELECT id, 'filled ' || number, person, 'person ' || person, space, ':space', 'en', ':request', 'sandbox',"
        " 'sandbox', 'seedream-4', 1, 30000, 'settled', 1, 'host:1:' || number % 9, 1, 1, micros, micros, micros"
        " FROM made ORDER BY number"
    ),
    "jobs": (
        "(generation, number, state, provider, sent_at) SELECT id, 0, 'done', 'sandbox', micros FROM made"
        " ORDER BY number"
    ),
    "images": (
        "(generation, position, job, blob, media_type, width, height, size, price, state)"
        " SELECT id, 0, 0, md5(id) || md5(person), 'image/png', 1024, 1024, 1500000, 30000, 'made' FROM made"
        " ORDER BY number"
    ),
    "blobs": "(key, size, used_at) SELECT md5(id) || md5(person), 1500000, micros FROM made ORDER BY number",
    "holds": (
        "(generation, account, unit, amount, state, day, week, month)"
        " SELECT id, account, unit, 0, 'closed', day, week, month FROM drawn_on"
    ),
    "entries": (
        "(generation, kind, account, unit, held, spent, at) SELECT id, kind, account, unit,"
        " CASE kind WHEN 'hold' THEN amount ELSE -amount END, CASE kind WHEN 'hold' THEN 0 ELSE amount END, micros"
        " FROM drawn_on, (VALUES ('hold'), ('settle')) AS kinds (kind)"
    ),
    "balances": (
        "(account, unit, win, period, held, spent) SELECT account, unit, win, period, 0, sum(amount) FROM"
        " (SELECT account, unit, day, week, month, sum(amount) AS amount FROM drawn_on"
        " GROUP BY account, unit, day, week, month) AS days,"
        " LATERAL (VALUES ('day', day), ('week', week), ('month', month), ('total', 'all')) AS windows (win, period)"
        " GROUP BY account, unit, win, period"
    ),
    "postings": (
        "(key, generation, adapter, place, state, wanted, shown, message, attempt, owner)"
        """ SELECT id || ':0', id, ':space', '{"data": {"room": "general"}, "private": false, "room": ""}',"""
        " 'posted', 2, 2, 'message-of-' || id || ':0', 3, 'host:1:' || number % 9 FROM made ORDER BY number"
    ),
    "posted_messages": (
        "(adapter, message, key) SELECT ':space', 'message-of-' || id || ':0', id || ':0' FROM made ORDER BY number"
    ),
    "events": (
        "(generation, at, kind, detail) SELECT id, micros, kind, detail FROM made,"
        " (VALUES ('accepted', ''), ('admitted', ''), ('sending', '0 sandbox'), ('produced', '0'), ('job done', ''),"
        " ('settled', '')) AS kinds (kind, detail)"
    ),
    "inbox": (
        "(id, adapter, raw, state, generation, received_at) SELECT 'filled ' || number, ':space', '{}', 'done', id,"
        " micros FROM made WHERE at > now() AT TIME ZONE 'UTC' - interval '7 days'"
    ),
}


def work(*, url: str, count: int) -> dict[str, Any]:
    begun = time.perf_counter()
    values = {
        "persons": max(LEAST_PERSONS, count // A_PERSON),
        "spaces": count // A_SPACE + 1,
        "days": DAYS,
        "count": count,
        "space": product.SPACE,
        "request": REQUEST,
    }
    with postgres.connected(url) as raw:
        raw.execute("SET synchronous_commit=off; SET maintenance_work_mem='256MB'; SET work_mem='64MB'")
        with raw.transaction():
            _run(raw, MADE, values)
            for table, rows in ROWS.items():
                with _without_indexes(raw, table):
                    _run(raw, f"INSERT INTO {table} {rows}", values)
        raw.execute("DROP TABLE made; DROP TABLE drawn_on")
        raw.execute("VACUUM ANALYZE")
        row = raw.execute("SELECT pg_database_size(current_database()) AS size").fetchone()
        assert row is not None
    return {"seconds": time.perf_counter() - begun, "mb": row["size"] / 1e6}


@contextmanager
def _without_indexes(raw: Raw, table: str) -> Iterator[None]:
    constraints = raw.execute(
        "SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
        " WHERE conrelid=CAST(%(table)s AS regclass) AND contype IN ('p', 'u')",
        {"table": table},
    ).fetchall()
    for each in constraints:
        _run(raw, f"ALTER TABLE {table} DROP CONSTRAINT {each['name']}")
    indexes = raw.execute(
        "SELECT indexname AS name, indexdef AS definition FROM pg_indexes"
        " WHERE tablename=%(table)s AND schemaname=current_schema()",
        {"table": table},
    ).fetchall()
    for each in indexes:
        _run(raw, f"DROP INDEX {each['name']}")
    yield
    for each in constraints:
        _run(raw, f"ALTER TABLE {table} ADD CONSTRAINT {each['name']} {each['definition']}")
    for each in indexes:
        _run(raw, each["definition"])


def _run(raw: Raw, sql: str, values: dict[str, Any] | None = None) -> None:
    for name, value in (values or {}).items():
        sql = sql.replace(f":{name}", str(value))
    raw.execute(sql.encode())


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

"""Admitting from a long line: how long one transaction takes, and how many get through where several processes do it.

Only `bot.generation.queue.admit` is looked at: what it admits is not run. The server's statistics are older than the
line, as they are wherever the line is short beside what is kept.
"""

import json
import sys
import time
from typing import Any

from bench.runs import product
from bench.runs.meter import percentiles
from bench.runs.scale_crew import crew
from bench.runs.scale_server import Backends
from bot.storage import postgres

PERSONS = 200
WARM = 3
AT_ONCE = 4  # of them are free, each time
FILLED = f"""
INSERT INTO people (id, name, created_at) SELECT 'w' || number, 'person ' || number, 0
FROM generate_series(1, {PERSONS}) AS number ON CONFLICT DO NOTHING;
INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider, providers,
  model, count, price, state, created_at)
SELECT 'w' || number, 'waits ' || number, 'w' || mod(number, {PERSONS}) + 1, '', '{product.SPACE}', '{product.SPACE}',
  'en', '{{}}', '{product.PROVIDER}', '{product.PROVIDER}', '{product.MODEL}', 1, 30000, 'queued', 0
FROM generate_series(1, %d) AS number
"""


def work(*, url: str, waiting: int, processes: int, rounds: int) -> dict[str, Any]:
    with postgres.connected(url) as raw:
        raw.execute((FILLED % waiting).encode())
        with crew("scale_admit", processes, url=url) as admitting:
            admitting.ask("admit", rounds=WARM, free=AT_ONCE)
            server, cpu, begun = Backends(raw), admitting.total("told", "cpu"), time.perf_counter()
            told = admitting.ask("admit", rounds=rounds, free=AT_ONCE)
            found = {"wall": time.perf_counter() - begun, "server": server.seconds}
            found["cpu"] = admitting.total("told", "cpu") - cpu
        row = raw.execute(
            "SELECT count(*) AS n, coalesce(sum(attempt), 0) AS attempts FROM generations WHERE state='running'"
        ).fetchone()
        assert row is not None
    admitted = sum(answer["admitted"] for answer in told)
    return {
        **found,
        "transactions": rounds * processes,
        "admitted": admitted,
        "wrong": row["attempts"] - row["n"] + abs(row["n"] - admitted - WARM * processes * AT_ONCE),
        **percentiles([each for answer in told for each in answer["took"]]),
    }


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

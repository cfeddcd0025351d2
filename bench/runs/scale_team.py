"""Gateways and workers over one database: how fast requests are accepted, shown in the line, and brought to their end.

First everything is accepted while nobody works, then all of it is posted as waiting, then it may run. At the end one
comes at a time, to see how soon an idle system starts it.
"""

import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.runs.meter import percentiles
from bench.runs.scale_crew import Crew, crew
from bench.runs.scale_server import Backends
from bot.generation.states import IN_FLIGHT, State, listed
from bot.storage import postgres
from bot.storage.postgres import Raw

AT_ONCE = 32  # callers of each gateway, and what each worker may run
WARM = 20  # for each process, before it is measured
LONGEST = 300.0
LATER = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 1800000000"
OPEN = f"SELECT count(*) AS n FROM generations WHERE state IN ({listed((State.QUEUED, *IN_FLIGHT))}) AND run_after=0"
TO_POST = (
    "SELECT (SELECT count(*) FROM postings WHERE state='to post')"
    " + (SELECT count(*) FROM postings WHERE state='posting') AS n"
)


def work(*, url: str, workers: int, gateways: int, count: int, idle: int, whole: bool) -> dict[str, Any]:
    name = secrets.token_hex(4)
    with tempfile.TemporaryDirectory() as folder, postgres.connected(url) as raw:
        own = {"url": url, "folder": folder}
        last = number_of(raw, "SELECT coalesce(max(seq), 0) AS n FROM generations")
        with crew("scale_gateway", gateways, **own, name=name) as asking:
            accepting = _accepting(raw, asking, gateways, count)
            raw.execute(f"UPDATE generations SET run_after={LATER} WHERE state='queued'".encode())
            with crew("scale_worker", workers, **own, running=AT_ONCE * workers, whole=whole) as working:
                with _measured(raw, working) as (posting, server):
                    working.ask("begin")
                    wait(raw, TO_POST, server)
                _release(raw, working, f"seq<={last + WARM * gateways}")
                wait(raw, OPEN)
                with _measured(raw, working) as (finishing, server):
                    _release(raw, working, "true")
                    finishing["wall"] = wait(raw, OPEN, server)
                    wait(raw, TO_POST, server)
                starting = _one_at_a_time(raw, asking, working, idle)
                connections = Backends(raw).there
                resting = working.ask("idle", seconds=2.0) if idle else []
        settled = number_of(raw, f"SELECT count(*) AS n FROM generations WHERE seq>{last} AND state='settled'")
    return {
        "asked": count // gateways * gateways + WARM * gateways + idle,
        "settled": settled,
        "accepting": accepting,
        "posting": {**posting, "count": posting["posts"]},
        "finishing": {**finishing, "count": count // gateways * gateways},
        "connections": connections,
        "idle_cpu": sum(each["cpu"] for each in resting) / 2.0 / workers,
        "worker_mib": sum(each["mib"] for each in resting) / workers,
        **starting,
    }


def _accepting(raw: Raw, asking: Crew, gateways: int, count: int) -> dict[str, Any]:
    asking.ask("accept", count=WARM, at_once=AT_ONCE)
    server = Backends(raw)
    told = asking.ask("accept", count=count // gateways, at_once=AT_ONCE)
    took = [each for answer in told for each in answer["took"]]
    return {
        "count": len(took),
        "wall": max(answer["wall"] for answer in told),
        "cpu": sum(answer["cpu"] for answer in told),
        "server": server.seconds,
        **percentiles(took),
    }


def _one_at_a_time(raw: Raw, asking: Crew, working: Crew, count: int) -> dict[str, Any]:
    asked = []
    for _ in range(count):
        asked.append(asking.ask_one("one"))
        wait(raw, OPEN)
        wait(raw, TO_POST)
        time.sleep(random.uniform(0, 0.05))  # not in step with whatever looks again by the clock
    started = {name: at for answer in working.ask("told") for name, at in answer["started"].items()}
    return {
        "accept_s": [each["accepted"] - each["begun"] for each in asked],
        "start_s": [started[each["generation"]] - each["accepted"] for each in asked],
    }


@contextmanager
def _measured(raw: Raw, working: Crew) -> Iterator[tuple[dict[str, Any], Backends]]:
    """Fills its dictionary at the end: CPU seconds of the workers and of the server, and posts."""
    found: dict[str, Any] = {}
    server, before = Backends(raw), working.ask("told")
    yield found, server
    found["server"], after = server.seconds, working.ask("told")
    for name in ("cpu", "posts"):
        found[name] = sum(answer[name] for answer in after) - sum(answer[name] for answer in before)


def _release(raw: Raw, working: Crew, which: str) -> None:
    raw.execute(f"UPDATE generations SET run_after=0 WHERE state='queued' AND run_after>0 AND {which}".encode())
    working.ask("wake")


def wait(raw: Raw, sql: str, server: Backends | None = None) -> float:
    """Until nothing of it is left; how long that took."""
    begun = time.perf_counter()
    while number_of(raw, sql):
        if time.perf_counter() > begun + LONGEST:
            raise TimeoutError(sql)
        if server:
            server.look()
        time.sleep(0.01)
    return time.perf_counter() - begun


def number_of(raw: Raw, sql: str) -> int:
    row = raw.execute(sql.encode()).fetchone()
    assert row is not None
    return int(row["n"])


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

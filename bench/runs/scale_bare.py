"""Bare procrastinate over one database: how fast jobs that do nothing are deferred, and brought to their end.

First they are deferred while nobody works, then they may run; at the end one comes at a time.
"""

import json
import random
import sys
import time
from typing import Any

from bench.runs.meter import percentiles
from bench.runs.scale_crew import Crew, crew
from bench.runs.scale_server import Backends
from bench.runs.scale_team import AT_ONCE, WARM, number_of, wait
from bot.storage import postgres
from bot.storage.postgres import Raw

BATCH = 20  # as many as are admitted at most in one transaction
OPEN = "SELECT count(*) AS n FROM procrastinate_jobs WHERE scheduled_at IS NULL"


def work(*, url: str, workers: int, gateways: int, count: int, idle: int) -> dict[str, Any]:
    with postgres.connected(url) as raw, crew("scale_peer", gateways, url=url) as asking:
        asking.ask("defer", count=WARM, at_once=AT_ONCE, batch=0)
        singly = _deferred(raw, asking, count // gateways, 0)
        batched = _deferred(raw, asking, count // gateways, BATCH)
        raw.execute("UPDATE procrastinate_jobs SET scheduled_at=now()+interval '1 hour'")
        with crew("scale_peer", workers, url=url) as working:
            working.ask("begin", concurrency=AT_ONCE)
            asking.ask("defer", count=WARM, at_once=AT_ONCE, batch=0)
            wait(raw, OPEN)
            server, cpu = Backends(raw), working.total("told", "cpu")
            jobs = number_of(raw, "SELECT count(*) AS n FROM procrastinate_jobs")
            raw.execute("UPDATE procrastinate_jobs SET scheduled_at=NULL")
            asking.ask_one("one", name="more")  # else nobody would be told
            finishing: dict[str, Any] = {"count": jobs + 1, "wall": wait(raw, OPEN, server), "server": server.seconds}
            left = number_of(raw, "SELECT count(*) AS n FROM procrastinate_jobs")
            finishing["cpu"] = working.total("told", "cpu") - cpu
            starting = _one_at_a_time(raw, asking, working, idle)
            connections = Backends(raw).there
    return {
        "asked": finishing["count"],
        "settled": finishing["count"] - left,
        "accepting": singly,
        "batched": batched,
        "finishing": finishing,
        "connections": connections,
        **starting,
    }


def _deferred(raw: Raw, asking: Crew, count: int, batch: int) -> dict[str, Any]:
    server = Backends(raw)
    told = asking.ask("defer", count=count, at_once=AT_ONCE, batch=batch)
    return {
        "count": count * len(told),
        "wall": max(answer["wall"] for answer in told),
        "cpu": sum(answer["cpu"] for answer in told),
        "server": server.seconds,
        **percentiles([each for answer in told for each in answer["took"]]),
    }


def _one_at_a_time(raw: Raw, asking: Crew, working: Crew, count: int) -> dict[str, Any]:
    asked = []
    for each in range(count):
        asked.append(asking.ask_one("one", name=f"single {each}"))
        wait(raw, OPEN)
        time.sleep(random.uniform(0, 0.05))
    started = {name: at for answer in working.ask("told") for name, at in answer["started"].items()}
    return {
        "accept_s": [each["accepted"] - each["begun"] for each in asked],
        "start_s": [started[each["generation"]] - each["accepted"] for each in asked],
    }


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))), flush=True)

"""B5: how many requests are accepted and settled in a second, durably, and how long a person waits for it.

An action is: the event noted, then in the next transaction its row closed, the holds of images and money taken on the
person, the space and everyone, the generation stored; later the picture noted, and in the last transaction the holds
settled and the generation ended. WAL, synchronous=FULL. Admission (who is next) is timed apart in the closed loop and
is a part of the open one.
"""

import tempfile
from functools import partial
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bot.storage.database import BATCH, PRAGMAS

LEAST_OF_AIOSQLITE = 10.0
MOST_P99 = 100.0  # milliseconds
RATES = (200, 500)
PEER, LIMIT = "bare aiosqlite", "limit: bare sqlite3"


def run(options: Options) -> Report:
    persons = 20 if options.quick else 1000
    report = Report(name="B5", title=f"accept + settle by {persons:,} persons, durably (WAL, synchronous=FULL)")
    with tempfile.TemporaryDirectory() as folder:
        recorded = fresh("books_recording", folder=folder, persons=persons)
        replay: dict[str, Any] = {"folder": folder, "pragmas": PRAGMAS}
        sides = {
            "seedream-bot": partial(fresh, "books_ours", mode="closed", persons=persons),
            PEER: partial(fresh, "books_aiosqlite", **replay),
            LIMIT: partial(fresh, "books_limit", **replay, batch=BATCH),
        }
        found = alternating(sides, options.runs)
    for side, runs in found.items():
        report.rows.append(_closed(f"all {persons:,} at once", side, runs))
    for rate in (20,) if options.quick else RATES:
        program = partial(
            fresh, "books_ours", mode="open", persons=persons, rate=rate, seconds=0.5 if options.quick else 5
        )
        runs = alternating({"seedream-bot": program}, options.runs)["seedream-bot"]
        report.rows.append(_opened(f"{rate} arrive a second", runs))
        if not options.quick:
            p99 = median([run["accept_ms"] for run in runs], "p99")
            report.targets.append(Target(what=f"p99 ms to accept, {rate}/s", found=p99, most=MOST_P99))
    pairs = {side: runs[0]["actions"] / median(runs, "wall") for side, runs in found.items()}
    if not options.quick:
        ratio = pairs["seedream-bot"] / pairs[PEER]
        report.targets.insert(0, Target(what="times bare aiosqlite", found=ratio, least=LEAST_OF_AIOSQLITE))
        p99 = median([run["accept_ms"] for run in found["seedream-bot"]], "p99")
        report.targets.append(Target(what=f"p99 ms to accept, {persons:,} at once", found=p99, most=MOST_P99))
    cpu = median(found[PEER], "cpu") / median(found["seedream-bot"], "cpu")
    admission = median(found["seedream-bot"], "admit_wall") / persons * 1000
    report.notes += [
        f"An action is {recorded['transactions']} transactions of {recorded['statements']} statements together.",
        "bare aiosqlite: the same statements with ready values, one connection, a lock, a commit a transaction.",
        f"bare sqlite3: the same in one thread, {BATCH} transactions to a commit, and nothing else.",
        f"In CPU alone it is {cpu:.1f} times; what else the machine does weighs on the peer's every commit.",
        f"Admission of {persons:,} that all wait takes {admission:.2f} ms each besides.",
    ]
    return report


def _closed(case: str, side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    _check(runs)
    actions = runs[0]["actions"]
    row = {
        "case": case,
        "side": side,
        "actions/s": actions / median(runs, "wall"),
        "CPU ms/action": median(runs, "cpu") / actions * 1000,
    }
    for phase in ("accept", "settle") if "accept_ms" in runs[0] else ():
        for part in ("p50", "p99"):
            row[f"{phase} {part} ms"] = median([run[f"{phase}_ms"] for run in runs], part)
    return row


def _opened(case: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    _check(runs)
    actions = runs[0]["actions"]
    return {
        "case": case,
        "side": "seedream-bot",
        "actions/s": actions / median(runs, "wall"),
        "CPU ms/action": median(runs, "cpu") / actions * 1000,
        "accept p50 ms": median([run["accept_ms"] for run in runs], "p50"),
        "accept p99 ms": median([run["accept_ms"] for run in runs], "p99"),
        "all p50 ms": median([run["whole_ms"] for run in runs], "p50"),
        "all p99 ms": median([run["whole_ms"] for run in runs], "p99"),
    }


def _check(runs: list[dict[str, Any]]) -> None:
    """A run that lost something has measured nothing."""
    for run in runs:
        if run["settled"] != run["actions"] or run["wrong"]:
            raise RuntimeError(f"{run['settled']} of {run['actions']} settled, {run['wrong']} faults in the books")

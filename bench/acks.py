"""B7: how long people wait for the first answer when 400 of them ask at once while 4K pictures are made to fit.

Beside the product, in turns with it, a bare discord.py handler that defers and then answers with one sentence: the same
two requests a command that the product makes, but nothing is checked, noted or counted. Both run in a process of their
own, which makes pictures fit in two threads all the time, and reach the same Discord over the same proxy.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bench.runs import pictures

OURS, BARE = "seedream-bot", "bare discord.py"
MOST_OF_BARE, MOST_LAG = 1.3, 100.0  # ms
BURST = 400
SMALLER = 3  # 28 MiB become 9.3, which Discord takes


def run(options: Options) -> Report:
    count, side = (20, 256) if options.quick else (BURST, 4096)
    report = Report(name="B7", title=f"first answers to {count} slash commands at once, {side}x{side} being fitted")
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        pictures.photo(side, picture)
        programs = {OURS: "acks_ours", BARE: "acks_bare"}
        beside = {"picture": str(picture), "most": picture.stat().st_size // SMALLER}
        sides = {
            name: partial(fresh, "acks_people", bot=program, beside=beside, count=count)
            for name, program in programs.items()
        }
        found = alternating(sides, options.runs)
    report.rows += [_row(side, runs) for side, runs in found.items()]
    if not options.quick:
        ratio = median(found[OURS], "p99") / median(found[BARE], "p99")
        report.targets.append(Target(what="p99 of bare discord.py", found=ratio, most=MOST_OF_BARE))
        report.targets.append(Target(what="longest loop lag ms", found=median(found[OURS], "lag_max"), most=MOST_LAG))
    late = sum(run["late"] for run in found[OURS])
    report.targets.append(Target(what="commands without an answer after 3 s", found=float(late), most=0.0))
    report.notes.append("The fake Discord and its proxy share the processors with what is measured.")
    return report


def _row(side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "side": side,
        "p50 ms": median(runs, "p50"),
        "p99 ms": median(runs, "p99"),
        "max ms": median(runs, "max"),
        "late": sum(run["late"] for run in runs),
        "all answered s": median(runs, "answered"),
        "lag p99 ms": median(runs, "lag_p99"),
        "lag max ms": median(runs, "lag_max"),
        "CPU s": median(runs, "cpu"),
        "pictures fitted": median(runs, "fitted"),
    }

"""B6: acknowledged work that is gone after the power failed, and after kill -9.

The life of a bot is recorded under its SQLite, write by write. Then the power fails at hundreds of its moments, and the
product reads what a disk may have kept. Beside it the same with `synchronous=NORMAL`, where commits do not wait for the
disk. Killed is a process that works on through the product's own writer.
"""

from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target

OURS, PEER = "seedream-bot", "synchronous=NORMAL"
FAILS, KILLED = "the power fails", "kill -9"
POINTS, KILLS = 500, 40
MOST_SECONDS = 10.0


def run(options: Options) -> Report:
    points, kills = (60, 3) if options.quick else (POINTS, KILLS)
    report = Report(
        name="B6", title=f"acknowledged work lost: the power fails at {points} points a run, {kills} kill -9"
    )
    sides: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {}
    if find_spec("apsw"):
        sides[FAILS, OURS] = _seeded("power_loss", pragmas=[], points=points)
        sides[FAILS, PEER] = _seeded("power_loss", pragmas=[PEER], points=points)
    else:
        report.notes.append("apsw is not installed (it is in the group `test`), so nothing was recorded.")
    sides[KILLED, OURS] = _seeded("power_kills", kills=kills)
    found = alternating({" ".join(side): program for side, program in sides.items()}, options.runs)
    for case, side in sides:
        report.rows.append(row := _row(case, side, found[f"{case} {side}"]))
        if side == OURS:
            report.targets.append(Target(what=f"{case}: crashes that lost something", found=row["lost at"], most=0))
            report.targets.append(Target(what=f"{case}: faults of the file or the books", found=row["faults"], most=0))
        else:
            report.targets.append(Target(what="crashes that lost something with NORMAL", found=row["lost at"], least=1))
            report.notes.append(_life(found[f"{case} {side}"][0]))
    if not options.quick:
        seconds = sum(row["s a run"] for row in report.rows if row["side"] == OURS)
        report.targets.append(Target(what="seconds for both", found=seconds, most=MOST_SECONDS))
    return report


def _seeded(program: str, **arguments: Any) -> Callable[[], dict[str, Any]]:
    """Each of its runs has another seed; both sides have the same ones."""
    seeds = count()
    return lambda: fresh(program, seed=next(seeds), **arguments)


def _row(case: str, side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    crashes, losing = (sum(run[name] for run in runs) for name in ("crashes", "losing"))
    return {
        "case": case,
        "side": side,
        "crashes": crashes,
        "lost at": losing,
        "of them %": losing / crashes * 100,
        "most lost": max(run["most_lost"] for run in runs),
        "faults": sum(len(run["broken"]) for run in runs),
        "acknowledged": sum(run["acknowledged"] for run in runs),
        "s a run": median(runs, "seconds"),
        "CPU s a run": median(runs, "cpu"),
    }


def _life(run: dict[str, Any]) -> str:
    return (
        f"A recorded life: {run['acknowledged']} transactions, {run['commits']} commits, {run['checkpoints']}"
        f" checkpoints. Written by SQLite {run['sqlite']} (APSW's), read by {run['read_by']} (the product's)."
    )

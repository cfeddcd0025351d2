"""B9: what a Feishu event costs from the wire to its acknowledgement, and what a repeat or a forgery gets done.

The product is the whole bot with its database: the event is noted durably before it is acknowledged, and only what
would answer it afterwards is replaced by a counter. The peers do nothing either but count, and note nothing: nonebot2
with its Feishu adapter, and lark_oapi's own dispatcher, behind aiohttp and at the end of its own long connection.
"""

from functools import partial
from pathlib import Path
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target

OURS, SDK, NONEBOT = "seedream-bot", "lark_oapi's dispatcher", "nonebot2"
WEBHOOK, CONNECTION = "webhook", "connection"
MOST_CPU = 0.25  # ms
COUNT, TOGETHER = 3000, 32


def run(options: Options) -> Report:
    count = 40 if options.quick else COUNT
    report = Report(name="B9", title=f"{count:,} messages on Feishu, {TOGETHER} at once, noted and acknowledged")
    sides: dict[str, tuple[str, Path | None]] = {OURS: ("ours", None), SDK: ("sdk", None)}
    if options.peers:
        sides[NONEBOT] = ("nonebot", options.peers)
    else:
        report.notes.append("nonebot2 was not installed: it is left out.")
    for way in (WEBHOOK, CONNECTION):
        people = partial(fresh, "feishu_events_people", way=way, count=count, together=TOGETHER)
        programs = {
            name: partial(people, bot=f"feishu_events_{program}", interpreter=str(python) if python else "")
            for name, (program, python) in sides.items()
        }
        found = alternating(programs, options.runs)
        report.rows += [_row(way, side, runs) for side, runs in found.items()]
        _promise(report, way, found[OURS], quick=options.quick)
    report.notes.append(
        "the wire: what an event costs that is acknowledged and left, as it is of a kind unknown to us."
    )
    report.notes.append("CPU is that of the bot's process, all its threads; Feishu is a process beside it.")
    report.notes.append("MiB: ours has just made its database, and holds what migrates it.")
    report.notes.append("forged: a wrong signature, none, one of an hour ago, and a wrong verification token.")
    return report


def _promise(report: Report, way: str, ours: list[dict[str, Any]], *, quick: bool) -> None:
    if not quick:
        cpu, wire = median(ours, "cpu_ms"), median(ours, "wire_ms")
        report.targets.append(Target(what=f"CPU ms an event, {way}", found=cpu, most=MOST_CPU))
        report.targets.append(Target(what=f"the same without the wire, {way}", found=cpu - wire, most=MOST_CPU))
    repeated = {run["repeated"] for run in ours}
    worst = float(max(repeated, key=lambda ran: abs(ran - 1)))
    report.targets.append(Target(what=f"runs of 1 event sent 5 times, {way}", found=worst, most=1.0, least=1.0))
    if way == WEBHOOK:
        forged = float(max(run["forged"] for run in ours))
        report.targets.append(Target(what="forged events that ran", found=forged, most=0.0))


def _row(way: str, side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "way": way,
        "side": side,
        "CPU ms/event": median(runs, "cpu_ms"),
        "of it the wire": median(runs, "wire_ms") if side == OURS else "",
        "ack p50 ms": median(runs, "p50"),
        "ack p99 ms": median(runs, "p99"),
        "runs of 1 event sent 5 times": max(run["repeated"] for run in runs),
        "forged that ran, of 4": max(run["forged"] for run in runs) if way == WEBHOOK else "",
        "MiB": median(runs, "mib"),
    }

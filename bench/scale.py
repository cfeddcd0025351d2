"""scale: what several processes over one PostgreSQL accept and bring to their end, and what that costs.

Gateways and workers are processes of their own, put together as the product does it, around a provider that has its
picture at once and a platform on which everything stands at once. Beside them, on the same server and in turns with
them, bare procrastinate defers and runs jobs that do nothing. All again with years of generations in the tables.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bench.runs.meter import percentiles
from bench.runs.scale_server import NAMES, address, new_database
from bot.storage import schema

OURS, BOOKS, PEER = "seedream-bot", "without files", "procrastinate"
MOST_RUNS = 3  # each of them starts up to eight processes
WORKERS = (1, 2, 4)
KEPT = (1_000, 10_000, 100_000, 1_000_000)
WAITING = (1_000, 10_000)
LEAST_FINISHED = 500 / 60  # what a provider is asked for by default
MOST_GROWTH = 1.5

New = Callable[[], AbstractContextManager[str]]
Side = Callable[[], dict[str, Any]]
Runs = dict[str, list[dict[str, Any]]]


def run(options: Options) -> Report:
    report = Report(name="scale", title="accepted and finished a second by several processes over one PostgreSQL")
    server = address()
    if not server:
        report.notes.append(f"Left out: neither {' nor '.join(NAMES)} names a PostgreSQL server to measure on.")
        return report
    runs = min(options.runs, MOST_RUNS)
    with ExitStack() as stack:
        empty = stack.enter_context(new_database(server))
        schema.migrate(empty)
        new = partial(new_database, server, empty)
        found = alternating(_processes(options, new), runs)
        kept = {kept: stack.enter_context(new()) for kept in (KEPT[:1] if options.quick else KEPT)}
        report.notes += [_filled(each, url) for each, url in kept.items()]
        lines = alternating(_lines(options, partial(new_database, server, kept[KEPT[0]])), 1)
        grown = alternating(_growing(options, kept), runs)
    for side, runs_of_it in {**found, **grown}.items():
        _check(runs_of_it)
        report.rows.append(_row(side, runs_of_it))
    _tell(report, found)
    _tell_of_lines(report, lines)
    if not options.quick:
        finished = _rate([run["finishing"] for run in found[_name(OURS, 1)]])
        growth = f"CPU of one with {KEPT[-1]:,} kept, in that with {KEPT[0]:,}"
        report.targets += [
            Target(what="finished a second by one worker", found=finished, least=LEAST_FINISHED),
            Target(what=growth, found=_growth(grown), most=MOST_GROWTH),
        ]
    return report


def _processes(options: Options, new: New) -> dict[str, Side]:
    """In a new database each time."""
    count, jobs, alone = (12, 12, 2) if options.quick else (160, 400, 67)  # 201 come alone in three runs
    sides: dict[str, Side] = {}
    for workers in WORKERS[:1] if options.quick else WORKERS:
        given = {"workers": workers, "gateways": min(2, workers), "idle": alone if workers == 1 else 0}
        sides[_name(OURS, workers)] = partial(_in, new, "scale_team", **given, count=count, whole=True)
        sides[_name(PEER, workers)] = partial(_in, new, "scale_bare", **given, count=jobs)
    given = {"workers": 1, "gateways": 1, "idle": 0}
    if not options.quick:
        sides[_name(BOOKS, 1)] = partial(_in, new, "scale_team", **given, count=count, whole=False)
    return sides


def _filled(kept: int, url: str) -> str:
    filled = fresh("scale_fill", url=url, count=kept)
    return f"{kept:,} kept: {filled['mb']:,.0f} MB, filled in {filled['seconds']:.0f} s."


def _growing(options: Options, kept: Mapping[int, str]) -> dict[str, Side]:
    """In the same databases each time: what is added is little beside what is there."""
    count, alone = (12, 2) if options.quick else (160, 20)
    given: dict[str, Any] = {"workers": 1, "gateways": 1, "count": count, "idle": alone, "whole": True}
    return {f"{OURS}, {each:,} kept": partial(fresh, "scale_team", url=url, **given) for each, url in kept.items()}


def _lines(options: Options, new: New) -> dict[str, Side]:
    rounds = 3 if options.quick else 40
    return {
        f"{waiting:,} wait, {processes} admitting": partial(
            _in, new, "scale_line", waiting=waiting, processes=processes, rounds=rounds
        )
        for waiting in (WAITING[:1] if options.quick else WAITING)
        for processes in ((2,) if options.quick else (1, 3))
    }


def _in(new: New, program: str, **arguments: Any) -> dict[str, Any]:
    with new() as url:
        return fresh(program, url=url, **arguments)


def _name(side: str, workers: int) -> str:
    return f"{side}, {workers} working"


def _row(side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """CPU is that of one generation from its event to its last post, or of a job from its deferring to its end."""
    accepting, finishing = ([run[name] for run in runs] for name in ("accepting", "finishing"))
    row: dict[str, Any] = {
        "side": side,
        "accepted/s": _rate(accepting),
        "finished/s": _rate(finishing),
        "CPU ms": sum(_cost(runs, "cpu").values()),
        "CPU ms of PostgreSQL": sum(_cost(runs, "server").values()) or "",
    }
    if starts := [each for run in runs for each in run["start_s"]]:
        accepts = [each for run in runs for each in run["accept_s"]]
        row["accept p50 ms"] = percentiles(accepts)["p50"]
        row |= {f"start {name} ms": percentiles(starts)[name] for name in ("p50", "p99")}
    return {**row, "connections": round(median(runs, "connections"))}


def _rate(phases: list[dict[str, Any]]) -> float:
    return float(phases[0]["count"]) / median(phases, "wall")


def _cost(runs: list[dict[str, Any]], whose: str) -> dict[str, float]:
    """CPU ms of one in each phase; nothing where the server is on another machine."""
    return {
        name: median([run[name] for run in runs], whose) / runs[0][name]["count"] * 1000
        for name in ("accepting", "posting", "finishing")
        if name in runs[0] and runs[0][name][whose] is not None
    }


def _check(runs: list[dict[str, Any]]) -> None:
    """A run that lost something has measured nothing."""
    for run in runs:
        if run["settled"] != run["asked"]:
            raise RuntimeError(f"{run['settled']} of {run['asked']} were settled")


def _tell(report: Report, found: Runs) -> None:
    """What is not in the rows: where the time goes, and what an idle process costs."""
    runs = found[_name(OURS, 1)]
    bot, server = _cost(runs, "cpu"), _cost(runs, "server")
    told = ", ".join(f"{name} {bot[name]:.1f} + {server.get(name, 0):.1f}" for name in bot)
    batched = _rate([run["batched"] for run in found[_name(PEER, 1)]])
    report.notes += [
        f"CPU ms of one worker's bot + PostgreSQL: {told}.",
        f"A worker that waits: {median(runs, 'idle_cpu') * 1000:.1f} CPU ms a second, {median(runs, 'worker_mib'):.0f}"
        " MiB.",
        f"Bare procrastinate defers {batched:,.0f} a second in batches of 20.",
        f"{BOOKS.capitalize()}: the transactions of a runner alone, without a provider, files and blobs.",
        "accept and start: one at a time, of which nothing else is in the way; start counts from the accepted answer.",
    ]


def _tell_of_lines(report: Report, lines: Runs) -> None:
    for case, (run,) in lines.items():
        if run["wrong"]:
            raise RuntimeError(f"{run['wrong']} admitted twice or not at all: {case}")
        server = f", {run['server'] / run['transactions'] * 1000:.1f} of PostgreSQL" if run["server"] else ""
        report.notes.append(
            f"{case}: a transaction takes p50 {run['p50']:.1f} ms, p99 {run['p99']:.1f} ms,"
            f" {run['cpu'] / run['transactions'] * 1000:.1f} CPU ms{server};"
            f" {run['admitted'] / run['wall']:.0f} admitted a second."
        )


def _growth(grown: Runs) -> float:
    """CPU of a generation where the most are kept, in those where the fewest are."""
    costs = [sum(_cost(runs, "cpu").values()) + sum(_cost(runs, "server").values()) for runs in grown.values()]
    return costs[-1] / costs[0]

"""`python -m bench NAME...`: measure, and print a small table; `all` measures everything.

`python -m bench fill COUNT URL` fills an empty database with so many generations, to look at them.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from bench import (
    acks,
    books,
    budget,
    dashboard,
    feishu_events,
    feishu_start,
    memory,
    paid,
    peers,
    posting,
    power,
    scale,
    start,
)
from bench.options import Options
from bench.report import Report, machine

BENCHMARKS: dict[str, Callable[[Options], Report]] = {
    "B1": budget.run,
    "B2": paid.run,
    "B3": posting.run,
    "B4": memory.run,
    "B5": books.run,
    "B6": power.run,
    "B7": acks.run,
    "B8": start.run,
    "B9": feishu_events.run,
    "B10": feishu_start.run,
    "SCALE": scale.run,
    "DASHBOARD": dashboard.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Leaves with 0 where every target was met, and 1 where one was missed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["fill"]:
        wanted = _filler().parse_args(given[1:])
        print(dashboard.fill(wanted.url, wanted.count))
        return 0
    asked = _parser().parse_args(given)
    names = list(BENCHMARKS) if "ALL" in asked.names else list(dict.fromkeys(asked.names))
    try:
        python = None if asked.no_peers else peers.python()
    except peers.NoPeers as error:
        print(error, file=sys.stderr)
        return 2
    options = Options(runs=1 if asked.quick else asked.runs, quick=asked.quick, peers=python)
    before = machine()
    reports = []
    for name in names:
        reports.append(report := BENCHMARKS[name](options))
        if not asked.json:
            print(report, end="\n\n", flush=True)
    if asked.json:
        found = [report.to_json() for report in reports]
        print(json.dumps({"machine": before, "runs": options.runs, "quick": options.quick, "benchmarks": found}))
    else:
        print(f"{options.runs} fresh processes a side; medians. {json.dumps(before)}")
    return 0 if all(target.met for report in reports for target in report.targets) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="+", type=str.upper, choices=[*BENCHMARKS, "ALL"], metavar="NAME")
    parser.add_argument("--runs", type=int, default=5, help="fresh processes for each side (5)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="only to see that it works; the figures mean nothing")
    parser.add_argument("--no-peers", action="store_true", help="without what has to be installed first")
    return parser


def _filler() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench fill", description="a year of use, for the dashboard")
    parser.add_argument("count", type=_positive, help="generations")
    parser.add_argument("url", help="an empty database: sqlite:///FILE or postgresql://...")
    return parser


def _positive(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise argparse.ArgumentTypeError(f"{written!r} is no number from 1 on")
    return int(written)


if __name__ == "__main__":
    sys.exit(main())

"""B10: what starting Feishu does to a loop that serves others meanwhile: its longest lag, and the memory it takes.

Beside the product, in turns with it, lark_oapi's own client: imported and started in a thread of its own, the only way
in which it runs beside a loop. Both connect to the same Feishu, a process that takes its time as a network does.
"""

from functools import partial
from typing import Any

from bench.fresh import alternating, fresh, median, served
from bench.options import Options
from bench.report import Report, Target

OURS, SDK = "seedream-bot", "lark_oapi's own client"
MOST_LAG, MOST_MIB = 50.0, 15.0  # ms, MiB
DELAY = 0.15  # seconds that the endpoint takes
APP: dict[str, Any] = {"app_id": "cli_bench00000000000", "app_secret": "bench"}


def run(options: Options) -> Report:
    report = Report(name="B10", title="start of Feishu: imported and connected, beside a loop that serves others")
    with served("feishu_platform", delay=DELAY, **APP) as url:
        sides = {
            OURS: partial(fresh, "feishu_start_ours", url=url, **APP),
            SDK: partial(fresh, "feishu_start_sdk", url=url, **APP),
        }
        for start in sides.values():  # everything is compiled
            start()
        found = alternating(sides, options.runs)
    report.rows += [_row(side, runs) for side, runs in found.items()]
    if not options.quick:
        ours = found[OURS]
        report.targets.append(Target(what="longest loop lag ms", found=median(ours, "lag_max"), most=MOST_LAG))
        report.targets.append(Target(what="MiB more", found=median(ours, "more_mib"), most=MOST_MIB))
    report.notes.append(f"The endpoint of the long connection answers after {DELAY * 1000:.0f} ms.")
    report.notes.append("aiohttp is imported already on both sides, as in the product before Feishu is started.")
    return report


def _row(side: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "side": side,
        "connected after s": median(runs, "wall"),
        "CPU s": median(runs, "cpu"),
        "lag p99 ms": median(runs, "lag_p99"),
        "lag max ms": median(runs, "lag_max"),
        "more MiB": median(runs, "more_mib"),
    }

"""B3: what it takes from a provider's answer to a file that can be posted, beside the bare encoding of the picture."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench.fresh import alternating, fresh, median, served
from bench.options import Options
from bench.report import Report, Target
from bench.runs import pictures

MOST_OF_VIPS = 1.15
MOST_OF_2K = 0.03  # seconds; such a picture fits as it is, so there is nothing to compare it with


def run(options: Options) -> Report:
    report = Report(name="B3", title="from the answer (base64 PNG) to a postable file of at most 10 MiB")
    sides = (512, 256) if options.quick else (4096, 2048)
    with tempfile.TemporaryDirectory() as name:
        for side in sides:
            picture = Path(name) / f"{side}.png"
            pictures.photo(side, picture)
            with served("answers", picture=str(picture)) as base_url:
                for in_flight in (1, 8):
                    _case(report, options, picture, side, base_url, in_flight, needs_encoding=side == sides[0])
    report.notes.append("The file on disk is what bare pyvips starts from: it receives, checks and stores nothing.")
    return report


def _case(
    report: Report, options: Options, picture: Path, side: int, base_url: str, in_flight: int, *, needs_encoding: bool
) -> None:
    count = 2 if options.quick else 8
    sides = {"seedream-bot": partial(fresh, "posting_ours", base_url=base_url, in_flight=in_flight, count=count)}
    if needs_encoding:
        sides["bare pyvips"] = partial(fresh, "posting_vips", picture=str(picture), in_flight=in_flight, count=count)
    found = alternating(sides, options.runs)
    case = f"{side}x{side}, {in_flight} in flight"
    for name, runs in found.items():
        report.rows.append(_row(case, name, runs, found.get("bare pyvips")))
    ours = median(found["seedream-bot"], "cpu") / count
    if in_flight == 1:
        report.notes.append(f"{case}, CPU ms by stage: {_stages(found['seedream-bot'], count)}")
    if options.quick:
        return
    if needs_encoding:
        ratio = ours / (median(found["bare pyvips"], "cpu") / count)
        report.targets.append(Target(what=f"CPU of bare pyvips, {case}", found=ratio, most=MOST_OF_VIPS))
    else:
        report.targets.append(Target(what=f"CPU seconds, {case}", found=ours, most=MOST_OF_2K))


def _row(case: str, name: str, runs: list[dict[str, Any]], limit: list[dict[str, Any]] | None) -> dict[str, Any]:
    count = runs[0]["count"]
    return {
        "case": case,
        "side": name,
        "CPU s/picture": median(runs, "cpu") / count,
        "x limit": median(runs, "cpu") / median(limit, "cpu") if limit else "",
        "wall s/picture": median(runs, "wall") / count,
        "peak MiB": median(runs, "above_mib"),
        "file MiB": median(runs, "bytes") / 2**20,
    }


def _stages(runs: list[dict[str, Any]], count: int) -> str:
    names = runs[0]["stages"]
    each = {name: sorted(run["stages"][name] for run in runs)[len(runs) // 2] / count * 1000 for name in names}
    return ", ".join(f"{name} {value:.0f}" for name, value in each.items())

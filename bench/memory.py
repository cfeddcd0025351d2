"""B4: the memory that many large answers at once take, from the provider's answer to the post."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.fresh import alternating, fresh, median, served
from bench.options import Options
from bench.report import Report, Target
from bench.runs import pictures

MOST_ABOVE_IDLE = 100.0  # MiB


def run(options: Options) -> Report:
    count, size = (3, 300_000) if options.quick else (50, 12_000_000)
    report = Report(name="B4", title=f"memory of {count} answers of {size / 1e6:g} MB at once: receive, store, post")
    with tempfile.TemporaryDirectory() as name:
        picture = Path(name) / "picture.png"
        pictures.noise(size, picture)
        with served("answers", picture=str(picture), together=count) as base_url:
            sides = {"seedream-bot": _together(base_url, partial(fresh, "memory_ours", base_url=base_url, count=count))}
            if options.peers:
                peer = partial(fresh, "memory_openai", python=options.peers, base_url=base_url, count=count)
                sides["openai + BytesIO"] = _together(base_url, peer)
            found = alternating(sides, options.runs)
    for side, runs in found.items():
        report.rows.append(
            {
                "side": side,
                "idle MiB": median(runs, "idle_mib"),
                "peak above idle MiB": median(runs, "above_mib"),
                "CPU ms/answer": median(runs, "cpu") / count * 1000,
                "wall s": median(runs, "wall"),
                "answers posted": min(run["settled"] for run in runs),
                "posted MB": median(runs, "posted_mb"),
            }
        )
    above = median(found["seedream-bot"], "above_mib")
    if not options.quick:
        report.targets.append(Target(what="MiB above idle", found=above, most=MOST_ABOVE_IDLE))
    if options.peers:
        ratio = median(found["openai + BytesIO"], "above_mib") / above
        report.notes.append(f"The openai SDK with BytesIO takes {ratio:.1f} times as much above its idle memory.")
    report.notes.append(
        "The server answers nobody before all have asked. Idle is before the first request of a process."
    )
    return report


def _together(base_url: str, side: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The server counts who waits; each run begins from none."""

    def run_side() -> dict[str, Any]:
        with urlopen(Request(f"{base_url}/begin-anew", method="POST")):
            pass
        return side()

    return run_side

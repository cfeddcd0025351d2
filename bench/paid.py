"""B2: how often one action is paid for when something goes wrong after the provider has read the request.

The server is the sandbox with one fault switched on. Every POST that reaches it counts: a provider may bill each.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bot.catalogue import load
from bot.providers.sandbox import Sandbox

FAULTS = {
    "connection dropped": "cut_request",
    "no answer in time": "silent",
    "200 cut in the middle": "cut_answer",
    "HTTP 500": "failing",
}
PATIENCE, QUICK_PATIENCE = 1.5, 0.5  # seconds; both sides get the same, instead of minutes


def run(options: Options) -> Report:
    return asyncio.run(_run(options))


async def _run(options: Options) -> Report:
    report = Report(name="B2", title="paid submissions for one action")
    actions = 2 if options.quick else 10
    patience = QUICK_PATIENCE if options.quick else PATIENCE
    worst = 0.0
    for case, fault in FAULTS.items():
        async with Sandbox(seconds=0) as sandbox:
            setattr(sandbox.faults, fault, True)
            sides = {"seedream-bot": _counted(sandbox, "paid_ours", actions, patience=patience)}
            if options.peers:
                model = load().model("sandbox", "seedream-4").id
                sides["openai"] = _counted(
                    sandbox, "paid_openai", actions, python=options.peers, model=model, patience=patience
                )
            found = await asyncio.to_thread(alternating, sides, options.runs)
        for side, runs in found.items():
            report.rows.append(
                {
                    "fault": case,
                    "side": side,
                    "submissions/action": sum(run["posts"] for run in runs) / (actions * options.runs),
                    "ended as": ", ".join(sorted({state for run in runs for state in run["ended"]})),
                    "CPU ms/action": median(runs, "cpu") / actions * 1000,
                    "wall s": median(runs, "wall"),
                }
            )
        worst = max(worst, *(run["posts"] / actions for run in found["seedream-bot"]))
    report.targets.append(Target(what="submissions for an action, the worst run", found=worst, most=1.0, least=1.0))
    report.notes.append(f"{actions} actions at once in each process; both sides give up after {patience:g} s.")
    return report


def _counted(sandbox: Sandbox, program: str, actions: int, **more: Any) -> Callable[[], dict[str, Any]]:
    """The program, and how many POSTs reached the server while it ran."""

    def side() -> dict[str, Any]:
        before = sandbox.paid_requests
        found = fresh(program, base_url=sandbox.base_url, actions=actions, **more)
        return {**found, "posts": sandbox.paid_requests - before}

    return side

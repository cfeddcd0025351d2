"""B2: how often one action is paid for when something goes wrong after the provider has read the request.

Each provider is asked at its own simulator with one fault switched on. Every POST that gets there counts, because each
may be billed; at Apiframe, where the same key is the same job for a day, the jobs that were created count.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from bench.fresh import alternating, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bench.runs.product import KEY, MODEL
from bot.catalogue import load
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.base import Fault
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.novita import NovitaSim

Sim = ImagesApiSim | ApiframeSim | NovitaSim

SIMULATORS: dict[str, Callable[[], Sim]] = {
    "modelark": ImagesApiSim,
    "apiframe": lambda: ApiframeSim(key=KEY),
    "novita": NovitaSim,
}
PEER, PEER_AT = "openai", "modelark"
FAULTS = {
    "connection dropped": Fault.RESET,
    "no answer in time": Fault.SILENT,
    "200 cut in the middle": Fault.CUT,
    "HTTP 500": Fault.FAILED,
}
PATIENCE, QUICK_PATIENCE = 1.5, 0.5  # seconds; both sides get the same, instead of minutes


def run(options: Options) -> Report:
    return asyncio.run(_run(options))


async def _run(options: Options) -> Report:
    report = Report(name="B2", title="paid submissions for one action")
    actions = 2 if options.quick else 10
    patience = QUICK_PATIENCE if options.quick else PATIENCE
    ours = []
    for case, fault in FAULTS.items():
        async with AsyncExitStack() as stack:
            sims = {name: simulator() for name, simulator in SIMULATORS.items()}
            for sim in sims.values():
                await stack.enter_async_context(sim)
                sim.goes_wrong(fault, always=True)
            found = await asyncio.to_thread(alternating, _sides(sims, options, actions, patience), options.runs)
        for side, runs in found.items():
            report.rows.append(
                {
                    "fault": case,
                    "side": side,
                    "submissions/action": sum(run["paid"] for run in runs) / (actions * options.runs),
                    "POSTs/action": sum(run["posts"] for run in runs) / (actions * options.runs),
                    "ended as": ", ".join(sorted({state for run in runs for state in run["ended"]})),
                    "CPU ms/action": median(runs, "cpu") / actions * 1000,
                    "wall s": median(runs, "wall"),
                }
            )
            ours += [run["paid"] / actions for run in runs if side != PEER]
    report.targets.append(Target(what="submissions for an action, the most of any run", found=max(ours), most=1.0))
    report.targets.append(Target(what="submissions for an action, the fewest of any run", found=min(ours), least=1.0))
    report.notes.append(f"{actions} actions at once in each process; both sides give up after {patience:g} s.")
    return report


def _sides(sims: dict[str, Sim], options: Options, actions: int, patience: float) -> dict[str, Callable[[], Any]]:
    catalogue = load()
    common = {"actions": actions, "patience": patience}
    sides = {
        f"seedream-bot, {catalogue.offer(name).title}": _counted(sim, "paid_ours", provider=name, **common)
        for name, sim in sims.items()
    }
    if options.peers:
        model = catalogue.model(PEER_AT, MODEL).id
        sides[PEER] = _counted(sims[PEER_AT], "paid_openai", python=options.peers, model=model, **common)
    return sides


def _counted(sim: Sim, program: str, **more: Any) -> Callable[[], dict[str, Any]]:
    """The program, and how many POSTs and paid submissions reached the simulator while it ran."""

    def side() -> dict[str, Any]:
        before = len(sim.paid), sim.billed
        found = fresh(program, base_url=sim.base_url, **more)
        posts, billed = len(sim.paid) - before[0], sim.billed - before[1]
        return {**found, "posts": posts, "paid": billed if isinstance(sim, ApiframeSim) else posts}

    return side

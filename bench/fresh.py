"""Fresh processes for what is measured, with nothing of the caller's settings in them."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

TREE = Path(__file__).resolve().parents[1]
LONGEST = 900  # seconds after which a run has hung


class RunFailed(Exception):
    """A process ended badly; the text holds its last words."""


def environment(**more: str) -> dict[str, str]:
    """The caller's, without any settings of the bot and of Python, and with compiled modules in a folder of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BOT_", "PYTHON"))}
    # Both sides start from compiled modules, and the source tree is not written to.
    compiled = Path(gettempdir()) / f"seedream-bench-pyc-{os.getuid()}"
    return {**kept, "PYTHONPATH": str(TREE), "PYTHONPYCACHEPREFIX": str(compiled), **more}


def fresh(program: str, *, python: Path | None = None, **arguments: Any) -> dict[str, Any]:
    """What `bench.runs.<program>` found, run in a process and an empty folder of its own."""
    with TemporaryDirectory(prefix="bench-") as folder:
        done = subprocess.run(
            [str(python or sys.executable), "-m", f"bench.runs.{program}", json.dumps(arguments)],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RunFailed(f"{program} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


@contextmanager
def served(program: str, **arguments: Any) -> Iterator[str]:
    """A server as a process of its own, by the address that it prints first."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.runs.{program}", json.dumps(arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise RunFailed(f"{program} did not start")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def alternating(sides: Mapping[str, Callable[[], dict[str, Any]]], runs: int) -> dict[str, list[dict[str, Any]]]:
    """Every side `runs` times, in turns, so that whatever else the machine does meets them alike."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, side in sides.items():
            found[name].append(side())
    return found


def median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return statistics.median(float(run[name]) for run in runs)

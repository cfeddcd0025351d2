"""What a process knows about itself: time on the clock and on the processor, memory now and at its peak.

Standard library only, because peers are measured with it too. Memory is read from Linux's /proc.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Fills its dictionary at the end: seconds of `wall` and `cpu` (all threads), MiB of memory above the beginning."""
    found: dict[str, Any] = {}
    forget_peak()
    before, wall, cpu = resident("VmRSS"), time.perf_counter(), time.process_time()
    yield found
    found["wall"] = time.perf_counter() - wall
    found["cpu"] = time.process_time() - cpu
    found["idle_mib"] = before
    found["peak_mib"] = resident("VmHWM")
    found["above_mib"] = found["peak_mib"] - before


def resident(field: str, status: Path = STATUS) -> float:
    """MiB in memory: `VmRSS` now, `VmHWM` at the peak."""
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise LookupError(field)


def forget_peak() -> None:
    """Let the peak begin anew from what is in memory now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """How long things took, in milliseconds."""
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000 for name, part in at.items()}


def main(work: Callable[..., Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """Run the program: its argument is a JSON object of named arguments, its last line one of results."""
    print(json.dumps(asyncio.run(work(**json.loads(sys.argv[1])))), flush=True)

"""What a bot under test tells of itself: how often its handler ran, and what its process has taken so far.

Standard library only, because peers use it too.
"""

import json
import sys
import threading
import time
from typing import Any

from bench.runs.meter import resident


class Handled:
    """Counts; with any arguments, as whatever calls a handler has its own."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: Any, **__: Any) -> None:
        self.count += 1


def report(handled: Handled) -> None:
    """Say that it is ready, and then for each line that comes what there is to see."""
    print(json.dumps({}), flush=True)
    threading.Thread(target=_look, args=(handled,), daemon=True).start()


def _look(handled: Handled) -> None:
    for _ in sys.stdin:
        seen = {"ran": handled.count, "cpu": time.process_time(), "mib": resident("VmRSS")}
        print(json.dumps(seen), flush=True)

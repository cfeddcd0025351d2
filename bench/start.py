"""B8: from the start of the process to the first page, and the memory of a bot that has nothing to do.

The folder exists already, as at every start but the first; modules are compiled, on both sides. Feishu is off.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import socket
from typing import Any

from bench.fresh import alternating, environment, fresh, median
from bench.options import Options
from bench.report import Report, Target
from bench.runs.meter import resident

MOST_SECONDS, MOST_MIB = 1.0, 75.0
IDLE = 0.5  # seconds without a tick of CPU
LONGEST = 60.0
PAUSE = 0.005


def run(options: Options) -> Report:
    report = Report(name="B8", title="cold start to the first page, and idle memory, Feishu off")
    with tempfile.TemporaryDirectory() as name:
        sides: dict[str, Callable[[], dict[str, Any]]] = {"seedream-bot": partial(_started, Path(name))}
        if options.peers:
            sides["SDKs imported"] = partial(_imported, options.peers)
        for start in sides.values():  # the folder is made, and everything is compiled
            start()
        found = alternating(sides, options.runs)
    for side, runs in found.items():
        report.rows.append(
            {
                "side": side,
                "start s": median(runs, "seconds"),
                "CPU s": median(runs, "cpu"),
                "idle MiB": median(runs, "mib"),
                "peak MiB": median(runs, "peak_mib") if side == "seedream-bot" else "",
            }
        )
    if not options.quick:
        ours = found["seedream-bot"]
        report.targets.append(
            Target(what="seconds to the first page", found=median(ours, "seconds"), most=MOST_SECONDS)
        )
        report.targets.append(Target(what="idle MiB", found=median(ours, "mib"), most=MOST_MIB))
    report.notes.append("SDKs imported: discord.py, openai, lark-oapi and aiosqlite, one client of each, nothing done.")
    return report


def _imported(python: Path) -> dict[str, Any]:
    """Timed from outside, as the product is: with the interpreter's own start."""
    begun = time.perf_counter()
    found = fresh("start_sdks", python=python)
    return {**found, "seconds": time.perf_counter() - begun}


def _started(folder: Path) -> dict[str, Any]:
    """Start it, ask for the page until it comes, let it come to rest, and look at it."""
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    begun = time.perf_counter()
    with _demo(folder, port) as process:
        _first_page(process, port)
        seconds, cpu = time.perf_counter() - begun, _ticks(process.pid)
        _at_rest(process.pid)
        status = Path(f"/proc/{process.pid}/status")
        return {"seconds": seconds, "cpu": cpu, "mib": resident("VmRSS", status), "peak_mib": resident("VmHWM", status)}


@contextmanager
def _demo(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "bot",
        "demo",
        "--no-open",
        "--port",
        str(port),
        "--data-dir",
        str(folder / "data"),
    ]
    with (folder / "words").open("wb") as words:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=words, stderr=words)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(LONGEST)


def _first_page(process: subprocess.Popen[bytes], port: int) -> None:
    """Until `GET /` is answered with 200; a browser would follow where it is sent."""
    deadline = time.monotonic() + LONGEST
    path = "/"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the demonstration ended with {process.returncode}")
        connection = HTTPConnection("127.0.0.1", port, timeout=LONGEST)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            time.sleep(PAUSE)
            continue
        finally:
            connection.close()
        if answer.status == 200:
            return
        if answer.status not in (302, 303, 307):
            raise RuntimeError(f"GET {path} was answered with {answer.status}")
        path = answer.headers["Location"]
    raise TimeoutError("no page")


def _at_rest(pid: int) -> None:
    deadline = time.monotonic() + LONGEST
    quiet_since, seen = time.monotonic(), _ticks(pid)
    while time.monotonic() < deadline and time.monotonic() - quiet_since < IDLE:
        time.sleep(PAUSE)
        if (now := _ticks(pid)) > seen + 0.011:  # its clocks tick a little all the time
            quiet_since, seen = time.monotonic(), now


def _ticks(pid: int) -> float:
    """CPU seconds of the process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100

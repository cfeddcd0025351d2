"""The command line as real processes: started, spoken to, and ended."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
KEYS = {"text", "generation", "state", "images", "buttons", "accounts", "error"}


@dataclass(frozen=True, slots=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def in_one_sentence(self) -> str:
        """What it says about its failure: one line, no traceback."""
        assert self.code not in (0, None), self
        assert "Traceback" not in self.err, self.err
        assert len(self.err.strip().splitlines()) == 1, self.err
        return self.err.strip()


def environment(**more: str) -> dict[str, str]:
    """This one without what would set the bot, and with the code under test."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
    return {**own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TERM": "dumb", "NO_COLOR": "1", **more}


@dataclass
class Desk:
    """Runs commands in a folder of their own, with one data folder."""

    folder: Path
    variables: Mapping[str, str]
    data: str = "data"

    @property
    def data_dir(self) -> Path:
        return self.folder / self.data

    def run(self, *words: str, data_dir: bool = True, **variables: str) -> Done:
        place = ("--data-dir", str(self.data_dir)) if data_dir else ()
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words, *place],
            cwd=self.folder,
            env=environment(**{**self.variables, **variables}),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def send(self, *words: str, code: int = 0, **variables: str) -> dict[str, Any]:
        """`send … --json`; the object that it prints, with every key, and nothing else on any line."""
        done = self.run("send", *words, "--json", **variables)
        assert done.code == code, done
        assert "Traceback" not in done.err, done.err
        assert done.json.keys() == KEYS
        return done.json

    def all(self, lines: Sequence[Sequence[str]]) -> list[Done]:
        """Several commands that do not wait for each other, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda words: self.run(*words), lines))

    @contextmanager
    def running(self, *words: str, **variables: str) -> Iterator["Owner"]:
        """`run` or `demo` until the block is left; then SIGTERM, and it must end well."""
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *words, "--data-dir", str(self.data_dir)],
            cwd=self.folder,
            env=environment(BOT_WEB__PORT="0", **{**self.variables, **variables}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        owner = Owner(process)
        try:
            yield owner
        finally:
            owner.stop()


class Owner:
    """A process that owns the data folder; everything that it says is kept."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, kept))
            for stream, kept in ((process.stdout, self.out), (process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.address = self.until(r"http://127\.0\.0\.1:\d+")
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def until(self, pattern: str) -> str:
        """Wait for a line with this in it, and return the part that matches."""
        while True:
            line = self._lines.get(timeout=20)
            if found := re.search(pattern, line):
                return found[0]
            if line == "":
                raise AssertionError(f"it ended: {self.out} {self.err}")

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        for reader in self._readers:
            reader.join()
        return code

    def _read(self, stream: Any, kept: list[str]) -> None:
        with stream:
            for line in stream:
                kept.append(line.rstrip("\n"))
                self._lines.put(line)
        self._lines.put("")

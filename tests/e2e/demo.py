"""The demonstration as people start it: a process of its own over a folder, which may be killed and started again."""

import asyncio
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.postgres import ENGINE, settings_of
from tests.warm import Process, start_python

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # s, for a start and for a stop
TOLD = re.compile(r"The page is at (http://127\.0\.0\.1:(\d+))")


@dataclass
class Demo:
    """`address` is where its page is, the same after every start."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    address: str = ""
    port: int = 0
    process: Process | None = None

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    async def start(self, **settings: str) -> None:
        command = ("demo", "--no-open", "--port", str(self.port), "--data-dir", str(self.folder))
        with self.log.open("ab") as log:
            self.process = await start_python(
                *("-m", "bot", *command),
                stdout=PIPE,
                stderr=log,
                cwd=self.folder.parent,
                env=_environment() | self.settings | settings,
            )
        async with asyncio.timeout(PATIENCE):
            told = await self._told()
        assert self.port in (0, int(told[2])), "another port"
        self.address, self.port = told[1], int(told[2])

    async def kill(self) -> None:
        assert await self._end(signal.SIGKILL) == -signal.SIGKILL

    async def stop(self) -> None:
        """As a service manager stops it: it may finish what it does."""
        assert await self._end(signal.SIGTERM) == 0, self.log.read_text()

    async def _told(self) -> re.Match[str]:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if told := TOLD.search(line.decode()):
                return told
        raise AssertionError(f"it ended before it had a page: {self.log.read_text()}")

    async def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            ended = await self.process.wait()
        self.process = None
        return ended


@asynccontextmanager
async def demonstration(folder: Path, *, engine: str = ENGINE, **settings: str) -> AsyncIterator[Demo]:
    """A running one; whatever runs in its folder at the end is ended."""
    with settings_of(engine) as database:
        demo = Demo(folder / "demo", {**database, **settings})
        await demo.start()
        try:
            yield demo
        finally:
            if demo.process is not None:
                await demo.kill()


def _environment() -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
    return {**others, "PYTHONPATH": str(ROOT)}

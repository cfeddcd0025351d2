"""`seedream-bot run` as a process of its own, connected to a fake platform of this process; the sandbox draws.

What is the same on every platform: how it is started, ended and waited for, and what its log must not hold.
"""

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from tests.warm import Process, start_python

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # s, for whatever takes a start or a picture
SHORT = 12  # characters: a word that is no longer may stand in a log by chance


class Platform(Protocol):
    """A fake one, that knows when something happened there."""

    async def until(self, condition: Callable[[], object], *, within: float, what: str) -> None: ...


class Shown(Protocol):
    """A message as a person sees it."""

    @property
    def text(self) -> str: ...

    @property
    def pictures(self) -> Sequence[bytes]: ...


M = TypeVar("M", bound=Shown)


@dataclass
class BotProcess:
    """settings: of every start. troubled: errors in the log are part of the story; expected: those events alone are."""

    folder: Path
    settings: dict[str, str]
    process: Process | None = field(default=None, init=False)
    troubled: bool = field(default=False, init=False)
    expected: set[str] = field(default_factory=set, init=False)

    @property
    def platform(self) -> Platform:
        raise NotImplementedError

    def platform_settings(self) -> Mapping[str, str]:
        """With which it finds the fake one."""
        raise NotImplementedError

    def hears(self) -> bool:
        """Whether it is connected, and has made known what it understands."""
        raise NotImplementedError

    def hangs_on(self) -> bool:
        """Whether a connection of it still stands."""
        raise NotImplementedError

    def secrets(self) -> Iterable[str]:
        """What must not stand in a log: keys, and what people said."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    async def start(self, **settings: str) -> None:
        """Returns when it hears."""
        with self.log.open("ab") as log:
            self.process = await start_python(
                *("-m", "bot", "run"),
                env=self._environment() | self.settings | settings,
                cwd=self.folder.parent,
                stdout=DEVNULL,
                stderr=log,
            )
        await self.until(lambda: self.hears() or self._ended(), "the bot hears")

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Started before, and gone afterwards however the block ends."""
        try:
            await self.start()
            yield
        finally:
            if self.process is not None:
                await self.kill()

    async def kill(self) -> None:
        assert await self._end(signal.SIGKILL) == -signal.SIGKILL
        await self.until(lambda: not self.hangs_on(), "the end of its connection")

    async def stop(self) -> None:
        """As a service manager stops it."""
        assert await self._end(signal.SIGTERM) == 0, self.log.read_text()
        await self.until(lambda: not self.hangs_on(), "the end of its connection")

    async def restart(self, **settings: str) -> None:
        await self.kill()
        await self.start(**settings)

    async def beside(self, *words: str) -> tuple[int, str]:
        """What another command of the same settings leaves with, and prints: `ledger verify`, `admin …`."""
        process = await start_python(
            *("-m", "bot", *words),
            env=self._environment() | self.settings,
            cwd=self.folder.parent,
            stdout=PIPE,
            stderr=STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, told.decode()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await self.platform.until(condition, within=PATIENCE, what=what)

    async def shown(self, look: Callable[[], Sequence[M]], words: str, *, pictures: int = 0) -> M:
        """The newest of these messages that says this and shows so many pictures, once there is one."""

        def seen() -> M | None:
            return next((one for one in reversed(look()) if words in one.text and len(one.pictures) == pictures), None)

        try:
            await self.until(seen, words)
        except TimeoutError:
            there = [(one.text, len(one.pictures)) for one in look()]
            raise AssertionError(f"{words!r} with {pictures} pictures; there is {there}") from None
        message = seen()
        assert message is not None
        return message

    def slips(self) -> list[str]:
        """What its log should not hold: errors that nobody expected, keys, and what people said."""
        log = self.log.read_text()
        found = [] if self.troubled else [line for line in log.splitlines() if self._is_error(line)]
        return found + [secret for secret in self.secrets() if secret in log]

    def check(self, complaints: Sequence[str]) -> None:
        """A story that ends well leaves no slips, and the platform nothing to complain about."""
        if found := [*complaints, *self.slips()]:
            raise AssertionError("\n".join(found))

    def _is_error(self, line: str) -> bool:
        try:
            said = json.loads(line)
        except ValueError:
            return True  # a traceback of nobody's making
        return said.get("level") in ("error", "critical") and said.get("event") not in self.expected

    def _ended(self) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.log.read_text()}")
        return False

    async def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            ended = await self.process.wait()
        self.process = None
        return ended

    def _environment(self) -> dict[str, str]:
        """Without the settings of whoever runs the tests, and with everything in the log that it ever writes."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
        return {
            **others,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "BOT_DATA_DIR": str(self.folder),
            "BOT_WEB__PORT": "0",
            "BOT_PROVIDERS": '["sandbox"]',
            "BOT_LOG__FORMAT": "json",
            "BOT_LOG__LEVEL": "DEBUG",
            **self.platform_settings(),
        }


def is_telling(words: str) -> bool:
    return len(words) > SHORT and " " in words

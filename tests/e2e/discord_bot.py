"""`seedream-bot run` with Discord on: a process of its own that finds the fake Discord behind its proxy setting.

It knows Discord's real host names only, and trusts the fake's authority by SSL_CERT_FILE; the sandbox draws.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.model import Channel, Message, walk
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.people import Person

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # s, for whatever takes a start or a picture
SHORT = 12  # characters: a word that is no longer may stand in a log by chance


@dataclass
class Bot:
    """troubled: errors in the log are part of the story."""

    fake: FakeDiscord
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: Process | None = None
    troubled: bool = False

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    async def start(self, **settings: str) -> None:
        """Returns when it hears, and its commands stand."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "ignore", "-m", "bot", "run"),
                env=self._environment() | self.settings | settings,
                cwd=self.folder.parent,
                stdout=DEVNULL,
                stderr=log,
            )
        await self.fake.until(lambda: self._listens() or self._ended(), within=PATIENCE, what="the bot's session")

    async def kill(self) -> None:
        assert await self._end(signal.SIGKILL) == -signal.SIGKILL
        await self.fake.until(lambda: not self.fake.gateway.connected, what="the end of its session")

    async def stop(self) -> None:
        """As a service manager stops it."""
        assert await self._end(signal.SIGTERM) == 0, self.log.read_text()
        await self.fake.until(lambda: not self.fake.gateway.connected, what="the end of its session")

    async def restart(self, **settings: str) -> None:
        await self.kill()
        await self.start(**settings)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await self.fake.until(condition, within=PATIENCE, what=what)

    async def says(self, found: Message | Channel, words: str, *, pictures: int = 0) -> Message:
        """The message that says this and shows so many pictures; in a channel, the newest one."""

        def seen() -> Message | None:
            messages = found.messages if isinstance(found, Channel) else [found]
            return next(
                (one for one in reversed(messages) if words in one.text and len(one.pictures) == pictures), None
            )

        def missing() -> str:
            return f"{words!r} with {pictures} pictures; there is {texts(found)}"

        try:
            await self.until(seen, words)
        except TimeoutError as error:
            raise AssertionError(missing()) from error
        message = seen()
        assert message is not None
        return message

    def slips(self) -> list[str]:
        """What its log should not hold: errors that nobody expected, tokens, and what people said."""
        log = self.log.read_text()
        found = [line for line in log.splitlines() if not self.troubled and _level(line) in ("error", "critical")]
        return found + [secret for secret in secrets(self.fake) if secret in log]

    def _listens(self) -> bool:
        return bool(self.fake.gateway.connected and self.fake.commands.syncs)

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
            **self.fake.environment(),
            "PYTHONPATH": str(ROOT),
            "BOT_DATA_DIR": str(self.folder),
            "BOT_WEB__PORT": "0",
            "BOT_PROVIDERS": '["sandbox"]',
            "BOT_LOG__FORMAT": "json",
            "BOT_LOG__LEVEL": "DEBUG",
            "BOT_DISCORD__TOKEN": self.fake.token,
            "BOT_DISCORD__PROXY": self.fake.proxy.url,
            "BOT_DISCORD__MESSAGE_CONTENT": "true",
        }


@asynccontextmanager
async def on_discord(folder: Path, **settings: str) -> AsyncIterator[Bot]:
    """A bot that hears. One that ends well leaves no breach of Discord's rules, and no slips in its log."""
    async with FakeDiscord(openapi=at_hand()) as fake:
        bot = Bot(fake, folder / "data", settings)
        try:
            await bot.start()
            yield bot
        finally:
            if bot.process is not None:
                await bot.kill()
        assert fake.complaints == []
        assert bot.slips() == []
        assert fake.proxy.refused == []


async def drawn(bot: Bot, person: Person, prompt: str, *, pictures: int = 1, **options: Any) -> Message:
    """What became of `/imagine`, once the pictures are there."""
    asked = await person.slash("imagine", prompt=prompt, **options)
    return await bot.says(await asked.answered(within=PATIENCE), prompt, pictures=pictures)


def texts(found: Message | Channel) -> list[str]:
    return [one.text for one in (found.messages if isinstance(found, Channel) else [found])]


def secrets(fake: FakeDiscord) -> Iterator[str]:
    """The bot's token, every interaction's, and all longer words that a person gave."""
    yield fake.token
    for asked in fake.interactions.asked:
        yield asked.token
        yield from filter(_is_telling, _entered(asked.payload["data"]))
    for channel in fake.channels.values():
        yield from (one.content for one in channel.messages if one.author is not fake.bot and _is_telling(one.content))


def _entered(data: dict[str, Any]) -> Iterator[str]:
    fields = [*data.get("options", ()), *walk(data.get("components", []))]
    yield from (value for one in fields if isinstance(value := one.get("value"), str))


def _is_telling(words: str) -> bool:
    return len(words) > SHORT and " " in words


def _level(line: str) -> str:
    try:
        return str(json.loads(line).get("level", ""))
    except ValueError:
        return "critical"  # a traceback of nobody's making

"""A data folder and the bots that live in it, one after the other: each a real process, spoken to as people speak."""

import asyncio
import json
import resource
import secrets
import signal
import sqlite3
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.storage.postgres import PostgresConnection, connected
from bot.storage.schema import Place
from tests.crash.provider import Provider, clean_environment
from tests.crash.stored import Stored
from tests.crash.waiting import PATIENCE, until
from tests.warm import Process, start_python

ROOM = "design-team"
PEOPLE = ("alice", "bob", "carol")
VICTIM = Path(__file__).parent / "victim.py"


@dataclass(frozen=True)
class Said:
    """A message as its sender knows it: whether the page said that it has arrived."""

    id: str
    person: str
    words: str
    reply_to: str
    press: str
    uploads: Sequence[dict[str, Any]]
    acknowledged: bool


@dataclass
class Bot:
    """A running process. `log` is what it has written so far; `url` is empty until it listens."""

    process: Process
    home: "Home"
    http: aiohttp.ClientSession
    log: bytearray = field(default_factory=bytearray)
    url: str = ""

    async def ready(self) -> None:
        card = self.home.folder / "owner.json"

        def announced() -> dict[str, Any] | None:
            try:
                owner: dict[str, Any] = json.loads(card.read_text())
            except (OSError, ValueError):
                return None
            return owner if owner["pid"] == self.process.pid else None

        self.url = (await until(lambda: announced() or self._ended(), "the bot listens"))["url"]

    def _ended(self) -> dict[str, Any] | None:
        if self.process.returncode is None:
            return None
        raise AssertionError(f"it ended with {self.process.returncode}: {self.log.decode()}")

    async def say(
        self,
        words: str = "",
        *,
        person: str = "alice",
        reply_to: str = "",
        press: str = "",
        uploads: Sequence[dict[str, Any]] = (),
        id: str = "",
    ) -> Said:
        """Send a message, as the page does."""
        id = id or "m" + secrets.token_hex(10)
        message = {
            "id": id,
            "person": person,
            "room": ROOM,
            "words": words,
            "reply_to": reply_to,
            "press": press,
            "uploads": list(uploads),
        }
        try:
            async with self.http.post(f"{self.url}/messages", json=message) as answer:
                acknowledged = answer.status == 200
        except aiohttp.ClientError:
            acknowledged = False
        said = Said(id, person, words, reply_to, press, uploads, acknowledged)
        self.home.said[id] = said
        return said

    async def repeat(self, said: Said) -> Said:
        """Send a message again: the page keeps its id, so that it does no harm if it had arrived."""
        return await self.say(
            said.words,
            person=said.person,
            reply_to=said.reply_to,
            press=said.press,
            uploads=said.uploads,
            id=said.id,
        )

    async def upload(self, picture: bytes) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/uploads", params={"name": "picture.png"}, data=picture) as answer:
            assert answer.status == 200
            uploaded: dict[str, Any] = await answer.json()
            return uploaded

    async def draw(self, words: str, options: str = "", **how: Any) -> Said:
        """Ask for a small picture. Its words are this test's own, so that the provider's bill can be read."""
        return await self.say(f"/imagine {self.home.prompt(words)} --size 1280x720 {options}".rstrip(), **how)

    async def page(self, person: str = "alice") -> str:
        async with self.http.get(f"{self.url}/", params={"as": person, "room": ROOM}) as answer:
            assert answer.status == 200
            return await answer.text()

    async def died(self) -> None:
        """Its kill point was reached."""
        assert await self.ended() == -signal.SIGKILL, self.log.decode()

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.ended()

    def fill_disk(self) -> None:
        """No file of this process takes another byte."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, *, within: float = 30) -> int:
        async with asyncio.timeout(within):
            return await self.process.wait()


@dataclass
class Home:
    """settings: of every bot that runs here. troubled: errors in the log are part of the story."""

    folder: Path
    provider: Provider
    settings: dict[str, str]
    said: dict[str, Said] = field(default_factory=dict)
    logs: list[bytearray] = field(default_factory=list)
    troubled: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def stored(self) -> Stored:
        return Stored(self.folder, self.settings.get("BOT_DATABASE_URL", ""))

    @property
    def place(self) -> Place:
        """Of its database."""
        return self.settings.get("BOT_DATABASE_URL") or self.folder / "bot.db"

    def change(self, sql: str, **values: Any) -> None:
        """Change the database of a bot that does not run."""
        with ExitStack() as stack:
            if isinstance(self.place, str):
                PostgresConnection(stack.enter_context(connected(self.place))).execute(sql, **values)
                return
            raw = stack.enter_context(closing(sqlite3.connect(self.place)))
            stack.enter_context(raw)
            raw.execute(sql, values)

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            **clean_environment(),
            "BOT_DATA_DIR": str(self.folder),
            "BOT_WEB__PORT": "0",
            "BOT_ADMINS": json.dumps(PEOPLE),
            "BOT_PROVIDERS": '["modelark"]',
            "BOT_MODELARK__API_KEY": "x",
            "BOT_MODELARK__BASE_URL": self.provider.url,
            "BOT_FETCH__ALLOW": json.dumps([self.provider.address]),
            "BOT_MODEL": "seedream-4",
            "BOT_LOG__FORMAT": "json",
            "BOT_QUEUE__IMAGES_PER_MINUTE": "100000",
            **self.settings,
            **settings,
        }

    @asynccontextmanager
    async def starting(
        self, point: str = "", *options: str, command: Sequence[str] = ("run",), **settings: str
    ) -> AsyncIterator[Bot]:
        """A process that was just started; with a kill point it is the one that kills itself there.

        Leaving kills it where it lives still.
        """
        script = [str(VICTIM), point] if point else ["-m", "bot"]
        process = await start_python(
            *(*script, *options, *command),
            env=self.environment(**settings),
            cwd=self.folder.parent,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
            bot = Bot(process, self, http)
            self.logs.append(bot.log)
            tasks.create_task(_read(process, bot.log))
            try:
                yield bot
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    @asynccontextmanager
    async def running(
        self, point: str = "", *options: str, command: Sequence[str] = ("run",), **settings: str
    ) -> AsyncIterator[Bot]:
        """One that listens."""
        async with self.starting(point, *options, command=command, **settings) as bot:
            await bot.ready()
            yield bot

    async def command(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """Run `seedream-bot ARGUMENTS`; returns its exit code and what it said on both channels."""
        process = await start_python(
            *("-m", "bot", *arguments),
            env=self.environment(**settings),
            cwd=self.folder.parent,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def quiet(self) -> None:
        """Wait until whatever was acknowledged has its end, and the page shows it."""
        await until(lambda: not self.stored.unfinished(), lambda: f"an end: {self.stored.unfinished()}")

    async def reaches(self, asked: Said, **fields: Any) -> None:
        """Wait until the asking has come as far as these fields of its `Moment` say."""

        def there() -> bool:
            moment = self.stored.moment(asked.id)
            return all(getattr(moment, name) == value for name, value in fields.items())

        await until(there, lambda: f"{fields}: {self.stored.moment(asked.id)}")

    def prompt(self, words: str) -> str:
        return f"{words} {self.token}"

    def paid(self, words: str) -> int:
        """How many paid requests with these words the provider has taken in this test."""
        return self.provider.paid(self.prompt(words))


async def _read(process: Process, into: bytearray) -> None:
    assert process.stderr is not None
    while chunk := await process.stderr.read(65536):
        into += chunk

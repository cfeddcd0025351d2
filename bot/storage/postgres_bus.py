"""The bus of processes that share a PostgreSQL database: LISTEN and NOTIFY."""

import asyncio
import secrets
from functools import partial
from typing import Self

import psycopg
import structlog

from bot.errors import CannotStart
from bot.storage.bus import Hear
from bot.storage.postgres import Raw, reason
from bot.storage.session import LIMIT, Session, key_of, pause

log = structlog.get_logger(__name__)

MOMENT = 0.05  # what is told meanwhile goes together
LONGEST = 200  # signs of what is told
MOST_WAITING = 1000  # while the server is away
LAST_WORDS = 1.0  # at a stop, for what was told just before
LOOK_EVERY = 5.0  # whether the server is still there, where nobody tells anything


class PostgresBus:
    """Use as an asynchronous context manager; raises `CannotStart` where the server is not there at first.

    A lost connection is made again, for as long as it takes, and then everybody is called with "".
    """

    def __init__(self, url: str, *, look_every: float = LOOK_EVERY, limit: float = LIMIT) -> None:
        self._url = url
        self._look_every = look_every
        self._limit = limit
        self._me = secrets.token_hex(6)
        self._hears: dict[str, list[Hear]] = {}
        self._waiting: dict[tuple[str, str], None] = {}
        self._something = asyncio.Event()
        self._stopping = False

    async def __aenter__(self) -> Self:
        self._ear, self._mouth = Session(self._url), Session(self._url)
        try:
            self._channel = await self._ear.run(_listen, within=self._limit)
        except psycopg.OperationalError as error:
            self._ear.close()
            raise CannotStart(reason(error, self._url)) from error
        except BaseException:
            self._ear.close()
            raise
        self._tasks = (asyncio.create_task(self._hear()), asyncio.create_task(self._speak()))
        return self

    async def __aexit__(self, *_: object) -> None:
        hearing, speaking = self._tasks
        self._stopping = True
        self._something.set()
        try:
            await asyncio.wait((speaking,), timeout=LAST_WORDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(hearing, speaking, return_exceptions=True)
            self._ear.close()
            self._mouth.close()

    def on(self, topic: str, hear: Hear) -> None:
        self._hears.setdefault(topic, []).append(hear)

    def tell(self, topic: str, what: str = "") -> None:
        self._waiting[topic, what if len(what) <= LONGEST else ""] = None
        if len(self._waiting) > MOST_WAITING:
            self._waiting = dict.fromkeys((topic, "") for topic, _ in self._waiting)
        self._something.set()

    async def _hear(self) -> None:
        listens, tries = True, 0
        while True:
            try:
                if not listens:
                    await self._ear.run(_listen, within=self._limit)
                    listens = True
                    for topic in self._hears:
                        self._call(topic, "")
                heard = partial(_heard, wait=self._look_every)
                for payload in await self._ear.run(heard, within=self._look_every + self._limit):
                    sender, _, told = payload.partition(" ")
                    topic, _, what = told.partition(" ")
                    if sender != self._me:
                        self._call(topic, what)
                tries = 0
            except (psycopg.Error, OSError) as error:
                if not tries:
                    log.warning("other processes are not heard for a while", problem=type(error).__name__)
                self._ear.close()
                self._ear, listens, tries = Session(self._url), False, tries + 1
                await asyncio.sleep(pause(tries))

    def _call(self, topic: str, what: str) -> None:
        for hear in self._hears.get(topic, ()):
            try:
                hear(what)
            except Exception:  # a door: it must not keep others from hearing
                log.exception("what was told could not be heard", topic=topic)

    async def _speak(self) -> None:
        tries = 0
        while self._waiting or not self._stopping:
            await self._something.wait()
            self._something.clear()
            if not self._waiting:
                continue
            told, self._waiting = self._waiting, {}
            try:
                payloads = [f"{self._me} {topic} {what}" for topic, what in told]
                await self._mouth.run(partial(_notify, channel=self._channel, payloads=payloads), within=self._limit)
                tries = 0
            except (psycopg.Error, OSError):  # whoever hears tells of it
                self._mouth.close()
                self._mouth, tries = Session(self._url), tries + 1
                self._waiting = told | self._waiting
                self._something.set()
            await asyncio.sleep(pause(tries) if tries else MOMENT)


def _listen(raw: Raw) -> str:
    """Returns the channel: those of a database are shared by all of its schemas."""
    channel = f"seedream_bot_{key_of(raw, 'bus') % 2**64:016x}"
    raw.execute(f"LISTEN {channel}")
    return channel


def _heard(raw: Raw, *, wait: float) -> list[str]:
    """What comes, as soon as something does; a connection that ends is noticed at once, one that hangs by asking."""
    payloads = [notification.payload for notification in raw.notifies(timeout=wait, stop_after=1)]
    if not payloads:
        raw.execute("SELECT 1")
    return payloads


def _notify(raw: Raw, *, channel: str, payloads: list[str]) -> None:
    raw.execute(
        "SELECT pg_notify(%(channel)s, payload) FROM unnest(%(payloads)s::text[]) AS payload",
        {"channel": channel, "payloads": payloads},
    )

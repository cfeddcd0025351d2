"""Reads the pictures that people give: from Discord's file hosts, or, for a link, from wherever it leads, guarded.

What is uploaded to a command or a form vanishes from Discord after a while. It is fetched as soon as the interaction
has its first answer, and kept in a folder until it is dealt with, so that it is still there after a restart.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import structlog

from adapters.discord.event import File
from adapters.discord.ports import Fetcher
from adapters.discord.proxy import through
from adapters.discord.words import FILE_GONE, FILE_LATE
from bot.chat import Attachment
from bot.errors import BotError, PictureError
from bot.i18n import Text
from bot.media.spool import TooManyBytes, spool

log = structlog.get_logger(__name__)

# These are reached through the proxy, if there is one; every other address is a stranger's.
HOSTS = frozenset(
    {"cdn.discordapp.com", "media.discordapp.net", "images-ext-1.discordapp.net", "images-ext-2.discordapp.net"}
)
CHUNK = 64 * 1024
MOST_AT_ONCE = 16  # uploads on their way: ten come with each command, and a person may ask often
KEEP = 2 * 60 * 60.0  # seconds; what is older than an hour is not taken up again after a restart
TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=30)


class Files:
    """An asynchronous context manager. folder: its own, for uploads that are kept. max_bytes: of one picture."""

    def __init__(
        self,
        *,
        folder: Path,
        fetcher: Fetcher,
        max_bytes: int,
        connector: Callable[[], aiohttp.BaseConnector],
        proxy: str | None,
    ) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._connector = connector
        self._through = through(proxy)
        self._session: aiohttp.ClientSession | None = None
        self._coming: dict[str, asyncio.Task[Path]] = {}
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def __aenter__(self) -> "Files":
        await asyncio.to_thread(_sweep, self._folder)
        self._session = aiohttp.ClientSession(
            connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar(), timeout=TIMEOUT, auto_decompress=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._coming.values():
            task.cancel()
        await asyncio.gather(*self._coming.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def attach(self, file: File) -> Attachment:
        return Attachment(name=file.name, read=partial(self.read, file), size=file.size)

    def keep(self, files: Iterable[File]) -> None:
        """Begin to fetch uploads; what fails is said to whoever reads them."""
        for file in files:
            self._kept(file)

    async def forget(self, files: Iterable[File]) -> None:
        """They are dealt with."""
        for file in files:
            if task := self._coming.pop(file.id, None):
                await asyncio.wait([task])  # one that is cut off may leave a part of a file behind
            await asyncio.to_thread(self._place(file).unlink, missing_ok=True)

    async def read(self, file: File) -> AsyncIterator[bytes]:
        """Raises `PictureError` where it is gone, too large or not to be had."""
        if file.fleeting:
            async for chunk in _chunks(await asyncio.shield(self._kept(file))):
                yield chunk
            return
        with tempfile.TemporaryDirectory(prefix="picture-", dir=self._folder) as folder:
            into = Path(folder) / "picture"
            await self._fetch(file, into)
            async for chunk in _chunks(into):
                yield chunk

    def _kept(self, file: File) -> asyncio.Task[Path]:
        if file.id not in self._coming:
            task = asyncio.create_task(self._take(file), name=f"upload {file.id}")
            task.add_done_callback(_seen)
            self._coming[file.id] = task
        return self._coming[file.id]

    async def _take(self, file: File) -> Path:
        place = self._place(file)
        if not await asyncio.to_thread(place.exists):
            part = place.with_suffix(".part")
            async with self._room:
                await self._fetch(file, part)
            await asyncio.to_thread(part.rename, place)
        return place

    def _place(self, file: File) -> Path:
        if not file.id.isdecimal():
            raise ValueError("not an id of Discord's")
        return self._folder / file.id

    async def _fetch(self, file: File, into: Path) -> None:
        if (file.size or 0) > self._max_bytes:
            raise TooManyBytes(self._max_bytes)
        if urlsplit(file.url).hostname not in HOSTS:
            await self._fetcher.fetch(file.url, into=into, hosts=("*",), max_bytes=self._max_bytes)
            return
        try:
            await spool(self._from_discord(file), into, max_bytes=self._max_bytes)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _problem(FILE_LATE, file, type(error).__name__) from error

    async def _from_discord(self, file: File) -> AsyncIterator[bytes]:
        if self._session is None:
            raise RuntimeError("the files are not open")
        async with self._session.get(file.url, allow_redirects=False, **self._through) as response:
            if response.status in (403, 404, 410):
                raise _problem(FILE_GONE, file, f"status {response.status}")
            if response.status != 200:
                raise _problem(FILE_LATE, file, f"status {response.status}")
            async for chunk in response.content.iter_chunked(CHUNK):
                yield chunk


def _problem(words: Text, file: File, detail: str) -> PictureError:
    return PictureError(Text(words.message, {"name": file.name}), detail=detail)


def _seen(task: "asyncio.Task[Path]") -> None:
    """Whoever reads the file hears what is wrong with it; asyncio need not complain where nobody does."""
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, BotError):
        log.warning("an upload could not be kept", problem=type(error).__name__)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK * 8):
            yield chunk


def _sweep(folder: Path) -> None:
    """Remove what was left behind and is too old to be asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.is_file() and file.stat().st_mtime < time.time() - KEEP:
            file.unlink()

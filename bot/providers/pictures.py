"""From what an answer names to a file that is certainly a picture: the part that all providers share."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pybase64

from bot.errors import PictureError
from bot.i18n import Text, text
from bot.media.sniff import HEAD, dimensions, sniff, whole
from bot.providers.answer import MOST_PICTURE
from bot.providers.base import Produced

MOST_PIXELS = 100_000_000  # several times what any model draws; what is larger would only keep us busy
FETCHES = 3


class Fetcher(Protocol):
    """Downloads from the addresses that a provider names."""

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
        """Write what the address answers into a new file, or raise `PictureError` and leave none.

        An error with a true `transient` may be gone the next time.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """One provider's downloads. hosts: where its links may point; pause: seconds before one is tried again."""

    fetcher: Fetcher
    hosts: tuple[str, ...] = ()
    pause: float = 1.0

    async def fetch(self, url: str, into: Path) -> None:
        """At once, because links expire; again where it may help, because it is free and the picture is paid for.

        Raises `PictureError`.
        """
        for left in reversed(range(FETCHES)):
            try:
                await self.fetcher.fetch(url, into=into, hosts=self.hosts, max_bytes=MOST_PICTURE)
                return
            except PictureError as error:
                if not left or not getattr(error, "transient", False):
                    raise
            except ValueError as error:  # a host or a port that cannot be one shows only when it is looked up
                raise PictureError(unusable(), detail=f"a link that is none: {type(error).__name__}") from error
            await asyncio.sleep(self.pause * (FETCHES - left))

    async def produced(self, index: int, file: Path, *, title: str = "", cost: int | None = None) -> Produced:
        """What the file really is; names and types in the answer are not believed. Raises `PictureError`."""
        return await asyncio.to_thread(_inspect, index, file, title, cost)


def store_base64(file: Path, value: str) -> None:
    """Write what the base64 text holds, with or without a `data:` prefix. Raises `PictureError`."""
    try:
        file.write_bytes(pybase64.b64decode(value.partition(",")[2] or value, validate=True))
    except ValueError as error:
        raise PictureError(unusable(), detail="not base64") from error


def unusable() -> Text:
    return text("The file holds no picture that can be read.")


def _inspect(index: int, file: Path, title: str, cost: int | None) -> Produced:
    with file.open("rb") as opened:
        media_type = sniff(opened.read(HEAD))
    width, height = dimensions(file)
    if width * height > MOST_PIXELS:
        raise PictureError(unusable(), detail=f"{width}x{height} pixels")
    if not whole(file):
        raise PictureError(unusable(), detail=f"an {media_type} that was cut")
    return Produced(index, file, media_type, width, height, title=title, cost=cost)

"""Our own pictures made to fit: under a platform's size for files, and as thumbnails.

libvips works on them in a thread or two, in strips of a few MiB; people's own pictures never come here undecoded.
"""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.errors import PictureError
from bot.i18n import Text, text
from bot.media import metadata
from bot.media.sniff import HEAD, sniff
from bot.media.spool import disk_full, disk_full_is_unavailable, removed_on_failure

QUALITIES = (90, 80, 70)
THUMBNAIL_QUALITY = 80
NICENESS = 10  # of 19; still a seventh of what an ordinary thread gets where both want a processor
SMALLEST = 64  # a side below which a picture is not worth showing
WEBP_GAIN = 1.3  # a lossless WebP of a photograph is hardly ever smaller than its PNG divided by this
WEBP_PIXELS = 8_000_000  # it takes almost a second for each million, and somebody waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The file to post: the original itself, or another one in the caller's folder, and then a note saying so."""

    file: Path
    media_type: str
    note: Text | None = None


class Fitter:
    """Works on at most `threads` pictures at a time. libvips is loaded with the first one."""

    def __init__(self, *, threads: int = 2) -> None:
        self._threads = threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="fit", initializer=_give_way)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_pool" in self.__dict__:
            await asyncio.to_thread(self._pool.shutdown)

    async def fit(self, file: Path, *, max_bytes: int, folder: Path, lossless: bool = False) -> Fitted:
        """The file itself where it is small enough, else a JPEG of it in full size if that will do, else a smaller one.

        lossless: a WebP with the very same pixels comes before the JPEG, if it is soon made and likely to help.
        What `metadata.write` put into the original goes along into a JPEG. Raises `PictureError` where nothing helps.
        """
        loop = asyncio.get_running_loop()
        media_type, size = await loop.run_in_executor(self._pool, _look, file)
        if size <= max_bytes:
            return Fitted(file=file, media_type=media_type)
        if lossless and media_type == "image/png" and size <= max_bytes * WEBP_GAIN:
            webp = await loop.run_in_executor(self._pool, _lossless, file, max_bytes, folder)
            if webp is not None:
                same = text("The original is too large to be posted here; this is a WebP with the same pixels.")
                return Fitted(file=webp, media_type="image/webp", note=same)
        parameters = await metadata.read(file)
        room = max_bytes - metadata.weight(parameters)
        made, note = await loop.run_in_executor(self._pool, _shrink, file, room, folder)
        if parameters:
            await metadata.write(made, parameters)
        return Fitted(file=made, media_type="image/jpeg", note=note)

    async def thumbnail(self, file: Path, longest: int, folder: Path) -> Path:
        """A JPEG whose longer side is at most `longest`, or a WebP where something shines through."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _thumbnail, file, longest, folder)


def _give_way() -> None:
    """On Linux a thread has a priority of its own: whoever waits for a first answer comes before a picture."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _vips() -> Any:
    os.environ.setdefault(
        "VIPS_CONCURRENCY", "1"
    )  # PNG is read serially: more threads per picture cost and gain nothing
    import pyvips  # 13 MiB that an idle bot does without

    pyvips.cache_set_max(0)  # no picture is worked on twice in the same way
    pyvips.block_untrusted_set(True)
    return pyvips


@contextmanager
def _damaged_is_picture_error(vips: Any) -> Iterator[None]:
    try:
        yield
    except vips.Error as error:
        if "space" in str(error).lower():
            raise disk_full(str(error)[:200]) from error
        raise PictureError(text("The stored picture cannot be read."), detail=str(error)[:200]) from error


def _look(file: Path) -> tuple[str, int]:
    with file.open("rb") as source:
        return sniff(source.read(HEAD)), file.stat().st_size


def _lossless(file: Path, max_bytes: int, folder: Path) -> Path | None:
    """A WebP of it, or None where that is too large as well."""
    vips = _vips()
    target = folder / f"{secrets.token_hex(8)}.webp"
    with disk_full_is_unavailable(), removed_on_failure(target), _damaged_is_picture_error(vips):
        image = vips.Image.new_from_file(str(file), access="sequential", fail_on="error")
        if image.width * image.height > WEBP_PIXELS:
            return None
        image.webpsave(str(target), lossless=True, effort=1, keep="icc")
    if target.stat().st_size <= max_bytes:
        return target
    target.unlink()
    return None


def _shrink(file: Path, max_bytes: int, folder: Path) -> tuple[Path, Text]:
    vips = _vips()
    target = folder / f"{secrets.token_hex(8)}.jpeg"
    with disk_full_is_unavailable(), removed_on_failure(target), _damaged_is_picture_error(vips):
        size = _save_full_size(vips, file, target, max_bytes)
        if size <= max_bytes:
            return target, text("The original is too large to be posted here; this is a JPEG of it in full size.")
        image = _save_smaller(vips, file, target, max_bytes, size)
        return target, text(
            "The original is too large to be posted here; this is a smaller JPEG of it, {width}x{height}.",
            width=image.width,
            height=image.height,
        )


def _save_full_size(vips: Any, file: Path, target: Path, max_bytes: int) -> int:
    """Write the JPEG at the best quality that fits, or at one that shows it will not; returns its size."""
    size = 0
    for quality in QUALITIES:
        size = _save(vips.Image.new_from_file(str(file), access="sequential", fail_on="error"), target, quality)
        if size <= max_bytes or size > 2 * max_bytes:  # no lower quality halves it
            break
    return size


def _save_smaller(vips: Any, file: Path, target: Path, max_bytes: int, size: int) -> Any:
    """Write ever smaller JPEGs until one fits; returns that picture. `size` is that of the full one."""
    full = vips.Image.new_from_file(str(file))
    longest = max(full.width, full.height)
    while longest > SMALLEST:
        longest = int(longest * min(0.8, 0.95 * (max_bytes / size) ** 0.5))
        image = vips.Image.thumbnail(str(file), longest, height=longest, size="down", fail_on="error")
        size = _save(image, target, QUALITIES[1])
        if size <= max_bytes:
            return image
    raise PictureError(text("The picture is too large to be posted here."), detail=f"{max_bytes} bytes")


def _thumbnail(file: Path, longest: int, folder: Path) -> Path:
    vips = _vips()
    stem = folder / secrets.token_hex(8)
    with disk_full_is_unavailable(), _damaged_is_picture_error(vips):
        image = vips.Image.thumbnail(str(file), longest, height=longest, size="down", fail_on="error")
        target = stem.with_suffix(".webp" if image.hasalpha() else ".jpeg")
        with removed_on_failure(target):
            if image.hasalpha():
                image.webpsave(str(target), Q=THUMBNAIL_QUALITY, effort=0, keep="icc")
            else:
                _save(image, target, THUMBNAIL_QUALITY)
    return target


def _save(image: Any, target: Path, quality: int) -> int:
    if image.hasalpha():
        image = image.flatten(background=[255, 255, 255])
    image.jpegsave(str(target), Q=quality, keep="icc")
    return target.stat().st_size

"""Streams of bytes into files: counted while they come, and nothing left behind when they end badly."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from bot.errors import PictureError, Unavailable
from bot.i18n import text

WRITE_AT = 512 * 1024  # one hop to a thread for so many bytes, not for every small chunk of the network
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class TooManyBytes(PictureError):
    def __init__(self, limit: int, *, detail: str = "") -> None:
        super().__init__(
            text("The picture is larger than {limit}. Please send a smaller one.", limit=mebibytes(limit)),
            detail=detail,
        )


async def spool(chunks: AsyncIterator[bytes], into: Path, *, max_bytes: int) -> int:
    """Write the stream to a file and return its size; the file is removed if that fails or is cancelled.

    Raises `TooManyBytes` as soon as the limit is passed, and `Unavailable` where the disk is full.
    """
    total = 0
    pending: list[bytes] = []
    waiting = 0
    with removed_on_failure(into), disk_full_is_unavailable():
        file = await asyncio.to_thread(into.open, "wb", 0)
        with file:
            async for chunk in chunks:
                total += len(chunk)
                if total > max_bytes:
                    raise TooManyBytes(max_bytes)
                pending.append(chunk)
                waiting += len(chunk)
                if waiting >= WRITE_AT:
                    await asyncio.to_thread(_write, file, pending)
                    pending, waiting = [], 0
            await asyncio.to_thread(_write, file, pending)
    return total


def _write(file: FileIO, chunks: list[bytes]) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:  # an unbuffered write may be short, and the next one then says why
            view = view[file.write(view) :]


@contextmanager
def removed_on_failure(file: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


@contextmanager
def disk_full_is_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise disk_full(str(error.strerror)) from error


def disk_full(detail: str) -> Unavailable:
    return Unavailable(
        text("The bot's disk is full, so it cannot take pictures just now. Its operator must make room."), detail=detail
    )


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f}".removesuffix(".0") + " MiB"

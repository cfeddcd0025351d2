"""Streams into files, and their bad ends."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.media.spool import TooManyBytes, mebibytes, spool
from tests.bot.media.pictures import chunks, listing

ROOT = Path(__file__).parents[3]
CHILD = """
import asyncio, resource, sys
from pathlib import Path
from bot.media.spool import spool
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
async def chunks():
    for _ in range(20):
        yield bytes(100_000)
asyncio.run(spool(chunks(), Path(sys.argv[1]), max_bytes=10**9))
"""


async def test_every_byte_arrives_in_order(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    file = tmp_path / "file"

    assert await spool(chunks(data, 1000), file, max_bytes=len(data)) == len(data)

    assert file.read_bytes() == data


async def test_one_byte_too_many_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TooManyBytes, match="larger than 0"):
        await spool(chunks(bytes(1001)), tmp_path / "file", max_bytes=1000)

    assert listing(tmp_path) == []


async def test_giving_up_leaves_nothing(tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(2**20)
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(spool(slow(), tmp_path / "file", max_bytes=2**30))
    await waiting.wait()
    assert listing(tmp_path) == ["file"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert listing(tmp_path) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "file"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "bot.errors.Unavailable: File too large" in child.stderr
    assert listing(tmp_path) == []


def test_sizes_are_written_as_people_read_them() -> None:
    assert [mebibytes(size) for size in (30 * 2**20, 1536 * 1024)] == ["30 MiB", "1.5 MiB"]

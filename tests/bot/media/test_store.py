"""Blobs: what was put is there, whole, whatever happens meanwhile."""

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.errors import NotThere, Unavailable
from bot.media.store import Blobs

ROOT = Path(__file__).parents[3]
CHILD = """
import asyncio, sys
from pathlib import Path
from bot.media.store import Blobs
print("ready", flush=True)
print(asyncio.run(Blobs(sys.argv[1]).put(Path(sys.argv[2]))), flush=True)
"""
NO_SUCH = "0" * 64


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.wire)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "s3":
        store = request.getfixturevalue("s3_store")
        return Blobs(store.place(), **store.access)
    return Blobs((tmp_path / "blobs").as_uri() if request.param == "file" else "memory:///")


def sent(tmp_path: Path, data: bytes = b"picture") -> Path:
    file = tmp_path / "sent"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("size", [1, 3 * 2**20 + 17, 12 * 2**20 + 1])
async def test_what_was_put_is_read_again(size: int, blobs: Blobs, tmp_path: Path) -> None:
    data = os.urandom(size)
    key = await blobs.put(sent(tmp_path, data))

    assert key == hashlib.sha256(data).hexdigest()
    assert b"".join([chunk async for chunk in blobs.read(key)]) == data
    assert await blobs.size(key) == len(data)
    assert await blobs.exists(key)
    await blobs.copy_to(key, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


async def test_the_same_bytes_are_one_blob(blobs: Blobs, tmp_path: Path) -> None:
    keys = [await blobs.put(sent(tmp_path)) for _ in range(3)]

    assert len(set(keys)) == 1
    assert [blob.key async for blob in blobs.blobs()] == keys[:1]
    assert await blobs.total() == len(b"picture")


async def test_what_is_deleted_is_gone(blobs: Blobs, tmp_path: Path) -> None:
    key = await blobs.put(sent(tmp_path))

    await blobs.delete(key)
    await blobs.delete(key)

    assert not await blobs.exists(key)
    with pytest.raises(NotThere, match="blob"):
        await blobs.copy_to(key, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert await blobs.total() == 0


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "A" * 64, NO_SUCH + "/..", "ab/cd", NO_SUCH + "\n", "%2e" * 22]
)
async def test_a_key_that_is_none_is_not_there(key: str, blobs: Blobs, tmp_path: Path) -> None:
    assert not await blobs.exists(key)
    with pytest.raises(NotThere):
        await blobs.delete(key)
    with pytest.raises(NotThere):
        await anext(blobs.read(key))
    with pytest.raises(NotThere):
        await blobs.copy_to(key, tmp_path / "copy")


async def test_a_fresh_store_is_empty(blobs: Blobs) -> None:
    assert await blobs.total() == 0
    assert await blobs.sweep() == 0
    await blobs.prepare()
    await blobs.check_room()
    assert [blob async for blob in blobs.blobs()] == []
    assert not await blobs.exists(NO_SUCH)


async def test_a_blob_reaches_the_disk_before_its_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "blobs"
    flushed: list[str] = []
    really_flush, really_replace = os.fsync, Path.replace

    def flush(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append("file" if ".incoming" in path.parts else str(path.relative_to(folder)))
        really_flush(descriptor)

    def replace(self: Path, target: Path) -> Path:
        flushed.append("renamed")
        return really_replace(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", replace)
    key = await Blobs(folder.as_uri()).put(sent(tmp_path))

    assert flushed == ["file", "renamed", f"{key[:2]}/{key[2:4]}", key[:2], "."]


def test_killed_in_the_middle_no_half_blob_is_seen(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "blobs", tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", CHILD, folder.as_uri(), str(pipe)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child, pipe.open("wb", buffering=0) as source:
        for _ in range(40):  # a pipe holds 64 KiB: the child has written most of it when this is through
            source.write(os.urandom(64 * 1024))
        child.send_signal(signal.SIGKILL)
        child.wait()

    left = [file for file in folder.rglob("*") if file.is_file()]
    assert [file.parent.name for file in left] == [".incoming"]
    assert left[0].stat().st_size > 0
    assert asyncio.run(Blobs(folder.as_uri()).total()) == 0


async def test_leftovers_are_swept_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "blobs").as_uri())
    key = await blobs.put(sent(tmp_path))
    abandoned, living = (tmp_path / "blobs" / ".incoming" / name for name in ("abandoned", "living"))
    for file in (abandoned, living):
        file.write_bytes(b"half")
    os.utime(abandoned, (time.time() - 7200,) * 2)

    assert await blobs.sweep() == 1
    assert not abandoned.exists()
    assert living.exists()
    assert await blobs.exists(key)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))" + CHILD
    command = [sys.executable, "-c", limited, (tmp_path / "blobs").as_uri(), str(sent(tmp_path, bytes(2_000_000)))]

    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "bot.errors.Unavailable" in child.stderr
    assert [file for file in (tmp_path / "blobs").rglob("*") if file.is_file()] == []


async def test_no_space_left_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    blobs = Blobs((tmp_path / "blobs").as_uri())

    with pytest.raises(Unavailable) as caught:
        await blobs.put(sent(tmp_path))

    assert "disk is full" in str(caught.value.text)
    assert await blobs.total() == 0


@pytest.mark.slow
def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(256 * 2**20)
    code = CHILD + 'print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))'
    command = [sys.executable, "-c", code, (tmp_path / "blobs").as_uri(), str(large)]

    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(child.stdout.split()[-2]) < 60 * 1024

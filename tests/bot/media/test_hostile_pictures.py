"""Files that were made, or broken, to hurt whoever opens them."""

import asyncio
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.errors import BotError, PictureError
from bot.media.normalise import Normalised, Normaliser
from tests.bot.media.pictures import LIMITS, chunks, corners, encoded, noise, png, png_bomb

pytestmark = pytest.mark.slow  # real processes, one after the other

ROOT = Path(__file__).parents[3]
FORMS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SAMPLES = {form: encoded(corners(), form) for form in FORMS}
SAMPLES["HEIF"] = (Path(__file__).parent / "samples" / "corners.heic").read_bytes()


def refusal(data: bytes, folder: Path, **limits: int) -> BotError:
    async def run() -> Normalised:
        async with Normaliser(**limits) as normaliser:
            return await normaliser.normalise(chunks(data), inputs=LIMITS, folder=folder)

    with pytest.raises(BotError) as caught:
        asyncio.run(run())
    assert list(folder.iterdir()) == []
    return caught.value


CHILD = """
import sys
from bot.media import decode
decode.main()
sys.stdout.write(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def decode(data: bytes, folder: Path, **limits: Any) -> tuple[int, dict[str, Any], int]:
    """The child process by itself: its exit code, its answer, and its greatest size in MiB."""
    source = folder / "sent"
    source.write_bytes(data)
    job = {"source": str(source), "target": str(folder / "made"), "limits": asdict(LIMITS)}
    job |= {"max_pixels": 36_000_000, "memory": 2**30, "seconds": 20} | limits
    command = [sys.executable, "-P", "-c", CHILD, json.dumps(job)]
    child = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=False)
    answer, _, size = child.stdout.decode().partition("\n")
    return child.returncode, json.loads(answer or "{}"), int(size.split()[1]) // 1024 if size else 0


def test_a_bomb_costs_neither_time_nor_memory(tmp_path: Path) -> None:
    bomb = png_bomb()
    assert len(bomb) < 600 * 1024

    tracemalloc.start()
    start = time.process_time()
    error = refusal(bomb, tmp_path)
    took = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert str(error.text) == "The picture has more than 36 million pixels. Please send a smaller one."
    assert error.detail == "13300x13300"
    assert took < 0.05
    assert peak < 40 * 2**20


def test_bombs_of_every_kind_stop_at_the_header_in_the_child_too(tmp_path: Path) -> None:
    _, _, idle = decode(SAMPLES["PNG"], tmp_path)
    gif = b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + SAMPLES["GIF"][10:]
    bmp = SAMPLES["BMP"][:18] + struct.pack("<ii", 65_000, 65_000) + SAMPLES["BMP"][26:]
    tiff = encoded(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4")
    webp = SAMPLES["WEBP"][:26] + struct.pack("<HH", 16_000, 16_000) + SAMPLES["WEBP"][30:]

    for bomb in (gif, bmp, tiff, webp, png_bomb()):
        _, answer, most = decode(bomb, tmp_path)

        assert answer["error"] == "pixels", answer
        assert most - idle < 40


def test_a_gif_frame_larger_than_its_screen_is_no_way_around(tmp_path: Path) -> None:
    screen = SAMPLES["GIF"]
    at = screen.index(b"\x2c", 13 + 3 * 2 ** ((screen[10] & 7) + 1))
    bomb = screen[: at + 5] + struct.pack("<HH", 65_000, 65_000) + screen[at + 9 :]

    assert isinstance(refusal(bomb, tmp_path), PictureError)


def test_text_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(64 * 2**20), 9)
    body = b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    bomb = SAMPLES["PNG"][:33] + chunk * 50 + SAMPLES["PNG"][33:]
    _, _, idle = decode(SAMPLES["PNG"], tmp_path)

    _, _, most = decode(bomb, tmp_path)

    assert most - idle < 40


@pytest.mark.parametrize(
    "data",
    [
        b"hello, I am a picture.png",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"%PDF-1.7 picture",
        b"PK\x03\x04" + bytes(200),
        b"\x7fELF" + bytes(200),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\0\0\0\x18ftypmp42" + bytes(100),
    ],
    ids=["text", "svg", "pdf", "zip", "elf", "eps", "mp4"],
)
def test_what_is_no_picture_is_called_so(data: bytes, tmp_path: Path) -> None:
    error = refusal(data, tmp_path)

    assert str(error.text).startswith("This is not a picture that the bot can read: JPEG, PNG")


def test_nothing_at_all_is_empty(tmp_path: Path) -> None:
    assert str(refusal(b"", tmp_path).text) == "The picture is empty."


@pytest.mark.parametrize("form", sorted(SAMPLES))
def test_half_a_picture_is_refused(form: str, tmp_path: Path) -> None:
    data = SAMPLES[form]
    if form in ("JPEG", "PNG", "WEBP"):
        data = encoded(noise(160, 120), form)

    error = refusal(data[: len(data) // 2], tmp_path)

    assert "damaged or incomplete" in str(error.text) or "not a picture" in str(error.text)


def test_a_stream_is_left_as_soon_as_it_is_too_long(tmp_path: Path) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1000
            yield bytes(1000)

    async def run() -> None:
        async with Normaliser(max_bytes=2**20) as normaliser:
            await normaliser.normalise(endless(), inputs=LIMITS, folder=tmp_path)

    with pytest.raises(PictureError, match=r"The picture is larger than 1 MiB\. Please send a smaller one\."):
        asyncio.run(run())

    assert taken <= 2**20 + 1000
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    error = refusal(SAMPLES["PNG"], tmp_path, seconds=0)

    assert str(error.text) == "The picture took too long to read. Please send a simpler or smaller one."


def test_a_decoder_that_burns_its_time_is_ended_by_the_system() -> None:
    busy = "from bot.media.decode import confine; confine(memory=2**30, seconds=1)\nwhile True: pass"

    child = subprocess.run([sys.executable, "-P", "-c", busy], env={"PYTHONPATH": str(ROOT)}, check=False, timeout=30)

    assert -child.returncode in (signal.SIGKILL, signal.SIGXCPU)


def test_a_decoder_that_wants_too_much_memory_gets_none(tmp_path: Path) -> None:
    large = encoded(Image.new("RGB", (6000, 6000)), "PNG")

    error = refusal(large, tmp_path, memory=128 * 2**20)

    assert str(error.text) == "The picture takes too much memory to read. Please send a smaller one."


def test_giving_up_ends_the_decoder_and_leaves_nothing(tmp_path: Path) -> None:
    large = encoded(noise(5000, 5000), "JPEG")

    async def run() -> None:
        async with Normaliser() as normaliser:
            task = asyncio.create_task(normaliser.normalise(chunks(large), inputs=LIMITS, folder=tmp_path))
            while not decoders():  # noqa: ASYNC110 - nothing tells us when a child has come to life
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())

    assert decoders() == []
    assert list(tmp_path.iterdir()) == []


def decoders() -> list[Path]:
    """The processes of this machine that decode pictures for this process."""
    ours = f"\nPPid:\t{os.getpid()}\n"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"bot.media.decode" in (process / "cmdline").read_bytes() and ours in (process / "status").read_text():
                found.append(process)
    return found


def test_the_child_is_told_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.media.normalise import _environment

    monkeypatch.setenv("BOT_DISCORD__TOKEN", "canary")

    assert "canary" not in str(_environment(os.environ))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_mutated_file_is_a_picture_or_a_clear_no(form: str, data: st.DataObject) -> None:
    mutated = bytearray(SAMPLES[form])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del mutated[data.draw(st.integers(0, len(mutated) - 1)) :]

    async def run(folder: Path) -> None:
        async with Normaliser(seconds=5) as normaliser:
            await normaliser.normalise(chunks(bytes(mutated)), inputs=LIMITS, folder=folder)

    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        with contextlib.suppress(PictureError):
            asyncio.run(run(Path(folder)))
        assert len(list(Path(folder).iterdir())) <= 1
    assert time.perf_counter() - start < 5


def test_a_png_may_lie_about_nothing_that_matters(tmp_path: Path) -> None:
    for data in (
        png(0, 10, 8, 2, zlib.compress(b"")),
        png(10, 10, 8, 2, b"no zlib"),
        png(10, 10, 7, 2, zlib.compress(bytes(400))),
        png(10, 10, 8, 2, zlib.compress(bytes(5))),
    ):
        assert isinstance(refusal(data, tmp_path), PictureError)

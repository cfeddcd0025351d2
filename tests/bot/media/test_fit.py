"""Our pictures, small enough for a platform."""

import asyncio
import os
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from bot.errors import PictureError
from bot.media import metadata
from bot.media.fit import NICENESS, Fitter
from tests.bot.media.pictures import WHITE, corners, listing, looks_like_corners, near, noise, size_of

FULL = "The original is too large to be posted here; this is a JPEG of it in full size."


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Colours with a grain, as a PNG of about 2 MiB."""
    file = tmp_path / "photo.png"
    Image.blend(noise(1024, 768), corners(1024, 768), 0.9).save(file)
    return file


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_whoever_waits_for_an_answer_comes_before_a_picture(photo: Path, tmp_path: Path) -> None:
    def niceness(_: Path) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async with Fitter() as fitter:
        found = await asyncio.get_running_loop().run_in_executor(fitter._pool, niceness, photo)

    assert found == NICENESS
    assert niceness(photo) < found


async def test_what_fits_is_the_file_itself(photo: Path, tmp_path: Path) -> None:
    async with Fitter() as fitter:
        fitted = await fitter.fit(photo, max_bytes=size_of(photo), folder=tmp_path)

    assert (fitted.file, fitted.media_type, fitted.note) == (photo, "image/png", None)


async def test_a_png_too_large_becomes_a_jpeg_of_its_size(photo: Path, tmp_path: Path) -> None:
    async with Fitter() as fitter:
        fitted = await fitter.fit(photo, max_bytes=size_of(photo) - 1, folder=tmp_path)

    assert (fitted.media_type, str(fitted.note)) == ("image/jpeg", FULL)
    assert fitted.file.stat().st_size < size_of(photo)
    assert looks_like_corners(fitted.file)
    with Image.open(fitted.file) as image:
        assert (image.format, image.size) == ("JPEG", (1024, 768))


async def test_quality_goes_before_size_does(photo: Path, tmp_path: Path) -> None:
    async with Fitter() as fitter:
        best = await fitter.fit(photo, max_bytes=size_of(photo) - 1, folder=tmp_path)
        size = best.file.stat().st_size
        lower = await fitter.fit(photo, max_bytes=size - 1, folder=tmp_path)
        smaller = await fitter.fit(photo, max_bytes=size // 5, folder=tmp_path)

    assert str(lower.note) == FULL
    assert lower.file.stat().st_size < size
    with Image.open(smaller.file) as image:
        assert 300 < image.width < 1024
        assert image.width * 3 == pytest.approx(image.height * 4, abs=4)
        size = image.size
    assert str(smaller.note).endswith(f"this is a smaller JPEG of it, {size[0]}x{size[1]}.")
    assert smaller.file.stat().st_size <= best.file.stat().st_size // 5
    assert looks_like_corners(smaller.file)


async def test_how_it_was_made_goes_along(photo: Path, tmp_path: Path) -> None:
    await metadata.write(photo, {"model": "seedream-4.5"})
    async with Fitter() as fitter:
        fitted = await fitter.fit(photo, max_bytes=size_of(photo) - 1, folder=tmp_path)

    assert await metadata.read(fitted.file) == {"model": "seedream-4.5"}


async def test_what_shines_through_gets_a_white_ground(tmp_path: Path) -> None:
    file = tmp_path / "clear.png"
    image = noise(200, 200, "RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 100, 200))
    image.save(file)
    async with Fitter() as fitter:
        fitted = await fitter.fit(file, max_bytes=file.stat().st_size - 1, folder=tmp_path)

    with Image.open(fitted.file) as shown:
        assert near(shown.getpixel((50, 100)), WHITE)


async def test_what_no_size_helps_is_said_and_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    async with Fitter() as fitter:
        with pytest.raises(PictureError, match="100 bytes"):
            await fitter.fit(photo, max_bytes=100, folder=folder)

    assert listing(folder) == []


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


async def test_a_damaged_file_is_said_and_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    cut(photo, 100_000)
    async with Fitter() as fitter:
        for work in (
            fitter.fit(photo, max_bytes=50_000, folder=folder),
            fitter.thumbnail(photo, 64, folder),
            fitter.thumbnail(Path(__file__), 64, folder),
        ):
            with pytest.raises(PictureError):
                await work

    assert listing(folder) == []


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", ".jpeg"), ("RGBA", ".webp")])
@pytest.mark.parametrize(("longest", "size"), [(64, (64, 48)), (2000, (160, 120))])
async def test_a_thumbnail_is_never_larger(
    mode: str, suffix: str, longest: int, size: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "picture.png"
    corners().convert(mode).save(file)
    async with Fitter() as fitter:
        thumbnail = await fitter.thumbnail(file, longest, tmp_path)

    assert thumbnail.suffix == suffix
    assert looks_like_corners(thumbnail)
    with Image.open(thumbnail) as image:
        assert image.size == size

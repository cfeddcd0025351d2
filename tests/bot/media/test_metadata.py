"""How a picture was made, in the picture."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.media import metadata
from tests.bot.media.pictures import corners, encoded, listing, noise

ROOT = Path(__file__).parents[3]
PARAMETERS = {"model": "seedream-4.5", "size": "2048x2048", "prompt": 'a fox, 一只狐狸 "quoted"\n{}', "id": "k3f9"}
LARGE = """
import asyncio, sys
from pathlib import Path
from bot.media import metadata
assert asyncio.run(metadata.write(Path(sys.argv[1]), {"model": "x"}))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def pixels(file: Path) -> bytes:
    with Image.open(file) as image:
        return image.tobytes()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_parameters_are_read_again_and_no_pixel_changes(form: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(noise(200, 150), form))
    before = pixels(file)

    assert await metadata.write(file, PARAMETERS)

    assert await metadata.read(file) == PARAMETERS
    assert pixels(file) == before
    assert listing(tmp_path) == ["picture"]


async def test_others_find_them_too(tmp_path: Path) -> None:
    png, jpeg = tmp_path / "a.png", tmp_path / "a.jpeg"
    corners().save(png)
    corners().save(jpeg)
    for file in (png, jpeg):
        await metadata.write(file, PARAMETERS)

    with Image.open(png) as image:
        assert '"model": "seedream-4.5"' in image.text["parameters"]
    with Image.open(jpeg) as image:
        assert image.info["comment"].decode().startswith('parameters: {"model": "seedream-4.5"')


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_writing_again_replaces(form: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(corners(), form))
    await metadata.write(file, {"model": "x"})
    once = file.read_bytes()

    await metadata.write(file, PARAMETERS)
    assert await metadata.read(file) == PARAMETERS
    await metadata.write(file, {"model": "x"})

    assert file.read_bytes() == once


async def test_what_others_wrote_stays(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "theirs"
    file = tmp_path / "a.jpeg"
    corners().save(file, exif=exif, comment="theirs too", icc_profile=bytes(100))

    await metadata.write(file, PARAMETERS)

    assert await metadata.read(file) == PARAMETERS
    with Image.open(file) as image:
        assert image.getexif()[0x010E] == "theirs"
    assert b"theirs too" in file.read_bytes()


@pytest.mark.parametrize("form", ["WEBP", "GIF", "TIFF"])
async def test_other_kinds_of_files_are_left_alone(form: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(corners(), form))
    before = file.read_bytes()

    assert not await metadata.write(file, PARAMETERS)

    assert file.read_bytes() == before
    assert await metadata.read(file) == {}


async def test_more_than_a_jpeg_comment_holds_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.jpeg"
    corners().save(file)

    assert not await metadata.write(file, {"prompt": "x" * 70_000})
    assert await metadata.read(file) == {}


async def test_the_weight_is_what_it_adds_at_most(tmp_path: Path) -> None:
    for form in ("PNG", "JPEG"):
        file = tmp_path / form
        file.write_bytes(encoded(corners(), form))
        before = file.stat().st_size

        await metadata.write(file, PARAMETERS)

        assert before < file.stat().st_size <= before + metadata.weight(PARAMETERS)
    assert metadata.weight({}) == 0


@pytest.mark.slow
def test_a_large_file_is_not_read_into_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as sink:
        sink.write(encoded(corners(), "PNG"))
        sink.truncate(256 * 2**20)

    child = subprocess.run([sys.executable, "-c", LARGE, file], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(child.stdout.split()[1]) < 60 * 1024


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: b"\xff\xd8\xff" + tail)), st.data())
def test_any_bytes_are_read_as_something_or_nothing(tmp_path: Path, junk: bytes, data: st.DataObject) -> None:
    head = encoded(corners(8, 8), data.draw(st.sampled_from(["PNG", "JPEG"])))
    (tmp_path / "junk").write_bytes(junk)
    (tmp_path / "cut").write_bytes(head[: data.draw(st.integers(0, len(head)))] + junk)

    for name in ("junk", "cut"):
        assert isinstance(metadata._read(tmp_path / name), dict)
        metadata._write(tmp_path / name, {"model": "x"})

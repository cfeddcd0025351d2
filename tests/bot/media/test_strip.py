"""Metadata cut out of files, byte by byte."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.media.strip import strip_jpeg, strip_png
from tests.bot.media.pictures import CANARY, corners, encoded, noise

JPEGS = [
    {"progressive": True},
    {"restart_marker_blocks": 1},
    {"subsampling": 0, "quality": 100},
    {"progressive": True, "optimize": True, "keep_rgb": True},
]


@pytest.mark.parametrize("options", JPEGS)
def test_every_kind_of_jpeg_keeps_its_pixels(options: dict[str, object], tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(encoded(noise(500, 400), "JPEG", comment=CANARY, **options) + CANARY)

    strip_jpeg(source, target)

    assert CANARY not in target.read_bytes()
    with Image.open(source) as before, Image.open(target) as after:
        assert before.tobytes() == after.tobytes()


def test_a_marker_across_two_blocks_is_found(tmp_path: Path) -> None:
    data = encoded(noise(900, 900), "JPEG", progressive=True, quality=95)
    source, target = tmp_path / "source", tmp_path / "target"
    for shift in range(3):  # a comment before the scans moves every marker against the blocks that are read
        comment = b"\xff\xfe" + (50_000 + shift).to_bytes(2) + bytes(49_998 + shift)
        source.write_bytes(data[:2] + comment + data[2:])

        strip_jpeg(source, target)

        with Image.open(source) as before, Image.open(target) as after:
            assert before.tobytes() == after.tobytes()


def test_an_animated_png_becomes_its_first_picture(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    corners().save(source, "PNG", save_all=True, append_images=[Image.new("RGB", (160, 120))])

    strip_png(source, target)

    with Image.open(target) as image:
        assert not image.is_animated
        assert image.tobytes() == corners().tobytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_broken_chains_end_in_an_error_or_a_file(tmp_path: Path, data: st.DataObject) -> None:
    strip, form = data.draw(st.sampled_from([(strip_jpeg, "JPEG"), (strip_png, "PNG")]))
    broken = bytearray(encoded(corners(40, 30), form))
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.sampled_from([0, 0xFF, 0xD8, 0xDA, 0x7F]))
    source = tmp_path / "source"
    source.write_bytes(broken[: data.draw(st.integers(0, len(broken)))])

    try:
        strip(source, tmp_path / "target")
    except ValueError:
        return

    assert (tmp_path / "target").stat().st_size <= source.stat().st_size

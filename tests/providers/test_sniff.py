import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.errors import PictureError
from bot.media.sniff import dimensions, measure, sniff, whole


def saved(kind: str, size: tuple[int, int] = (37, 21), **how: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (saved("PNG"), "image/png"),
        (saved("JPEG"), "image/jpeg"),
        (saved("WEBP"), "image/webp"),
        (saved("GIF"), "image/gif"),
        (saved("BMP"), "image/bmp"),
        (saved("TIFF"), "image/tiff"),
        (saved("AVIF"), "image/avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", ""),
        (b"<svg xmlns=", ""),
        (b"%PDF-1.7", ""),
        (b"", ""),
    ],
)
def test_the_bytes_say_what_it_is(data: bytes, media_type: str) -> None:
    assert sniff(data[:64]) == media_type


@pytest.mark.parametrize(
    "data",
    [
        saved("PNG"),
        saved("JPEG"),
        saved("JPEG", progressive=True),
        saved("JPEG", exif=Image.Exif()),
        saved("WEBP"),
        saved("WEBP", lossless=True),
        saved("WEBP", exif=b"Exif\0\0MM"),
    ],
)
def test_width_and_height_are_read_without_decoding(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(data)

    assert dimensions(tmp_path / "picture") == (37, 21)
    assert whole(tmp_path / "picture")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_cut_picture_is_not_whole(kind: str, tmp_path: Path) -> None:
    data = saved(kind, (400, 300), **({"quality": 95} if kind != "PNG" else {}))
    (tmp_path / "picture").write_bytes(data[: len(data) * 2 // 3])

    assert not whole(tmp_path / "picture")


@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF0000WEBP", b"RIFF0000WEBPVP8X"]), st.binary())
def test_noise_is_refused_or_measured_but_never_breaks(head: bytes, noise: bytes) -> None:
    try:
        width, height = measure(io.BytesIO(head + noise))
    except PictureError:
        return

    assert width > 0
    assert height > 0

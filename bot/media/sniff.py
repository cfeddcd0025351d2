"""What a picture is, from its own bytes: never from a name or a claimed type, and without decoding it."""

import re
from pathlib import Path
from struct import unpack
from typing import BinaryIO

from bot.errors import PictureError
from bot.i18n import text

HEAD = 64  # bytes that `sniff` needs
_TAIL = 1024  # how far before the end of a file its end mark may stand
_HEIF = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}


def sniff(head: bytes) -> str:
    """The media type of a file that starts like this, or "" where it is no picture we know."""
    for pattern, media_type in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM....\0\0\0\0", "image/bmp"),
        (rb"II\*\0|MM\0\*", "image/tiff"),
    ):
        if re.match(pattern, head, re.DOTALL):
            return media_type
    return _sniff_boxes(head)


def dimensions(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, JPEG or WebP as stored (an EXIF orientation is not applied). Raises `PictureError`."""
    with path.open("rb") as file:
        return measure(file)


def measure(file: BinaryIO) -> tuple[int, int]:
    """As `dimensions`, of an open file or bytes in a `BytesIO`."""
    head = file.read(HEAD)
    kind = sniff(head)
    found = None
    if kind == "image/png" and len(head) >= 24:
        found = unpack(">II", head[16:24])
    elif kind == "image/webp" and len(head) >= 30:
        found = _measure_webp(head)
    elif kind == "image/jpeg":
        file.seek(2)
        found = _measure_jpeg(file)
    if not found or not all(found):
        raise PictureError(
            text("The file holds no picture that can be read."), detail=f"no dimensions in {kind or 'it'}"
        )
    return found[0], found[1]


def whole(path: Path) -> bool:
    """Whether a PNG, JPEG or WebP has its end; a download that was cut has not."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    match sniff(head):
        case "image/png":
            return b"IEND" in tail
        case "image/jpeg":
            return b"\xff\xd9" in tail
        case "image/webp":
            return size >= int.from_bytes(head[4:8], "little") + 8
        case _:
            return False


def _sniff_boxes(head: bytes) -> str:
    """AVIF and HEIC are ISO media files: `ftyp`, a major brand, then the brands it is compatible with."""
    if head[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "image/avif"
    return "image/heic" if any(brand in _HEIF for brand in brands) else ""


def _measure_webp(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = unpack("<HH", head[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return None


def _measure_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    """Walk the segments to the frame header; every one but markers without a length says how long it is."""
    while True:
        byte = file.read(1)
        if byte != b"\xff":
            return None
        while byte == b"\xff":
            byte = file.read(1)
        marker = byte[0] if byte else 0
        if marker in (0x00, 0xD9, 0xDA):
            return None
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        length = int.from_bytes(file.read(2), "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = file.read(5)
            if len(frame) < 5:
                return None
            height, width = unpack(">HH", frame[1:])
            return width, height
        if length < 2:
            return None
        file.seek(length - 2, 1)

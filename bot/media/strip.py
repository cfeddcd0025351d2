"""Metadata cut out of PNG and JPEG files without touching the pixels: byte surgery, in constant memory.

Only what is needed to show the picture is copied, so whatever else a file carries (EXIF, GPS, XMP, IPTC, comments,
thumbnails, a second file behind the end) is gone without having to be known. The colours of files with an embedded
profile or gamma change by it; the caller makes sure that they have none that matters.
"""

from pathlib import Path
from typing import BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
ADOBE = 0xEE  # says how the colours are coded
APPLICATION = range(0xE0, 0xF0)
COMMENT = 0xFE
START_OF_SCAN = 0xDA
END_OF_IMAGE = 0xD9
SEGMENTS = 5_000
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def strip_png(source: Path, target: Path) -> None:
    """Copy the chunks that make the picture. Raises ValueError where the file is no chain of chunks."""
    with source.open("rb") as old, target.open("wb") as new:
        if old.read(8) != PNG_SIGNATURE:
            raise ValueError("not a PNG")
        new.write(PNG_SIGNATURE)
        kind = b""
        while kind != b"IEND":
            header = _exactly(old, 8)
            length, kind = int.from_bytes(header[:4], "big"), header[4:]
            if kind in PNG_NEEDED:
                new.write(header)
                _copy(old, new, length + 4)
            else:
                old.seek(length + 4, 1)


def strip_jpeg(source: Path, target: Path) -> None:
    """Copy tables, frame and scans up to the end mark. Raises ValueError where the file is no chain of segments."""
    with source.open("rb") as old, target.open("wb") as new:
        if old.read(2) != b"\xff\xd8":
            raise ValueError("not a JPEG")
        new.write(b"\xff\xd8")
        marker = _next_marker(old)
        for _ in range(SEGMENTS):
            if marker == END_OF_IMAGE:
                new.write(bytes((0xFF, END_OF_IMAGE)))
                return
            if marker not in WITHOUT_LENGTH:
                segment = _segment(old)
                if marker == ADOBE or (marker not in APPLICATION and marker != COMMENT):
                    new.write(bytes((0xFF, marker)) + segment)
            marker = _copy_scan(old, new) if marker == START_OF_SCAN else _next_marker(old)
        raise ValueError("more segments than any camera writes")


def _next_marker(file: BinaryIO) -> int:
    if _exactly(file, 1) != b"\xff":
        raise ValueError("no marker where one must stand")
    byte = b"\xff"
    while byte == b"\xff":
        byte = _exactly(file, 1)
    return byte[0]


def _segment(file: BinaryIO) -> bytes:
    size = _exactly(file, 2)
    length = int.from_bytes(size, "big")
    if length < 2:
        raise ValueError("a segment shorter than its own length")
    return size + _exactly(file, length - 2)


def _copy_scan(old: BinaryIO, new: BinaryIO) -> int:
    """Copy entropy-coded bytes; returns the marker that ends them. 0xFF00 is a byte, 0xFFD0-D7 are restarts within."""
    while True:
        block = old.read(64 * 1024)
        if not block:
            raise ValueError("the scan has no end")
        at = _marker_in(block)
        if at is None:
            keep = len(block) - block.endswith(b"\xff")
            if keep == 0:
                raise ValueError("the scan has no end")
        else:
            keep = at
        new.write(block[:keep])
        old.seek(keep - len(block), 1)
        if at is not None:
            return _next_marker(old)


def _marker_in(block: bytes) -> int | None:
    at = block.find(b"\xff")
    while at != -1 and at + 1 < len(block):
        if block[at + 1] != 0 and not 0xD0 <= block[at + 1] <= 0xD7:
            return at
        at = block.find(b"\xff", at + 1)
    return None


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise ValueError("the file ends too early")
    return found


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    while size:
        block = _exactly(old, min(size, 64 * 1024))
        new.write(block)
        size -= len(block)

"""Pictures made on the spot, and the limits that most of the models have."""

import struct
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from bot.catalogue import InputLimits

CANARY = b"GPS-CANARY-48.2082N"
LIMITS = InputLimits(
    formats=("jpeg", "png", "webp"),
    max_bytes=10 * 2**20,
    min_side=15,
    max_pixels=36_000_000,
    min_aspect=1 / 16,
    max_aspect=16.0,
)
RED, BLUE, GREEN, WHITE = (200, 30, 30), (30, 30, 200), (30, 180, 30), (255, 255, 255)


async def chunks(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def corners(width: int = 160, height: int = 120) -> Image.Image:
    """Red at the left, blue at the right, and green in the upper left corner: no two turns of it look the same."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    image.paste(GREEN, (0, 0, width // 4, height // 4))
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """What no codec makes small."""
    band = Image.effect_noise((width, height), 90)
    return Image.merge(
        mode, [band, band.rotate(180), band.transpose(Image.Transpose.FLIP_LEFT_RIGHT), band][: len(mode)]
    )


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG whose compressed rows are given; nobody checks that they make a picture."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = png_chunk(b"IHDR", header), png_chunk(b"IDAT", rows), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_bomb(side: int = 13_300) -> bytes:
    """177 million black pixels in half a megabyte."""
    packer = zlib.compressobj(6)
    row = bytes(1 + 3 * side)
    return png(side, side, 8, 2, b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()]))


def near(found: object, wanted: tuple[int, ...], *, by: int = 24) -> bool:
    """Whether two colours look alike, which is all that a lossy codec promises."""
    assert isinstance(found, tuple)
    return len(found) == len(wanted) and all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


def looks_like_corners(file: Path) -> bool:
    with Image.open(file) as image:
        shown = image.convert("RGB")
    width, height = shown.size
    places = {(0.1, 0.1): GREEN, (0.9, 0.1): BLUE, (0.1, 0.9): RED, (0.9, 0.9): BLUE}

    def around(x: float, y: float) -> Any:
        """Of some pixels, since a photo has noise, of which a JPEG makes more."""
        left, top = int(x * width), int(y * height)
        box = (max(0, left - 2), max(0, top - 2), min(width, left + 3), min(height, top + 3))
        return shown.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))

    return all(near(around(x, y), colour) for (x, y), colour in places.items())


def listing(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def size_of(file: Path) -> int:
    return file.stat().st_size

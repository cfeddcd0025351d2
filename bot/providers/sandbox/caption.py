"""The strip under each placeholder: the words, and how the picture came about. Cut off again before an edit."""

import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_FONT = Path(__file__).parent / "fonts" / "NotoSansCJKsc-Subset.otf"
_INK, _PALE, _GROUND, _EDGE = (244, 244, 240), (150, 160, 178), (19, 22, 30), (92, 106, 136)
_SHARE = 0.078  # of the shorter side
_LIKE = 24  # how far a strip's colour may be off after compression


def height_for(width: int, height: int) -> int:
    return max(24, round(min(width, height) * _SHARE))


def write(image: Image.Image, words: str, facts: str) -> None:
    """Fill the strip at the bottom with one line of words and one of facts."""
    width, height = image.size
    strip = height_for(width, height)
    top = height - strip
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, top, width, height), fill=_GROUND)
    pen.rectangle((0, top, width, top + _edge(strip) - 1), fill=_EDGE)
    margin = round(strip * 0.34)
    room = width - 2 * margin
    large, small = (ImageFont.truetype(_FONT, round(strip * share)) for share in (0.38, 0.23))
    pen.text((margin, top + strip * 0.34), _fitted(_readable(words), large, room), _INK, large, "lm")
    pen.text((margin, top + strip * 0.75), _fitted(facts, small, room), _PALE, small, "lm")


def mark(image: Image.Image, words: str) -> None:
    """A watermark in the picture's own corner, above the strip."""
    width, height = image.size
    strip = height_for(width, height)
    font = ImageFont.truetype(_FONT, round(strip * 0.3))
    place = (width - round(strip * 0.34), height - strip - round(strip * 0.3))
    ImageDraw.Draw(image).text(
        place, words, (255, 255, 255), font, "rs", stroke_width=max(1, strip // 60), stroke_fill=(60, 60, 66)
    )


def without(image: Image.Image) -> Image.Image:
    """The picture without its strip, where it has one; it may have been scaled and compressed since."""
    width, height = image.size
    column = image.convert("RGB").crop((0, height // 2, max(1, width // 200), height))
    column = column.resize((1, column.height), Image.Resampling.BOX)
    ground = 0
    while ground < column.height and _is_like(column.getpixel((0, column.height - 1 - ground)), _GROUND):
        ground += 1
    strip = min(width, height) * _SHARE
    # A dark picture has such rows too, but above them no line of just this colour at just this height.
    edge = [
        column.getpixel((0, max(0, column.height - 1 - ground - row))) for row in range(max(1, _edge(round(strip))))
    ]
    if not 0.85 * strip <= ground <= 1.1 * strip or not any(_is_like(pixel, _EDGE) for pixel in edge):
        return image
    # A little more: scaling smears the strip's edge into the picture.
    return image.crop((0, 0, width, height - ground - _edge(round(strip)) - 2))


def _edge(strip: int) -> int:
    return max(2, round(strip * 0.04))


def _is_like(pixel: object, colour: tuple[int, int, int]) -> bool:
    return isinstance(pixel, tuple) and all(abs(a - b) <= _LIKE for a, b in zip(pixel, colour, strict=False))


def _readable(words: str) -> str:
    """In one line, without what the font cannot show: emoji, and marks that only join them."""
    kept = (c for c in words if ord(c) < 0x10000 and unicodedata.category(c) not in ("So", "Cf", "Mn"))
    return " ".join("".join(kept).split()) or "…"


def _fitted(words: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    if font.getlength(words) <= room:
        return words
    short, long = 0, len(words)
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (middle, long) if font.getlength(words[:middle] + "…") <= room else (short, middle)
    return words[:short].rstrip() + "…"

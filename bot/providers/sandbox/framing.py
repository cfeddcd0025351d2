"""The size of a picture where only a tier was asked for: the ratio comes from the words, else from the reference."""

import io
import re
from fractions import Fraction

from bot.catalogue import Model
from bot.catalogue.sizes import closest_ratio, ratios, sides
from bot.media.sniff import measure
from bot.providers.sandbox.rules import AUTO, Asked

_RATIO = re.compile(r"(?<!\d)(\d{1,2})\s*[:：]\s*(\d{1,2})(?!\d)")
_WORDS = (
    (re.compile(r"panorama|ultra.?wide|全景", re.IGNORECASE), "21:9"),
    (re.compile(r"\bwide|widescreen|wallpaper|宽屏|横幅|横版|壁纸", re.IGNORECASE), "16:9"),
    (re.compile(r"\bphone\b|手机", re.IGNORECASE), "9:16"),
    (re.compile(r"\bportrait\b|\bposter\b|\btall\b|竖|肖像|海报", re.IGNORECASE), "3:4"),
    (re.compile(r"\blandscape\b|横", re.IGNORECASE), "4:3"),
)


def frame(asked: Asked) -> tuple[int, int]:
    """Width and height in pixels."""
    exact = sides(asked.size)
    if exact:
        return exact
    if asked.size == AUTO:
        return _as_given(asked)
    table = asked.model.tiers[asked.size]
    found = sides(table[_ratio(asked)])
    assert found, "every row of the table is WxH"
    return found


def _as_given(asked: Asked) -> tuple[int, int]:
    """The reference's own size, or the largest of its shape that the model draws."""
    width, height = measure(io.BytesIO(asked.references[0]))
    share = min(1.0, (asked.model.max_pixels / (width * height)) ** 0.5)
    return max(1, int(width * share)), max(1, int(height * share))


def _ratio(asked: Asked) -> str:
    by_words = _from_words(asked.model, asked.prompt)
    if by_words:
        return by_words
    if asked.references:
        return closest_ratio(asked.model, *measure(io.BytesIO(asked.references[0])))
    return "1:1"


def _from_words(model: Model, prompt: str) -> str:
    known = {Fraction(*map(int, ratio.split(":"))): ratio for ratio in ratios(model)}
    for width, height in _RATIO.findall(prompt):
        if int(height) and Fraction(int(width), int(height)) in known:
            return known[Fraction(int(width), int(height))]
    return next((ratio for pattern, ratio in _WORDS if pattern.search(prompt)), "")

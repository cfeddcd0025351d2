"""The colours of a scene: hours of a day, moods, and how colours mix."""

import re
from dataclasses import dataclass
from random import Random

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """zenith to horizon is the sky; far and near are the hills; `night` from 0 to 1 brings stars and a moon."""

    zenith: Colour
    middle: Colour
    horizon: Colour
    sun: Colour
    far: Colour
    near: Colour
    night: float = 0.0


def _palette(colours: str, night: float = 0.0) -> Palette:
    names = ("zenith", "middle", "horizon", "sun", "far", "near")
    return Palette(**dict(zip(names, map(_hex, colours.split()), strict=True)), night=night)


def _hex(value: str) -> Colour:
    return int(value[:2], 16), int(value[2:4], 16), int(value[4:], 16)


# From before sunrise to night, as a series goes through them.
HOURS = (
    _palette("35426f c07f94 ffd3a1 fff1cf c79aa4 2a2a47"),
    _palette("4f8fc4 a5cfe0 fdeccb fffbe6 9dbcc9 27475a"),
    _palette("2f7dc0 86c3e6 e3f3f4 ffffff 93bccd 1d4f4f"),
    _palette("4a6fa0 e7b184 ffdf9b fff3c4 d6a284 4a3144"),
    _palette("2c2b5c a9516f ff9a63 ffd28a a65a70 241a38"),
    _palette("0b1030 1f2f63 4a5f93 f4f1dc 45588a 0a0f26", night=1.0),
)
MOODS = (
    *HOURS,
    _palette("12495a 4fa39a f2dfb0 fff6d6 6fb0a5 0f3038"),
    _palette("53406f d98ba6 ffd9c9 fff0e0 c48aa5 33233f"),
    _palette("2d5a4c 93b48b f6e7b4 fff8d8 8fae8b 183229"),
    _palette("3c4f63 a3b2b8 efe6d6 ffffff a9b4b8 28333d"),
    _palette("7a3b3f e08a5b ffd592 fff0c0 c97a5a 3a1c2a"),
)
_WORDS = (
    (re.compile(r"night|midnight|moon|stars?\b|夜|月|星", re.IGNORECASE), (5,)),
    (re.compile(r"sunset|dusk|evening|黄昏|夕阳|日落|傍晚", re.IGNORECASE), (4,)),
    (re.compile(r"sunrise|dawn|morning|日出|清晨|早晨|黎明", re.IGNORECASE), (0, 1)),
    (re.compile(r"autumn|desert|\bfall\b|沙漠|秋", re.IGNORECASE), (3, 10)),
    (re.compile(r"snow|winter|fog|mist|雪|冬|雾", re.IGNORECASE), (1, 9)),
    (re.compile(r"forest|jungle|spring|森林|春|竹", re.IGNORECASE), (8, 6)),
    (re.compile(r"\bsea\b|ocean|lake|beach|海|湖", re.IGNORECASE), (6, 2)),
    (re.compile(r"sunny|noon|summer|晴|夏", re.IGNORECASE), (2,)),
)
_COLOURS = (
    (re.compile(r"\bred\b|红", re.IGNORECASE), (214, 62, 54)),
    (re.compile(r"\borange\b|橙", re.IGNORECASE), (236, 136, 48)),
    (re.compile(r"\byellow\b|\bgold(en)?\b|黄色|金", re.IGNORECASE), (240, 196, 70)),
    (re.compile(r"\bgreen\b|绿", re.IGNORECASE), (62, 150, 88)),
    (re.compile(r"\bblue\b|蓝", re.IGNORECASE), (56, 108, 196)),
    (re.compile(r"\bpurple\b|\bviolet\b|紫", re.IGNORECASE), (126, 78, 168)),
    (re.compile(r"\bpink\b|粉", re.IGNORECASE), (240, 138, 172)),
)


def choose(prompt: str, random: Random) -> Palette:
    """A mood that the words name, or one by chance."""
    for pattern, moods in _WORDS:
        if pattern.search(prompt):
            return MOODS[random.choice(moods)]
    return random.choice(MOODS)


def at_hour(day: float) -> Palette:
    """Between sunrise (0) and night (1)."""
    place = day * (len(HOURS) - 1)
    before = min(int(place), len(HOURS) - 2)
    first, second, share = HOURS[before], HOURS[before + 1], place - before
    colours = {
        name: mix(getattr(first, name), getattr(second, name), share)
        for name in ("zenith", "middle", "horizon", "sun", "far", "near")
    }
    return Palette(**colours, night=first.night + (second.night - first.night) * share)


def named_colour(prompt: str) -> Colour | None:
    return next((colour for pattern, colour in _COLOURS if pattern.search(prompt)), None)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue

"""Charts as pictures that every platform can post: bars and lines on a card of their own, so they suit any background.

Words come here in the reader's language. Names are anybody's own: whatever they hold is drawn, cut to its room, or
stands as a box where the font lacks it. Colours are of Okabe and Ito's set, which people tell apart however they see.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Protocol

FONT = Path(__file__).parent.parent / "providers" / "sandbox" / "fonts" / "NotoSansCJKsc-Subset.otf"
FONT_NAME = "Noto Sans CJK SC"
# What the font has beside GB 2312: of wider Latin only what pinyin, French and Vietnamese need.
PLAIN = frozenset(
    [chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0xAD), *range(0xAE, 0x100))]
    + list("ĀāĂăĐđĒēĚěĨĩĪīŃńŇňŌōŎŏŒœŨũŪūŬŭ‐‑‒–—―‖‘’‚“”„†‡•‥…‰′″‵‹›※‼€№™←→□")
)

WIDTH, MARGIN, SCALE = 680, 26, 2
TITLE, SUBTITLE, LABEL, SMALL = 22, 15, 16, 13
ROW, THICK = 36, 20
BARS_HIGH, LINE_HIGH = 150, 100
NAME_SHARE = 0.36  # of the width, for the longest name
MOST_BOXES = 3  # a name in a script that the font lacks says no more with thirty
BOX = "□"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """told: the value in words, written at its end."""

    label: str
    value: int
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Who or what, from the most to the least."""

    title: str
    subtitle: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One measure over time. summary: what it comes to. told: how a value is written. line: it is drawn as one."""

    name: str
    summary: str
    values: tuple[int, ...]
    told: Callable[[int], str]
    line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened over time, one panel below the other: never two scales in one."""

    title: str
    subtitle: str
    labels: tuple[str, ...]
    panels: tuple[Panel, ...]


Chart = Ranking | Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    card: str
    edge: str
    ink: str
    soft: str
    grid: str
    bar: str
    line: str


LIGHT = Colours(
    card="#ffffff", edge="#d5d9df", ink="#1b1f24", soft="#565e68", grid="#e4e7eb", bar="#0072b2", line="#d55e00"
)
DARK = Colours(
    card="#1e2126", edge="#3d434c", ink="#f0f2f4", soft="#a9b1bb", grid="#343a42", bar="#56b4e9", line="#e69f00"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    png: bytes
    width: int
    height: int


def draw(chart: Chart, *, dark: bool = False) -> Drawn:
    """As PNG. Call it in a thread. Raises `ValueError` where it cannot be drawn."""
    import resvg_py  # with the first chart only

    words, height = svg(chart, dark=dark)
    png = resvg_py.svg_to_bytes(
        svg_string=words, skip_system_fonts=True, font_files=[str(FONT)], font_family=FONT_NAME, zoom=SCALE
    )
    return Drawn(png=bytes(png), width=WIDTH * SCALE, height=height * SCALE)


def svg(chart: Chart, *, dark: bool = False) -> tuple[str, int]:
    """The drawing and its height."""
    colours = DARK if dark else LIGHT
    body = _Body(colours)
    match chart:
        case Ranking():
            height = _ranking(chart, body)
        case Course():
            height = _course(chart, body)
    parts = "\n".join(body.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' font-family="{FONT_NAME}">\n'
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" fill="{colours.card}"'
        f' stroke="{colours.edge}"/>\n{parts}\n</svg>',
        height,
    )


class _Body:
    """What stands on the card. Every word goes through `words`, which makes it harmless."""

    def __init__(self, colours: Colours) -> None:
        self.colours = colours
        self.parts: list[str] = []

    def words(
        self,
        x: float,
        y: float,
        written: str,
        size: int,
        *,
        colour: str = "",
        anchor: str = "start",
        room: float = 0,
        clear: bool = False,
    ) -> None:
        shown = fitted(written, size, room or WIDTH - 2 * MARGIN)
        halo = f' stroke="{self.colours.card}" stroke-width="4" paint-order="stroke"' if clear else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
            f' fill="{colour or self.colours.ink}"{halo}>{escape(shown)}</text>'
        )

    def heading(self, title: str, subtitle: str) -> float:
        """Returns where the rest begins."""
        self.words(MARGIN, MARGIN + TITLE - 2, title, TITLE)
        self.words(MARGIN, MARGIN + TITLE + 24, subtitle, SUBTITLE, colour=self.colours.soft)
        return MARGIN + TITLE + 24 + 22

    def bar(self, x: float, y: float, width: float, height: float, *, upright: bool = False) -> None:
        """Its far end is round, its foot stands flat on the axis."""
        r = min(3.0, width / 2, height / 2) if upright else min(3.0, width, height / 2)
        if upright:
            path = f"M{x:.1f} {y + height:.1f}v{-(height - r):.1f}q0 {-r:.1f} {r:.1f} {-r:.1f}h{width - 2 * r:.1f}"
            path += f"q{r:.1f} 0 {r:.1f} {r:.1f}v{height - r:.1f}z"
        else:
            path = f"M{x:.1f} {y:.1f}h{width - r:.1f}q{r:.1f} 0 {r:.1f} {r:.1f}v{height - 2 * r:.1f}"
            path += f"q0 {r:.1f} {-r:.1f} {r:.1f}h{-(width - r):.1f}z"
        self.parts.append(f'<path d="{path}" fill="{self.colours.bar}"/>')

    def rule(self, y: float, left: float, *, strong: bool = False) -> None:
        colour = self.colours.edge if strong else self.colours.grid
        self.parts.append(f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{WIDTH - MARGIN}" y2="{y:.1f}" stroke="{colour}"/>')


def _ranking(chart: Ranking, body: _Body) -> int:
    top = body.heading(chart.title, chart.subtitle)
    names = [fitted(bar.label, LABEL, WIDTH * NAME_SHARE) for bar in chart.bars]
    left = MARGIN + max((length(name, LABEL) for name in names), default=0) + 14
    told = max((length(bar.told, SMALL + 1) for bar in chart.bars), default=0)
    room = WIDTH - MARGIN - left - told - 10
    most = max([1, *(bar.value for bar in chart.bars)])
    for number, (bar, name) in enumerate(zip(chart.bars, names, strict=True)):
        y = top + number * ROW
        long = max(bar.value, 0) / most * room
        body.words(left - 14, y + 22, name, LABEL, anchor="end")
        if long:
            body.bar(left, y + (ROW - THICK) / 2 - 2, max(long, 2.0), THICK)
        body.words(left + long + 9, y + 21, bar.told, SMALL + 1, colour=body.colours.soft)
    return round(top + len(chart.bars) * ROW + MARGIN - 8)


def _course(chart: Course, body: _Body) -> int:
    top = body.heading(chart.title, chart.subtitle)
    scales = [_ticks(max([1, *panel.values]), steps=3 if panel.line else 5) for panel in chart.panels]
    ticks = [panel.told(tick) for panel, scale in zip(chart.panels, scales, strict=True) for tick in scale]
    left = MARGIN + max((length(each, SMALL) for each in ticks), default=0) + 10
    for panel, scale in zip(chart.panels, scales, strict=True):
        high = LINE_HIGH if panel.line else BARS_HIGH
        summary = length(panel.summary, LABEL) + 20
        body.words(MARGIN, top + 14, panel.name, LABEL, room=WIDTH - 2 * MARGIN - summary)
        body.words(WIDTH - MARGIN, top + 14, panel.summary, LABEL, colour=body.colours.soft, anchor="end")
        top += 46
        bottom = top + high
        for tick in scale:
            y = bottom - high * tick / scale[-1]
            body.rule(y, left, strong=not tick)
            body.words(left - 8, y + 4.5, panel.told(tick), SMALL, colour=body.colours.soft, anchor="end")
        (_line if panel.line else _upright)(panel, body, left, bottom, high / scale[-1])
        top = bottom + 18
        _below(chart.labels, body, left, top)
        top += 26
    return round(top + MARGIN - 22)


def _upright(panel: Panel, body: _Body, left: float, bottom: float, scale: float) -> None:
    step = (WIDTH - MARGIN - left) / max(len(panel.values), 1)
    wide = min(step * 0.7, 46.0)
    for x, value in _places(panel.values, left, step):
        if value > 0:
            high = max(value * scale, 2.0)
            body.bar(x - wide / 2, bottom - high, wide, high, upright=True)
    for index in _written(panel, step):
        x = left + step * (index + 0.5)
        _beside(body, x, bottom - max(panel.values[index], 0) * scale - 7, panel.told(panel.values[index]), left)


def _line(panel: Panel, body: _Body, left: float, bottom: float, scale: float) -> None:
    step = (WIDTH - MARGIN - left) / max(len(panel.values), 1)
    points = [(x, bottom - max(value, 0) * scale) for x, value in _places(panel.values, left, step)]
    colour, card = body.colours.line, body.colours.card
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    body.parts.append(
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"'
        ' stroke-linecap="round"/>'
    )
    for x, y in points:
        body.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" stroke="{card}" stroke-width="1.5"/>'
        )
    if any(panel.values):
        index = max(range(len(panel.values)), key=lambda each: panel.values[each])
        _beside(body, points[index][0], points[index][1] - 10, panel.told(panel.values[index]), left)


def _beside(body: _Body, x: float, y: float, written: str, left: float) -> None:
    """A number above its point, moved inwards where it would leave the card, and clear of the lines behind it."""
    half = length(written, SMALL) / 2
    inside = min(max(x, left + half), WIDTH - MARGIN / 2 - half)
    body.words(inside, y, written, SMALL, anchor="middle", clear=True)


def _below(labels: Sequence[str], body: _Body, left: float, y: float) -> None:
    """As many labels as have room, always the first."""
    step = (WIDTH - MARGIN - left) / max(len(labels), 1)
    widest = max((length(label, SMALL) for label in labels), default=0) + 12
    every = max(1, -(-int(widest) // max(int(step), 1)))
    for index in range(0, len(labels), every):
        x = left + step * (index + 0.5)
        body.words(x, y, labels[index], SMALL, colour=body.colours.soft, anchor="middle")


def _places(values: Sequence[int], left: float, step: float) -> Iterator[tuple[float, int]]:
    for index, value in enumerate(values):
        yield left + step * (index + 0.5), value


def _written(panel: Panel, step: float) -> list[int]:
    """The bars that say their number: each that has one, or the highest where they stand too close."""
    some = [index for index, value in enumerate(panel.values) if value > 0]
    if all(length(panel.told(panel.values[index]), SMALL) + 4 <= step for index in some):
        return some
    return sorted(some, key=lambda index: -panel.values[index])[:1]


def _ticks(most: int, *, steps: int) -> list[int]:
    """From 0 to a round number not below the most, in about so many steps that are whole."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * steps >= most:
                # A number stands above the highest bar, so that one does not reach the top.
                return list(range(0, (most // step + 1 + (most % step > step * 0.8)) * step + 1, step))
        power *= 10


def fitted(written: str, size: int, room: float) -> str:
    """On one line, in letters that the font has, and not wider than its room."""
    shown = legible(written)
    if length(shown, size) <= room:
        return shown
    low, high = 0, len(shown)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if length(shown[:middle] + "…", size) <= room else (low, middle - 1)
    return shown[:low].rstrip() + "…"


def legible(written: str) -> str:
    """Without what steers a line of writing rather than being read; a box for what the font lacks."""
    found: list[str] = []
    for letter in unicodedata.normalize("NFC", " ".join(written[:300].split())):
        if drawable(letter):
            found.append(letter)
        elif plain := "".join(each for each in unicodedata.normalize("NFKD", letter) if drawable(each)):
            found.append(plain)  # Š without its hook is still read as somebody's name
        elif unicodedata.category(letter)[0] not in "CM" and found[-MOST_BOXES:] != [BOX] * MOST_BOXES:
            found.append(BOX)
    return "".join(found)


@cache
def drawable(letter: str) -> bool:
    """The font has it: see `scripts/font_subset.py`."""
    if letter in PLAIN:
        return True
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return letter >= " " and letter != "\x7f"


def length(written: str, size: int) -> float:
    return sum(map(_advance, written)) * size


@cache
def _advance(letter: str) -> float:
    """Of the size, as no letters of this font lean on each other."""
    return float(_measure().getlength(letter)) / 100


@cache
def _measure() -> "Measure":
    from PIL import ImageFont

    return ImageFont.truetype(str(FONT), 100, layout_engine=ImageFont.Layout.BASIC)


class Measure(Protocol):
    def getlength(self, text: str) -> float: ...

"""Charts as shapes for an SVG: numbers alone, so that nothing in the page needs a style of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

HEIGHT = 100
STEP = 10  # of a bar with its gap
GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    value: int


@dataclass(frozen=True, slots=True)
class Bars:
    """width, height: of the view box; it is stretched to where it stands. top: the value of its upper edge."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    top: int


def bars(values: Sequence[tuple[str, int]]) -> Bars:
    """One bar for each label; what is not nothing is always to be seen."""
    top = nice(max((value for _, value in values), default=0))
    drawn = []
    for number, (label, value) in enumerate(values):
        height = max(1.0, HEIGHT * value / top) if value > 0 else 0.0
        x = number * STEP + GAP / 2
        drawn.append(Bar(x, round(HEIGHT - height, 2), STEP - GAP, round(height, 2), label, value))
    return Bars(tuple(drawn), max(len(values), 1) * STEP, HEIGHT, top)


def nice(most: int) -> int:
    """The next of 2, 4, 6, 8, 10, 20 …: an upper edge that can be read, as can the half of it."""
    edge = 1
    while True:
        for factor in (2, 4, 6, 8):
            if most <= edge * factor:
                return edge * factor
        edge *= 10


def every_day(values: Sequence[tuple[str, int]], since: str, until: str) -> list[tuple[str, int]]:
    """With the days on which nothing was, so that the axis is one of time."""
    known = dict(values)
    first, last = date.fromisoformat(since), date.fromisoformat(until)
    days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return [(day, known.get(day, 0)) for day in days]


def every_month(values: Sequence[tuple[str, int]], since: str, until: str) -> list[tuple[str, int]]:
    """The same of sums by month."""
    known = dict(values)
    return [(month, known.get(month, 0)) for month in dict.fromkeys(day[:7] for day, _ in every_day((), since, until))]


def share(value: int, whole: int) -> float:
    """In percent, for the width of a bar in a table."""
    return round(100 * max(value, 0) / whole, 1) if whole > 0 else 0.0

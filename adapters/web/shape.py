"""How large the pictures will be that are still being drawn, as far as the asking tells: so that nothing jumps."""

import re
from dataclasses import dataclass

from adapters.web.messages import Quote
from bot.chat import Reply
from bot.command import ALIASES


def _written(option: str, value: str) -> re.Pattern[str]:
    """An option with this value, under any of its names."""
    names = "|".join((option, *ALIASES[option]))
    return re.compile(rf"(?:--|——?|－－)(?:{names})[ =＝]+{value}", re.IGNORECASE)


RATIO = _written("ratio", r"(\d{1,2})\s*[:：]\s*(\d{1,2})")
PIXELS = _written("size", r"(\d{2,5})[x×](\d{2,5})")
COUNT = _written("count", r"(\d{1,2})")
MOST = 15


@dataclass(frozen=True, slots=True)
class Shape:
    """Width and height of one picture (only their ratio matters), and how many are still to come."""

    width: int
    height: int
    missing: int


def shape(reply: Reply, asking: Quote | None) -> Shape:
    words = asking.words if asking else ""
    width, height = _sides(reply, words)
    counted = COUNT.search(words)
    count = min(MOST, int(counted[1])) if counted else 1
    # Nobody knows whether a series ends early: while it is being drawn, one more is always expected.
    return Shape(width, height, max(1, count - len(reply.pictures)))


def _sides(reply: Reply, words: str) -> tuple[int, int]:
    if reply.pictures:
        return reply.pictures[0].width, reply.pictures[0].height
    found = RATIO.search(words) or PIXELS.search(words)
    width, height = (int(found[1]), int(found[2])) if found else (1, 1)
    if not (width and height and 1 / 16 <= width / height <= 16):
        return 1, 1
    return width, height

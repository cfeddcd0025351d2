"""How large the pictures will be that are still being drawn, as far as the asking tells: so that nothing jumps."""

import re
from dataclasses import dataclass

from adapters.web.messages import Quote
from bot.chat import Reply

RATIO = re.compile(r"(?:--|——?|－－)(?:ratio|比例)[ =]+(\d{1,2})\s*[:：]\s*(\d{1,2})")
PIXELS = re.compile(r"(?:--|——?|－－)(?:size|尺寸)[ =]+(\d{2,5})[x×](\d{2,5})")
COUNT = re.compile(r"(?:--|——?|－－)(?:count|数量)[ =]+(\d{1,2})")
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

"""People's words as a Feishu card shows them: as they were written, and no longer than fits.

A `plain_text` of a card knows no markup, so nothing has to be escaped in it; what is taken out are signs that nobody
sees and that change how the words around them are read. Sizes are counted as the platform counts them: a card travels
as JSON within a JSON text, so what has to be escaped is escaped twice.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any
from unicodedata import east_asian_width

# They turn the order of what stands after them: of words that are ours, where a name brings them in.
_ORDER = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_ROOM = re.compile(r"<#([^\s<>@#]{1,100})>")
_ROOMS = re.compile(f"{_ROOM.pattern}(?:, {_ROOM.pattern})*")
ELLIPSIS = "…"


def clean(words: str) -> str:
    """The words without control signs, signs that turn the order of others, and halves of characters."""
    words = words.encode("utf-8", "replace").decode()
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", _ORDER.sub("", words)))


def with_rooms(words: str, rooms: Callable[[str], str]) -> str:
    """The core writes rooms as `<#id>, <#id>`; here each gets the name by which people know it.

    Only where there is nothing else: within other words somebody may have written it, to learn what a room is called.
    """
    return _ROOM.sub(lambda match: f"#{rooms(match[1])}", words) if _ROOMS.fullmatch(words) else words


def encoded(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False, separators=(",", ":"))


def weight(part: Any) -> int:
    """How many bytes a text or an element adds to the request that sends the card."""
    return len(encoded(encoded(part)).encode()) - len('""')


def clamp(words: str, most: int) -> str:
    """As many of the words as weigh at most `most`, with an ellipsis where something is left out."""
    if weight(words) <= most:
        return words
    kept = bisect_right(range(1, len(words)), most, key=lambda length: weight(words[:length] + ELLIPSIS))
    return words[:kept].rstrip() + ELLIPSIS if kept else ""


def columns(words: str) -> int:
    """How wide a line is: a Chinese character takes the place of two letters."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in words)

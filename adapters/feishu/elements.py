"""The elements of which our cards are made, as card JSON 2.0. No I/O.

JSON 2.0 refuses a whole card for one property that it does not know, so only few are used. Words stand in `plain_text`
alone, where no `<at>`, no link and no other markup has a meaning.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.feishu.escape import ELLIPSIS, clamp, weight

Json = dict[str, Any]

MOST_ELEMENTS = 200  # of one card, every text with a tag counted
# A card has 30 KB; the ids that travel with it, and what an escape more or less may add, stay below the rest.
MOST_BYTES = 29_000
LABEL = 200  # a button takes 100 characters; a row of them should stay readable


class Room:
    """What a card still takes, in bytes and elements."""

    def __init__(self, card: Json) -> None:
        self.bytes = MOST_BYTES - weight(card)
        self.elements = MOST_ELEMENTS - count(card)

    def takes(self, part: Json) -> bool:
        """Whether this fits in too; then it is counted."""
        if _weight(part) > self.bytes or count(part) > self.elements:
            return False
        self._count(part, -1)
        return True

    def fill(self, parts: Iterable[Json]) -> list[Json]:
        """Those of the parts that fit; what is too large is left out."""
        return [part for part in parts if self.takes(part)]

    @contextmanager
    def keeping(self, parts: Sequence[Json]) -> Iterator[None]:
        """In here there is less room: these are to fit afterwards."""
        kept = self.fill(parts)
        yield
        for part in kept:
            self._count(part, 1)

    def _count(self, part: Json, sign: int) -> None:
        self.bytes += sign * _weight(part)
        self.elements += sign * count(part)


def _weight(part: Json) -> int:
    return weight(part) + len(",")


def count(part: Any) -> int:
    """Elements as the platform counts them: whatever has a tag."""
    match part:
        case list():
            return sum(map(count, part))
        case dict():
            return ("tag" in part) + sum(map(count, part.values()))
    return 0


def plain(words: str) -> Json:
    return {"tag": "plain_text", "content": words}


def line(words: str) -> Json:
    return {"tag": "div", "text": plain(words)}


def small(words: str) -> Json:
    return {"tag": "div", "text": plain(words) | {"text_size": "notation", "text_color": "grey"}}


def grey(words: str) -> Json:
    return {"tag": "div", "text": plain(words) | {"text_color": "grey"}}


def quoted(words: str) -> Json:
    """Somebody's own words, set apart from ours."""
    column = _column([line(words)], weight=1) | {"padding": "8px 12px 8px 12px"}
    return {"tag": "column_set", "background_style": "grey", "columns": [column]}


def pair(label: str, value: str) -> Json:
    """One row of a table."""
    return {"tag": "column_set", "columns": [_column([grey(label)], weight=2), _column([line(value)], weight=3)]}


def side_by_side(elements: Sequence[Json], *, places: int) -> Json:
    """Equally wide; places without an element stay empty, so that the rows of a grid agree."""
    filled = [_column([element], weight=1) for element in elements]
    return {"tag": "column_set", "columns": filled + [_column([], weight=1)] * (places - len(elements))}


def flowing(elements: Sequence[Json]) -> Json:
    """As wide as each is, and on as many lines as that takes."""
    return {
        "tag": "column_set",
        "flex_mode": "flow",
        "columns": [{"tag": "column", "width": "auto", "elements": [element]} for element in elements],
    }


def pressed(words: str, id: str, *, kind: str = "default") -> Json:
    return {
        "tag": "button",
        "text": _label(words),
        "type": kind,
        "behaviors": [{"type": "callback", "value": {"press": id}}],
    }


def link(words: str, address: str) -> Json:
    """An address is a property of its own here, which no words can lead astray."""
    return {
        "tag": "button",
        "text": _label(words),
        "type": "primary_text",
        "size": "small",
        "behaviors": [{"type": "open_url", "default_url": address}],
    }


def _label(words: str) -> Json:
    return plain(clamp(" ".join(words.split()), LABEL) or ELLIPSIS)


def _column(elements: list[Json], *, weight: int) -> Json:
    return {"tag": "column", "width": "weighted", "weight": weight, "elements": elements}

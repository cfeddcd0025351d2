"""What stands on Feishu under each key, as far as this process has seen it: what need not be sent again."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card of a post. digest: of what it was told to show, "" where nobody knows.

    elsewhere: it came to the person because it could not be shown where it was asked for.
    """

    id: str
    digest: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The messages of one key. files: those that bring the originals of pictures, in the order of the pictures."""

    cards: tuple[Card, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """As the core stores it."""
        return " ".join((*(card.id for card in self.cards), *self.files))


class Latest(OrderedDict[str, V], Generic[V]):
    """A dictionary of the entries that were written last; older ones are forgotten."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: str, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


def read_message(message: str, *, cards: int) -> Standing:
    """The messages that a posting's id names. Cards come first; what is beyond `cards` are files."""
    ids = message.split()
    return Standing(cards=tuple(Card(id=id) for id in ids[:cards]), files=tuple(ids[cards:]))


def digest(card: Mapping[str, Any]) -> str:
    """Equal for what looks the same."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()


def pages(pictures: Sequence[V], most: int) -> list[Sequence[V]]:
    """As many in each card as it takes; one card without any where there are none."""
    return [pictures[start : start + most] for start in range(0, len(pictures), most)] or [()]

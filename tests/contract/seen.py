"""What every stage of the adapter contract shows of a message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message as somebody sees it: its id and its words."""

    id: str
    words: str

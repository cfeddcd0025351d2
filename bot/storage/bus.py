"""What processes that share a database tell each other: that there is something to look at, never what it is.

Best effort: whoever listens also looks by itself from time to time. Nothing that is told may be needed for anything to
be right.
"""

from collections.abc import Callable
from typing import Protocol, Self

Hear = Callable[[str], object]


class Bus(Protocol):
    """Belongs to the loop: both are called in its thread."""

    def on(self, topic: str, hear: Hear) -> None:
        """Be told by the others. `hear("")` also says that something may have been missed."""
        ...

    def tell(self, topic: str, what: str = "") -> None:
        """To the other processes. Never raises and never waits; equal ones within a moment are told once."""
        ...


class Alone:
    """There are no others."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def on(self, topic: str, hear: Hear) -> None:
        pass

    def tell(self, topic: str, what: str = "") -> None:
        pass

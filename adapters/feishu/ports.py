"""What the adapter needs from the rest, as small as it needs it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bot.chat import Actor, Invocation, Reply
from bot.command import Command, CommandTable, Option

Complete = Callable[[Invocation], Awaitable[Invocation]]


class Door(Protocol):
    """The way into the core. What is not `async` answers from memory."""

    @property
    def table(self) -> CommandTable: ...

    def check(self, invocation: Invocation) -> Reply | None:
        """The refusal that is certain already, if any."""
        ...

    def language_of(self, actor: Actor) -> str:
        """In which this person is spoken to."""
        ...

    def suggest(self, actor: Actor, command: Command, option: Option) -> Sequence[str]:
        """What this person may choose for an option, the usual first."""
        ...

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any], complete: Complete | None = None) -> bool:
        """Once this returns the event is noted, and may be acknowledged; False where its id was known.

        complete: what has to be found out before it is answered, and may take its time.
        """
        ...

    async def outcome(self, invocation: str) -> object:
        """Wait until what was accepted is answered."""
        ...

    async def give_back(self, generation: str, key: str) -> bool:
        """What Feishu shows to nobody is given back to who asked for it, once; whether they have it back.

        key: of the post that it did not take.
        """
        ...


class Fetcher(Protocol):
    """Downloads from addresses that strangers name; raises `PictureError`."""

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None: ...

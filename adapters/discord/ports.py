"""What the adapter needs from the rest, as small as it needs it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bot.chat import Actor, Invocation, Reply
from bot.command import Command, CommandTable, Option


class Door(Protocol):
    """The way into the core. What is not `async` answers from memory: it stands before the first answer."""

    @property
    def table(self) -> CommandTable: ...

    def check(self, invocation: Invocation) -> Reply | None:
        """The refusal that is certain already, if any."""
        ...

    def is_private(self, invocation: Invocation) -> bool:
        """Whether the answer will be for this person alone."""
        ...

    def suggest(
        self, actor: Actor, command: Command, option: Option, room: str = "", chosen: Mapping[str, str] | None = None
    ) -> Sequence[str]:
        """What this person may choose for an option in a room, the usual first. chosen: other options."""
        ...

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any]) -> bool: ...

    async def outcome(self, invocation: str) -> object:
        """Wait until what was accepted is answered."""
        ...


class Fetcher(Protocol):
    """Downloads from addresses that strangers name; raises `PictureError`."""

    async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None: ...

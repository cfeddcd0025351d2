"""What the page needs from the rest, as small as it needs it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from bot.chat import AccountLine, Actor, Invocation
from bot.command import CommandTable
from bot.i18n import Text

P = ParamSpec("P")
T = TypeVar("T")

Row = Mapping[str, Any]
Fault = Literal["none", "busy", "failing", "refuse_words", "refuse_result", "slow", "silent"]
Moment = Literal["day", "month", "now"]

Accounts = Callable[[Actor], Awaitable[tuple[AccountLine, ...]]]
# Both raise a `BotError` for a generation that this actor may not look at.
Happened = Callable[[str, Actor], Awaitable[Sequence[tuple[datetime, Text, Text]]]]
Line = Callable[[str, Actor], Awaitable[str]]
Thumbnails = Callable[[str, int], Awaitable[Path | bytes]]


class Connection(Protocol):
    """What a transaction function works with."""

    def execute(self, sql: str, /, **values: Any) -> int: ...

    def row(self, sql: str, /, **values: Any) -> Row | None: ...


class Database(Protocol):
    """passing: what is raised where nobody answers for a moment."""

    passing: tuple[type[Exception], ...]

    async def transaction(
        self, function: Callable[Concatenate[Any, P], T], *arguments: P.args, **named: P.kwargs
    ) -> T: ...

    async def fetch(self, sql: str, /, **values: Any) -> list[Row]: ...


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...

    def read(self, key: str) -> AsyncIterator[bytes]: ...


class Door(Protocol):
    """The way into the core."""

    @property
    def table(self) -> CommandTable: ...

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any]) -> bool:
        """Keep the invocation and run it in the background; False where its id is known already.

        `raw` is what `WebAdapter.replay` makes the same invocation from after a crash.
        """
        ...


class Controls(Protocol):
    """The demo's switches for trying things out by hand."""

    fault: str

    async def shift_clock(self, to: Moment) -> None: ...

    def now(self) -> datetime: ...

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


class Rights(Protocol):
    """Whose page it is and what of everything it shows. kind: "operator", "space", "team" or "person"."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...


class Session(Protocol):
    """A way in that is still good. `form`: the token that each form of this session sends back."""

    @property
    def rights(self) -> Rights: ...

    @property
    def form(self) -> str: ...

    @property
    def until(self) -> datetime: ...


class Keys(Protocol):
    """One-time links and sessions of the dashboard. A token is the secret itself; only digests are stored."""

    async def enter(self, link: str) -> str | None:
        """The token of a new session for a link's key, which works once; None for one that is used, old or forged."""
        ...

    async def open_for(self, actor: Actor) -> str:
        """The token of a new session for somebody of the local page."""
        ...

    async def session(self, token: str) -> Session | None:
        """With the rights as they are now. None where it is over or forged; raises `NotAllowed` where its person may
        not look any more."""
        ...

    async def leave(self, token: str) -> None: ...


class Board(Protocol):
    """What the dashboard shows. Every method asks for `viewer`, and shows nothing that these rights do not cover.

    Days are `YYYY-MM-DD` in the bot's zone, money is micro-USD, times are aware. What a row holds is read by the
    templates. Raises `BotError`: `NotThere` also for what the viewer may not see.
    """

    async def overview(self, viewer: Any) -> Any: ...

    async def pools(self, viewer: Any) -> Any: ...

    async def people(
        self, viewer: Any, *, sort: str, desc: bool, search: str, page: str, since: str, until: str
    ) -> Any: ...

    async def person(self, viewer: Any, id: str, *, since: str, until: str) -> Any: ...

    async def spend(self, viewer: Any, by: str, since: str, until: str) -> Any: ...

    async def latency(self, viewer: Any, since: str, until: str) -> Any: ...

    async def failures(self, viewer: Any, since: str, until: str) -> Sequence[Any]: ...

    async def queue(self, viewer: Any) -> Any: ...

    async def cancel(self, viewer: Any, id: str) -> None: ...

    async def gallery(
        self, viewer: Any, *, words: str = ..., person: str = ..., model: str = ..., before: int = ..., most: int = ...
    ) -> Any: ...

    async def generation(self, viewer: Any, id: str) -> Any: ...

    async def picture(self, viewer: Any, id: str, index: int) -> str:
        """The key of its blob."""
        ...

    async def audit(self, viewer: Any, *, before: int = ..., most: int = ...) -> Any: ...

    async def health(self, viewer: Any) -> Any: ...

    async def possibly_billed(self, viewer: Any) -> Sequence[Any]: ...

    async def resolve(self, viewer: Any, id: str, charge: bool) -> None: ...

    def export(self, viewer: Any, what: str, since: str, until: str) -> AsyncIterator[Sequence[Any]]:
        """Rows from the head on; numbers are numbers. what: "usage", "ledger" or "audit"."""
        ...

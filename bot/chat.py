"""The words that platforms and the core share: who asked, with what, where, and the answer.

An adapter turns what its platform sends into an `Invocation`, hands it to the `Dispatcher`, and draws each `Reply`.
Nothing here does I/O except what an adapter hangs into `Attachment.read`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self

from bot.i18n import Money, Text, text

CELLS = 10  # of an account's bar

ALONE = "dm:"
"""Before the id of somebody who is alone with the bot: that is a space without any admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asked, as one platform knows them; the core finds the Person behind it.

    roles: the groups of people that they are in there, by ids that mean something in `space` alone; none where the
    platform tells of none.
    """

    adapter: str
    user: str
    name: str
    space: str
    language: str = ""
    admin: bool = False
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to answer. `data` is the adapter's own; it is stored, and may be used by another process later.

    room: the platform's id of the channel or chat, which the rules of a space name. A place whose `room` was put there
    by the core is another channel of the same space.
    """

    adapter: str
    data: Mapping[str, Any] = field(default_factory=dict)
    private: bool = False
    room: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file somebody sent. Name and type are claims; the bytes stay on the platform until they are read.

    `read` yields chunks and may raise `PictureError` where the file is gone.
    """

    name: str
    read: Callable[[], AsyncIterator[bytes]]
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The message that was replied to: one of our own postings (by the platform's message id), or foreign pictures.

    generation, index: which picture of ours is meant, where the asking says so by itself.
    look: finds the attachments of a message that is not ours, where the platform did not send them along; raises
    `BotError` where it cannot be looked at.
    """

    message_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    generation: str = ""
    index: int | None = None
    look: Callable[[], Awaitable[tuple[Attachment, ...]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One asking. Exactly one of `line`, `command` and `press` says what is wanted.

    id: the platform's own id of the event, which stays the same if the event is sent again. It is unique over all
    platforms, so the adapter's name stands before it: `name:id`.
    line: text as it was typed, a command (`/imagine a fox --ratio 16:9`) or plain words.
    command, values: a platform's own slash command; picture options hold an `Attachment`.
    press: a button's `command:generation:index`; `values` may hold what a form asked for (`prompt`).
    names: of the people and roles whose ids stand in `line` or `values`, as far as the platform told them along.
    rooms: all that there are for everybody in that space, none where the platform does not tell.
    """

    id: str
    actor: Actor
    place: Place
    received: datetime
    line: str = ""
    command: str = ""
    press: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    quoted: Quoted | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    rooms: tuple[str, ...] = ()


class Tone(StrEnum):
    """What kind of answer this is; adapters may colour it."""

    ANSWER = "answer"
    PROGRESS = "progress"
    QUESTION = "question"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A stored picture to show. Adapters read its bytes by `blob` and fit them to what the platform takes."""

    generation: str
    index: int
    blob: str
    media_type: str
    width: int
    height: int
    size: int
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A command that one press runs: `command:generation:index`, at most 100 characters, nothing else inside.

    asks: the words to ask for before it runs (a modal, a form), sent back as `values["prompt"]`.
    picks: it concerns one picture; where there are several, the adapter lets people choose and puts that index.
    """

    command: str
    generation: str
    label: Text
    index: int = 0
    asks: Text | None = None
    picks: bool = False
    danger: bool = False

    @property
    def id(self) -> str:
        return f"{self.command}:{self.generation}:{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account as a person reads it: numbers are pictures or micro-USD; `limit` None means unlimited.

    account: its name in the books. who: who can give more. period: the running one's name, such as `2026-11`. ends:
    until when it may be used at all, of a grant; it never begins anew.
    """

    name: Text
    unit: str
    window: str
    used: int
    held: int
    limit: int | None
    resets: datetime | None
    account: str = ""
    who: Text | None = None
    period: str = ""
    ends: datetime | None = None

    @property
    def left(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used - self.held)

    @property
    def unit_name(self) -> Text:
        return text("Money") if self.unit == "usd" else text("Pictures")

    @property
    def left_in_words(self) -> Text:
        if self.limit is None:
            return {"day": text("No limit today"), "month": text("No limit this month")}.get(
                self.window, text("No limit")
            )
        values = {"left": self._amount(self.left or 0), "limit": self._amount(self.limit)}
        if self.ends:
            return text("{left} of {limit} left, until {when}", **values, when=self.ends)
        match self.window:
            case "day":
                return text("{left} of {limit} left today", **values)
            case "week":
                return text("{left} of {limit} left this week", **values)
            case "month":
                return text("{left} of {limit} left this month", **values)
            case _:
                return text("{left} of {limit} left", **values)

    @property
    def bar(self) -> str:
        """What is left as filled cells; empty where nothing is limited."""
        if self.limit is None:
            return ""
        filled = round(CELLS * (self.left or 0) / max(self.limit, 1))
        return "▰" * filled + "▱" * (CELLS - filled)

    def _amount(self, value: int) -> object:
        return Money(value) if self.unit == "usd" else f"{value:,}"


def worth_showing(accounts: Sequence[AccountLine]) -> Sequence[AccountLine]:
    """Those with a limit; one without only where nothing is limited at all."""
    return [account for account in accounts if account.limit is not None] or accounts[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to show; each adapter draws it in its platform's own way.

    notes are small print under the words or pictures; rows is a table of labels and values;
    prompt is the person's own words, to be shown escaped. private: only the asker should see it.
    spoiler: its pictures are hidden until somebody wants to see them, where the platform can do that.
    language: empty for the asker's, which the dispatcher puts in.
    """

    text: Text
    tone: Tone = Tone.ANSWER
    prompt: str = ""
    notes: tuple[Text, ...] = ()
    rows: tuple[tuple[Text, Text], ...] = ()
    pictures: tuple[Picture, ...] = ()
    buttons: tuple[Button, ...] = ()
    accounts: tuple[AccountLine, ...] = ()
    private: bool = False
    spoiler: bool = False
    generation: str = ""
    state: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A Reply on its way to a Place. The key is stable over retries, and names the same message for ever.

    message: what the platform called the message, or messages, that already stand under this key, if that is known.
    tried: since when nobody knows whether a new message stands, because its answer was lost or the process died.
    elsewhere: another process may have changed what stands since this one did: only `message` is true of it.
    """

    key: str
    place: Place
    reply: Reply
    message: str = ""
    tried: datetime | None = None
    elsewhere: bool = False


class CannotPost(Exception):
    """The platform refused this post; `final` says that trying again cannot help (it is then kept for `/show`).

    unknown: it may stand all the same, since the platform's answer is lost.
    """

    def __init__(
        self, reason: str, *, final: bool = False, retry_after: float | None = None, unknown: bool = False
    ) -> None:
        super().__init__(reason)
        self.final = final
        self.retry_after = retry_after
        self.unknown = unknown


class Adapter(Protocol):
    """A platform, as the core uses it. `pace`: seconds between two changes of one message that only show progress."""

    name: str
    pace: float

    async def post(self, post: Post) -> str:
        """Show the reply under its key, changing the message that stands there; returns the platform's message id.

        Where it took several messages, it returns all of their ids, with a space between two of them.
        Called again with the same key after a crash or a lost answer: it must never make a second message.
        Raises `CannotPost`.
        """
        ...

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        """The Invocation of a raw event that was received before a crash, or None where it is gone."""
        ...


Hook = Callable[[Mapping[str, str], bytes], Awaitable[tuple[int, Mapping[str, Any]]]]
"""Takes a platform's call, its headers (found in any case) and body; returns the status and JSON of the answer."""


class Connected(Adapter, Protocol):
    """An adapter that keeps a connection of its own. Once it is entered it can post; leaving it, it no longer can.

    hook: takes what the platform sends to the bot's own address, if it is to do so.
    alone: names of what only one process at a time may listen to, and whether several may have that one together.
    """

    hook: Hook | None
    alone: Mapping[str, bool]

    async def __aenter__(self) -> Self:
        """Raises `CannotStart` where trying again cannot help; a platform that is not to be reached is tried again."""
        ...

    async def __aexit__(self, *exception: object) -> None: ...

    def listening(self) -> AbstractAsyncContextManager[object]:
        """While this is entered events come in; leaving it finishes what is just being taken up. It may come again."""
        ...

    def trouble(self) -> str:
        """What keeps it from hearing until somebody mends it, in words for the operator; "" where all is well."""
        ...

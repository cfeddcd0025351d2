"""The things of Feishu's world: people, chats, messages and what was pushed to the app, as a test looks at them.

A test reads `message.text`, `message.pictures`, `message.labels`; nothing here does I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.feishu import reading
from tests.simulators.feishu.wire import Json

ACK_WITHIN = 3.0  # seconds; a later answer to an event counts as none


@dataclass(slots=True, eq=False)
class User:
    """Somebody of the tenant, or the bot. in_range: the app may read the name. reachable: the app may be used.

    departments: the open_department_ids of those that they are in directly.
    """

    open_id: str
    name: str
    union_id: str = ""
    bot: bool = False
    in_range: bool = True
    reachable: bool = True
    en_name: str = ""
    departments: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Media:
    """An uploaded picture or file. mine: the bot uploaded it, so its messages may show it."""

    key: str
    data: bytes
    kind: str = "image"  # or "file"
    filename: str = ""
    content_type: str = "application/octet-stream"
    mine: bool = False


@dataclass(slots=True, eq=False)
class Chat:
    """kind: p2p, group or topic_group. speaks: the bot may write. An empty `owner` is that of a chat of two."""

    id: str
    kind: str
    name: str = ""
    members: list[User] = field(default_factory=list)
    owner: User | None = None
    with_bot: bool = True
    speaks: bool = True
    messages: list["Message"] = field(default_factory=list)

    @property
    def p2p(self) -> bool:
        return self.kind == "p2p"

    @property
    def topics(self) -> bool:
        return self.kind == "topic_group"


@dataclass(slots=True, eq=False)
class Message:
    """One message. kind: text, post, image, file, interactive or merge_forward. content: the wire's JSON, read.

    reply_to: the message it answers; root: the head of the chain; thread: the topic's id, if it stands in one.
    edits: when the card was changed and to what; the first card is not among them. reactions: (emoji, user) pairs.
    """

    id: str
    chat: Chat
    sender: User
    kind: str
    content: Json
    sent_at: float
    media: Mapping[str, Media] = field(repr=False)
    reply_to: "Message | None" = None
    root: "Message | None" = None
    thread: str = ""
    mentions: list[Json] = field(default_factory=list)
    uuid: str = ""
    edits: list[tuple[float, Json]] = field(default_factory=list)
    reactions: list[tuple[str, str]] = field(default_factory=list)
    reaction_ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    updated_at: float = 0.0
    gone: bool = False

    @property
    def in_thread(self) -> bool:
        return bool(self.thread)

    @property
    def card(self) -> Json:
        """The card as it stands now; {} where this is no card."""
        return self.content if self.kind == "interactive" else {}

    @property
    def text(self) -> str:
        """All words that a person reads, joined by newlines; labels of buttons and placeholders are not among them."""
        words = "\n".join(reading.texts(self.kind, self.content))
        for one in self.mentions:
            words = words.replace(one["key"], f"@{one['name']}")
        return words

    @property
    def picture_keys(self) -> list[str]:
        return reading.picture_keys(self.kind, self.content)

    @property
    def pictures(self) -> list[bytes]:
        """What is shown as a picture, in order."""
        return [self.media[key].data for key in self.picture_keys if key in self.media]

    @property
    def files(self) -> list[Media]:
        key = self.content.get("file_key", "") if self.kind == "file" else ""
        return [self.media[key]] if key in self.media else []

    @property
    def labels(self) -> list[str]:
        """What stands on its buttons, those of forms too."""
        return [reading.label(one) for one in self.parts if one.get("tag") == "button"]

    @property
    def placeholders(self) -> list[str]:
        """Of selects and inputs, in order."""
        return [words for one in self.parts if (words := reading.words(one.get("placeholder")))]

    @property
    def parts(self) -> list[Json]:
        """Every component of the card, however deep, in the order in which they are shown."""
        return list(reading.walk(self.card))


@dataclass(frozen=True, slots=True, kw_only=True)
class Toast:
    """What a person sees after a press. card: the new card that the answer carried, if it did."""

    kind: str
    content: str
    i18n: Mapping[str, str] = field(default_factory=dict)
    card: Json | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to the open platform. api: such as "im.message.reply"; at: the fake's clock.

    code: of the answer; None while there is none, or when the connection was cut. body: the JSON or the form's fields.
    """

    api: str
    method: str
    path: str
    at: float
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None
    status: int = 0
    code: int | None = None


@dataclass(slots=True, kw_only=True)
class Ack:
    """The app's answer to a pushed event. after: seconds since that push. data: decoded; None where it has none.

    kind: the event's type, such as "im.message.receive_v1". attempt: 0 for the first push.
    """

    event_id: str
    kind: str
    code: int
    after: float
    attempt: int = 0
    data: Any = None


@dataclass(slots=True, eq=False)
class Push:
    """An event and what became of it. sent: each time that it was pushed (the fake's clock); done: acked in time."""

    event_id: str
    kind: str
    body: Json
    message_id: str = ""
    sent: list[float] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return any(200 <= ack.code < 300 and ack.after <= ACK_WITHIN for ack in self.acks)

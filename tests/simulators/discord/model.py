"""The things of Discord's world: people, servers, channels and messages, as a test looks at them.

A test reads `channel.messages`, `message.text`, `message.pictures`, `message.buttons`; nothing here does I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag

from tests.simulators.discord.wire import Json


class Flag(IntFlag):
    """Flags of a message."""

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SILENT = 1 << 12
    SNAPSHOT = 1 << 14
    COMPONENTS_V2 = 1 << 15


NO_FLAGS = Flag(0)


class Kind(IntEnum):
    """Types of a channel."""

    TEXT = 0
    DM = 1
    GROUP_DM = 3
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


@dataclass(slots=True, eq=False)
class User:
    id: str
    name: str
    bot: bool = False
    accepts_dms: bool = True
    locale: str = "en-US"

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"


@dataclass(slots=True, eq=False)
class Role:
    id: str
    name: str
    permissions: int
    position: int = 0

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"


@dataclass(slots=True, eq=False)
class Member:
    user: User
    roles: list[Role] = field(default_factory=list)
    nick: str | None = None


@dataclass(slots=True, eq=False)
class Guild:
    """`tier`: 0 to 3, how far it is boosted."""

    id: str
    name: str
    owner: User
    tier: int = 0
    locale: str = "en-US"
    system_channel: "Channel | None" = None
    channels: list["Channel"] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Overwrite:
    """What a channel allows and denies to a role or a member, as bits."""

    member: bool
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, eq=False)
class Channel:
    id: str
    kind: Kind
    name: str = ""
    guild: Guild | None = None
    parent: "Channel | None" = None
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    nsfw: bool = False
    archived: bool = False
    locked: bool = False
    owner: User | None = None
    posts: dict[str, "Message"] = field(default_factory=dict)
    typed: int = 0  # how often the bot showed that it types
    old_edits: list[datetime] = field(default_factory=list)

    @property
    def messages(self) -> list["Message"]:
        """All that stand here, the oldest first; those that only one person sees too."""
        return list(self.posts.values())

    @property
    def last(self) -> "Message":
        return self.messages[-1]

    @property
    def thread(self) -> bool:
        return self.kind in (Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)


@dataclass(slots=True, eq=False)
class Attachment:
    """A file at the CDN. `ephemeral`: given to an interaction, so it vanishes after a while."""

    id: str
    filename: str
    data: bytes
    path: str
    content_type: str
    stored_at: datetime
    size: tuple[int, int] | None = None  # width and height, of a picture
    description: str | None = None
    ephemeral: bool = False
    vanished: bool = False


@dataclass(slots=True, eq=False)
class Message:
    """`components` and `embeds` as they were sent, with `attachment://` links.

    only_for: the person who sees an ephemeral one. pinged: whom it notifies (ids, and "everyone").
    """

    id: str
    channel: Channel
    author: User
    sent_at: datetime
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: Flag = NO_FLAGS
    kind: int = 0
    nonce: str | int | None = None
    edited_at: datetime | None = None
    edits: int = 0
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    pinged: set[str] = field(default_factory=set)
    reference: Json | None = None
    replies_to: "Message | None" = None
    snapshots: list["Message"] = field(default_factory=list)
    interaction: Json | None = None  # the metadata of the interaction that it answers
    only_for: User | None = None
    through_webhook: bool = False
    thread: Channel | None = None

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & Flag.EPHEMERAL)

    @property
    def loading(self) -> bool:
        return bool(self.flags & Flag.LOADING)

    @property
    def v2(self) -> bool:
        return bool(self.flags & Flag.COMPONENTS_V2)

    @property
    def parts(self) -> list[Json]:
        """Every component, however deep, in the order in which they are shown."""
        return list(walk(self.components))

    @property
    def text(self) -> str:
        """All words that a person reads: the content, then the texts of embeds, then every TextDisplay."""
        embeds = [embed.get(key, "") for embed in self.embeds for key in ("title", "description")]
        texts = [part["content"] for part in self.parts if part["type"] == 10]
        return "\n".join(word for word in (self.content, *embeds, *texts) if word)

    @property
    def pictures(self) -> list[bytes]:
        """What is shown as a picture or hangs there as a file, in order, each once."""
        return [file.data for file in self.shown_files()]

    @property
    def buttons(self) -> dict[str, Json]:
        """Label (or emoji) of each button -> the component."""
        found = [part for part in self.parts if part["type"] == 2]
        return {one.get("label") or (one.get("emoji") or {}).get("name") or "": one for one in found}

    @property
    def selects(self) -> list[Json]:
        return [part for part in self.parts if part["type"] in (3, 5, 6, 7, 8)]

    def shown_files(self) -> list[Attachment]:
        """Files in the order of the components that show them; without components, as they were attached."""
        shown = [self.file(link) for link in self.media_links()]
        rest = [] if self.v2 else self.attachments
        return list(dict.fromkeys([*(file for file in shown if file), *rest]))

    def media_links(self) -> list[str]:
        links = [media["url"] for part in self.parts for media in media_of(part)]
        return links + [embed[key]["url"] for embed in self.embeds for key in ("image", "thumbnail") if embed.get(key)]

    def file(self, link: str) -> Attachment | None:
        """The attachment that a link means: `attachment://name`, or its own address at the CDN."""
        name = link.removeprefix("attachment://")
        return next((one for one in self.attachments if one.filename == name or one.path in link), None)


def walk(components: list[Json]) -> Iterator[Json]:
    for one in components:
        yield one
        yield from walk(one.get("components") or [])
        yield from walk([one[key] for key in ("accessory", "component") if one.get(key)])


def media_of(component: Json) -> list[Json]:
    """The media items of one component: a gallery has up to ten, a thumbnail or file has one."""
    holders = [component, *(component.get("items") or [])]
    return [holder[key] for holder in holders for key in ("media", "file") if isinstance(holder.get(key), dict)]

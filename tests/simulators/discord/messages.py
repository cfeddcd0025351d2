"""The life of a message: written, changed, deleted, by the rules that hold for everybody."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.simulators.discord.components import check_message, numbered
from tests.simulators.discord.model import Attachment, Channel, Flag, Kind, Message, User
from tests.simulators.discord.render import member_json, mentioned, message_json
from tests.simulators.discord.wire import Code, Json, Refused, wrong
from tests.simulators.discord.world import Event, World

MOST_FILES = 10
NONCE_LIFE = timedelta(minutes=5)  # "a few minutes", say Discord's documents
OLD = timedelta(hours=1)
SETTABLE = Flag.SUPPRESS_EMBEDS | Flag.SILENT | Flag.COMPONENTS_V2


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a request: `index` is the n of its form field files[n]."""

    index: str
    filename: str
    data: bytes


def post(
    world: World, channel: Channel, author: User, body: Json, parts: Sequence[Part] = (), *, limit: int, **fields: Any
) -> Message:
    """Write a message. limit: bytes for one file here; fields: what a message has beyond its body, such as `kind`."""
    if body.get("nonce") is not None:
        _check_nonce(body["nonce"])
        if body.get("enforce_nonce") and (known := _same_nonce(world, channel, author, body["nonce"])):
            return known
    flags = Flag(int(body.get("flags") or 0) & SETTABLE) | Flag(fields.pop("flags", 0))
    message = Message(world.snowflake(), channel, author, world.clock(), flags=flags, nonce=body.get("nonce"), **fields)
    _fill(world, message, body, parts, limit=limit)
    if not (message.loading or message.snapshots) and not _holds_anything(message):
        raise Refused(Code.EMPTY_MESSAGE)
    _mention(world, message, body)
    channel.posts[message.id] = message
    announce(world, "MESSAGE_CREATE", message)
    return message


def edit(world: World, message: Message, body: Json, parts: Sequence[Part] = (), *, limit: int) -> Message:
    """Change what the body names and keep the rest; V2 stays V2."""
    changed = Message(message.id, message.channel, message.author, message.sent_at, flags=message.flags)
    changed.content, changed.embeds, changed.components = message.content, message.embeds, message.components
    changed.attachments = message.attachments
    changed.flags |= Flag(int(body.get("flags") or 0)) & (Flag.COMPONENTS_V2 | Flag.SUPPRESS_EMBEDS)
    changed.flags &= ~Flag.LOADING
    _fill(world, changed, body, parts, limit=limit)
    if not _holds_anything(changed):
        raise Refused(Code.EMPTY_MESSAGE)
    for name in ("content", "embeds", "components", "attachments", "flags"):
        setattr(message, name, getattr(changed, name))
    message.edited_at, message.edits = world.clock(), message.edits + 1
    _mention(world, message, body)
    announce(world, "MESSAGE_UPDATE", message)
    return message


def announce(world: World, name: str, message: Message) -> None:
    """Tell the bot, where it is present: nobody is told of an ephemeral message."""
    world.signal.touch()
    guild = message.channel.guild
    hears = world.bot.id in guild.members if guild else message.channel.kind is Kind.DM
    if message.ephemeral or not hears:
        return
    data = message_json(message, world.cdn)
    if guild and message.author.id in guild.members:
        member = member_json(guild.members[message.author.id], with_user=False)
        data |= {"guild_id": guild.id, "member": member}
    elif guild:
        data["guild_id"] = guild.id
    world.tell(Event(name, data, guild, message))


def reply_or_forward(message: Message, *, forward: bool) -> Json:
    """Fields of a message that answers this one, or that shows it elsewhere as it is now."""
    reference: Json = {"type": int(forward), "channel_id": message.channel.id, "message_id": message.id}
    if message.channel.guild:
        reference["guild_id"] = message.channel.guild.id
    if forward:
        return {"reference": reference, "snapshots": [replace(message)], "flags": Flag.SNAPSHOT}
    return {"kind": 19, "reference": reference, "replies_to": message}


def _check_nonce(nonce: object) -> None:
    if len(str(nonce)) > 25:
        raise wrong("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer characters long")


def _same_nonce(world: World, channel: Channel, author: User, nonce: object) -> Message | None:
    since = world.clock() - NONCE_LIFE
    same = (one for one in reversed(channel.posts.values()) if str(one.nonce) == str(nonce) and one.author is author)
    return next((one for one in same if one.sent_at >= since), None)


def _fill(world: World, message: Message, body: Json, parts: Sequence[Part], *, limit: int) -> None:
    """Put what the body says into the message, and judge the whole."""
    if "content" in body:
        message.content = body["content"] or ""
    if "embeds" in body:
        message.embeds = body["embeds"] or []
    if "components" in body:
        message.components = numbered(body["components"] or [])
    message.attachments = _attached(world, message, body, parts, limit=limit)
    if len(message.content) > 2000:
        raise wrong("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
    for name in ("content", "embeds") if message.v2 else ():
        if getattr(message, name):
            raise wrong(
                name,
                "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
            )
    _check_embeds(message.embeds)
    check_message(message.components, v2=message.v2)
    for link in message.media_links():
        if link.startswith("attachment://") and message.file(link) is None:
            raise wrong(
                "components", "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", f"{link} is not among the files"
            )


def _attached(world: World, message: Message, body: Json, parts: Sequence[Part], *, limit: int) -> list[Attachment]:
    """Kept files, then new ones. An edit keeps those that its `attachments` name, and all where it names none."""
    described = {str(one["id"]): one for one in body.get("attachments") or []}
    kept = [one for one in message.attachments if "attachments" not in body or one.id in described]
    indices = {part.index for part in parts}
    if lost := described.keys() - indices - {one.id for one in kept}:
        raise wrong("attachments", "ATTACHMENT_NOT_FOUND", f"no file and no attachment has the id {min(lost)}")
    if "attachments" in body and indices - described.keys():
        world.complaints.append("a file came that `attachments` does not name: Discord's clients may not show it")
    if len(kept) + len(parts) > MOST_FILES:
        raise wrong("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer in length.")
    if any(len(part.data) > limit for part in parts):
        raise Refused(Code.TOO_LARGE)
    new = [
        world.cdn.keep(
            world.snowflake(),
            message.channel.id,
            described.get(part.index, {}).get("filename") or part.filename,
            part.data,
            description=described.get(part.index, {}).get("description"),
        )
        for part in parts
    ]
    return [*kept, *new]


def _holds_anything(message: Message) -> bool:
    return bool(message.content or message.embeds or message.components or (message.attachments and not message.v2))


def _check_embeds(embeds: list[Json]) -> None:
    if len(embeds) > 10:
        raise wrong("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    most = {"title": 256, "description": 4096}
    for index, embed in enumerate(embeds):
        for name, length in most.items():
            if len(embed.get(name) or "") > length:
                raise wrong(f"embeds.{index}.{name}", "BASE_TYPE_MAX_LENGTH", f"Must be {length} or fewer in length.")
    if sum(_words(embed) for embed in embeds) > 6000:
        raise wrong("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _words(embed: Json) -> int:
    fields = embed.get("fields") or []
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts += [(embed.get("author") or {}).get("name"), *(field[key] for field in fields for key in ("name", "value"))]
    return sum(len(text or "") for text in texts)


def _mention(world: World, message: Message, body: Json) -> None:
    """Who is named, and who of these is notified: `allowed_mentions` decides, and without it everybody is."""
    words = [message.content, *(part["content"] for part in message.parts if part["type"] == 10)]
    users, roles, everyone = mentioned("\n".join(words))
    allowed = body.get("allowed_mentions")
    message.mentions = [world.users[id] for id in sorted(users) if id in world.users]
    message.mention_roles = sorted(roles)
    message.pinged = _pinged(users, roles, everyone, allowed)
    answered = message.replies_to.author if message.replies_to else None
    if answered and (allowed is None or allowed.get("replied_user")):
        message.pinged.add(answered.id)
        if answered not in message.mentions:
            message.mentions.append(answered)


def _pinged(users: set[str], roles: set[str], everyone: bool, allowed: Json | None) -> set[str]:
    if allowed is None:
        return users | roles | ({"everyone"} if everyone else set())
    parse = allowed.get("parse") or []
    found = users if "users" in parse else users & {str(id) for id in allowed.get("users") or []}
    found = found | (roles if "roles" in parse else roles & {str(id) for id in allowed.get("roles") or []})
    return found | ({"everyone"} if everyone and "everyone" in parse else set())

"""The things of the world as JSON on Discord's wire; links are signed afresh each time that something is shown."""

import re
from datetime import datetime

from tests.simulators.discord.cdn import MEDIA_HOST, Cdn
from tests.simulators.discord.model import Attachment, Channel, Guild, Kind, Member, Message, Role, User
from tests.simulators.discord.permissions import member_permissions
from tests.simulators.discord.wire import Json

JOINED = "2024-01-01T00:00:00+00:00"


def user_json(user: User) -> Json:
    return {
        "id": user.id,
        "username": user.name,
        "discriminator": "0",
        "global_name": user.name.title(),
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def own_json(bot: User) -> Json:
    """The bot as it sees itself."""
    return {**user_json(bot), "mfa_enabled": True, "locale": bot.locale, "verified": True, "email": None}


def member_json(member: Member, *, with_user: bool = True) -> Json:
    return {
        "roles": [role.id for role in member.roles],
        "joined_at": JOINED,
        "deaf": False,
        "mute": False,
        "nick": member.nick,
        "avatar": None,
        "banner": None,
        "premium_since": None,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
        **({"user": user_json(member.user)} if with_user else {}),
    }


def acting_member_json(guild: Guild, member: Member, channel: Channel) -> Json:
    """The member of an interaction, which brings the permissions along."""
    return {**member_json(member), "permissions": str(member_permissions(guild, member, channel))}


def role_json(role: Role) -> Json:
    return {
        "id": role.id,
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def channel_json(channel: Channel) -> Json:
    last = next(reversed(channel.posts), None)
    common: Json = {"id": channel.id, "type": int(channel.kind), "flags": 0, "last_message_id": last}
    if channel.guild is None:
        group = {"name": channel.name, "icon": None, "owner_id": channel.recipients[0].id}
        people = {"recipients": [user_json(user) for user in channel.recipients]}
        return common | people | (group if channel.kind is Kind.GROUP_DM else {})
    common |= {"guild_id": channel.guild.id, "name": channel.name, "rate_limit_per_user": 0}
    if channel.thread and channel.parent and channel.owner:
        return common | {
            "parent_id": channel.parent.id,
            "owner_id": channel.owner.id,
            "message_count": len(channel.posts),
            "member_count": 1,
            "total_message_sent": len(channel.posts),
            "thread_metadata": {
                "archived": channel.archived,
                "archive_timestamp": JOINED,
                "auto_archive_duration": 1440,
                "locked": channel.locked,
                "create_timestamp": JOINED,
            },
        }
    return common | {
        "position": channel.guild.channels.index(channel) if channel in channel.guild.channels else 0,
        "parent_id": None,
        "topic": None,
        "nsfw": channel.nsfw,
        "permission_overwrites": [
            {"id": target, "type": int(one.member), "allow": str(one.allow), "deny": str(one.deny)}
            for target, one in channel.overwrites.items()
        ],
    }


def guild_json(guild: Guild) -> Json:
    return {
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner.id,
        "preferred_locale": guild.locale,
        "premium_tier": guild.tier,
        "roles": [role_json(role) for role in guild.roles],
        "system_channel_id": guild.system_channel.id if guild.system_channel else None,
        **dict.fromkeys(
            ("icon", "description", "home_header", "splash", "discovery_splash", "banner", "application_id")
        ),
        **dict.fromkeys(("afk_channel_id", "widget_channel_id", "vanity_url_code")),
        **dict.fromkeys(("rules_channel_id", "safety_alerts_channel_id", "public_updates_channel_id")),
        **dict.fromkeys(("max_presences", "incidents_data")),
        **dict.fromkeys(("verification_level", "default_message_notifications", "mfa_level"), 0),
        **dict.fromkeys(("explicit_content_filter", "premium_subscription_count", "nsfw_level"), 0),
        **dict.fromkeys(("widget_enabled", "premium_progress_bar_enabled", "nsfw"), False),
        **{name: [] for name in ("features", "emojis", "stickers")},
        "region": "deprecated",
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
    }


def joined_guild_json(guild: Guild, bot: User, *, all_members: bool) -> Json:
    """What GUILD_CREATE adds. all_members: False without the intent to see them; the bot sees itself always."""
    shown = [one for one in guild.members.values() if all_members or one.user is bot]
    return {
        **guild_json(guild),
        "joined_at": JOINED,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_json(member) for member in shown],
        "channels": [channel_json(one) for one in guild.channels if not one.thread],
        "threads": [channel_json(one) for one in guild.channels if one.thread],
        **{name: [] for name in ("voice_states", "presences", "stage_instances", "soundboard_sounds")},
        "guild_scheduled_events": [],
    }


def attachment_json(file: Attachment, cdn: Cdn) -> Json:
    shown: Json = {
        "id": file.id,
        "filename": file.filename,
        "size": len(file.data),
        "url": cdn.link(file),
        "proxy_url": cdn.link(file, MEDIA_HOST),
        "content_type": file.content_type,
    }
    if file.size:
        shown |= dict(zip(("width", "height"), file.size, strict=True))
    if file.description:
        shown["description"] = file.description
    return shown | ({"ephemeral": True} if file.ephemeral else {})


def message_json(message: Message, cdn: Cdn, *, depth: int = 1) -> Json:
    """depth: how many levels of answered messages come along."""
    shown: Json = {
        **_body(message, cdn),
        "id": message.id,
        "channel_id": message.channel.id,
        "author": user_json(message.author),
        "tts": False,
        "pinned": False,
        "mention_everyone": "everyone" in message.pinged,
    }
    if message.nonce is not None:
        shown["nonce"] = message.nonce
    if message.reference:
        shown["message_reference"] = message.reference
    if message.snapshots:
        shown["message_snapshots"] = [{"message": _body(one, cdn)} for one in message.snapshots]
    if message.kind == 19 and depth:
        answered = message.replies_to
        here = answered is not None and answered.id in answered.channel.posts
        shown["referenced_message"] = message_json(answered, cdn, depth=0) if answered and here else None
    if message.interaction:
        shown["interaction_metadata"] = message.interaction
    if message.through_webhook:
        shown |= {"application_id": message.author.id, "webhook_id": message.author.id}
    if message.thread:
        shown["thread"] = channel_json(message.thread)
    return shown


def without_content(shown: Json) -> Json:
    """What remains of another's message for an app that may not read message contents."""
    return {**shown, "content": "", "attachments": [], "embeds": [], "components": []}


def _body(message: Message, cdn: Cdn) -> Json:
    """What a forwarded message keeps of it, too."""
    linked = [message.file(link) for link in message.media_links()]
    return {
        "type": message.kind,
        "content": message.content,
        "mentions": [user_json(user) for user in message.mentions],
        "mention_roles": message.mention_roles,
        # What a component or an embed shows is not listed again among the attachments.
        "attachments": [
            attachment_json(one, cdn) for one in message.attachments if not message.v2 and one not in linked
        ],
        "embeds": [_embed(embed, message, cdn) for embed in message.embeds],
        "components": [_component(one, message, cdn) for one in message.components],
        "timestamp": stamp(message.sent_at),
        "edited_timestamp": stamp(message.edited_at) if message.edited_at else None,
        "flags": int(message.flags),
    }


def stamp(at: datetime) -> str:
    return at.isoformat()


def _embed(embed: Json, message: Message, cdn: Cdn) -> Json:
    pictures = {key: _embedded(embed[key], message, cdn) for key in ("image", "thumbnail") if embed.get(key)}
    return {"type": "rich", **embed, **pictures}


def _component(component: Json, message: Message, cdn: Cdn) -> Json:
    """Deep copy with what Discord fills in."""
    shown: Json = {**_DEFAULTS.get(component["type"], {}), **component}
    for key in ("components", "items"):
        if key in shown:
            shown[key] = [_component({"type": 0, **one}, message, cdn) for one in shown[key]]
    for key in ("accessory", "component"):
        if shown.get(key):
            shown[key] = _component(shown[key], message, cdn)
    if shown.get("emoji"):
        shown["emoji"] = {key: value for key, value in shown["emoji"].items() if value is not None}
    for key in ("media", "file"):
        if isinstance(shown.get(key), dict):
            link = shown[key]["url"]
            shown[key] = _media(shown[key], message, cdn)
            file = message.file(link)
            if key == "file" and file:
                shown |= {"name": file.filename, "size": len(file.data)}
    if shown["type"] == 0:  # an item of a gallery is no component
        shown = {"description": None, "spoiler": False, **shown}
        del shown["type"]
    return shown


_DEFAULTS: dict[int, Json] = {
    3: {"min_values": 1, "max_values": 1},
    11: {"description": None, "spoiler": False},
    13: {"spoiler": False, "name": None, "size": None},
    14: {"divider": True, "spacing": 1},
    17: {"accent_color": None, "spoiler": False},
}


def _embedded(media: Json, message: Message, cdn: Cdn) -> Json:
    """The picture of an embed: as a component's, without ids."""
    shown = _media(media, message, cdn)
    return {key: value for key, value in shown.items() if key not in ("id", "attachment_id") and value is not None}


def _media(media: Json, message: Message, cdn: Cdn) -> Json:
    file = message.file(media["url"])
    if file is None:
        return {
            "id": message.id,
            "proxy_url": media["url"],
            "width": None,
            "height": None,
            "content_type": None,
            **media,
        }
    width, height = file.size or (None, None)
    return {
        "id": file.id,
        "url": cdn.link(file),
        "proxy_url": cdn.link(file, MEDIA_HOST),
        "width": width,
        "height": height,
        "content_type": file.content_type,
        "attachment_id": file.id,
    }


def mentioned(text: str) -> tuple[set[str], set[str], bool]:
    """Ids of the users and roles that a text names, and whether it calls everyone."""
    return (
        set(re.findall(r"<@!?(\d+)>", text)),
        set(re.findall(r"<@&(\d+)>", text)),
        "@everyone" in text or "@here" in text,
    )

"""Routes of who and where: the bot itself, its application and commands, servers, channels, members, threads."""

from typing import Any

from tests.simulators.discord.messages import announce
from tests.simulators.discord.model import Channel
from tests.simulators.discord.permissions import may, member_permissions
from tests.simulators.discord.render import (
    channel_json,
    guild_json,
    member_json,
    own_json,
    role_json,
    user_json,
)
from tests.simulators.discord.rest import Call, Routes
from tests.simulators.discord.wire import Code, Json, Refused, measured
from tests.simulators.discord.world import Event

GATEWAY = "wss://gateway.discord.gg"


def seen(call: Call) -> Channel:
    """The channel of the path, if the bot may see it."""
    channel = call.fake.find_channel(call.params["channel_id"])
    bot = call.fake.bot
    inside = bot.id in channel.guild.members if channel.guild else len(channel.recipients) == 1
    if not inside or not may(bot, channel, "view_channel"):
        raise Refused(Code.MISSING_ACCESS)
    return channel


async def me(call: Call) -> Json:
    return own_json(call.fake.bot)


async def own_guilds(call: Call) -> Any:
    """The servers that the bot is in, with what its roles let it do there."""
    fake = call.fake
    return [
        {
            "id": guild.id,
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": False,
            "permissions": str(member_permissions(guild, guild.members[fake.bot.id])),
            "features": [],
        }
        for guild in fake.guilds.values()
        if fake.bot.id in guild.members
    ]


async def user(call: Call) -> Json:
    if call.params["user_id"] not in call.fake.users:
        raise Refused(Code.UNKNOWN_USER)
    return user_json(call.fake.users[call.params["user_id"]])


async def application(call: Call) -> Json:
    fake = call.fake
    flags = fake.gateway.application_flags()
    return {
        "id": fake.bot.id,
        "name": fake.bot.name,
        "icon": None,
        "description": "",
        "summary": "",
        "type": None,
        "bot": user_json(fake.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "integration_types_config": {"0": {}, "1": {}},
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user_json(fake.owner),
        "team": None,
        "approximate_guild_count": len(fake.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
    }


async def gateway(call: Call) -> Json:
    return {"url": GATEWAY}


async def gateway_bot(call: Call) -> Json:
    used = len(call.fake.gateway.identified)
    start = {"total": 1000, "remaining": 1000 - used, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": GATEWAY, "shards": call.fake.shards, "session_start_limit": start}


def _own_application(call: Call) -> str | None:
    """The server whose commands are meant, or None for the global ones."""
    if call.params["application_id"] != call.fake.bot.id:
        raise Refused(Code.UNKNOWN_APPLICATION)
    guild_id = call.params.get("guild_id")
    return call.fake.guild_of_bot(guild_id).id if guild_id else None


async def put_commands(call: Call) -> Any:
    return call.fake.commands.put(_own_application(call), call.body)


async def get_commands(call: Call) -> Any:
    known = call.fake.commands.by_guild.get(_own_application(call), [])
    if call.query.get("with_localizations") in ("1", "true"):
        return known
    return [{key: value for key, value in one.items() if not key.endswith("_localizations")} for one in known]


async def guild(call: Call) -> Json:
    found = call.fake.guild_of_bot(call.params["guild_id"])
    counts = {"approximate_member_count": len(found.members), "approximate_presence_count": 1}
    return guild_json(found) | (counts if call.query.get("with_counts") else {})


async def guild_channels(call: Call) -> Any:
    return [channel_json(one) for one in call.fake.guild_of_bot(call.params["guild_id"]).channels if not one.thread]


async def roles(call: Call) -> Any:
    return [role_json(one) for one in call.fake.guild_of_bot(call.params["guild_id"]).roles]


async def member(call: Call) -> Json:
    members = call.fake.guild_of_bot(call.params["guild_id"]).members
    if call.params["user_id"] not in members:
        raise Refused(Code.UNKNOWN_MEMBER)
    return member_json(members[call.params["user_id"]])


async def channel(call: Call) -> Json:
    return channel_json(seen(call))


async def change_channel(call: Call) -> Json:
    """Only what a bot does to a thread: close it, open it, name it."""
    found = seen(call)
    if not (found.thread and (found.owner is call.fake.bot or may(call.fake.bot, found, "manage_threads"))):
        raise Refused(Code.MISSING_PERMISSIONS)
    found.archived = call.body.get("archived", found.archived)
    found.locked = call.body.get("locked", found.locked)
    found.name = call.body.get("name", found.name)
    call.fake.tell(Event("THREAD_UPDATE", channel_json(found), found.guild))
    return channel_json(found)


async def open_direct(call: Call) -> Json:
    id = str(call.body["recipient_id"])
    if id not in call.fake.users:
        raise Refused(Code.UNKNOWN_USER)
    return channel_json(call.fake.direct_channel(call.fake.users[id]))


async def typing(call: Call) -> None:
    found = seen(call)
    if not may(call.fake.bot, found, "send_messages"):
        raise Refused(Code.MISSING_PERMISSIONS)
    found.typed += 1


async def thread_of_message(call: Call) -> Json:
    parent = seen(call)
    message = parent.posts.get(call.params["message_id"])
    if message is None:
        raise Refused(Code.UNKNOWN_MESSAGE)
    if message.thread:
        raise Refused(Code.HAS_THREAD)
    if not may(call.fake.bot, parent, "create_public_threads"):
        raise Refused(Code.MISSING_PERMISSIONS)
    measured(call.body.get("name"), 1, 100, "name")
    # A thread of a message has that message's id.
    message.thread = call.fake.new_thread(parent, call.fake.bot, call.body["name"], id=message.id)
    announce(call.fake, "MESSAGE_UPDATE", message)
    return channel_json(message.thread)


async def thread(call: Call) -> Json:
    parent = seen(call)
    private = call.body.get("type", 12) == 12
    if not may(call.fake.bot, parent, "create_private_threads" if private else "create_public_threads"):
        raise Refused(Code.MISSING_PERMISSIONS)
    measured(call.body.get("name"), 1, 100, "name")
    return channel_json(call.fake.new_thread(parent, call.fake.bot, call.body["name"], private=private))


async def nothing(call: Call) -> None:
    seen(call)


ROUTES: Routes = [
    ("GET", "/users/@me", me),
    ("GET", "/users/@me/guilds", own_guilds),
    ("POST", "/users/@me/channels", open_direct),
    ("GET", "/users/{user_id}", user),
    ("GET", "/oauth2/applications/@me", application),
    ("GET", "/applications/@me", application),
    ("GET", "/gateway", gateway),
    ("GET", "/gateway/bot", gateway_bot),
    ("PUT", "/applications/{application_id}/commands", put_commands),
    ("GET", "/applications/{application_id}/commands", get_commands),
    ("PUT", "/applications/{application_id}/guilds/{guild_id}/commands", put_commands),
    ("GET", "/applications/{application_id}/guilds/{guild_id}/commands", get_commands),
    ("GET", "/guilds/{guild_id}", guild),
    ("GET", "/guilds/{guild_id}/channels", guild_channels),
    ("GET", "/guilds/{guild_id}/roles", roles),
    ("GET", "/guilds/{guild_id}/members/{user_id}", member),
    ("GET", "/channels/{channel_id}", channel),
    ("PATCH", "/channels/{channel_id}", change_channel),
    ("POST", "/channels/{channel_id}/typing", typing),
    ("POST", "/channels/{channel_id}/messages/{message_id}/threads", thread_of_message),
    ("POST", "/channels/{channel_id}/threads", thread),
    ("PUT", "/channels/{channel_id}/thread-members/@me", nothing),
]

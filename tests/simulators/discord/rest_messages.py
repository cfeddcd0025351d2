"""Routes of messages in channels, where the bot's permissions count."""

from datetime import timedelta
from typing import Any

from tests.simulators.discord.messages import OLD, edit, post, reply_or_forward
from tests.simulators.discord.model import Channel, Message
from tests.simulators.discord.permissions import may
from tests.simulators.discord.render import message_json, without_content
from tests.simulators.discord.rest import Call, Routes
from tests.simulators.discord.rest_places import seen
from tests.simulators.discord.wire import Code, Json, Refused, wrong


def shown(call: Call, message: Message) -> Json:
    """As the bot may read it; the switch in the portal counts here, not what the session asked for."""
    data = message_json(message, call.fake.cdn)
    bot = call.fake.bot
    own = message.author is bot or bot in message.mentions or message.channel.guild is None
    return data if own or "message_content" in call.fake.privileged else without_content(data)


def _found(call: Call) -> Message:
    message = seen(call).posts.get(call.params["message_id"])
    if message is None or message.ephemeral:  # an ephemeral one is reached through its interaction only
        raise Refused(Code.UNKNOWN_MESSAGE)
    return message


async def create(call: Call) -> Json:
    channel = seen(call)
    _may_write(call, channel)
    fields: Json = {}
    if reference := call.body.get("message_reference"):
        fields = _referring(call, channel, reference)
    limit = call.fake.file_limit(channel.guild)
    message = post(call.fake, channel, call.fake.bot, call.body, call.parts, limit=limit, **fields)
    return shown(call, message)


def _may_write(call: Call, channel: Channel) -> None:
    bot, body = call.fake.bot, call.body
    if channel.guild is None and not _takes_direct(call, channel):
        raise Refused(Code.CANNOT_DM)
    needed = ["send_messages_in_threads" if channel.thread else "send_messages"]
    needed += ["attach_files"] if call.parts else []
    needed += ["embed_links"] if body.get("embeds") else []
    if channel.guild and not may(bot, channel, *needed):
        raise Refused(Code.MISSING_PERMISSIONS)
    if channel.locked and not may(bot, channel, "manage_threads"):
        raise Refused(Code.ARCHIVED)
    channel.archived = False  # a message opens its thread again


def _takes_direct(call: Call, channel: Channel) -> bool:
    person, bot = channel.recipients[0], call.fake.bot
    shared = any({person.id, bot.id} <= guild.members.keys() for guild in call.fake.guilds.values())
    return person.accepts_dms and (shared or person.id in call.fake.installed_by)


def _referring(call: Call, channel: Channel, reference: Json) -> Json:
    """Fields of a reply (type 0), or of a forward (type 1)."""
    here = call.fake.find_channel(str(reference.get("channel_id") or channel.id))
    message = here.posts.get(str(reference["message_id"]))
    forward = reference.get("type", 0) == 1
    if message is None:
        if not forward and reference.get("fail_if_not_exists") is False:
            return {}
        raise wrong("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    if not may(call.fake.bot, here, "read_message_history"):
        raise Refused(Code.MISSING_ACCESS if forward else Code.NO_HISTORY)
    return reply_or_forward(message, forward=forward)


async def get(call: Call) -> Json:
    message = _found(call)
    if not may(call.fake.bot, message.channel, "read_message_history"):
        raise Refused(Code.MISSING_PERMISSIONS)
    return shown(call, message)


async def history(call: Call) -> Any:
    channel = seen(call)
    if not may(call.fake.bot, channel, "read_message_history"):
        return []
    before, after = (int(call.query.get(name, default)) for name, default in (("before", 2**63), ("after", 0)))
    found = [one for one in reversed(channel.messages) if not one.ephemeral and after < int(one.id) < before]
    return [shown(call, one) for one in found[: int(call.query.get("limit", 50))]]


async def change(call: Call) -> Json:
    message = _found(call)
    fake = call.fake
    if message.author is not fake.bot:
        raise Refused(Code.NOT_YOUR_MESSAGE)
    if message.channel.archived:
        raise Refused(Code.ARCHIVED)
    if call.parts and not may(fake.bot, message.channel, "attach_files"):
        raise Refused(Code.MISSING_PERMISSIONS)
    if fake.clock() - message.sent_at > OLD:
        _count_old_edit(call, message.channel)
    return shown(call, edit(fake, message, call.body, call.parts, limit=fake.file_limit(message.channel.guild)))


def _count_old_edit(call: Call, channel: Channel) -> None:
    now = call.fake.clock()
    channel.old_edits = [at for at in channel.old_edits if now - at < timedelta(hours=1)]
    if len(channel.old_edits) >= call.fake.old_edits_allowed:
        raise Refused(Code.TOO_MANY_OLD_EDITS)
    channel.old_edits.append(now)


async def delete(call: Call) -> None:
    message = _found(call)
    if message.author is not call.fake.bot and not may(call.fake.bot, message.channel, "manage_messages"):
        raise Refused(Code.MISSING_PERMISSIONS)
    call.fake.vanish(message)


ROUTES: Routes = [
    ("POST", "/channels/{channel_id}/messages", create),
    ("GET", "/channels/{channel_id}/messages", history),
    ("GET", "/channels/{channel_id}/messages/{message_id}", get),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}", change),
    ("DELETE", "/channels/{channel_id}/messages/{message_id}", delete),
]

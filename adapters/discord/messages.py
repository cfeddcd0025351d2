"""Messages that are meant for the bot, made into Events. Pure: what has to be fetched is fetched before."""

import re
from dataclasses import dataclass

import discord

from adapters.discord.event import Event, Meant, Where
from adapters.discord.inbound import is_restricted, meant_by, parent_of
from adapters.discord.pictures import given_with, pictures_of, without_links
from adapters.discord.words import HIDDEN_PICTURE, HIDDEN_WORDS, MESSAGE_GONE
from bot.i18n import Text

KINDS = (discord.MessageType.default, discord.MessageType.reply)
Answered = discord.Message | discord.DeletedReferencedMessage | None


@dataclass(frozen=True, slots=True)
class Heard:
    """An asking; `problem` says why it cannot be taken up as it was meant."""

    event: Event
    problem: Text | None = None


def answers(message: discord.Message) -> Answered:
    """The message that this one replies to, as far as Discord sent it along."""
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    return reference.resolved


def lacks_answered(message: discord.Message) -> bool:
    """It replies to a message that Discord neither sent along nor called deleted."""
    return message.type is discord.MessageType.reply and message.reference is not None and answers(message) is None


def heard(message: discord.Message, me: discord.ClientUser, answered: Answered, *, reads_all: bool) -> Heard | None:
    """None where nobody spoke to the bot. reads_all: with the message-content intent."""
    if message.author.bot or message.webhook_id or message.type not in KINDS:
        return None
    direct = isinstance(message.channel, discord.DMChannel)
    if message.guild is None and not direct:  # a server that this process was not told of
        return None
    named = _names(message, me)
    to_me = isinstance(answered, discord.Message) and answered.author.id == me.id
    if not (direct or named or to_me):
        return None
    open_book = reads_all or direct
    if to_me and not (open_book or named):
        return Heard(_event(message, me, None), HIDDEN_WORDS)
    if isinstance(answered, discord.DeletedReferencedMessage):
        return Heard(_event(message, me, None), MESSAGE_GONE)
    if answered and not (open_book or to_me or me in answered.mentions) and _is_blank(answered):
        return Heard(_event(message, me, None), HIDDEN_PICTURE)
    return Heard(_event(message, me, answered))


def _event(message: discord.Message, me: discord.ClientUser, answered: discord.Message | None) -> Event:
    author, guild = message.author, message.guild
    admin = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
    return Event(
        id=str(message.id),
        name=author.display_name,
        admin=admin,
        where=Where(
            application=str(me.id),
            channel=str(message.channel.id),
            parent=parent_of(message.channel),
            guild=str(guild.id) if guild else "",
            user=str(author.id),
            reply_to=str(message.id),
            limit=guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES,
            member=True,
            nsfw=is_restricted(message.channel),
        ),
        line=without_links(_without_mentions(message, me)),
        files=given_with(message),
        meant=_meant(answered, me) if answered else None,
    )


def _meant(answered: discord.Message, me: discord.ClientUser) -> Meant | None:
    """Somebody's message without a picture is not meant: the words stand for themselves."""
    if answered.author.id == me.id or pictures_of(answered):
        return meant_by(answered, me.id)
    return None


def _names(message: discord.Message, me: discord.ClientUser) -> bool:
    """Whether the bot is mentioned, by its name or by its own role, which is what many people pick from the list."""
    role = message.guild.self_role if message.guild else None
    return me in message.mentions or (role is not None and role in message.role_mentions)


def _without_mentions(message: discord.Message, me: discord.ClientUser) -> str:
    role = message.guild.self_role if message.guild else None
    ids = rf"@!?{me.id}" + (rf"|@&{role.id}" if role else "")
    return re.sub(rf"[ \t]*<(?:{ids})>[ \t]*", " ", message.content).strip()


def _is_blank(message: discord.Message) -> bool:
    """Nothing can be seen of it, which is how Discord shows what the bot may not read."""
    return not (message.content or pictures_of(message) or message.embeds or message.components)

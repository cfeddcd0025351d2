"""Messages that are meant for the bot, made into Events. Pure: what has to be fetched is fetched before."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import discord

from adapters.discord.event import Event, Meant, Where
from adapters.discord.inbound import is_restricted, meant_by, parent_of, roles_of
from adapters.discord.pictures import given_with, pictures_of, without_links
from adapters.discord.words import HIDDEN_PICTURE, HIDDEN_WORDS, MESSAGE_GONE
from bot.command import CommandTable, Kind
from bot.i18n import Text

KINDS = (discord.MessageType.default, discord.MessageType.reply)
SLASH = ("/", "／")
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


def heard(
    message: discord.Message,
    me: discord.ClientUser,
    answered: Answered,
    *,
    reads_all: bool,
    naming: Collection[str] = (),
) -> Heard | None:
    """None where nobody spoke to the bot. reads_all: with the message-content intent. naming: commands about a role."""
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
        return Heard(_event(message, me, None, naming), HIDDEN_WORDS)
    if isinstance(answered, discord.DeletedReferencedMessage):
        return Heard(_event(message, me, None, naming), MESSAGE_GONE)
    if answered and not (open_book or to_me or me in answered.mentions) and _is_blank(answered):
        return Heard(_event(message, me, None, naming), HIDDEN_PICTURE)
    return Heard(_event(message, me, answered, naming))


def about_roles(table: CommandTable) -> frozenset[str]:
    """All names of the commands that take a role."""
    about = [each for each in table.commands if any(option.kind is Kind.ROLE for option in each.options)]
    return frozenset(name.lower() for each in about for name in (each.name, *each.aliases))


def _event(
    message: discord.Message, me: discord.ClientUser, answered: discord.Message | None, naming: Collection[str]
) -> Event:
    author, guild = message.author, message.guild
    admin = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
    line = without_links(_without_mentions(message, me))
    commands = line.startswith(SLASH)
    if guild and commands and _is_about_roles(line, naming):
        line = _with_role_ids(line, guild)
    return Event(
        id=str(message.id),
        name=author.display_name,
        admin=admin,
        roles=roles_of(author),
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
        line=line,
        files=given_with(message),
        meant=_meant(answered, me) if answered else None,
        names=_names_in(line, message) if commands else {},
    )


def _meant(answered: discord.Message, me: discord.ClientUser) -> Meant | None:
    """Somebody's message without a picture is not meant: the words stand for themselves."""
    if answered.author.id == me.id or pictures_of(answered):
        return meant_by(answered, me.id)
    return None


def _is_about_roles(line: str, naming: Collection[str]) -> bool:
    """Chinese names need no space behind them."""
    name = "".join(line[1:].split(maxsplit=1)[:1]).lower()
    return name in naming or any(name.startswith(each) for each in naming if not each.isascii())


def _with_role_ids(line: str, guild: discord.Guild) -> str:
    """Roles that somebody typed rather than picked from the list, by the names they have here, which may have spaces.

    A name that two roles have means neither.
    """
    found: dict[str, set[int]] = {}
    for role in guild.roles:
        found.setdefault(role.name.removeprefix("@").lower(), set()).add(role.id)

    def put(match: re.Match[str]) -> str:
        ids = found.get(match[1].lower(), ())
        return f"<@&{min(ids)}>" if len(ids) == 1 else match[0]

    names = sorted(map(re.escape, found), key=len, reverse=True)
    return re.sub(rf"(?<!\S)@({'|'.join(names)})(?!\S)", put, line, flags=re.IGNORECASE)


def _names_in(line: str, message: discord.Message) -> dict[str, str]:
    """What the people and roles are called that a command names."""
    people = {f"<@{each.id}>": each.display_name for each in message.mentions}
    people |= {f"<@!{each.id}>": each.display_name for each in message.mentions}
    roles = {f"<@&{each.id}>": each.name for each in (message.guild.roles if message.guild else ())}
    return {mark.strip("<@!&>"): name for mark, name in (people | roles).items() if mark in line}


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

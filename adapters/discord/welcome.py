"""A short word on joining a server, to whoever may manage it."""

import discord
import structlog

from adapters.discord.permissions import lacking
from adapters.discord.words import WELCOME, lacks
from bot.i18n import language_of, say

log = structlog.get_logger(__name__)


async def welcome(guild: discord.Guild, client: discord.Client) -> None:
    """Into the channel that Discord itself greets in, else to the server's owner; nowhere if neither is possible."""
    words = _words(guild)
    channel = guild.system_channel
    if channel is not None and channel.permissions_for(guild.me).send_messages and await _say(channel, words, guild):
        return
    if guild.owner_id is None:
        return
    try:
        owner = await client.create_dm(discord.Object(guild.owner_id))
    except discord.HTTPException as problem:
        log.info("the owner of a server cannot be written to", guild=guild.id, code=problem.code)
        return
    await _say(owner, words, guild)


async def _say(place: discord.abc.Messageable, words: str, guild: discord.Guild) -> bool:
    try:
        # By the nonce Discord knows a second try of discord.py's as the same message.
        await place.send(words, nonce=f"hi{guild.id}", allowed_mentions=discord.AllowedMentions.none())
    except discord.HTTPException as problem:
        log.info("a welcome could not be posted", guild=guild.id, code=problem.code)
        return False
    return True


def _words(guild: discord.Guild) -> str:
    language = language_of(guild.preferred_locale.value)
    words = say(WELCOME, language)
    if missing := lacking(guild.me.guild_permissions):
        return f"{words}\n{say(lacks(missing), language)}"
    return words

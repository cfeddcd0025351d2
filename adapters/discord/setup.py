"""`seedream-bot setup discord`: from a token to a first picture, step by step, each said in a sentence."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import discord

from adapters.discord import checks, tree
from adapters.discord.buttons import Shown
from adapters.discord.checks import UNREACHED, Check, Connect, logged_in, problem
from adapters.discord.outbound import message
from adapters.discord.permissions import NEEDED, own_link, server_link
from adapters.discord.rest import Refused, Rest, Unreachable, Upload
from bot.chat import Picture, Reply
from bot.command import CommandTable
from bot.i18n import Text, text

# What is asked for where it is not set: the setting's name, and the question.
ASKED = {
    "token": text(
        "The bot's token, from https://discord.com/developers/applications (your application, Bot, Reset Token)"
    )
}
PATIENCE = 120.0  # seconds for all of it
Tell = Callable[[Text], object]


async def set_up(
    values: Mapping[str, Any],
    tell: Tell,
    *,
    table: Callable[[], Awaitable[CommandTable]],
    picture: Path,
    channel: str = "",
    language: str = "en",
    connector: Connect | None = None,
) -> bool | None:
    """Do it and tell each step; False where something has to be mended first, None where the token is not good.

    values: the platform's settings by name, the token in plain. picture: a JPEG for the channel of this id, if any,
    with words in this language.
    """
    try:
        async with asyncio.timeout(PATIENCE), logged_in(values, connector) as client:
            well = _told(tell, checks.good_token(client), *checks.application(client))
            _told(tell, checks.intent(client, wanted=bool(values.get("message_content"))))
            _tell_links(client, tell)
            well &= _told(tell, await _put_commands(client, await table(), values))
            if channel:
                well &= _told(tell, await _send_picture(client, channel, picture, language))
    except (discord.LoginFailure, *UNREACHED) as error:
        _told(tell, problem(error, values))
        return None if isinstance(error, discord.LoginFailure) else False
    if well:
        tell(text("Next: `seedream-bot run`, then type /imagine in Discord."))
    return well


def _told(tell: Tell, *found: Check) -> bool:
    """Tell what was found, each with its cure; whether nothing keeps the bot from working."""
    for check in found:
        tell(check.told)
        if check.cure and not check.well:
            tell(Text("  -> {cure}", {"cure": check.cure}))
    return all(check.well or check.warning for check in found)


def _tell_links(client: discord.Client, tell: Tell) -> None:
    application = client.application_id or 0
    tell(text("Add the bot to a server by this link: {link}", link=server_link(application)))
    for permission in NEEDED:
        tell(Text("  {name}: {why}", {"name": permission.name, "why": permission.why}))
    tell(text("Add it to yourself, for conversations where it is no member: {link}", link=own_link(application)))


async def _put_commands(client: discord.Client, table: CommandTable, values: Mapping[str, Any]) -> Check:
    name = "discord commands"
    try:
        changed = await tree.sync(client.http, client.application_id or 0, table, checks.guilds(values))
    except (discord.Forbidden, discord.NotFound):
        return Check(
            name=name,
            told=text("The commands could not be put into the servers that BOT_DISCORD__GUILDS names."),
            well=False,
            cure=text("Add the bot to them first, by the link above, or take the setting away."),
        )
    if not changed:
        return Check(name=name, told=text("The commands stand at Discord already."))
    return Check(name=name, told=text("The commands were put to Discord: {count}.", count=len(tree.payload(table))))


async def _send_picture(client: discord.Client, channel: str, picture: Path, language: str) -> Check:
    """A picture as the bot posts its own: the same form, and the same way."""
    look = await checks.channel(client, channel)
    if not look.well:
        return Check(name=look.name, told=look.told, well=False, cure=look.cure)
    shown = Picture(
        generation="test", index=0, blob="", media_type="image/jpeg", width=0, height=0, size=0, alt="a test picture"
    )
    words = text("A test picture. I am set up: try /imagine.")
    reply = Reply(text=words, pictures=(shown,), language=language)
    body = {
        **message(reply, [Shown(picture=shown, name=picture.name, number=1)]),
        "attachments": [{"id": 0, "filename": picture.name}],
        "nonce": secrets.token_hex(8),
        "enforce_nonce": True,
    }
    try:
        await Rest(client).send(channel, body, [Upload(picture.name, picture)])
    except Refused as error:
        told = text("Discord did not take the test picture (status {status}).", status=error.status)
        return Check(name=look.name, told=told, well=False, cure=look.cure)
    except Unreachable:
        told = text("The test picture did not get through. Try again.")
        return Check(name=look.name, told=told, well=False)
    return Check(name=look.name, told=text("A test picture stands in channel {id}.", id=channel))

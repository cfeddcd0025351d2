"""What has to be right at Discord for the bot to work, asked over REST alone: no gateway, beside a running bot too.

`setup` says it to whoever sets the bot up, `doctor` to whoever looks for what is wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord

from adapters.discord import tree
from adapters.discord.client import may_read_all
from adapters.discord.permissions import lacking, server_link
from adapters.discord.proxy import through
from bot.command import CommandTable
from bot.i18n import Text, plural, text

PATIENCE = 60.0  # seconds for everything that is asked
MOST_SERVERS = 200  # that one answer lists
MOST_TOLD = 5
UNREACHED = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError)
Connect = Callable[[], aiohttp.BaseConnector]

WITHOUT_CONTENT = text(
    "The message content intent is not used, and need not be. Without it a reply reaches the bot only if it mentions "
    "it, as replies do by themselves, and a picture in another person's message only by that message's menu: Apps, "
    "“Edit picture”."
)
WITH_CONTENT = text("The message content intent is on: replies need no mention, and pictures replied to are seen.")

BY_PROXY = text("Check the proxy that BOT_DISCORD__PROXY names.")
BY_ITSELF = text("Check this machine's way to discord.com. BOT_DISCORD__PROXY can name an HTTP proxy that leads there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. cure: what to do where it is not well; a warning keeps nothing from working."""

    name: str
    told: Text
    well: bool = True
    warning: bool = False
    cure: Text | None = None


async def checks(
    values: Mapping[str, Any],
    *,
    table: CommandTable | None = None,
    channels: Sequence[str] = (),
    connector: Connect | None = None,
) -> list[Check]:
    """Everything, in order. It ends with the first thing without which nothing else can be asked.

    values: the platform's settings by name, the token in plain. table: left out, the commands are not compared.
    channels: ids of those in which the bot is meant to draw.
    """
    found: list[Check] = []
    try:
        async with asyncio.timeout(PATIENCE), logged_in(values, connector) as client:
            found += [good_token(client), *application(client), intent(client, wanted=_wants_content(values))]
            found += await servers(client)
            found += [await channel(client, id) for id in channels]
            found += [await commands(client, table, guilds(values))] if table else []
    except (discord.LoginFailure, *UNREACHED) as error:
        found.append(problem(error, values))
    return found


@asynccontextmanager
async def logged_in(values: Mapping[str, Any], connector: Connect | None = None) -> AsyncIterator[discord.Client]:
    """A client that can ask and hears nothing. Raises `discord.LoginFailure` and what is in `UNREACHED`."""
    client = discord.Client(
        intents=discord.Intents(guilds=True),  # nothing is heard all the same; without, discord.py logs a warning
        connector=connector() if connector else None,
        **through(values.get("proxy")),
        max_ratelimit_timeout=30.0,
    )
    async with client:
        await client.login(values["token"])
        yield client


def guilds(values: Mapping[str, Any]) -> list[int]:
    """The servers that get the commands for themselves, while somebody works on the bot."""
    return [int(guild) for guild in values.get("guilds") or ()]


def problem(error: Exception, values: Mapping[str, Any]) -> Check:
    """Why nothing could be asked."""
    match error:
        case discord.LoginFailure():
            return Check(
                name="discord token",
                told=text("Discord does not know this token."),
                well=False,
                cure=text(
                    "Make a new one in the developer portal (your application, Bot, Reset Token) and put it into "
                    "BOT_DISCORD__TOKEN. Only the newest one is good."
                ),
            )
        case discord.HTTPException(status=status, code=code):
            told = text("Discord answered with an error (status {status}, code {code}).", status=status, code=code)
            return Check(name="discord", told=told, well=False, cure=text("Try again later: discordstatus.com."))
    return Check(
        name="discord",
        told=text("Discord cannot be reached ({problem}).", problem=type(error).__name__),
        well=False,
        cure=BY_PROXY if values.get("proxy") else BY_ITSELF,
    )


def good_token(client: discord.Client) -> Check:
    told = text(
        "The token is good. The bot is called {name}; its application is {id}.",
        name=_own(client).name,
        id=_id(client),
    )
    return Check(name="discord token", told=told)


def application(client: discord.Client) -> list[Check]:
    """What is wrong with the application's settings in the developer portal, each with its page there."""
    info = client.application
    found = []
    if info and info.interactions_endpoint_url:
        found.append(
            Check(
                name="discord application",
                told=text("Commands do not reach the bot: Discord sends them to an interactions endpoint instead."),
                well=False,
                cure=text("Empty “Interactions Endpoint URL” in the developer portal, General Information."),
            )
        )
    if info and info.bot_require_code_grant:
        found.append(
            Check(
                name="discord application",
                told=text("Nobody can add the bot: its application requires a code grant."),
                well=False,
                warning=True,
                cure=text("Switch “Requires OAuth2 Code Grant” off in the developer portal, Bot."),
            )
        )
    return found + _install_contexts(info)


def _install_contexts(info: discord.AppInfo | None) -> list[Check]:
    """Nothing is known of an old application that has none at all."""
    if info is None or not (info.guild_integration_config or info.user_integration_config):
        return []
    found = []
    cure = text("Switch it on in the developer portal, Installation, Installation Contexts.")
    if info.guild_integration_config is None:
        told = text("The bot cannot be added to servers: “Guild Install” is off.")
        found.append(Check(name="discord application", told=told, well=False, warning=True, cure=cure))
    if info.user_integration_config is None:
        told = text("People cannot add the bot to themselves: “User Install” is off.")
        found.append(Check(name="discord application", told=told, well=False, warning=True, cure=cure))
    return found


def intent(client: discord.Client, *, wanted: bool) -> Check:
    """wanted: by the bot's own setting."""
    if wanted and not may_read_all(client):
        return Check(
            name="discord intents",
            told=text("BOT_DISCORD__MESSAGE_CONTENT is set, but the message content intent is off at Discord."),
            well=False,
            warning=True,
            cure=text("Switch “Message Content Intent” on in the developer portal, Bot, or take the setting away."),
        )
    return Check(name="discord intents", told=WITH_CONTENT if wanted else WITHOUT_CONTENT)


async def servers(client: discord.Client) -> list[Check]:
    """Whether the bot may do what it needs in the servers that it is in, as far as one answer lists them."""
    joined = await client.http.get_guilds(limit=MOST_SERVERS)
    if not joined:
        told, link = text("The bot is in no server yet."), server_link(_id(client))
        cure = text("Open this link to add it to one: {link}", link=link)
        return [Check(name="discord servers", told=told, well=False, warning=True, cure=cure)]
    short = [(each, lacked) for each in joined if (lacked := lacking(_permissions(each)))]
    if not short:
        told = plural(
            "The bot is in one server and may do there what it needs.",
            "The bot is in {count} servers and may do there what it needs.",
            len(joined),
        )
        return [Check(name="discord servers", told=told)]
    return [
        Check(
            name="discord servers",
            told=text("In {server} the bot lacks: {permissions}.", server=readable(each["name"]), permissions=lacked),
            well=False,
            warning=True,
            cure=text(
                "Give them to the bot's role there, or add it anew: {link}",
                link=server_link(_id(client)),
            ),
        )
        for each, lacked in short[:MOST_TOLD]
    ]


async def channel(client: discord.Client, id: str) -> Check:
    """Whether the bot may do what it needs in one channel, with everything that roles and the channel itself say."""
    named = text("Channel {id}", id=id)
    cure = text("Give the bot these permissions in the channel's settings, or name another channel.")
    try:
        found, granted = await _granted(client, int(id))
    except (ValueError, discord.NotFound, discord.InvalidData):
        told, cure = text("{channel} is not there.", channel=named), text("Name another channel by its id.")
        return Check(name="discord channel", told=told, well=False, warning=True, cure=cure)
    except discord.Forbidden:
        told = text("{channel}: the bot may not see it.", channel=named)
        return Check(name="discord channel", told=told, well=False, warning=True, cure=cure)
    named = text("#{name} in {server}", name=readable(found.name), server=readable(found.guild.name))
    if lacked := lacking(granted):
        told = text("{channel}: the bot lacks {permissions}.", channel=named, permissions=lacked)
        return Check(name="discord channel", told=told, well=False, warning=True, cure=cure)
    return Check(name="discord channel", told=text("{channel}: the bot may do what it needs.", channel=named))


async def commands(client: discord.Client, table: CommandTable, guilds: Sequence[int]) -> Check:
    """Whether the commands that people are offered are those of this version."""
    wanted = tree.payload(table)
    for guild in guilds or (0,):
        if not tree.same(wanted, await tree.known(client.http, _id(client), guild)):
            return Check(
                name="discord commands",
                told=text("The commands at Discord are not those of this version."),
                well=False,
                warning=True,
                cure=text("The bot puts them there when it starts; `seedream-bot setup discord` does it at once."),
            )
    told = text("All {count} commands stand at Discord as they are here.", count=len(wanted))
    return Check(name="discord commands", told=told)


def readable(name: str) -> str:
    """A stranger's name as a terminal may show it."""
    return "".join(letter for letter in name if letter.isprintable())


async def _granted(client: discord.Client, id: int) -> tuple[discord.abc.GuildChannel, discord.Permissions]:
    """The channel, of a thread its parent, whose permissions hold there, and what the bot may do in it."""
    found = await client.fetch_channel(id)
    if isinstance(found, discord.abc.PrivateChannel):
        raise discord.InvalidData("not a channel of a server")
    guild = await client.fetch_guild(found.guild.id, with_counts=False)
    # Again by way of the server, so that the channel knows the server's roles.
    parent = await guild.fetch_channel(found.parent_id if isinstance(found, discord.Thread) else id)
    if isinstance(parent, discord.Thread):
        raise discord.InvalidData("a thread in a thread")
    return parent, parent.permissions_for(await guild.fetch_member(_own(client).id))


def _permissions(guild: Mapping[str, Any]) -> discord.Permissions:
    granted = discord.Permissions(int(guild["permissions"]))
    return discord.Permissions.all() if granted.administrator else granted


def _wants_content(values: Mapping[str, Any]) -> bool:
    return bool(values.get("message_content"))


def _own(client: discord.Client) -> discord.ClientUser:
    if client.user is None:
        raise RuntimeError("the client is not logged in")
    return client.user


def _id(client: discord.Client) -> int:
    """The application's id, which is not the bot's own for those made before 2016."""
    return client.application_id or _own(client).id

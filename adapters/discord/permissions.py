"""What the bot must be allowed to do on a server, and why; and the links by which people add it.

Names and bits are Discord's: https://docs.discord.com/developers/topics/permissions
"""

from dataclasses import dataclass

import discord

from bot.i18n import Text, text

LINK = "https://discord.com/oauth2/authorize?client_id={application}&integration_type={kind}&scope={scopes}"
FOR_SERVERS, FOR_ONESELF = 0, 1
SCOPE = "applications.commands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """flag: its name in discord.py; name: as it stands in Discord's own settings."""

    flag: str
    name: Text
    why: Text


NEEDED = (
    Permission(
        flag="view_channel",
        name=text("View Channel"),
        why=text("It hears when it is mentioned or replied to."),
    ),
    Permission(
        flag="send_messages",
        name=text("Send Messages"),
        why=text("It answers mentions and replies, and posts pictures that take longer than a command can wait."),
    ),
    Permission(
        flag="send_messages_in_threads",
        name=text("Send Messages in Threads"),
        why=text("It does the same in threads."),
    ),
    Permission(
        flag="attach_files",
        name=text("Attach Files"),
        why=text("Its pictures are files."),
    ),
    Permission(
        flag="read_message_history",
        name=text("Read Message History"),
        why=text("It replies to messages, and fetches the picture in a message that somebody replied to."),
    ),
)


# Not asked for by the link: only whoever wants series in threads gives it.
THREADS = Permission(
    flag="create_public_threads", name=text("Create Public Threads"), why=text("A series goes on in a thread.")
)


def needed() -> discord.Permissions:
    return discord.Permissions(**{permission.flag: True for permission in NEEDED})


def lacking(granted: discord.Permissions) -> tuple[Text, ...]:
    """The names of the permissions that are needed and not granted."""
    return tuple(permission.name for permission in NEEDED if not getattr(granted, permission.flag))


def lacking_in(place: discord.abc.GuildChannel | discord.Thread, *flags: str) -> tuple[Text, ...]:
    """What the bot lacks in a channel to write there and to do this, by name.

    It is one at most: without the first, Discord grants none of the others, whatever the settings say.
    """
    granted = place.permissions_for(place.guild.me)
    send = "send_messages_in_threads" if isinstance(place, discord.Thread) else "send_messages"
    names = {permission.flag: permission.name for permission in (*NEEDED, THREADS)}
    return tuple(names[flag] for flag in ("view_channel", send, *flags) if not getattr(granted, flag))[:1]


def server_link(application: int | str) -> str:
    """Where somebody who may manage a server adds the bot to it, with exactly what it needs."""
    link = LINK.format(application=application, kind=FOR_SERVERS, scopes=f"bot+{SCOPE}")
    return f"{link}&permissions={needed().value}"


def own_link(application: int | str) -> str:
    """Where a person adds the bot to themselves, for every conversation that they are in."""
    return LINK.format(application=application, kind=FOR_ONESELF, scopes=SCOPE)

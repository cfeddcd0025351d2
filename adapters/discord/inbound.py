"""What discord.py hands over of an interaction, made into an Event. Pure: nothing is asked of Discord here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import discord

from adapters.discord.event import Event, File, Meant, Where, useless_from
from adapters.discord.pictures import pictures_of
from adapters.discord.presses import IN_PLACE, Form, generation_in, pressed
from bot.chat import Actor

Interaction = discord.Interaction[Any]
ATTACHMENT = discord.AppCommandOptionType.attachment.value
SPOILER = discord.AttachmentFlags.spoiler.flag


def person(interaction: Interaction) -> Actor:
    """Who is typing."""
    return _event(interaction).actor


def room(interaction: Interaction) -> str:
    """Where they are typing, as the rules of a space name it."""
    return _event(interaction).place.room


def command(interaction: Interaction) -> Event:
    """A slash command."""
    data = data_of(interaction)
    options = data.get("options") or []
    uploads = _uploads(data)
    return _event(
        interaction,
        command=data["name"],
        values={one["name"]: one["value"] for one in options if one["type"] != ATTACHMENT},
        pictures={one["name"]: uploads[one["value"]] for one in options if one["type"] == ATTACHMENT},
        names=_names(data.get("resolved") or {}),
    )


def press(interaction: Interaction) -> Event:
    """A pressed button, or what was chosen in a select."""
    id = pressed(data_of(interaction))
    return _event(interaction, press=id, update=id.partition(":")[0] in IN_PLACE)


def details(interaction: Interaction, generation: str) -> Event:
    """The entry of a message's menu that is a press of its Details."""
    return _event(interaction, press=f"details:{generation}:0")


def submitted(interaction: Interaction, form: Form, meant: Meant | None) -> Event:
    """A modal that was filled in; `meant` is the message for which it was opened, where that is not ours."""
    data = data_of(interaction)
    uploads = _uploads(data)
    fields = {one["custom_id"]: one for one in _fields(data.get("components") or [])}
    values = {name: value for name, one in fields.items() if (value := _entered(one))}
    files = tuple(uploads[id] for one in fields.values() if one["type"] == 19 for id in one.get("values") or ())
    if form.generation:
        meant = Meant(generation=form.generation, index=form.index)
    return _event(interaction, command=form.command, values=values, files=files, meant=meant)


def data_of(interaction: Interaction) -> Mapping[str, Any]:
    return interaction.data or {}


def target_message(interaction: Interaction) -> discord.Message:
    """The message in whose menu something was chosen."""
    data = data_of(interaction)
    shown = data["resolved"]["messages"][data["target_id"]]
    # As discord.py's own command tree makes it; nothing public does.
    return discord.Message(state=interaction._state, channel=interaction.channel, data=shown)  # type: ignore[arg-type]


def meant_by(message: discord.Message, me: int) -> Meant:
    """A message that is meant, with the generation that it shows where it is ours."""
    generation = generation_in(message.components) if message.author.id == me else ""
    files = pictures_of(message)
    index = _first_of(files, generation)
    return Meant(message=f"{message.channel.id}/{message.id}", files=files, generation=generation, index=index)


def _first_of(files: Sequence[File], generation: str) -> int | None:
    """The first picture of a message that goes on with those of another: the one that somebody sees there."""
    named = re.fullmatch(rf"{generation}-(\d+)\.\w+", files[0].name) if generation and files else None
    index = int(named[1]) - 1 if named else 0
    return index or None


def is_member(interaction: Interaction) -> bool:
    """Whether the bot itself is here, and did not only come along with a person who installed it for themselves."""
    if interaction.guild_id is not None:
        return interaction.is_guild_integration()
    return interaction.context.dm_channel


def is_restricted(channel: object) -> bool:
    """Whether a channel, or a thread's parent, is for adults only."""
    return bool(getattr(getattr(channel, "parent", None) or channel, "nsfw", False))


def parent_of(channel: object) -> str:
    """The channel of a thread, "" for anything else."""
    return str(channel.parent_id) if isinstance(channel, discord.Thread) else ""


def roles_of(user: discord.User | discord.Member) -> tuple[str, ...]:
    """The ids of somebody's roles in the server where they ask, of which the first is everybody's; none elsewhere."""
    if not isinstance(user, discord.Member):
        return ()
    # As they were sent with the event: `Member.roles` leaves out those of a server that this process was not told of.
    return tuple(dict.fromkeys(map(str, (user.guild.id, *user._roles))))


def _event(interaction: Interaction, *, update: bool = False, **asked: Any) -> Event:
    user = interaction.user
    return Event(
        id=str(interaction.id),
        name=user.display_name,
        language=interaction.locale.value,
        admin=interaction.permissions.manage_guild or interaction.permissions.administrator,
        roles=roles_of(user),
        where=Where(
            application=str(interaction.application_id),
            token=interaction.token,
            expires=useless_from(str(interaction.id)),
            channel=str(interaction.channel_id or ""),
            parent=parent_of(interaction.channel),
            guild=str(interaction.guild_id or ""),
            user=str(user.id),
            # What comes of a private message stays private.
            ephemeral=interaction.message is not None and interaction.message.flags.ephemeral,
            limit=interaction.filesize_limit,
            member=is_member(interaction),
            update=update,
            nsfw=is_restricted(interaction.channel),
            spoiler=interaction.message is not None and any(file.spoiler for file in pictures_of(interaction.message)),
        ),
        **asked,
    )


def _names(resolved: Mapping[str, Any]) -> dict[str, str]:
    """What the people and roles are called that were chosen in options."""
    members = resolved.get("members") or {}
    people = {
        id: (members.get(id) or {}).get("nick") or one.get("global_name") or one["username"]
        for id, one in (resolved.get("users") or {}).items()
    }
    return people | {id: one["name"] for id, one in (resolved.get("roles") or {}).items()}


def _uploads(data: Mapping[str, Any]) -> dict[str, File]:
    resolved = (data.get("resolved") or {}).get("attachments") or {}
    return {
        id: File(
            id=id,
            name=one["filename"],
            url=one["url"],
            size=one.get("size"),
            fleeting=True,
            spoiler=one["filename"].startswith("SPOILER_") or bool(one.get("flags", 0) & SPOILER),
        )
        for id, one in resolved.items()
    }


def _fields(components: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The inputs of a modal: each stands in a label (18) or, in older ones, in a row (1)."""
    for one in components:
        if "custom_id" in one:
            yield one
        yield from _fields(one.get("components") or ([one["component"]] if one.get("component") else []))


def _entered(field: Mapping[str, Any]) -> str:
    """The words of a text input (4), or the chosen value of a select (3)."""
    match field:
        case {"type": 4, "value": str(value)}:
            return value.strip()
        case {"type": 3, "values": [str(value), *_]}:
            return value
        case _:
            return ""

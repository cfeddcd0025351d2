"""The command table as Discord's application commands, and putting them there when they have changed.

The commands are written as the JSON that Discord takes, from the one table; discord.py's command tree would want a
function with annotations for each.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from discord.http import HTTPClient, Route

from adapters.discord import locale
from adapters.discord.words import DETAILS, EDIT, REFERENCE
from bot.command import Command, CommandTable, Option
from bot.i18n import Text, say

Json = dict[str, Any]

SLASH, MENU = 1, 3
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, NUMBER, ATTACHMENT = 3, 4, 5, 6, 7, 8, 10, 11
EVERYWHERE = {"contexts": [0, 1, 2], "integration_types": [0, 1]}  # servers, the bot's own DMs, all other conversations
SERVERS_ONLY = {"contexts": [0], "integration_types": [0]}
MANAGE_GUILD = str(1 << 5)
MOST_OPTIONS = 25
MOST_CHOICES = 25
MOST_WORDS, MOST_VALUE = 4000, 100
MENUS = (EDIT, REFERENCE, DETAILS)


# What we may write of a command or option: where we leave it out, Discord must not have it from before.
OURS = frozenset(
    {
        *("description", "options", "choices", "required", "autocomplete", "default_member_permissions"),
        *("name_localizations", "description_localizations", "min_value", "max_value", "min_length", "max_length"),
    }
)


def payload(table: CommandTable) -> list[Json]:
    """Everything that people find: the slash commands, then the entries of a message's menu."""
    return [*map(_slash, table.listed), *map(_menu, MENUS)]


async def sync(http: HTTPClient, application: int, table: CommandTable, guilds: Sequence[int] = ()) -> list[int]:
    """Put the commands where they differ from what stands there; returns where that was (0: for everybody).

    guilds: put them into these servers instead, where a change shows at once.
    """
    wanted = payload(table)
    changed = []
    for guild in guilds or (0,):
        if not same(wanted, await known(http, application, guild)):
            await http.request(_route("PUT", application, guild), json=wanted)
            changed.append(guild)
    return changed


async def known(http: HTTPClient, application: int, guild: int = 0) -> list[Json]:
    """What stands at Discord, in all languages."""
    found: list[Json] = await http.request(_route("GET", application, guild), params={"with_localizations": "true"})
    return found


def _route(method: str, application: int, guild: int) -> Route:
    where = "/guilds/{guild_id}" if guild else ""
    return Route(
        method, f"/applications/{{application_id}}{where}/commands", application_id=application, guild_id=guild or None
    )


def same(wanted: Sequence[Json], known: Sequence[Json]) -> bool:
    """Whether Discord has exactly these commands. What it adds of its own (ids, defaults) does not count."""
    by_name = {(one["type"], one["name"]): one for one in known}
    return len(wanted) == len(known) and all(_alike(one, by_name.get((one["type"], one["name"]))) for one in wanted)


def _alike(wanted: object, known: object) -> bool:
    match wanted, known:
        case dict(), dict():
            return all(_alike(wanted.get(key), known.get(key)) for key in wanted.keys() | (known.keys() & OURS))
        case list(), list():
            return len(wanted) == len(known) and all(map(_alike, wanted, known))
        case _:
            return wanted == known or not (wanted or known)


def offers_while_typing(option: Option) -> bool:
    """Whether Discord asks what to offer: where other values are possible too, or there are too many for a list."""
    return bool(option.suggestions) or len(option.choices) > MOST_CHOICES


def _slash(command: Command) -> Json:
    return {
        "type": SLASH,
        "name": command.name,
        **_localised("name", locale.names(command.aliases)),
        "description": locale.description(command.summary),
        **_localised("description", locale.translated(command.summary)),
        "options": options(command),
        **(SERVERS_ONLY | {"default_member_permissions": MANAGE_GUILD} if command.admins_only else EVERYWHERE),
    }


def _menu(name: Text) -> Json:
    translated = _localised("name", locale.translated(name))
    return {"type": MENU, "name": say(name, "en"), **translated, **EVERYWHERE}


def options(command: Command) -> list[Json]:
    """What must be given first, as Discord wants it, then the rest; of the pictures, as many as there is room for."""
    named = [_option(each) for each in command.options if each.kind.value != "images"]
    pictures = [one for each in command.options if each.kind.value == "images" for one in _pictures(each)]
    found = [*named, *pictures[: MOST_OPTIONS - len(named)]]
    return sorted(found, key=lambda one: not one.get("required", False))


def _option(option: Option) -> Json:
    must = {"required": True} if option.required else {}
    return {**_described(option, option.name, option.aliases), **must, **_taken(option)}


def _pictures(option: Option) -> Iterable[Json]:
    for number, name in enumerate(option.names, 1):
        must = {"required": True} if number <= option.low else {}
        yield {**_described(option, name, ()), **must, "type": ATTACHMENT}


def _described(option: Option, name: str, aliases: tuple[str, ...]) -> Json:
    return {
        "name": name,
        **_localised("name", locale.names(aliases)),
        "description": locale.description(option.help),
        **_localised("description", locale.translated(option.help)),
    }


def _taken(option: Option) -> Json:
    """Type and bounds of an option's value."""
    match option.kind.value:
        case "integer" | "number" as kind:
            most = {"max_value": option.high} if option.high else {}
            return {"type": INTEGER if kind == "integer" else NUMBER, "min_value": option.low, **most}
        case "switch":
            return {"type": BOOLEAN}
        case "person":
            return {"type": USER}
        case "room":
            return {"type": CHANNEL}
        case "role":
            return {"type": ROLE}
        case _ if offers_while_typing(option):
            return {"type": STRING, "autocomplete": True, "max_length": MOST_VALUE}
        case _ if option.choices:
            return {"type": STRING, "choices": [_choice(each) for each in option.choices]}
        case "words":
            return {"type": STRING, "min_length": 1, "max_length": MOST_WORDS}
        case _:
            return {"type": STRING, "max_length": MOST_VALUE}


def _choice(value: str) -> Json:
    return {"name": value, **_localised("name", locale.translated(Text(value))), "value": value}


def _localised(field: str, words: dict[str, str]) -> Json:
    return {f"{field}_localizations": words} if words else {}

"""The application's commands: what Discord accepts as one, and ids that stay while a command keeps its name."""

import re
from typing import Any

from tests.simulators.discord.wire import Json, measured, wrong
from tests.simulators.discord.world import World

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
MOST = {SLASH: 100, USER_MENU: 15, MESSAGE_MENU: 15}
MOST_WORDS = 8000  # of names, descriptions and values of one command together
NAME = re.compile(r"^[-_'\w]{1,32}$")
LOCALES = {
    *("id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR"),
    *("ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko"),
}
GROUPS = (1, 2)  # option types that hold options
CHOOSABLE = (3, 4, 10)


class Commands:
    """Global commands under None, those of one server under its id. `syncs`: how often a whole list was put."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.by_guild: dict[str | None, list[Json]] = {}
        self.syncs = 0

    def put(self, guild_id: str | None, wanted: list[Json]) -> list[Json]:
        """Replace the list. A command keeps its id by name and type, and its version while it stays the same."""
        for kind, most in MOST.items():
            if sum(one.get("type", SLASH) == kind for one in wanted) > most:
                raise wrong("commands", "APPLICATION_COMMANDS_MAX", f"Must be {most} or fewer in length.")
        for index, one in enumerate(wanted):
            check(one, str(index))
        names = [(one.get("type", SLASH), one["name"]) for one in wanted]
        if len(set(names)) < len(names):
            raise wrong("commands", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        known = {(one["type"], one["name"]): one for one in self.by_guild.get(guild_id, [])}
        self.by_guild[guild_id] = [
            self._stored(guild_id, one, known.get(name)) for one, name in zip(wanted, names, strict=True)
        ]
        self.syncs += 1
        return self.by_guild[guild_id]

    def find(self, name: str, kind: int, guild_id: str | None) -> Json | None:
        """The one that a person would get: a server's own goes before a global one of the same name."""
        own = self.by_guild.get(guild_id, []) if guild_id else []
        return next((c for c in [*own, *self.by_guild.get(None, [])] if (c["name"], c["type"]) == (name, kind)), None)

    def _stored(self, guild_id: str | None, wanted: Json, known: Json | None) -> Json:
        stored: Json = {
            "type": SLASH,
            "description": "",
            "default_member_permissions": None,
            "nsfw": False,
            "contexts": None,
            "integration_types": [0],
            "dm_permission": True,
            **{key: value for key, value in wanted.items() if not (key == "integration_types" and value is None)},
            "application_id": self._world.bot.id,
            **({"guild_id": guild_id} if guild_id else {}),
        }
        if stored["default_member_permissions"] is not None:
            stored["default_member_permissions"] = str(stored["default_member_permissions"])
        if known and all(known.get(key) == value for key, value in stored.items()):
            return known
        id = known["id"] if known else self._world.snowflake()
        return stored | {"id": id, "version": self._world.snowflake()}


def check(command: Json, path: str) -> None:
    """Refuse a command as Discord would."""
    kind = command.get("type", SLASH)
    if kind == SLASH:
        _named(command, path)
        _options(command.get("options") or [], f"{path}.options")
        if _words(command) > MOST_WORDS:
            raise wrong(path, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({MOST_WORDS})")
    else:
        measured(command.get("name"), 1, 32, f"{path}.name")
        if command.get("options") or command.get("description"):
            raise wrong(
                path, "APPLICATION_COMMAND_CONTEXT_MENU", "Context menu commands have no description or options"
            )
    _localised(command, "name", 32, path)
    if not {*(command.get("contexts") or [])} <= {0, 1, 2}:
        raise wrong(f"{path}.contexts", "BASE_TYPE_CHOICES", "Value must be one of {0, 1, 2}.")
    if not {*(command.get("integration_types") or [])} <= {0, 1}:
        raise wrong(f"{path}.integration_types", "BASE_TYPE_CHOICES", "Value must be one of {0, 1}.")


def _named(one: Json, path: str) -> None:
    name = one.get("name") or ""
    if not NAME.match(name) or name != name.lower():
        raise wrong(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    measured(one.get("description"), 1, 100, f"{path}.description")
    _localised(one, "name", 32, path)
    _localised(one, "description", 100, path)


def _localised(one: Json, key: str, most: int, path: str) -> None:
    for locale, text in (one.get(f"{key}_localizations") or {}).items():
        here = f"{path}.{key}_localizations.{locale}"
        if locale not in LOCALES:
            raise wrong(here, "ENUM_TYPE_COERCE", f'Value "{locale}" is not a valid enum value.')
        measured(text, 1, most, here)


def _options(options: list[Json], path: str) -> None:
    if len(options) > 25:
        raise wrong(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    names = [one.get("name") for one in options]
    if len(set(names)) < len(names):
        raise wrong(path, "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATED", "Option names must be unique")
    required = [bool(one.get("required")) for one in options]
    if required != sorted(required, reverse=True):
        raise wrong(
            path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required"
        )
    for index, one in enumerate(options):
        _option(one, f"{path}.{index}")


def _option(one: Json, path: str) -> None:
    if one.get("type") not in range(1, 12):
        raise wrong(f"{path}.type", "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
    _named(one, path)
    if one["type"] in GROUPS:
        _options(one.get("options") or [], f"{path}.options")
    choices = one.get("choices") or []
    if choices and (one["type"] not in CHOOSABLE or one.get("autocomplete")):
        raise wrong(f"{path}.choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "choices cannot stand here")
    if one.get("autocomplete") and one["type"] not in CHOOSABLE:
        raise wrong(f"{path}.autocomplete", "APPLICATION_COMMAND_AUTOCOMPLETE_INVALID", "cannot stand here")
    check_choices(choices, f"{path}.choices")


def check_choices(choices: list[Json], path: str) -> None:
    """Of an option, or the answer to somebody who types in one."""
    if len(choices) > 25:
        raise wrong(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, choice in enumerate(choices):
        measured(choice.get("name"), 1, 100, f"{path}.{index}.name")
        _localised(choice, "name", 100, f"{path}.{index}")
        if isinstance(choice.get("value"), str):
            measured(choice["value"], 1, 100, f"{path}.{index}.value")
    if len({choice["name"] for choice in choices}) < len(choices):
        raise wrong(path, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_EXISTS", "Option choice names must be unique")


def _words(one: Any) -> int:
    """The longest localisation of each text counts."""
    total = 0
    for key in ("name", "description"):
        texts = [one.get(key) or "", *(one.get(f"{key}_localizations") or {}).values()]
        total += max(map(len, texts))
    total += len(one["value"]) if isinstance(one.get("value"), str) else 0
    return total + sum(_words(inner) for key in ("options", "choices") for inner in one.get(key) or [])

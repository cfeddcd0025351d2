"""The command table as the page's slash menu reads it."""

from typing import Any

from bot.command import TEAM, TIER, Command, CommandTable, Kind, Option
from bot.i18n import say


def menu(table: CommandTable, language: str, *, admin: bool) -> list[dict[str, Any]]:
    return [_command(command, language) for command in table.listed_for(admin=admin)]


def _command(command: Command, language: str) -> dict[str, Any]:
    return {
        "name": command.name,
        "aliases": list(command.aliases),
        "readable": _readable(command, language),
        "usage": command.subject().partition(" ")[2],
        "help": say(command.summary, language),
        "positional": command.positional[0].name if command.positional else "",
        "complete": not any(option.required for option in command.options),
        "next": {words: named for words, values in command.follows.items() if (named := _fixed(values))},
        "options": [_option(option, language) for option in command.options if option.kind is not Kind.IMAGES],
    }


def _fixed(values: tuple[str, ...]) -> list[str]:
    """Without those that stand for the names of teams and tiers."""
    return [value for value in values if TEAM not in value and TIER not in value]


def _readable(command: Command, language: str) -> list[str]:
    """Its other names, where the reader's language is theirs."""
    return [f"/{alias}" for alias in command.aliases if language.startswith("zh") and not alias.isascii()]


def _option(option: Option, language: str) -> dict[str, Any]:
    return {
        "name": option.name,
        "aliases": list(option.aliases),
        "help": say(option.help, language),
        "switch": option.kind is Kind.SWITCH,
        "words": option.verbatim,
        "values": _values(option),
    }


def _values(option: Option) -> list[str]:
    if option.kind is Kind.SWITCH:
        return ["yes", "no"]
    if option.kind is Kind.INTEGER and 0 < option.high - option.low <= 10:
        return [str(number) for number in range(option.low, option.high + 1)]
    return [*option.choices, *option.suggestions]

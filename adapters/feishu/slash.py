"""The command table as Feishu's slash commands, and putting them there where they have changed.

Feishu shows them when somebody types "/", and what is chosen arrives as plain text: this is for finding them, and the
bot works without. Nothing says who put a command there, so none is ever taken away: a command that a new version no
longer has stays until somebody removes it in the console.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from adapters.feishu.codes import Refused
from bot.command import Command, CommandTable
from bot.i18n import Text, say

Json = dict[str, Any]

MOST = 100  # contract of app_slash_commands: so many for one app
MOST_DESCRIPTION = 100
STANDS_ALREADY = 40000000
LANGUAGES = {"zh_cn": "zh-CN", "en_us": "en"}


class Slash(Protocol):
    """What is needed of `Rest`."""

    async def commands(self) -> list[Json]: ...

    async def add_command(self, body: Json) -> object: ...

    async def change_command(self, id: str, body: Json) -> object: ...


def payload(table: CommandTable) -> list[Json]:
    """What everybody is offered. Admins' own commands are not: Feishu cannot show them to admins alone."""
    return [_slash(command) for command in table.listed if not command.admins_only][:MOST]


async def reconcile(rest: Slash, table: CommandTable) -> list[str]:
    """Add what is missing and change what differs; returns the names of both. Others' commands stay as they are."""
    standing = {str(one.get("command")): one for one in await rest.commands()}
    room = MOST - len(standing)
    changed = []
    for wanted in payload(table):
        name = wanted["command"]
        if stands := standing.get(name):
            if same(wanted, stands):
                continue
            await rest.change_command(str(stands["command_id"]), {"description": wanted["description"]})
        elif room > 0:
            room -= 1
            await _add(rest, wanted)
        else:
            continue
        changed.append(name)
    return changed


def differing(table: CommandTable, standing: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of those that are missing there or read otherwise."""
    there = {str(one.get("command")): one for one in standing}
    return [one["command"] for one in payload(table) if not same(one, there.get(one["command"], {}))]


def same(wanted: Mapping[str, Any], stands: Mapping[str, Any]) -> bool:
    """What Feishu adds of its own (ids, times, an icon, empty languages) does not count."""
    there = stands.get("description") or {}
    here = wanted["description"]
    languages = {name: words for name, words in (there.get("i18n") or {}).items() if words}
    return bool(there.get("default_value") == here["default_value"] and languages == here["i18n"])


async def _add(rest: Slash, wanted: Json) -> None:
    try:
        await rest.add_command(wanted)
    except Refused as refused:
        if refused.code != STANDS_ALREADY:  # another process of ours was faster
            raise


def _slash(command: Command) -> Json:
    words = {name: _cut(command.summary, language) for name, language in LANGUAGES.items()}
    return {"command": command.name, "description": {"default_value": words["en_us"], "i18n": words}}


def _cut(words: Text, language: str) -> str:
    said = say(words, language)
    return said if len(said) <= MOST_DESCRIPTION else said[: MOST_DESCRIPTION - 1] + "…"

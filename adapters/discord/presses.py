"""What buttons, selects and modals carry in their ids: enough to act on after a restart, in any process.

A button's id is the core's `command:generation:index`. A select has such an id too, and its chosen value is either the
index or a whole id of its own. A modal's id says for which command it asks, and for which picture.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.command import Command, CommandTable

PRESS = re.compile(r"(?P<command>[a-z][a-z0-9_-]{0,30}):(?P<generation>[^:\s]{1,60}):(?P<index>[0-9]{0,3})")
_FORM = re.compile(
    r"form:(?P<command>[a-z][a-z0-9_-]{0,30}):(?:@(?P<message>[0-9]{1,20})|(?P<press>[^:@\s]{1,60}:[0-9]{0,3}))"
)

# Their answer is their own message, which changes: a new one in its place would only repeat it.
IN_PLACE = frozenset({"go", "decline", "cancel", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A modal. Of one of our pictures it names generation and index, of another message only that."""

    command: str
    generation: str = ""
    index: int = 0
    message: str = ""

    @property
    def id(self) -> str:
        about = f"@{self.message}" if self.message else f"{self.generation}:{self.index}"
        return f"form:{self.command}:{about}"

    @classmethod
    def read(cls, custom_id: str) -> "Form | None":
        match = _FORM.fullmatch(custom_id)
        if match is None:
            return None
        generation, _, index = (match["press"] or "").partition(":")
        return cls(
            command=match["command"], generation=generation, index=int(index or 0), message=match["message"] or ""
        )


def pressed(data: Mapping[str, Any]) -> str:
    """The press of a component's data; an id of somebody else's making is handed on, for the core to refuse."""
    custom_id = str(data.get("custom_id", ""))
    values = data.get("values") or ()
    if not values:
        return custom_id
    chosen = str(values[0])
    if PRESS.fullmatch(chosen):
        return chosen
    match = PRESS.fullmatch(custom_id)
    if match and chosen.isdecimal():
        return f"{match['command']}:{match['generation']}:{chosen}"
    return custom_id


def asks(press: str, table: CommandTable) -> Form | None:
    """The form that a press opens first: that of a command which cannot do without words."""
    match = PRESS.fullmatch(press)
    command = named(table, match["command"]) if match else None
    if match is None or command is None or not any(each.verbatim and each.required for each in command.options):
        return None
    return Form(command=command.name, generation=match["generation"], index=int(match["index"] or 0))


def named(table: CommandTable, name: str) -> Command | None:
    return next((each for each in table.commands if each.name == name), None)


def generation_in(components: list[Any]) -> str:
    """The one generation that a message's buttons are about; none where they are about several, as in a list."""
    found = {match["generation"] for id in _ids(components) if (match := PRESS.fullmatch(id))}
    return found.pop() if len(found) == 1 else ""


def _ids(components: list[Any]) -> Iterator[str]:
    for one in components:
        if custom_id := getattr(one, "custom_id", None):
            yield custom_id
        yield from _ids(getattr(one, "children", []))
        if accessory := getattr(one, "accessory", None):
            yield from _ids([accessory])

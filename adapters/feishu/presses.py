"""What buttons, selects and forms of a card carry. Pure.

A button's value holds the core's `command:generation:index`, and so does the chosen option of a select that stands
alone. A form adds its fields. Whatever it holds, a person may have made it up.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.feishu.event import storable
from bot.command import CommandTable

PRESS = re.compile(r"(?P<command>[a-z][a-z0-9_-]{0,30}):(?P<generation>[\w-]{1,60}):(?P<index>[0-9]{0,3})", re.ASCII)
ASKED = ("prompt", "model", "size")  # the fields of a form that are a command's own options
LONGEST = 100  # characters of an id that is handed on for the core to refuse

# Their answer is the card itself, which changes.
IN_PLACE = frozenset({"go", "decline", "cancel", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """Either a press, or a command with the words that its form asked for, about one picture of a generation."""

    press: str = ""
    command: str = ""
    generation: str = ""
    index: int = 0
    values: Mapping[str, str] = field(default_factory=dict)


def asking(table: CommandTable) -> frozenset[str]:
    """The commands that cannot do without words. The others of a form leave alone what was written for those."""
    return frozenset(
        each.name for each in table.commands if any(option.verbatim and option.required for option in each.options)
    )


def pressed(action: Mapping[str, Any], asking: Collection[str]) -> Pressed | None:
    """None where it carries nothing of ours; an id of another making is handed on, for the core to refuse."""
    press = _id(action)
    match = PRESS.fullmatch(press)
    if match is None:
        return Pressed(press=str(storable(press[:LONGEST]))) if press else None
    entered = _entered(action)
    command, generation, index = match["command"], match["generation"], match["index"]
    if re.fullmatch("[0-9]{1,3}", entered.get("picture", "")):
        index = entered["picture"]
    if command in asking and entered.get("prompt", "").strip():
        values = {name: entered[name] for name in ASKED if name in entered}
        return Pressed(command=command, generation=generation, index=int(index or 0), values=values)
    return Pressed(press=f"{command}:{generation}:{index}")


def _entered(action: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in; what was left empty is not there."""
    fields = action.get("form_value")
    given = fields.items() if isinstance(fields, dict) else ()
    return {str(name): value for name, value in given if isinstance(value, str) and value}


def _id(action: Mapping[str, Any]) -> str:
    match action:
        case {"option": str(chosen)} if PRESS.fullmatch(chosen):
            return chosen
        case {"value": {"press": str(press)}}:
            return press
    return ""

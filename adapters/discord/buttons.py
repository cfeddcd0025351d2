"""Buttons and selects of a message. A press carries `command:generation:index`, wherever it comes from.

A command that concerns one of several pictures is a select of its own, such as "Vary · Which picture": one choice runs
it, and nothing has to be remembered between two presses. The select's custom id is `command:generation:` (no index),
and its options' values are whole press ids. Every message lists the pictures that stand in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.discord.escape import clamp
from bot.chat import Button, Picture, Reply, Tone
from bot.i18n import say, text

Json = dict[str, Any]

ROW, BUTTON, SELECT = 1, 2, 3
PRIMARY, SECONDARY, DANGER = 1, 2, 4
PER_ROW = 5
MOST_BUTTONS = 20  # four rows; with three selects and everything else this stays below 40 components
MOST_SELECTS = 3
MOST_OPTIONS = 25
LABEL, OPTION, PLACEHOLDER, CUSTOM_ID = 80, 100, 150, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture, the name of the file that shows it, and its number, from 1, among all pictures of the reply."""

    picture: Picture
    name: str
    number: int


def rows(reply: Reply, shown: Sequence[Shown], *, further: bool, language: str) -> list[Json]:
    """further: this message only goes on with the pictures of one before, where all other buttons are."""
    selects: dict[str, Json] = {}
    buttons: list[Button] = []
    for button in reply.buttons:
        concerned = [each for each in shown if each.picture.generation == button.generation] if button.picks else []
        if len(concerned) > 1 and len(selects) < MOST_SELECTS:
            select = _select(button, concerned[:MOST_OPTIONS], language)
            selects[select["custom_id"]] = select
        elif len(concerned) == 1:
            buttons.append(replace(button, index=concerned[0].picture.index))
        elif not further:
            buttons.append(button)
    return [_row([each]) for each in selects.values()] + _button_rows(reply, buttons, language)


def _button_rows(reply: Reply, buttons: Sequence[Button], language: str) -> list[Json]:
    unique = list({button.id: button for button in buttons if len(button.id) <= CUSTOM_ID}.values())[:MOST_BUTTONS]
    drawn = [
        {
            "type": BUTTON,
            "style": _style(button, main=reply.tone is Tone.QUESTION and button is unique[0]),
            "label": clamp(say(button.label, language), LABEL),
            "custom_id": button.id,
        }
        for button in unique
    ]
    return [_row(drawn[start : start + PER_ROW]) for start in range(0, len(drawn), PER_ROW)]


def _select(button: Button, shown: Sequence[Shown], language: str) -> Json:
    alike = len({each.picture.alt for each in shown}) == 1
    options = []
    for each in shown:
        option = {
            "label": say(text("Picture {number}", number=each.number), language),
            "value": replace(button, index=each.picture.index).id,
        }
        if not alike and each.picture.alt:
            option["description"] = clamp(each.picture.alt, OPTION)
        options.append(option)
    placeholder = f"{say(button.label, language)} · {say(text('Which picture'), language)}"
    return {
        "type": SELECT,
        "custom_id": f"{button.command}:{button.generation}:",
        "placeholder": clamp(placeholder, PLACEHOLDER),
        "options": options,
    }


def _style(button: Button, *, main: bool) -> int:
    if button.danger:
        return DANGER
    return PRIMARY if main else SECONDARY


def _row(components: Sequence[Json]) -> Json:
    return {"type": ROW, "components": list(components)}

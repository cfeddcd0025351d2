"""The form that asks for words, more pictures, model and size, as the JSON that Discord opens."""

from collections.abc import Sequence
from typing import Any

from adapters.discord.presses import Form
from adapters.discord.words import AS_USUAL, EDIT, MODEL, MORE_PICTURES, REFERENCE, SIZE, WHAT_TO_CHANGE, WHAT_TO_DRAW
from bot.command import Command
from bot.i18n import Text, say

LABEL, TEXT_INPUT, UPLOAD, SELECT = 18, 4, 19, 3
PARAGRAPH = 2
MOST_TITLE = MOST_LABEL = 45
MOST_CHOICES = 25
MOST_WORDS = 4000
MOST_UPLOADS = 10

Json = dict[str, Any]


def modal(form: Form, command: Command, language: str, offered: dict[str, Sequence[str]]) -> Json:
    """offered: what may be chosen, by the name of the option; an option of which nothing is offered is left out."""
    changes = command.name == "edit"
    fields = [_words(WHAT_TO_CHANGE if changes else WHAT_TO_DRAW, language), _uploads(language)]
    for name, label in (("model", MODEL), ("size", SIZE)):
        if command.option(name) and offered.get(name):
            fields.append(_choice(name, label, offered[name], language))
    return {"custom_id": form.id, "title": _cut(EDIT if changes else REFERENCE, language), "components": fields}


def _words(label: Text, language: str) -> Json:
    component = {"type": TEXT_INPUT, "custom_id": "prompt", "style": PARAGRAPH, "min_length": 1}
    return _labelled(label, language, component | {"max_length": MOST_WORDS, "required": True})


def _uploads(language: str) -> Json:
    component = {"type": UPLOAD, "custom_id": "images", "min_values": 0, "max_values": MOST_UPLOADS, "required": False}
    return _labelled(MORE_PICTURES, language, component)


def _choice(name: str, label: Text, values: Sequence[str], language: str) -> Json:
    component = {
        "type": SELECT,
        "custom_id": name,
        "placeholder": say(AS_USUAL, language),
        "options": [{"label": value, "value": value} for value in values[:MOST_CHOICES]],
        "min_values": 0,
        "max_values": 1,
        "required": False,
    }
    return _labelled(label, language, component)


def _labelled(label: Text, language: str, component: Json) -> Json:
    return {"type": LABEL, "label": _cut(label, language), "component": component}


def _cut(words: Text, language: str) -> str:
    return say(words, language)[:MOST_LABEL]

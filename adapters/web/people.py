"""Who can speak on the page. Nobody logs in: whoever may open the page may speak as any of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.i18n import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A name to talk as; `note` says in a word or two what is special about it."""

    name: str
    note: Text
    admin: bool = False


def persona(people: Sequence[Persona], name: str) -> Persona | None:
    return next((one for one in people if one.name == name), None)

"""Buttons of a card. A press carries `command:generation:index`, wherever it comes from; nothing else goes out.

Commands that concern one of several pictures stand in a form with one select, so that people choose a picture and then
what is done with it. A command that asks for words has its input folded into the same form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.feishu.elements import LABEL, Json, flowing, plain, pressed
from adapters.feishu.escape import clamp
from adapters.feishu.forms import form
from bot.chat import Button, Picture, Reply, Tone
from bot.i18n import Text, text

PER_ROW = 5
MOST_BUTTONS = 20
MOST_ID = 100

Says = Callable[[Text], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Where each button stands. among: the pictures, by number, that those of the form choose from."""

    apart: Sequence[Button]
    picks: Sequence[Button]
    asks: Button | None
    among: Mapping[int, Picture]


def controls(
    reply: Reply, numbered: Mapping[int, Picture], *, models: Sequence[str], says: Says, further: bool
) -> list[Json]:
    """numbered: the pictures of this card. further: it goes on with those of one before, where other buttons are."""
    groups = grouped(reply, numbered, further=further)
    drawn = []
    if groups.picks or groups.asks:
        drawn.append(form(picks=groups.picks, asks=groups.asks, among=groups.among, models=models, says=says))
    for start in range(0, len(groups.apart), PER_ROW):
        row = groups.apart[start : start + PER_ROW]
        main = row[0] if reply.tone is Tone.QUESTION and not start else None
        drawn.append(flowing([_button(button, says, main=button is main) for button in row]))
    return drawn


def grouped(reply: Reply, numbered: Mapping[int, Picture], *, further: bool) -> Groups:
    apart, picks = [], []
    asks: Button | None = None
    among = _choice(reply, numbered)
    meant = {picture.generation for picture in among.values()}
    for button in _known(reply):
        own = [each for each in numbered.values() if each.generation == button.generation] if button.picks else []
        if own:
            button = replace(button, index=own[0].index)
        elif further:
            continue
        if button.asks and asks is None and (not meant or button.generation in meant):
            asks = button
        elif len(own) > 1 and own == list(among.values()):
            picks.append(button)
        else:
            apart.append(button)
    chosen = picks or (asks and asks.picks)
    return Groups(apart=apart, picks=picks, asks=asks, among=among if chosen else {})


def _known(reply: Reply) -> list[Button]:
    unique = {button.id: button for button in reply.buttons if len(button.id) <= MOST_ID}
    return list(unique.values())[:MOST_BUTTONS]


def _choice(reply: Reply, numbered: Mapping[int, Picture]) -> Mapping[int, Picture]:
    """The pictures of the first button that concerns one of several."""
    for button in reply.buttons:
        found = {number: each for number, each in numbered.items() if each.generation == button.generation}
        if button.picks and len(found) > 1:
            return found
    return {}


def _button(button: Button, says: Says, *, main: bool) -> Json:
    if not button.danger:
        return pressed(says(button.label), button.id, kind="primary_filled" if main else "default")
    if main:  # the answer to a question asks nothing again
        return pressed(says(button.label), button.id, kind="danger")
    title = plain(clamp(says(button.label), LABEL))
    confirm = {"title": title, "text": plain(says(text("This cannot be undone.")))}
    return pressed(says(button.label), button.id, kind="danger") | {"confirm": confirm}

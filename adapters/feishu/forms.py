"""The form of a card: which picture is meant, and the words that a command asks for. No I/O.

A form stands at a card's root, and the names of its fields are the card's (the documents' nesting rules), so a card has
one. Its fields are called `picture`, `prompt` and `model`; each of its buttons sends all of them with its own press.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from adapters.feishu.elements import Json, flowing, plain, pressed
from adapters.feishu.escape import clamp, clean
from bot.chat import Button, Picture
from bot.i18n import Text, text

MOST_WORDS = 1000  # the most that the platform's inputs take; /edit takes more
MOST_MODELS = 20
OPTION = 90
PLACEHOLDER = 100

Says = Callable[[Text], str]


def form(
    *,
    picks: Sequence[Button],
    asks: Button | None,
    among: Mapping[int, Picture],
    models: Sequence[str],
    says: Says,
) -> Json:
    """picks: what is done with the chosen picture. among: the pictures to choose from by number; {} for no choice.

    The presses name the first picture: that is what is meant where the select was left as it stands.
    """
    elements = [_which(among, says)] if among else []
    if picks:
        elements.append(flowing([_submit(button, number, says) for number, button in enumerate(picks)]))
    if asks is not None:
        elements.append(_asking(asks, models, says, required=not picks, number=len(picks)))
    return {"tag": "form", "name": "form", "elements": elements}


def _which(among: Mapping[int, Picture], says: Says) -> Json:
    alike = len({picture.alt for picture in among.values()}) == 1
    options = []
    for number, picture in among.items():
        label = says(text("Picture {number}", number=number))
        if not alike and (alt := clean(picture.alt).strip()):
            label = f"{label} · {' '.join(alt.split())}"
        options.append(_option(label, str(picture.index)))
    # The first is 1; 0 would be none.
    return _select("picture", says(text("Which picture")), options) | {"initial_index": 1}


def _asking(button: Button, models: Sequence[str], says: Says, *, required: bool, number: int) -> Json:
    """Folded away until somebody wants it.

    required: nothing is sent without words. It would hold the form's other buttons back too.
    """
    words = plain(clamp(says(button.asks), PLACEHOLDER)) if button.asks else plain("")
    elements: list[Json] = [
        {
            "tag": "input",
            "name": "prompt",
            "input_type": "multiline_text",
            "rows": 3,
            "width": "fill",
            "max_length": MOST_WORDS,
            "required": required,
            "placeholder": words,
        }
    ]
    if options := [_option(name, name) for name in dict.fromkeys(filter(None, models))][:MOST_MODELS]:
        # An option needs a value, so nothing chosen is what stands for the usual.
        elements.append(_select("model", says(text("Model: as usual")), options))
    elements.append(_submit(button, number, says) | {"type": "primary"})
    return {
        "tag": "collapsible_panel",
        "expanded": False,
        "header": {
            "title": plain(clamp(says(button.label), OPTION)),
            "icon": {"tag": "standard_icon", "token": "down-small-ccm_outlined", "size": "16px 16px"},
            "icon_position": "follow_text",
            "icon_expanded_angle": -180,
        },
        "border": {"color": "grey", "corner_radius": "5px"},
        "padding": "8px 8px 8px 8px",
        "elements": elements,
    }


def _submit(button: Button, number: int, says: Says) -> Json:
    return pressed(says(button.label), button.id) | {"name": f"press_{number}", "form_action_type": "submit"}


def _select(name: str, placeholder: str, options: Iterable[Json]) -> Json:
    return {
        "tag": "select_static",
        "name": name,
        "width": "fill",
        "placeholder": plain(clamp(placeholder, PLACEHOLDER)),
        "options": list(options),
    }


def _option(words: str, value: str) -> Json:
    return {"text": plain(clamp(words, OPTION)), "value": value}

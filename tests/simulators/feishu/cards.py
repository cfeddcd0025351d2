"""A strict judge of card JSON 2.0: `problems(card)` names each breach with its path, and needs no server.

JSON 2.0 answers unknown properties with an error where 1.0 ignored them (the open platform's release notes), so a card
that is wrong anywhere is refused as a whole: 230099, with `ErrCode: 11310` in the words.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulators.feishu import reading
from tests.simulators.feishu.components import CARD, COMPONENTS, INTERACTIVE
from tests.simulators.feishu.wire import Json

MOST_BYTES = 30 * 1024
MOST_ELEMENTS = 200
DEEPEST = 5  # components within components


def problems(card: Any) -> list[str]:
    """Everything that the open platform would refuse, and what no card of ours may do; [] for a good card."""
    if not isinstance(card, dict):
        return ["card: an object belongs here"]
    return [*refusals(card), *unwanted(card)]


def refusals(card: Json) -> list[str]:
    """What the open platform refuses."""
    found = list(CARD(card, "card"))
    body = card.get("body")
    elements = body.get("elements", []) if isinstance(body, dict) else []
    found += _elements(elements, "card.body.elements", ())
    if found:
        return found  # what follows needs a card of the right shape
    return [*_repeated(card), *_sizes(card)]


def unwanted(card: Json) -> list[str]:
    """What the platform takes and no card of ours may have: mentions, which somebody's words may have brought in."""
    marked = [words for part in _every(card) for words in _marked(part)]
    return [f"card: a mention in {words[:60]!r}" for words in marked if "<at" in words]


def picture_keys(card: Json) -> list[str]:
    """Every picture that the card needs, those of icons too."""
    icons = [part["img_key"] for part in _every(card) if part.get("tag") == "custom_icon"]
    return [*reading.picture_keys("interactive", card), *icons]


def _elements(elements: Any, path: str, inside: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(elements, list):
        yield f"{path}: a list belongs here"
        return
    for number, one in enumerate(elements):
        yield from _component(one, f"{path}[{number}]", inside)


def _component(one: Any, path: str, inside: tuple[str, ...]) -> Iterator[str]:
    tag = one.get("tag") if isinstance(one, dict) else None
    if tag not in COMPONENTS or (tag == "column") != (inside[-1:] == ("column_set",)):
        yield f"{path}.tag: {tag!r} is no component here"
        return
    yield from COMPONENTS[tag](one, path)
    yield from _place(tag, path, inside)
    if tag in INTERACTIVE:
        yield from _used(one, path, "form" in inside)
    for name in ("elements", "columns"):
        if name in one:
            yield from _elements(one[name], f"{path}.{name}", (*inside, tag))
    if tag == "form" and not _submits(one):
        yield f"{path}: a form without a button that submits it"


def _place(tag: str, path: str, inside: tuple[str, ...]) -> Iterator[str]:
    if tag == "form" and inside:
        yield f"{path}: a form may only stand at the card's root"
    if len([one for one in inside if one != "column"]) > DEEPEST:
        yield f"{path}: more than {DEEPEST} components deep"


def _used(one: Json, path: str, in_form: bool) -> Iterator[str]:
    """Rules for what people press, choose and fill in."""
    if in_form:
        if not one.get("name"):
            yield f"{path}.name: is missing, and within a form every input needs one"
        if one["tag"] == "button" and "form_action_type" not in one:
            yield f"{path}.form_action_type: is missing within a form"
    else:
        yield from (f"{path}.{name}: only within a form" for name in ("form_action_type", "required") if name in one)
        if not one.get("behaviors"):
            yield f"{path}.behaviors: is missing, so nothing would happen"
    if one["tag"] == "button" and not (reading.label(one) or one.get("icon")):
        yield f"{path}.text: a button without words"
    if one["tag"] == "input" and len(str(one.get("default_value", ""))) > one.get("max_length", 1000):
        yield f"{path}.default_value: longer than max_length"
    values = [option.get("value") for option in one.get("options", []) if isinstance(option, dict)]
    yield from (f"{path}.options: the value {value!r} stands twice" for value in _twice(values))


def _submits(form: Json) -> bool:
    return any(one.get("form_action_type") == "submit" for one in reading.walk(form["elements"]))


def _repeated(card: Json) -> Iterator[str]:
    parts = list(_every(card))
    named = [one for one in parts if one.get("tag") in (*INTERACTIVE, "form")]
    yield from (f"card: the name {name!r} stands twice" for name in _twice([one.get("name") for one in named]))
    ids = [one.get("element_id") for one in parts]
    yield from (f"card: the element_id {id!r} stands twice" for id in _twice(ids))


def _sizes(card: Json) -> Iterator[str]:
    tagged = [one for one in _every(card) if "tag" in one]
    if len(tagged) > MOST_ELEMENTS:
        yield f"card: {len(tagged)} elements, {MOST_ELEMENTS} are the most"
    size = len(json.dumps(card, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MOST_BYTES:
        yield f"card: {size} bytes, {MOST_BYTES} are the most"


def _twice(values: list[Any]) -> list[Any]:
    return [value for value, count in Counter(one for one in values if one is not None).items() if count > 1]


def _marked(part: Json) -> list[str]:
    """Words of this object in which markup has a meaning."""
    if part.get("tag") not in ("markdown", "lark_md"):
        return []
    return [words for words in (part.get("content"), *part.get("i18n_content", {}).values()) if isinstance(words, str)]


def _every(node: Any) -> Iterator[Json]:
    """Every object of the card but the values of callbacks, which are the app's own."""
    match node:
        case list():
            for one in node:
                yield from _every(one)
        case dict():
            yield node
            for name, inner in node.items():
                if name != "behaviors":
                    yield from _every(inner)

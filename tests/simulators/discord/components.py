"""What Discord asks of components, in messages and in modals: counts, lengths, types, unique ids."""

from collections.abc import Callable
from itertools import count

from tests.simulators.discord.model import walk
from tests.simulators.discord.wire import Json, measured, wrong

MOST_COMPONENTS, MOST_TEXT = 40, 4000
ROW, BUTTON, SELECT, INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = (
    *(1, 2, 3, 4, 9),
    *(10, 11, 12, 13, 14, 17),
)
LABEL, UPLOAD = 18, 19
SELECTS = (3, 5, 6, 7, 8)
LINK, PREMIUM = 5, 6  # styles of a button that has no custom id
_INSIDE_CONTAINER = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR)
_INSIDE_LABEL = (INPUT, *SELECTS, UPLOAD, 21, 22, 23)


def check_message(components: list[Json], *, v2: bool) -> None:
    """Refuse what Discord would refuse. Without the V2 flag there are only rows, five at most."""
    _of_type(components, (*_INSIDE_CONTAINER, CONTAINER) if v2 else (ROW,), "components")
    if not v2 and len(components) > 5:
        raise wrong("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for index, one in enumerate(components):
        _check(one, f"components.{index}")
    _check_whole(components)


def check_modal(data: Json) -> None:
    """A modal: 1-5 labels, texts or rows with a text input."""
    measured(data.get("custom_id"), 1, 100, "data.custom_id")
    measured(data.get("title"), 1, 45, "data.title")
    components = data.get("components") or []
    _sized(components, 1, 5, "data.components")
    _of_type(components, (ROW, TEXT, LABEL), "data.components")
    for index, one in enumerate(components):
        _check(one, f"data.components.{index}")
    _check_whole(components)


def numbered(components: list[Json]) -> list[Json]:
    """With the numeric ids that Discord gives to components which came without."""
    taken = {one.get("id") for one in walk(components)}
    free = (number for number in count(1) if number not in taken)

    def fill(component: Json) -> Json:
        filled = {**component, "id": component.get("id") or next(free)}
        if "components" in filled:
            filled["components"] = [fill(one) for one in filled["components"]]
        for key in ("accessory", "component"):
            if filled.get(key):
                filled[key] = fill(filled[key])
        return filled

    return [fill(one) for one in components]


def counts(field: Json) -> tuple[int, int]:
    """How many things a select or an upload takes; what is null or left out is 1."""
    least, most = field.get("min_values"), field.get("max_values")
    return 1 if least is None else least, 1 if most is None else most


def _check_whole(components: list[Json]) -> None:
    everything = list(walk(components))
    if len(everything) > MOST_COMPONENTS:
        raise wrong("components", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_COMPONENTS} or fewer in length.")
    if sum(len(one["content"]) for one in everything if one["type"] == TEXT) > MOST_TEXT:
        raise wrong("components", "COMPONENT_MAX_TEXT_LENGTH", f"Must have at most {MOST_TEXT} characters of text.")
    ids = [one["custom_id"] for one in everything if "custom_id" in one]
    if len(set(ids)) < len(ids):
        raise wrong("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")


def _check(one: Json, path: str) -> None:
    if check := _CHECKS.get(one["type"]):
        check(one, path)
    for index, child in enumerate(one.get("components") or []):
        _check(child, f"{path}.components.{index}")
    for key in ("accessory", "component"):
        if one.get(key):
            _check(one[key], f"{path}.{key}")


def _row(one: Json, path: str) -> None:
    inside = one.get("components") or []
    _of_type(inside, (BUTTON, *SELECTS, INPUT), f"{path}.components")
    _sized(inside, 1, 5 if inside and inside[0]["type"] == BUTTON else 1, f"{path}.components")


def _button(one: Json, path: str) -> None:
    if len(one.get("label") or "") > 80:
        raise wrong(f"{path}.label", "BASE_TYPE_MAX_LENGTH", "Must be 80 or fewer in length.")
    if one.get("style") == LINK:
        measured(one.get("url"), 1, 512, f"{path}.url")
        return
    if one.get("style") != PREMIUM:
        _custom_id(one, path)
        if not (one.get("label") or one.get("emoji")):
            raise wrong(path, "BUTTON_COMPONENT_INVALID_LABEL_AND_EMOJI", "A button must have a label or an emoji")


def _custom_id(one: Json, path: str) -> None:
    measured(one.get("custom_id"), 1, 100, f"{path}.custom_id")


def _select(one: Json, path: str) -> None:
    _custom_id(one, path)
    if len(one.get("placeholder") or "") > 150:
        raise wrong(f"{path}.placeholder", "BASE_TYPE_MAX_LENGTH", "Must be 150 or fewer in length.")
    if one["type"] != SELECT:
        return
    options = one.get("options") or []
    _sized(options, 1, 25, f"{path}.options")
    for index, option in enumerate(options):
        measured(option.get("label"), 1, 100, f"{path}.options.{index}.label")
        measured(option.get("value"), 1, 100, f"{path}.options.{index}.value")
        measured(option.get("description") or "-", 1, 100, f"{path}.options.{index}.description")
    if len({option["value"] for option in options}) < len(options):
        raise wrong(
            f"{path}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified value is already used"
        )


def _input(one: Json, path: str) -> None:
    _custom_id(one, path)
    most = one.get("max_length") or 4000
    if most > 4000 or len(one.get("value") or "") > most:
        raise wrong(f"{path}.value", "BASE_TYPE_MAX_LENGTH", f"Must be {min(most, 4000)} or fewer in length.")


def _section(one: Json, path: str) -> None:
    _sized(one.get("components") or [], 1, 3, f"{path}.components")
    _of_type(one["components"], (TEXT,), f"{path}.components")
    _of_type([one["accessory"]] if one.get("accessory") else [{"type": 0}], (BUTTON, THUMBNAIL), f"{path}.accessory")


def _text(one: Json, path: str) -> None:
    measured(one.get("content"), 1, MOST_TEXT, f"{path}.content")


def _thumbnail(one: Json, path: str) -> None:
    measured(one.get("description") or "-", 1, 1024, f"{path}.description")


def _gallery(one: Json, path: str) -> None:
    items = one.get("items") or []
    _sized(items, 1, 10, f"{path}.items")
    for index, item in enumerate(items):
        measured(item.get("description") or "-", 1, 1024, f"{path}.items.{index}.description")


def _file(one: Json, path: str) -> None:
    if not one.get("file", {}).get("url", "").startswith("attachment://"):
        raise wrong(f"{path}.file.url", "UNFURLED_MEDIA_ITEM_INVALID", "Only attachment:// is possible here")


def _container(one: Json, path: str) -> None:
    _of_type(one.get("components") or [], _INSIDE_CONTAINER, f"{path}.components")


def _label(one: Json, path: str) -> None:
    measured(one.get("label"), 1, 45, f"{path}.label")
    measured(one.get("description") or "-", 1, 100, f"{path}.description")
    _of_type([one["component"]] if one.get("component") else [{"type": 0}], _INSIDE_LABEL, f"{path}.component")


def _upload(one: Json, path: str) -> None:
    _custom_id(one, path)
    least, most = counts(one)
    if not 0 <= least <= most <= 10 or not most:
        raise wrong(f"{path}.max_values", "NUMBER_TYPE_MAX", "int value should be less than or equal to 10.")


def _sized(values: list[Json], least: int, most: int, path: str) -> None:
    if not least <= len(values) <= most:
        raise wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _of_type(components: list[Json], types: tuple[int, ...], path: str) -> None:
    for index, one in enumerate(components):
        if one.get("type") not in types:
            known = ", ".join(map(str, types))
            raise wrong(
                f"{path}.{index}.type", "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of ({known})."
            )


_CHECKS: dict[int, Callable[[Json, str], None]] = {
    ROW: _row,
    BUTTON: _button,
    **dict.fromkeys(SELECTS, _select),
    INPUT: _input,
    SECTION: _section,
    TEXT: _text,
    THUMBNAIL: _thumbnail,
    GALLERY: _gallery,
    FILE: _file,
    CONTAINER: _container,
    LABEL: _label,
    UPLOAD: _upload,
}

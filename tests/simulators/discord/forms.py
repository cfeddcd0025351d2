"""What Discord's client makes of a person's input: it binds options, fills in modals, and refuses what cannot be sent.

LookupError: there is no such thing to use. ValueError: the client would not let this be sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulators.discord.components import counts
from tests.simulators.discord.model import Attachment, Channel, Role, User, walk
from tests.simulators.discord.wire import Json

SUBCOMMAND, GROUP = 1, 2
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
_PYTHON = {STRING: str, INTEGER: int, BOOLEAN: bool, USER: User, CHANNEL: Channel, ROLE: Role}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person gives."""

    filename: str
    data: bytes


Keep = Callable[[Upload], Attachment]
Resolve = Callable[[str, Any], None]


def options_of(command: Json, path: list[str]) -> tuple[list[Json], Callable[[list[Json]], list[Json]]]:
    """The options of a command or of its subcommand, and how their values are wrapped in what leads there."""
    options: list[Json] = command.get("options") or []
    wraps: list[Json] = []
    for name in path:
        inner = next((one for one in options if one["name"] == name and one["type"] in (SUBCOMMAND, GROUP)), None)
        if inner is None:
            raise LookupError(f"/{command['name']} has no {name}")
        wraps.append({"name": name, "type": inner["type"]})
        options = inner.get("options") or []

    def wrapped(bound: list[Json]) -> list[Json]:
        for one in reversed(wraps):
            bound = [{**one, "options": bound}]
        return bound

    return options, wrapped


def bind(options: list[Json], values: Mapping[str, Any], keep: Keep, resolve: Resolve) -> list[Json]:
    """Options in the order in which a person gave them. keep, resolve: where files and what is named go."""
    known = {one["name"]: one for one in options}
    if strange := values.keys() - known.keys():
        raise LookupError(f"no option {', '.join(sorted(strange))}; there are {', '.join(known)}")
    if missing := [name for name, one in known.items() if one.get("required") and name not in values]:
        raise ValueError(f"cannot be sent without {', '.join(missing)}")
    return [
        {"name": name, "type": known[name]["type"], "value": _value(known[name], value, keep, resolve)}
        for name, value in values.items()
    ]


def _value(option: Json, value: Any, keep: Keep, resolve: Resolve) -> Any:
    kind = option["type"]
    if kind == ATTACHMENT:
        if not isinstance(value, Upload):
            raise ValueError(f"{option['name']} takes a file")
        file = keep(value)
        resolve("attachments", file)
        return file.id
    if kind in (USER, CHANNEL, ROLE, MENTIONABLE):
        resolve({Channel: "channels", Role: "roles"}.get(type(value), "users"), value)
        return value.id
    if kind == NUMBER and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _PYTHON.get(kind, float):
        raise ValueError(f"{option['name']} does not take {value!r}")
    _fits(option, value)
    return value


def _fits(option: Json, value: Any) -> None:
    name, choices = option["name"], option.get("choices")
    if choices and value not in [one["value"] for one in choices]:
        raise ValueError(f"{name} offers {[one['value'] for one in choices]}, not {value!r}")
    measure = len(value) if isinstance(value, str) else value
    suffix = "length" if isinstance(value, str) else "value"
    least, most = option.get(f"min_{suffix}"), option.get(f"max_{suffix}")
    if (least is not None and measure < least) or (most is not None and measure > most):
        raise ValueError(f"{name} is not between {least} and {most}")


def fill(modal: Json, values: Mapping[str, Any], files: list[Upload], keep: Keep, resolve: Resolve) -> list[Json]:
    """The components of a submitted modal. values: by custom id or by the label that stands above a field."""
    labels = {one["component"]["custom_id"]: one["label"] for one in walk(modal["components"]) if one["type"] == 18}
    fields = [one for one in walk(modal["components"]) if "custom_id" in one]
    names = {one["custom_id"] for one in fields} | {*labels.values()} | {one.get("label") for one in fields}
    if strange := values.keys() - names:
        raise LookupError(f"the modal has no field {', '.join(sorted(strange))}")

    def given(field: Json) -> Any:
        if field["type"] == 19:
            return files
        named = (field["custom_id"], labels.get(field["custom_id"], ""), field.get("label", ""))
        return next((values[name] for name in named if name in values), _preset(field))

    def filled(one: Json) -> Json:
        common = {"type": one["type"], "id": one["id"]}
        match one["type"]:
            case 1:
                return {**common, "components": [filled(inner) for inner in one["components"]]}
            case 18:
                return {**common, "component": filled(one["component"])}
            case 10:
                return common
        return {**common, "custom_id": one["custom_id"], **_entered(one, given(one), keep, resolve)}

    return [filled(one) for one in modal["components"]]


def _preset(field: Json) -> Any:
    chosen = [one["value"] for one in field.get("options") or [] if one.get("default")]
    return {4: field.get("value") or "", 21: chosen[0] if chosen else None, 23: bool(field.get("default"))}.get(
        field["type"], chosen
    )


def _entered(field: Json, value: Any, keep: Keep, resolve: Resolve) -> Json:
    match field["type"]:
        case 4:
            least, most = field.get("min_length") or 0, field.get("max_length") or 4000
            if (field.get("required", True) and not value) or not least <= len(value) <= most:
                raise ValueError(f"{field['custom_id']} is not between {least} and {most} characters")
            return {"value": value}
        case 19:
            _counted(field, value)
            kept = [keep(file) for file in value]
            for file in kept:
                resolve("attachments", file)
            return {"values": [file.id for file in kept]}
        case 21 | 23:
            return {"value": value}
        case _:
            return {"values": chosen(field, [value] if isinstance(value, str) else value)}


def chosen(field: Json, wanted: list[str]) -> list[str]:
    """Values of a select's options, which may be named by their labels."""
    by_label = {one["label"]: one["value"] for one in field.get("options") or []}
    values = [by_label.get(one, one) for one in wanted]
    if strange := {*values} - {*by_label.values()}:
        raise LookupError(f"{field['custom_id']} offers {[*by_label]}, not {sorted(strange)}")
    _counted(field, values)
    return values


def _counted(field: Json, values: list[Any]) -> None:
    least, most = counts(field)
    if not field.get("required", True) and not values:
        return
    if not least <= len(values) <= most:
        raise ValueError(f"{field['custom_id']} takes {least} to {most}, not {len(values)}")

"""What Apiframe checks: its own schema first (400), then what the model behind it takes (a job that fails)."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.catalogue import Model
from bot.catalogue.sizes import closest_ratio

Check = Callable[[Any], bool]
COSTS = {  # what 3, 3.1 and 5 Pro cost is in no document
    "seedream-3": 3,
    "seedream-3.1": 3,
    "seedream-4": 3,
    "seedream-4.5": 4,
    "seedream-5-lite": 4,
    "seedream-5-pro": 12,
}
_CUSTOM = {"seedream-4", "seedream-4.5"}


def _whole(least: int | None = None, most: int | None = None) -> Check:
    def check(value: Any) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (least is None or value >= least) and (most is None or value <= most)

    return check


def _address(value: Any) -> bool:
    return isinstance(value, str) and bool(urlsplit(value).scheme)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_TOP: Mapping[str, Check] = {
    "model": lambda value: value in COSTS,
    "prompt": lambda value: isinstance(value, str) and 1 <= len(value) <= 2000,
    "webhookUrl": _address,
    "webhookEvents": lambda value: (
        isinstance(value, list) and bool(value) and {*value} <= {"progress", "completed", "failed"}
    ),
    "seedreamParams": lambda value: isinstance(value, dict),
}
_OWN: Mapping[str, Check] = {
    "aspect_ratio": _text,
    "size": _text,
    "resolution": _text,
    "width": _whole(512, 4096),
    "height": _whole(512, 4096),
    "image_input": lambda value: isinstance(value, list) and len(value) <= 14 and all(map(_address, value)),
    "output_format": lambda value: value in ("jpg", "png"),
    "enhance_prompt": _flag,
    "use_pre_llm": _flag,
    "seed": _whole(),
    "guidance_scale": lambda value: isinstance(value, int | float) and not _flag(value) and 1 <= value <= 10,
}


def problems(body: bytes) -> dict[str, list[str]]:
    """What is wrong with a request, by path; nothing where it suits the schema."""
    try:
        data = json.loads(body)
    except ValueError:
        return {"": ["Invalid JSON"]}
    if not isinstance(data, dict):
        return {"": ["Expected object"]}
    found = {name: ["Required"] for name in ("model", "prompt") if name not in data}
    found |= _level(data, _TOP, "")
    if isinstance(data.get("seedreamParams"), dict):
        found |= _level(data["seedreamParams"], _OWN, "seedreamParams.")
    return found


def _level(data: Mapping[str, Any], known: Mapping[str, Check], path: str) -> dict[str, list[str]]:
    found = {path + name: [f"Unrecognized key: {name}"] for name in data if name not in known}
    return found | {path + name: ["Invalid input"] for name in data if name in known and not known[name](data[name])}


def complaint(model: Model, own: Mapping[str, Any]) -> str:
    """Why the model behind it cannot do this, or ""."""
    size, ratio = own.get("size"), own.get("aspect_ratio")
    first = len(model.tiers) == 1
    exact = "width" in own or "height" in own
    if first and size:
        return "size is not a parameter of this model"
    if own.get("image_input") and not model.references:
        return "this model takes no images"
    if exact and (size == "custom" or first):
        return _exact_complaint(model, own)
    if exact:
        return "width and height need size custom"
    if size == "custom" or (size and size not in model.tiers):
        return f"size must be one of {', '.join(model.tiers)}"
    if ratio == "match_input_image":
        return "" if own.get("image_input") else "there is no image to match"
    if ratio and ratio not in model.tiers[model.default_tier]:
        return "aspect_ratio is not supported"
    return ""


def drawn_size(model: Model, own: Mapping[str, Any], given: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of what it draws. given: those of the first reference."""
    if "width" in own:
        return own["width"], own["height"]
    ratio = own.get("aspect_ratio", "1:1")
    if ratio == "match_input_image" and given:
        ratio = closest_ratio(model, *given)
    width, _, height = model.tiers[own.get("size", model.default_tier)][ratio].partition("x")
    return int(width), int(height)


def _exact_complaint(model: Model, own: Mapping[str, Any]) -> str:
    width, height = own.get("width", 0), own.get("height", 0)
    if len(model.tiers) > 1 and model.name not in _CUSTOM:
        return "custom sizes are not supported"
    if not (1024 <= width <= 4096 and 1024 <= height <= 4096):
        return "width and height must be between 1024 and 4096"
    if not model.min_pixels <= width * height <= model.max_pixels:
        return f"the size must have at least {model.min_pixels} pixels"
    return ""

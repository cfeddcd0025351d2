"""ModelArk's own strictness: what a request must be, and the exact words with which it is refused.

Simulators of other gateways extend it: they pass other models, caps and a rule for unknown keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.catalogue import Model
from bot.catalogue.sizes import sides
from bot.providers.sandbox.fields import Refused, invalid, known_to, missing, one_of, typed
from bot.providers.sandbox.references import check_layered, has_alpha, references

SERIES_TOTAL = 15
AUTO = "auto"  # the size of layers that are to be as large as the picture was
_NOT_KEYS = frozenset({"n", "quality", "style", "negative_prompt", "mask", "user"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that passed. `images` is how many may come; `size` a tier of the model, `WxH`, or `AUTO` for layers.

    background: "" where the model has none to choose.
    """

    model: Model
    prompt: str
    size: str
    images: int
    references: tuple[bytes, ...]
    base64: bool
    stream: bool
    format: str
    watermark: bool
    seed: int | None
    background: str = ""
    search: bool = False
    layers: bool = False


def check(
    body: Any, models: Mapping[str, Model], *, unknown_keys: bool = True, most_references: int | None = None
) -> Asked:
    """Raises `Refused`. models: by wire id; unknown_keys: whether keys that do not exist are ignored."""
    if not isinstance(body, dict):
        raise missing("model")
    fields = {name: value for name, value in body.items() if value is not None}
    model = _model(fields, models)
    if not unknown_keys and (wrong := sorted(_NOT_KEYS & fields.keys())):
        raise invalid(wrong[0], f"unknown parameter for model {model.id}")
    layers = known_to(model.layers > 0, fields, "layer_decomposition", model) and typed(
        fields, "layer_decomposition", bool, False
    )
    prompt = _prompt(fields, model, optional=layers)
    given = references(fields, model, most_references or model.references)
    if layers:
        check_layered(given)
    _check_optimize(fields, model)
    known_to(bool(model.guidance), fields, "guidance_scale", model)
    background = _background(fields, model, given)
    return Asked(
        model=model,
        prompt=prompt,
        size=_layered_size(fields, model) if layers else _size(fields, model),
        images=model.layers if layers else _images(fields, model, len(given)),
        references=given,
        base64=one_of(fields, "response_format", ("url", "b64_json"), "url") == "b64_json",
        stream=known_to(model.stream, fields, "stream", model) and typed(fields, "stream", bool, False),
        format=_format(fields, model, background, layers=layers),
        watermark=typed(fields, "watermark", bool, True),
        seed=_seed(fields),
        background=background,
        search=_search(fields, model),
        layers=layers,
    )


def _model(fields: Mapping[str, Any], models: Mapping[str, Model]) -> Model:
    name = typed(fields, "model", str, "")
    if not name:
        raise missing("model")
    if name not in models:
        message = f"The model or endpoint {name} does not exist or you do not have access to it."
        raise Refused(404, "InvalidEndpointOrModel.NotFound", message, "Not Found")
    return models[name]


def _prompt(fields: Mapping[str, Any], model: Model, *, optional: bool) -> str:
    prompt = typed(fields, "prompt", str, "")
    if not prompt.strip() and not optional:
        raise missing("prompt")
    if model.prompt_limit and len(prompt) > model.prompt_limit:
        raise invalid("prompt", f"prompt must be at most {model.prompt_limit} characters")
    return prompt


def _size(fields: Mapping[str, Any], model: Model) -> str:
    size = typed(fields, "size", str, model.default_tier)
    exact = sides(size)
    if not exact:
        return _tier(size, model)
    width, height = exact
    if width * height < model.min_pixels:
        raise invalid("size", f"image size must be at least {model.min_pixels} pixels")
    if width * height > model.max_pixels:
        raise invalid("size", f"image size must be at most {model.max_pixels} pixels")
    if not model.min_aspect <= width / height <= model.max_aspect:
        raise invalid("size", "image aspect ratio must be between 1/16 and 16")
    return f"{width}x{height}"


def _layered_size(fields: Mapping[str, Any], model: Model) -> str:
    size = typed(fields, "size", str, model.default_tier)
    return AUTO if size.lower() == AUTO else _tier(size, model)


def _tier(size: str, model: Model) -> str:
    # Tiers are taken in either case; "16:9" and "adaptive" are not.
    if size.upper() not in model.tiers:
        raise invalid("size", f"the specified size is not supported for model {model.id}")
    return size.upper()


def _images(fields: Mapping[str, Any], model: Model, given: int) -> int:
    key = "sequential_image_generation"
    if not (known_to(model.series, fields, key, model) and known_to(model.series, fields, f"{key}_options", model)):
        return 1
    if one_of(fields, key, ("auto", "disabled"), "disabled") == "disabled":
        return 1
    options = typed(fields, f"{key}_options", dict, {})
    images = typed(options, "max_images", int, SERIES_TOTAL)
    if not 1 <= images <= SERIES_TOTAL:
        raise invalid(f"{key}_options.max_images", f"max_images must be between 1 and {SERIES_TOTAL}")
    if given + images > SERIES_TOTAL:
        raise invalid(
            f"{key}_options.max_images",
            f"the number of input images and max_images must not exceed {SERIES_TOTAL} in total",
        )
    return images


def _check_optimize(fields: Mapping[str, Any], model: Model) -> None:
    known_to(bool(model.optimize), fields, "optimize_prompt_options", model)
    mode = typed(typed(fields, "optimize_prompt_options", dict, {}), "mode", str, "standard")
    if mode not in model.optimize and "optimize_prompt_options" in fields:
        raise invalid("optimize_prompt_options.mode", f"mode {mode} is not supported by model {model.id}")


def _background(fields: Mapping[str, Any], model: Model, given: tuple[bytes, ...]) -> str:
    if not known_to(bool(model.backgrounds), fields, "background", model):
        return ""
    background = one_of(fields, "background", model.backgrounds, model.backgrounds[0])
    if background == "transparent" and model.alpha_for_transparent and [has_alpha(one) for one in given] != [True]:
        raise invalid("background", "transparent requires exactly one input image with an alpha channel")
    return background


def _format(fields: Mapping[str, Any], model: Model, background: str, *, layers: bool) -> str:
    if not known_to(len(model.formats) > 1 and not layers, fields, "output_format", model):
        return "png" if layers else model.formats[0]
    clear = background == "transparent"
    # Where transparency needs no input, it decides the format too.
    default = "png" if clear and not model.alpha_for_transparent else model.formats[0]
    chosen = one_of(fields, "output_format", model.formats, default)
    if clear and chosen != "png":
        raise invalid("output_format", "a transparent background requires png")
    return chosen


def _search(fields: Mapping[str, Any], model: Model) -> bool:
    if not known_to(model.search, fields, "tools", model):
        return False
    tools = typed(fields, "tools", list, [])
    if not all(tool == {"type": "web_search"} for tool in tools):
        raise invalid("tools", "the only tool is web_search")
    return bool(tools)


def _seed(fields: Mapping[str, Any]) -> int | None:
    seed = typed(fields, "seed", int, -1)
    if not -1 <= seed <= 2_147_483_647:
        raise invalid("seed", "seed must be between -1 and 2147483647")
    return None if seed == -1 else seed

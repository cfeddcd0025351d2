"""ModelArk's own strictness: what a request must be, and the exact words with which it is refused.

Simulators of other gateways extend it: they pass other models, caps and a rule for unknown keys.
"""

import io
import re
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pybase64

from bot.catalogue import Model
from bot.catalogue.sizes import sides
from bot.errors import PictureError
from bot.media.sniff import measure

T = TypeVar("T")
SERIES_TOTAL = 15
_DATA_URI = re.compile(r"data:image/([A-Za-z0-9.+-]+);base64,")
_FORMATS = frozenset({"jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif"})
_NOT_KEYS = frozenset({"n", "quality", "style", "negative_prompt", "mask", "user"})


class Refused(Exception):
    """A refusal as it goes over the wire; the "Request id:" tail is added there."""

    def __init__(self, status: int, code: str, message: str, kind: str = "BadRequest") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that passed. `images` is how many may come; `size` a tier of the model or `WxH`."""

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


def check(
    body: Any, models: Mapping[str, Model], *, unknown_keys: bool = True, most_references: int | None = None
) -> Asked:
    """Raises `Refused`. models: by wire id; unknown_keys: whether keys that do not exist are ignored."""
    if not isinstance(body, dict):
        raise _missing("model")
    fields = {name: value for name, value in body.items() if value is not None}
    model = _model(fields, models)
    if not unknown_keys and (wrong := sorted(_NOT_KEYS & fields.keys())):
        raise _invalid(wrong[0], f"unknown parameter for model {model.id}")
    prompt = _typed(fields, "prompt", str, "")
    if not prompt.strip():
        raise _missing("prompt")
    if model.prompt_limit and len(prompt) > model.prompt_limit:
        raise _invalid("prompt", f"prompt must be at most {model.prompt_limit} characters")
    references = _references(fields, model, most_references or model.references)
    images = _images(fields, model, len(references))
    return Asked(
        model=model,
        prompt=prompt,
        size=_size(fields, model),
        images=images,
        references=references,
        base64=_one_of(fields, "response_format", ("url", "b64_json"), "url") == "b64_json",
        stream=_known_to(model.stream, fields, "stream", model) and _typed(fields, "stream", bool, False),
        format=_format(fields, model),
        watermark=_typed(fields, "watermark", bool, True),
        seed=_seed(fields),
    )


def _model(fields: Mapping[str, Any], models: Mapping[str, Model]) -> Model:
    name = _typed(fields, "model", str, "")
    if not name:
        raise _missing("model")
    if name not in models:
        message = f"The model or endpoint {name} does not exist or you do not have access to it."
        raise Refused(404, "InvalidEndpointOrModel.NotFound", message, "Not Found")
    return models[name]


def _size(fields: Mapping[str, Any], model: Model) -> str:
    size = _typed(fields, "size", str, model.default_tier)
    exact = sides(size)
    if not exact:
        # Tiers are taken in either case; "16:9" and "adaptive" are not.
        if size.upper() not in model.tiers:
            raise _invalid("size", f"the specified size is not supported for model {model.id}")
        return size.upper()
    width, height = exact
    if width * height < model.min_pixels:
        raise _invalid("size", f"image size must be at least {model.min_pixels} pixels")
    if width * height > model.max_pixels:
        raise _invalid("size", f"image size must be at most {model.max_pixels} pixels")
    if not model.min_aspect <= width / height <= model.max_aspect:
        raise _invalid("size", "image aspect ratio must be between 1/16 and 16")
    return f"{width}x{height}"


def _images(fields: Mapping[str, Any], model: Model, references: int) -> int:
    key = "sequential_image_generation"
    if not (_known_to(model.series, fields, key, model) and _known_to(model.series, fields, f"{key}_options", model)):
        return 1
    if _one_of(fields, key, ("auto", "disabled"), "disabled") == "disabled":
        return 1
    options = _typed(fields, f"{key}_options", dict, {})
    images = _typed(options, "max_images", int, SERIES_TOTAL)
    if not 1 <= images <= SERIES_TOTAL:
        raise _invalid(f"{key}_options.max_images", f"max_images must be between 1 and {SERIES_TOTAL}")
    if references + images > SERIES_TOTAL:
        raise _invalid(
            f"{key}_options.max_images",
            f"the number of input images and max_images must not exceed {SERIES_TOTAL} in total",
        )
    return images


def _references(fields: Mapping[str, Any], model: Model, most: int) -> tuple[bytes, ...]:
    given = fields.get("image", [])
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise _invalid("image", "image must be a string or an array of strings")
    if len(given) > most:
        raise _invalid("image", f"the number of input images must not exceed {most}")
    return tuple(_reference(item, model) for item in given)


def _reference(item: str, model: Model) -> bytes:
    if item.startswith(("http://", "https://")):
        # This server reaches nothing; the real one gives a link 5 seconds.
        raise _invalid("image", f"Timeout while downloading url={item.partition('?')[0]}", are=True)
    head = _DATA_URI.match(item)
    if not head:
        raise _invalid("image", "invalid url specified")
    if head[1] not in _FORMATS:
        raise _invalid("image", f"unsupported image format {head[1]}, the format must be in lower case")
    try:
        data = pybase64.b64decode(item[head.end() :].encode(), validate=True)
    except (NotBase64, ValueError):
        raise _invalid("image", "invalid base64 image") from None
    if len(data) > model.inputs.max_bytes:
        raise _invalid("image", f"image size must be at most {model.inputs.max_bytes} bytes")
    _judge(data, model)
    return data


def _judge(data: bytes, model: Model) -> None:
    try:
        width, height = measure(io.BytesIO(data))
    except PictureError:
        raise _invalid("image", "the image could not be decoded") from None
    limits = model.inputs
    if min(width, height) < limits.min_side or width * height > limits.max_pixels:
        raise _invalid("image", f"image of {width}x{height} is outside of the supported size")
    if not limits.min_aspect <= width / height <= limits.max_aspect:
        raise _invalid("image", "image aspect ratio must be between 1/16 and 16")


def _format(fields: Mapping[str, Any], model: Model) -> str:
    chosen = len(model.formats) > 1
    _known_to(chosen, fields, "output_format", model)
    return _one_of(fields, "output_format", model.formats, model.formats[0]) if chosen else model.formats[0]


def _seed(fields: Mapping[str, Any]) -> int | None:
    seed = _typed(fields, "seed", int, -1)
    if not -1 <= seed <= 2_147_483_647:
        raise _invalid("seed", "seed must be between -1 and 2147483647")
    return None if seed == -1 else seed


def _known_to(known: bool, fields: Mapping[str, Any], key: str, model: Model) -> bool:
    """Some models refuse the mere presence of a key."""
    if not known and key in fields:
        raise _invalid(key, f"{key} is not supported by model {model.id}")
    return known


def _one_of(fields: Mapping[str, Any], key: str, values: tuple[str, ...], default: str) -> str:
    value = fields.get(key, default)
    if value not in values:
        raise _invalid(key, f"must be one of {', '.join(values)}")
    return str(value)


def _typed(fields: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = fields.get(key, default)
    if type(value) is not kind:  # a bool is an int to isinstance, and not to the server
        raise _invalid(key, f"expected {kind.__name__}")
    return value


def _invalid(key: str, message: str, *, are: bool = False) -> Refused:
    verb = "are" if are else "is"  # the live server's grammar
    return Refused(
        400, "InvalidParameter", f"The parameter `{key}` specified in the request {verb} not valid: {message}."
    )


def _missing(key: str) -> Refused:
    message = f"The request failed because it is missing one or multiple required parameters: `{key}`."
    return Refused(400, f"MissingParameter.{key}", message)

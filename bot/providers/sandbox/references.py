"""What a picture in a request must be: how many, how given, how large, and whether it is transparent."""

import io
import re
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any

import pybase64

from bot.catalogue import Model
from bot.errors import PictureError
from bot.media.sniff import HEAD, measure, sniff
from bot.providers.sandbox.fields import invalid

_LEAST_LAYERED = 262_144  # pixels of a picture that is taken apart
_DATA_URI = re.compile(r"data:image/([A-Za-z0-9.+-]+);base64,")
_FORMATS = frozenset({"jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif"})


def references(fields: Mapping[str, Any], model: Model, most: int) -> tuple[bytes, ...]:
    given = fields.get("image", [])
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise invalid("image", "image must be a string or an array of strings")
    if len(given) > most:
        raise invalid("image", f"the number of input images must not exceed {most}")
    return tuple(_reference(item, model) for item in given)


def check_layered(given: tuple[bytes, ...]) -> None:
    """The one picture that is taken apart into layers."""
    if len(given) != 1:
        raise invalid("image", "layer_decomposition requires exactly one input image")
    if sniff(given[0][:HEAD]) not in ("image/png", "image/jpeg"):
        raise invalid("image", "layer_decomposition supports png and jpeg images only")
    width, height = measure(io.BytesIO(given[0]))
    if width * height < _LEAST_LAYERED:
        raise invalid("image", f"image size must be at least {_LEAST_LAYERED} pixels")


def has_alpha(data: bytes) -> bool:
    """Whether a PNG or WebP can hold transparency, from its header."""
    match sniff(data[:HEAD]):
        case "image/png":
            before_pixels = data[: max(0, data.find(b"IDAT"))]
            return data[25] in (4, 6) or b"tRNS" in before_pixels
        case "image/webp":
            return (data[12:16] == b"VP8X" and bool(data[20] & 0x10)) or (
                data[12:16] == b"VP8L" and bool(data[24] & 0x10)
            )
        case _:
            return False


def _reference(item: str, model: Model) -> bytes:
    if item.startswith(("http://", "https://")):
        # This server reaches nothing; the real one gives a link 5 seconds.
        raise invalid("image", f"Timeout while downloading url={item.partition('?')[0]}", are=True)
    head = _DATA_URI.match(item)
    if not head:
        raise invalid("image", "invalid url specified")
    if head[1] not in _FORMATS:
        raise invalid("image", f"unsupported image format {head[1]}, the format must be in lower case")
    try:
        data = pybase64.b64decode(item[head.end() :].encode(), validate=True)
    except (NotBase64, ValueError):
        raise invalid("image", "invalid base64 image") from None
    if len(data) > model.inputs.max_bytes:
        raise invalid("image", f"image size must be at most {model.inputs.max_bytes} bytes")
    _judge(data, model)
    return data


def _judge(data: bytes, model: Model) -> None:
    try:
        width, height = measure(io.BytesIO(data))
    except PictureError:
        raise invalid("image", "the image could not be decoded") from None
    limits = model.inputs
    if min(width, height) < limits.min_side or width * height > limits.max_pixels:
        raise invalid("image", f"image of {width}x{height} is outside of the supported size")
    if not limits.min_aspect <= width / height <= limits.max_aspect:
        raise invalid("image", "image aspect ratio must be between 1/16 and 16")

"""What Novita AI takes for each model, as its pages say it, and how it refuses the rest."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pybase64

from bot.catalogue.sizes import sides
from bot.errors import PictureError
from bot.media.sniff import HEAD, measure, sniff

SERIES_TOTAL = 15  # pictures given and pictures wanted, upstream
_DATA_URI = re.compile(r"data:image/([a-z]+);base64,")
_SEQUENTIAL = "sequential_image_generation"
_OPTIONS = f"{_SEQUENTIAL}_options"
_ALWAYS = frozenset({"prompt", "size", "watermark", _SEQUENTIAL})
_SQUARES = {"1K": 1024, "2K": 2048, "3K": 3072, "4K": 4096}
_LATER_FORMATS = ("jpeg", "png", "webp", "bmp", "tiff", "gif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One model's page: how it names the references, and what it takes. Pixels and aspects are inclusive."""

    references: str
    most_references: int
    formats: tuple[str, ...]
    aspect: float
    tiers: tuple[str, ...]
    least: int
    most: int

    @property
    def flat(self) -> bool:
        """`max_images` stands by itself, not within options."""
        return self.references == "images"

    @property
    def keys(self) -> frozenset[str]:
        own = {"max_images"} if self.flat else {_OPTIONS, "optimize_prompt_options"}
        return _ALWAYS | {self.references} | own


PAGES = {
    "seedream-4.0": Page(
        references="images",
        most_references=10,
        formats=("jpeg", "png"),
        aspect=3.0,
        tiers=("1K", "2K", "4K"),
        least=1024 * 1024,
        most=4096 * 4096,
    ),
    "seedream-4.5": Page(
        references="image",
        most_references=14,
        formats=_LATER_FORMATS,
        aspect=16.0,
        tiers=("2K", "4K"),
        least=3_686_400,
        most=16_777_216,
    ),
    "seedream-5.0-lite": Page(
        references="image",
        most_references=14,
        formats=_LATER_FORMATS,
        aspect=16.0,
        tiers=("2K", "3K"),
        least=3_686_400,
        most=10_404_496,
    ),
}


class Problem(Exception):
    """code: ModelArk's, in the one shape of errors; reason: the platform's own, in the other."""

    def __init__(self, status: int, code: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    width: int
    height: int
    images: int
    watermark: bool
    references: tuple[bytes, ...]


def check(page: Page, body: bytes) -> Asked:
    """Raises `Problem`."""
    try:
        fields = json.loads(body)
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(fields, dict):
        raise invalid("the body must be an object")
    if not isinstance(fields.get("prompt"), str) or not fields["prompt"].strip():
        raise _missing("prompt")
    if unknown := sorted(fields.keys() - page.keys):
        raise invalid(f"unknown field {unknown[0]}")
    if fields.get("optimize_prompt_options", {"mode": "standard"}) != {"mode": "standard"}:
        raise invalid("optimize_prompt_options.mode must be standard")
    if type(fields.get("watermark", True)) is not bool:
        raise invalid("watermark must be a boolean")
    references = _references(page, fields)
    width, height = _size(page, fields.get("size", "2K"))
    return Asked(
        width=width,
        height=height,
        images=_images(page, fields, len(references)),
        watermark=fields.get("watermark", True),
        references=references,
    )


def _size(page: Page, size: Any) -> tuple[int, int]:
    if not isinstance(size, str):
        raise invalid("size must be a string")
    if size in page.tiers:
        return _SQUARES[size], _SQUARES[size]
    found = sides(size)
    if found is None or not page.least <= found[0] * found[1] <= page.most:
        raise invalid(f"size must be one of {page.tiers} or have {page.least} to {page.most} pixels")
    if not 1 / 16 <= found[0] / found[1] <= 16:
        raise invalid("size must have an aspect ratio between 1/16 and 16")
    return found


def _images(page: Page, fields: Mapping[str, Any], references: int) -> int:
    """How many may come. Without a count it is all that there is room for."""
    if fields.get(_SEQUENTIAL, "disabled") not in ("auto", "disabled"):
        raise invalid(f"{_SEQUENTIAL} must be auto or disabled")
    options = {} if page.flat else fields.get(_OPTIONS, {})
    if not isinstance(options, dict) or options.keys() - {"max_images"}:
        raise invalid(f"{_OPTIONS} must be an object that holds max_images")
    most = (fields if page.flat else options).get("max_images", SERIES_TOTAL - references)
    if type(most) is not int or not 1 <= most <= SERIES_TOTAL:
        raise invalid(f"max_images must be between 1 and {SERIES_TOTAL}")
    if fields.get(_SEQUENTIAL) != "auto":
        return 1
    if references + most > SERIES_TOTAL:
        raise invalid(f"references and max_images must not exceed {SERIES_TOTAL} together")
    return most


def _references(page: Page, fields: Mapping[str, Any]) -> tuple[bytes, ...]:
    given = fields.get(page.references)
    if given is None:
        return ()
    if not isinstance(given, list) or not 1 <= len(given) <= page.most_references:
        raise invalid(f"{page.references} must be an array of 1 to {page.most_references}")
    return tuple(_reference(page, item) for item in given)


def _reference(page: Page, item: Any) -> bytes:
    head = _DATA_URI.match(item) if isinstance(item, str) else None
    if head is None or head[1] not in page.formats:
        raise invalid(f"{page.references} must hold data URIs of {page.formats}")
    try:
        data = pybase64.b64decode(item[head.end() :], validate=True)
        width, height = measure(io.BytesIO(data))
    except (ValueError, PictureError):
        raise invalid(f"{page.references} holds something that is no picture") from None
    if len(data) > 10_000_000 or sniff(data[:HEAD]) != f"image/{head[1]}":
        raise invalid(f"{page.references} holds a picture above 10 MB or of another format than it says")
    if not 1 / page.aspect <= width / height <= page.aspect:
        raise invalid(f"{page.references} must have an aspect ratio of at most {page.aspect:g}")
    return data


def invalid(message: str) -> Problem:
    return Problem(400, "InvalidParameter", "INVALID_REQUEST", message)


def _missing(key: str) -> Problem:
    return Problem(400, f"MissingParameter.{key}", "INVALID_REQUEST", f"{key} is required")

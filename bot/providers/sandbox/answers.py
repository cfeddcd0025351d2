"""What the server says: bodies, errors and stream frames in ModelArk's own shape."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pybase64

from bot.providers.sandbox.fields import Refused
from bot.providers.sandbox.layers import Layer
from bot.providers.sandbox.rules import Asked

_PIECE = 3 * 256 * 1024
PICTURE = "\u0000picture"  # stands in the JSON where the base64 goes; no field of ours can hold it

RESULT_REFUSED = Refused(
    400,
    "OutputImageSensitiveContentDetected",
    "The request failed because the output image may contain sensitive information.",
)
WORDS_REFUSED = Refused(
    400,
    "InputTextSensitiveContentDetected",
    "The request failed because the input text may contain sensitive information.",
)
REFERENCE_REFUSED = Refused(
    400,
    "InputImageSensitiveContentDetected",
    "The request failed because the input image may contain sensitive information.",
)
BUSY = Refused(
    429,
    "ModelAccountIpmRateLimitExceeded",
    "Images per minute (IPM) limit of this model is exceeded for the account. Please try again later.",
    "TooManyRequests",
)
FAILED = Refused(
    500, "InternalServiceError", "The service encountered an unexpected internal error.", "InternalServerError"
)
NO_KEY = Refused(
    401, "AuthenticationError", "The API key or AK/SK in the request is missing or invalid.", "Unauthorized"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One entry of an answer: a picture in a file (with its link where links were asked for), or why there is none."""

    index: int
    width: int = 0
    height: int = 0
    file: Path | None = None
    link: str = ""
    refused: Refused | None = None
    layer: Layer | None = None


def error_body(refused: Refused, request_id: str) -> dict[str, Any]:
    return {"error": {**_error(refused, request_id), "param": "", "type": refused.kind}}


def answer_body(asked: Asked, made: Sequence[Made], created: int, request_id: str) -> dict[str, Any]:
    """The answer with `PICTURE` for each picture in base64."""
    body = {
        "model": asked.model.id,
        "created": created,
        "data": [_entry(asked, one, request_id) for one in made],
        "usage": _usage(asked, made),
    }
    if asked.search:
        body["tools"] = [{"type": "web_search"}]
    return body


def answer_pieces(asked: Asked, made: Sequence[Made], created: int, request_id: str) -> tuple[int, Iterator[bytes]]:
    """The length of the whole answer, and its bytes piece by piece, so that no picture is held in memory."""
    body = answer_body(asked, made, created, request_id)
    words = json.dumps(body).encode().split(json.dumps(PICTURE).encode()[1:-1])
    files = [one.file for one in made if one.file and not one.link]
    length = sum(map(len, words)) + sum(4 * -(-file.stat().st_size // 3) for file in files)
    return length, _pieces(words, files)


def picture_frame(asked: Asked, one: Made, created: int, request_id: str) -> bytes:
    data = picture_event(asked, one, created, request_id)
    if one.file and not one.link:
        data["b64_json"] = pybase64.b64encode(one.file.read_bytes()).decode()
    return _frame(data)


def picture_event(asked: Asked, one: Made, created: int, request_id: str) -> dict[str, Any]:
    """As `answer_body`, of one picture in a stream."""
    kind = "image_generation.partial_failed" if one.refused else "image_generation.partial_succeeded"
    about = {"type": kind, "model": asked.model.id, "created": created, "image_index": one.index}
    return {**about, **_entry(asked, one, request_id)}


def completed_frames(asked: Asked, made: Sequence[Made], created: int) -> bytes:
    return _frame(completed_event(asked, made, created)) + b"data: [DONE]\n\n"


def completed_event(asked: Asked, made: Sequence[Made], created: int) -> dict[str, Any]:
    about = {"type": "image_generation.completed", "model": asked.model.id, "created": created}
    return {**about, "usage": _usage(asked, made)}


def _pieces(words: list[bytes], files: list[Path]) -> Iterator[bytes]:
    yield words[0]
    for path, after in zip(files, words[1:], strict=True):
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield pybase64.b64encode(piece)
        yield after


def _entry(asked: Asked, one: Made, request_id: str) -> dict[str, Any]:
    if one.refused:
        return {"error": _error(one.refused, request_id)}
    entry: dict[str, Any] = {"url": one.link} if one.link else {"b64_json": PICTURE}
    entry["size"] = f"{one.width}x{one.height}"
    if len(asked.model.formats) > 1:
        entry["output_format"] = asked.format
    if asked.background and not asked.model.alpha_for_transparent:  # 5.5 says what came of "auto"
        entry["background"] = "transparent" if asked.background == "transparent" else "opaque"
    return {**entry, **_place(one)}


def _place(one: Made) -> dict[str, Any]:
    """Where a layer belongs; the base has no box."""
    if not one.layer:
        return {}
    place: dict[str, Any] = {"z_index": one.index, "name": one.layer.name, "description": one.layer.description}
    if one.layer.box:
        place["bounding_box"] = {"absolute": list(one.layer.box), "normalized": one.layer.normalized}
    return place


def _usage(asked: Asked, made: Sequence[Made]) -> dict[str, Any]:
    came = [one for one in made if not one.refused]
    tokens = round(sum(one.width * one.height for one in came) / 256)
    usage: dict[str, Any] = {"generated_images": len(came), "output_tokens": tokens, "total_tokens": tokens}
    if not asked.model.series:  # 5.0 Pro and later count what was given, too
        usage["input_images"] = len(asked.references)
    if asked.search:
        usage["tool_usage"] = {"web_search": 1}
    return usage


def _error(refused: Refused, request_id: str) -> dict[str, Any]:
    return {"code": refused.code, "message": f"{refused.message} Request id: {request_id}"}


def _frame(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()

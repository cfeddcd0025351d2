"""What the server says: bodies, errors and stream frames in ModelArk's own shape."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pybase64

from bot.providers.sandbox.rules import Asked, Refused

_PIECE = 3 * 256 * 1024
_PICTURE = "\u0000picture"  # stands in the JSON where the base64 goes; no field of ours can hold it

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


def error_body(refused: Refused, request_id: str) -> dict[str, Any]:
    return {"error": {**_error(refused, request_id), "param": "", "type": refused.kind}}


def answer_pieces(asked: Asked, made: Sequence[Made], created: int, request_id: str) -> tuple[int, Iterator[bytes]]:
    """The length of the whole answer, and its bytes piece by piece, so that no picture is held in memory."""
    body = {
        "model": asked.model.id,
        "created": created,
        "data": [_entry(asked, one, request_id) for one in made],
        "usage": _usage(asked, made),
    }
    words = json.dumps(body).encode().split(json.dumps(_PICTURE).encode()[1:-1])
    files = [one.file for one in made if one.file and not one.link]
    length = sum(map(len, words)) + sum(4 * -(-file.stat().st_size // 3) for file in files)
    return length, _pieces(words, files)


def picture_frame(asked: Asked, one: Made, created: int, request_id: str) -> bytes:
    kind = "partial_failed" if one.refused else "partial_succeeded"
    data = {"model": asked.model.id, "created": created, "image_index": one.index, **_entry(asked, one, request_id)}
    if one.file and not one.link:
        data["b64_json"] = pybase64.b64encode(one.file.read_bytes()).decode()
    return _frame(f"image_generation.{kind}", data)


def completed_frames(asked: Asked, made: Sequence[Made], created: int) -> bytes:
    data = {"model": asked.model.id, "created": created, "usage": _usage(asked, made)}
    return _frame("image_generation.completed", data) + b"data: [DONE]\n\n"


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
    entry: dict[str, Any] = {"url": one.link} if one.link else {"b64_json": _PICTURE}
    entry["size"] = f"{one.width}x{one.height}"
    if len(asked.model.formats) > 1:
        entry["output_format"] = asked.format
    return entry


def _usage(asked: Asked, made: Sequence[Made]) -> dict[str, int]:
    came = [one for one in made if one.file]
    tokens = round(sum(one.width * one.height for one in came) / 256)
    usage = {"generated_images": len(came), "output_tokens": tokens, "total_tokens": tokens}
    if not asked.model.series:  # 5.0 Pro and later count what was given, too
        usage["input_images"] = len(asked.references)
    return usage


def _error(refused: Refused, request_id: str) -> dict[str, Any]:
    return {"code": refused.code, "message": f"{refused.message} Request id: {request_id}"}


def _frame(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()

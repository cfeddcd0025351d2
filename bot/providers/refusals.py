"""What an Images API means by an error: its code decides first, then its words, then the HTTP status.

Gateways pass the same refusal on as 400, 403 or 200, and use 429 for an empty balance; so the status comes last.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.i18n import text
from bot.providers.transport import split_request_id

# What is read of an error, in characters: the patterns below take the square of a message's length.
MOST_MESSAGE, MOST_CODE = 1000, 100
LEAST_HIDDEN = 8  # shorter, and hiding it would tear words apart
LONGEST_WAIT = 600.0  # seconds; a server that wants more is asked again all the same, or nobody ever knows
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S+")

# The first pattern that a code matches decides.
_CODES = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"OutputImage(SensitiveContent|Risk)", "result"),
        (r"InputImage(SensitiveContent|Risk)", "reference"),
        (r"InputText(SensitiveContent|Risk)|SensitiveContentDetected", "words"),
        (r"ContentSecurityDetectionError", "busy"),
        (r"QuotaExceeded|SetLimitExceeded|insufficient_user_quota", "misconfigured"),
        (r"RateLimit|InflightBatchsizeExceeded|ServerOverloaded|RequestBurstTooFast", "busy"),
        (r"AuthenticationError|InvalidAccountStatus|AccountOverdue|OperationDenied|AccessDenied", "misconfigured"),
        (r"ModelNotOpen|InvalidEndpoint|UnsupportedModel|ModelIDAccessDisabled|InvalidApiKey", "misconfigured"),
        (r"MissingParameter|InvalidParameter|InvalidImageURL", "refused"),
        (r"InternalServiceError|InternalError", "unknown"),
    )
)
_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"output (image|picture).*(sensitive|policy|risk)", "result"),
        (r"input (image|picture).*(sensitive|policy|risk)", "reference"),
        (r"sensitive|content.?policy|moderation|敏感|违规", "words"),
        (r"insufficient|not enough|balance|overdue|余额|额度|令牌|invalid (api.?)?(key|token)", "misconfigured"),
        (r"rate.?limit|too many requests|overloaded|限流|请求过于频繁", "busy"),
    )
)


def refusal(
    status: int,
    body: bytes,
    *,
    retry_after: str = "",
    request_id: str = "",
    now: datetime,
    hide: tuple[str, ...] = (),
) -> ProviderError:
    """The error that an answer with an error status means. hide: secrets that the server may say back to us."""
    error = _error_of(body, hide)
    message, tail_id = split_request_id(error.get("message", ""))
    detail = " ".join(
        filter(None, (str(status), error.get("code", ""), f"request {request_id or tail_id or 'unknown'}"))
    )
    meaning = _meaning(status, error.get("code", ""), message)
    return _build(meaning, message, detail, seconds_of(retry_after, now))


def item_refusal(error: Mapping[str, Any], *, request_id: str = "", hide: tuple[str, ...] = ()) -> ProviderError:
    """Why one picture of several did not come. Only pictures that came are billed, so this one is not."""
    code = _plain(str(error.get("code") or ""), MOST_CODE, hide)
    message = _plain(str(error.get("message") or ""), MOST_MESSAGE, hide)
    message, tail_id = split_request_id(message)
    detail = f"picture refused: {code} request {request_id or tail_id or 'unknown'}"
    meaning = _meaning(400, code, message)
    if meaning in ("words", "reference", "result"):
        return ContentRefused(meaning, detail=detail)
    return ProviderRefused(text("it could not draw this picture"), detail=detail)


def whole_refusal(error: Any, *, request_id: str = "", hide: tuple[str, ...] = ()) -> ProviderError:
    """An error for the whole request inside an answer that says 200, or inside a stream."""
    wrapped = json.dumps({"error": error}).encode()
    found = _error_of(wrapped, hide)
    message, tail_id = split_request_id(found.get("message", ""))
    detail = f"200 with {found.get('code', 'an error')} request {request_id or tail_id or 'unknown'}"
    return _build(_meaning(200, found.get("code", ""), message), message, detail, None)


def seconds_of(retry_after: str, now: datetime) -> float | None:
    """A Retry-After header in seconds from now: a number or an HTTP date; None where it says neither."""
    value = retry_after.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return min(LONGEST_WAIT, float(value))
    try:
        return min(LONGEST_WAIT, max(0.0, (parsedate_to_datetime(value) - now).total_seconds()))
    except (TypeError, ValueError):
        return None


def _meaning(status: int, code: str, message: str) -> str:
    for pattern, meaning in _CODES:
        if code and pattern.search(code):
            return meaning
    # What a broken server or gateway says in passing is no promise that nothing was drawn.
    if 400 <= status < 500:
        for pattern, meaning in _WORDS:
            if pattern.search(message):
                return meaning
    match status:
        case 200:
            return "broken"
        case 408:
            return "unknown"
        case 429:
            return "busy"
        case 300 | 301 | 302 | 303 | 307 | 308 | 401 | 402 | 403 | 404 | 405:
            return "misconfigured"
        case _ if 400 <= status < 500:
            return "refused"
        case _:
            return "unknown"


def _build(meaning: str, message: str, detail: str, retry_after: float | None) -> ProviderError:
    match meaning:
        case "words" | "reference" | "result":
            return ContentRefused(meaning, detail=detail)
        case "busy":
            return ProviderBusy(retry_after=retry_after, detail=detail)
        case "misconfigured":
            return ProviderMisconfigured(detail=detail)  # without their words: they may repeat ours, or the key
        case "refused":
            return ProviderRefused(message[:300] or text("no reason given"), detail=detail)
        case "broken":
            return AnswerBroken(detail=detail)
        case _:
            return OutcomeUnknown(detail=detail)


def _error_of(body: bytes, hide: tuple[str, ...]) -> dict[str, str]:
    """`code` and `message` of the error bodies seen: {"error": {…}}, {"error": "words"}, or the two at the top."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    match data:
        case {"error": {"message": "", "localized_message": str(words)} as error}:
            error = {**error, "message": words}
        case {"error": dict() as error}:
            pass
        case {"error": str(words)}:
            error = {"message": words}
        case {"message": str()} | {"code": str()}:
            error = data
        case _:
            return {}
    most = {"code": MOST_CODE, "message": MOST_MESSAGE}
    return {name: _plain(value, most[name], hide) for name in most if isinstance(value := error.get(name), str)}


def _plain(words: str, most: int, hide: tuple[str, ...]) -> str:
    """A server's words as people and logs may have them: short, in one line, without secrets and signed links."""
    words = " ".join(words[: 4 * most].split())
    for secret in hide:
        if len(secret) >= LEAST_HIDDEN:
            words = words.replace(" ".join(secret.split()), "…")
    words = "".join(letter for letter in _QUERY.sub(r"\1?…", words) if letter.isprintable())
    return words[:most]

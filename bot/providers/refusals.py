"""What an Images API means by an error: its code decides first, then its words, then the HTTP status.

Gateways pass the same refusal on as 400, 403 or 200, and use 429 for an empty balance; so the status comes last.
The meanings are the stages of moderation, "busy", "exhausted" (the operator's account), "misconfigured", "model" (that
one only), "refused", "broken" and "unknown".
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
    ModelMisconfigured,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.i18n import text
from bot.providers.base import Probed
from bot.providers.transport import split_request_id

# What is read of an error, in characters: the patterns below take the square of a message's length.
MOST_MESSAGE, MOST_CODE = 1000, 100
LEAST_HIDDEN = 8  # shorter, and hiding it would tear words apart
LONGEST_WAIT = 600.0  # seconds; a server that wants more is asked again all the same, or nobody ever knows
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S+")

# The first pattern that a code matches decides; codes are compared without their underscores.
_CODES = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"OutputImage(SensitiveContent|Risk)", "result"),
        (r"InputImage(SensitiveContent|Risk)", "reference"),
        (r"InputText(SensitiveContent|Risk)|SensitiveContentDetected", "words"),
        (r"ContentSecurityDetectionError", "busy"),
        (r"QuotaExceeded|SetLimitExceeded|Insufficient(User)?Quota|TokenQuotaFailed|NotEnoughBalance", "exhausted"),
        (r"AccountOverdue|ServiceOverdue", "exhausted"),
        (r"RateLimit|InflightBatchsizeExceeded|ServerOverloaded|RequestBurstTooFast", "busy"),
        (r"AuthenticationError|InvalidAccountStatus|OperationDenied|AccessDenied|InvalidApiKey", "misconfigured"),
        (r"ModelNotOpen|InvalidEndpoint|UnsupportedModel|ModelIDAccessDisabled|ModelNotFound", "model"),
        (r"MissingParameter|InvalidParameter|InvalidImageURL", "refused"),
        (r"InternalServiceError|InternalError", "unknown"),
    )
)
_MODERATION = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"output (image|picture).*(sensitive|policy|risk)", "result"),
        (r"input (image|picture).*(sensitive|policy|risk)", "reference"),
        (r"sensitive|content.?policy|moderation|敏感|违规", "words"),
    )
)
_WORDS = _MODERATION + tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"(insufficient|not enough).{0,20}(quota|credit|fund)|(quota|credits|funds) (is|are) not enough", "exhausted"),
        (r"balance|overdue|欠费|余额|额度", "exhausted"),
        (r"令牌|invalid (api.?)?(key|token)", "misconfigured"),
        (r"rate.?limit|too many requests|overloaded|限流|请求过于频繁", "busy"),
    )
)
# How an empty request is refused by who knows the key: for what it lacks.
_LACKING = re.compile(
    r"MissingParameter|InvalidParameter|InvalidEndpoint|ModelNotOpen|UnsupportedModel|ModelNotFound", re.IGNORECASE
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
    code = plain(str(error.get("code") or ""), MOST_CODE, hide)
    message = plain(str(error.get("message") or ""), MOST_MESSAGE, hide)
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


def error_in(entry: Any) -> dict[str, Any]:
    """The error that an entry of a list is, {} where it is none: some gateways fill absent fields with nothing."""
    match entry:
        case {"error": dict(error)} if any(error.values()):
            return error
        case {"error": str(words)} if words:
            return {"message": words}
        case _:
            return {}


def entries_of(data: dict[str, Any], *, request_id: str, hide: tuple[str, ...] = ()) -> list[Any]:
    """The entries of an answer that says 200. Raises what it means that it has none."""
    match data:
        case {"data": [first, *_] as entries} if not _names_task(first):
            return list(entries)
        case {"error": error} if error:
            raise whole_refusal(error, request_id=request_id, hide=hide)
        case {"data": [task, *_] | task} if _names_task(task):
            raise _asynchronous(request_id)
        case _ if _names_task(data):
            raise _asynchronous(request_id)
        case {"data": []} | {"data": None}:
            raise AnswerBroken(detail=f"no picture, request {request_id}")
        case _:
            raise AnswerBroken(detail=f"no data, request {request_id}")


def _names_task(said: Any) -> bool:
    """Whether this is the name of something to be polled, and no picture."""
    if not isinstance(said, dict) or said.get("url") or said.get("b64_json"):
        return False
    return bool(said.get("task_id") or said.get("taskId") or (said.get("id") and said.get("status")))


def _asynchronous(request_id: str) -> AnswerBroken:
    return AnswerBroken(
        detail="this gateway answers with a task to be polled, which is not supported; "
        f"it may have billed the task, request {request_id}"
    )


def seconds_of(retry_after: str, now: datetime) -> float | None:
    """A Retry-After header in seconds from now: a number or an HTTP date; None where it says neither."""
    value = retry_after.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return min(LONGEST_WAIT, float(value))
    try:
        return min(LONGEST_WAIT, max(0.0, (parsedate_to_datetime(value) - now).total_seconds()))
    except (TypeError, ValueError):
        return None


def listed(status: int, body: bytes, *, hide: tuple[str, ...] = ()) -> Probed:
    """What an answer to the question for the list of models tells about the key."""
    if not 200 <= status < 300:
        return _turned_away(status, body, hide)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Probed(well=False, told="what stands there is no image API: its list of models is not JSON")
    models = data.get("data") if isinstance(data, dict) else None
    ids = [str(one.get("id")) for one in models or () if isinstance(one, dict)] if isinstance(models, list) else []
    count = sum("seedream" in name.lower() for name in ids)
    return Probed(well=True, told=f"the key is accepted; Seedream models listed: {count}", models=tuple(ids))


def refused_empty(status: int, body: bytes, *, hide: tuple[str, ...] = ()) -> Probed:
    """What an answer to a request without any field tells about the key: who knows it misses the fields."""
    if status in (400, 404) and _LACKING.search(_error_of(body, hide).get("code", "").replace("_", "")):
        return Probed(well=True, told="the key is accepted")
    return _turned_away(status, body, hide)


def _turned_away(status: int, body: bytes, hide: tuple[str, ...]) -> Probed:
    error = _error_of(body, hide)
    said = " ".join(filter(None, (str(status), error.get("code", ""))))
    if _meaning(status, error.get("code", ""), error.get("message", "")) == "exhausted":
        return Probed(well=False, told=f"the account's balance or quota is used up ({said})")
    if status in (401, 403):
        return Probed(well=False, told=f"the key is not accepted ({said})")
    return Probed(well=False, told=f"it answered {said}")


def _meaning(status: int, code: str, message: str) -> str:
    for pattern, meaning in _CODES:
        if code and pattern.search(code.replace("_", "")):
            return meaning
    # What a broken server or gateway says in passing is no promise that nothing was drawn.
    words = _WORDS if 400 <= status < 500 else _MODERATION if status == 200 else ()
    for pattern, meaning in words:
        if pattern.search(message):
            return meaning
    match status:
        case 200:
            return "broken"
        case 402:
            return "exhausted"
        case 303 | 408 | 499:  # it was read: the answer lies elsewhere, or somebody between us gave up waiting
            return "unknown"
        case 429:
            return "busy"
        case 300 | 301 | 302 | 307 | 308 | 401 | 403 | 404 | 405:
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
        case "exhausted":
            return ProviderMisconfigured(detail=f"the account's balance or quota is used up: {detail}")
        case "model":
            return ModelMisconfigured(detail=detail)
        case "misconfigured":
            return ProviderMisconfigured(detail=detail)  # without their words: they may repeat ours, or the key
        case "refused":
            return ProviderRefused(message[:300] or text("no reason given"), detail=detail)
        case "broken":
            return AnswerBroken(detail=detail)
        case _:
            return OutcomeUnknown(detail=detail)


def _error_of(body: bytes, hide: tuple[str, ...]) -> dict[str, str]:
    """`code` and `message` of the error bodies seen: {"error": {…}}, {"error": "words"}, or the two at the top.

    A `reason` beside them counts as code, whose place the status may take.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    match data:
        case {"error": {"message": "", "localized_message": str(words)} as error}:
            error = {**error, "message": words}
        case {"error": dict() as error}:
            pass
        case {"error": str(words)} if words:
            error = {"message": words}
        case {"message": str()} | {"code": str()} | {"reason": str()}:
            error = data
        case _:
            return {}
    if error.get("reason"):
        error = {**error, "code": " ".join(str(error[name]) for name in ("code", "reason") if error.get(name))}
    most = {"code": MOST_CODE, "message": MOST_MESSAGE}
    return {name: plain(value, most[name], hide) for name in most if isinstance(value := error.get(name), str)}


def plain(words: str, most: int, hide: tuple[str, ...]) -> str:
    """A server's words as people and logs may have them: short, in one line, without secrets and signed links."""
    words = " ".join(words[: 4 * most].split())
    for secret in hide:
        if len(secret) >= LEAST_HIDDEN:
            words = words.replace(" ".join(secret.split()), "…")
    words = "".join(letter for letter in _QUERY.sub(r"\1?…", words) if letter.isprintable())
    return words[:most]

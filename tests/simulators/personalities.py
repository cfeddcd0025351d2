"""Who speaks the Images API, as data: paths, caps, dropped keys, and how each words its refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.providers.sandbox import answers
from bot.providers.sandbox.fields import Refused, invalid
from tests.simulators.base import Fault

GATEWAY = "shell_api_error"  # the type of an error that APIYI's gateway makes itself
NEW = "new_api_error"
_OUT_OF_CREDIT = "用户额度不足, 剩余额度: ＄0.000000"
_BAD_TOKEN = Refused(401, "", "无效的令牌", GATEWAY)

OVERLOADED = Refused(503, "ServerOverloaded", "The service is currently overloaded.", "TooManyRequests")
OVERLOADED_AS_RATE = Refused(429, "ServerOverloaded", "The service is currently overloaded.", "TooManyRequests")
OVERDUE = Refused(403, "AccountOverdueError", "The account has an overdue balance.", "Forbidden")
NOT_OPEN = Refused(404, "ModelNotOpen", "Your account has not activated the model.", "Not Found")
FREE_QUOTA_USED = Refused(429, "QuotaExceeded", "The free trial quota has been used up.", "TooManyRequests")
SAFE_LIMIT = Refused(429, "SetLimitExceeded", "Inference paused by the Safe Experience Mode.", "TooManyRequests")
REAL_PERSON = Refused(
    400,
    "InputImageSensitiveContentDetected.PrivacyInformation",
    "The request failed because the input image may contain real person.",
)
EMPTY_BALANCE = Refused(403, "insufficient_user_quota", _OUT_OF_CREDIT, GATEWAY)
EMPTY_BALANCE_AS_RATE = Refused(429, "insufficient_user_quota", _OUT_OF_CREDIT, GATEWAY)
NO_UPSTREAM = Refused(502, "bad_response_status_code", "", GATEWAY)

ARK: Mapping[Fault, Refused] = {
    Fault.BUSY: answers.BUSY,
    Fault.OVERLOADED: OVERLOADED,
    Fault.REFUSE_WORDS: answers.WORDS_REFUSED,
    Fault.REFUSE_REFERENCE: answers.REFERENCE_REFUSED,
    Fault.REFUSE_RESULT: answers.RESULT_REFUSED,
    Fault.BAD_REQUEST: invalid("size", "the specified size is not supported for model doubao-seedream-4-5"),
    Fault.BAD_KEY: answers.NO_KEY,
    Fault.NO_BALANCE: OVERDUE,
    Fault.FAILED: answers.FAILED,
}
MODERATION = (Fault.REFUSE_WORDS, Fault.REFUSE_REFERENCE, Fault.REFUSE_RESULT)


def _at(status: int, refused: Refused) -> Refused:
    return Refused(status, refused.code, refused.message, refused.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """offer: whose models it has, a provider of the catalogue. path: what stands before /images/generations.

    unknown_keys: whether keys that no model has are ignored. dropped: keys that never reach the model.
    openai: answers in OpenAI's shape, with empty strings for what is absent. lists: it answers GET /models.
    tasks: answers with the id of a task instead of pictures, in one of these shapes.
    """

    offer: str
    path: str = "/v1"
    most_references: int | None = None
    unknown_keys: bool = True
    dropped: frozenset[str] = frozenset()
    refusals: Mapping[Fault, Refused] = field(default_factory=lambda: ARK)
    openai: bool = False
    lists: bool = True
    tasks: tuple[Mapping[str, Any], ...] = ()


# Whether ModelArk ignores keys that it does not have is not known; here it refuses them, so that none is ever sent.
MODELARK = Personality(offer="modelark", path="/api/v3", unknown_keys=False, lists=False)
VOLCENGINE = Personality(offer="volcengine", path="/api/v3", unknown_keys=False, lists=False)
APIYI = Personality(
    offer="apiyi",
    most_references=10,
    refusals={
        **ARK,
        **{fault: _at(403, ARK[fault]) for fault in MODERATION},
        Fault.BAD_KEY: _BAD_TOKEN,
        Fault.NO_BALANCE: EMPTY_BALANCE,
        Fault.FAILED: NO_UPSTREAM,
    },
)
NEW_API = Personality(
    offer="compatible",
    dropped=frozenset(
        {
            "sequential_image_generation",
            "sequential_image_generation_options",
            "optimize_prompt_options",
            "seed",
            "tools",
            "layer_decomposition",
        }
    ),
    refusals={
        **ARK,
        Fault.BAD_KEY: Refused(401, "", _BAD_TOKEN.message, NEW),
        Fault.NO_BALANCE: Refused(403, "insufficient_user_quota", _OUT_OF_CREDIT, NEW),
    },
    openai=True,
)
ASYNC_GATEWAY = Personality(
    offer="compatible",
    tasks=(
        {"task_id": "t-0217", "status": "queued"},
        {"code": "success", "data": {"task_id": "t-0217"}},
        {"id": "t-0217", "status": "submitted"},
    ),
)


def error_body(refused: Refused, request_id: str) -> dict[str, Any]:
    if refused.kind not in (GATEWAY, NEW):
        return answers.error_body(refused, request_id)
    message = f"{refused.message} (request id: {request_id})" if refused.message else ""
    error: dict[str, Any] = {"message": message, "type": refused.kind, "param": "" if message else str(refused.status)}
    if refused.kind == GATEWAY and refused.code and message:
        error["localized_message"] = message
    if refused.code:
        error["code"] = refused.code
    return {"error": error}


def openai_shaped(body: dict[str, Any]) -> dict[str, Any]:
    """As new-api rewrites it: no model and no sizes, other words for usage, and "" for what is absent."""
    tokens = body["usage"]["total_tokens"]
    usage = {"input_tokens": 0, "output_tokens": tokens, "total_tokens": tokens}
    data = [
        entry
        if "error" in entry
        else {"url": entry.get("url", ""), "b64_json": entry.get("b64_json", ""), "revised_prompt": ""}
        for entry in body["data"]
    ]
    return {"created": body["created"], "data": data, "usage": usage}

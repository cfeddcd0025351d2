import json
from datetime import UTC, datetime
from typing import Any

import pytest

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
from bot.providers.refusals import item_refusal, refusal, whole_refusal

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def error(code: str, message: str = "No. Request id: 0217abc", **more: Any) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "param": "", "type": "", **more}}).encode()


def platform(reason: str, code: Any = 400) -> bytes:
    return json.dumps({"code": code, "reason": reason, "message": "No.", "metadata": {}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("InvalidParameter"), ProviderRefused),
        (400, error("InvalidParameter.UnsupportedParameter"), ProviderRefused),
        (400, error("MissingParameter.prompt"), ProviderRefused),
        (400, error("InvalidImageURL.EmptyURL"), ProviderRefused),
        (400, error("InvalidImageURL.InvalidFormat"), ProviderRefused),
        (400, error("InvalidEndpoint.ClosedEndpoint"), ModelMisconfigured),
        (401, error("AuthenticationError"), ProviderMisconfigured),
        (401, error("InvalidAccountStatus"), ProviderMisconfigured),
        (403, error("AccountOverdueError"), ProviderMisconfigured),
        (403, error("OperationDenied.ServiceOverdue"), ProviderMisconfigured),
        (403, error("OperationDenied.ServiceNotOpen"), ProviderMisconfigured),
        (403, error("OperationDenied.Whatever"), ProviderMisconfigured),
        (403, error("AccessDenied"), ProviderMisconfigured),
        (404, error("ModelNotOpen"), ModelMisconfigured),
        (404, error("InvalidEndpointOrModel.NotFound"), ModelMisconfigured),
        (404, error("InvalidEndpointOrModel.ModelIDAccessDisabled"), ModelMisconfigured),
        (404, error("UnsupportedModel"), ModelMisconfigured),
        (503, error("model_not_found", "no channel for this model"), ModelMisconfigured),
        (429, error("ModelAccountIpmRateLimitExceeded"), ProviderBusy),
        (429, error("ModelAccountRpmRateLimitExceeded"), ProviderBusy),
        (429, error("APIAccountRpmRateLimitExceeded"), ProviderBusy),
        (429, error("AccountRateLimitExceeded"), ProviderBusy),
        (429, error("InflightBatchsizeExceeded"), ProviderBusy),
        (429, error("RateLimitExceeded.EndpointRPMExceeded"), ProviderBusy),
        (429, error("ServerOverloaded"), ProviderBusy),
        (503, error("ServerOverloaded"), ProviderBusy),
        (429, error("RequestBurstTooFast"), ProviderBusy),
        (400, error("ContentSecurityDetectionError"), ProviderBusy),
        (500, error("InternalServiceError"), OutcomeUnknown),
        (500, error("", "upstream overloaded, too many requests"), OutcomeUnknown),
        (502, error("bad_response_status_code", "", type="shell_api_error", param="502"), OutcomeUnknown),
        (502, b'{"message": "", "type": "shell_api_error", "code": "bad_response_status_code"}', OutcomeUnknown),
        (500, error("write_response_body_failed", ""), OutcomeUnknown),
        (400, error("", "Error when parsing request"), ProviderRefused),
        (400, error("", "Insufficient image resolution"), ProviderRefused),
        (502, b"<html>Bad Gateway</html>", OutcomeUnknown),
        (524, b"", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (408, b"", OutcomeUnknown),
        (499, b"", OutcomeUnknown),
        (303, b"", OutcomeUnknown),
        (429, b"", ProviderBusy),
        (401, '{"error":{"message":"无效的令牌 (request id: 2024)"}}'.encode(), ProviderMisconfigured),
        (401, error("", "", localized_message="无效的令牌", type="shell_api_error"), ProviderMisconfigured),
        (403, platform("model_access_denied"), ProviderMisconfigured),
        (400, platform("INVALID_API_KEY"), ProviderMisconfigured),
        (400, platform("RATE_LIMIT_EXCEEDED"), ProviderBusy),
        (400, platform("INVALID_PARAMETER"), ProviderRefused),
        (504, platform(""), OutcomeUnknown),
        (400, platform("anything", code="OutputImageRiskDetection"), ContentRefused),
        (400, b'{"error": "invalid size"}', ProviderRefused),
        (429, b'{"error": "", "message": "account balance"}', ProviderMisconfigured),
        (302, b"", ProviderMisconfigured),
        (413, b"<html>", ProviderRefused),
    ],
)  # fmt: skip
def test_the_code_decides_then_the_words_then_the_status(status: int, body: bytes, kind: type[ProviderError]) -> None:
    assert type(refusal(status, body, now=NOW)) is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error("QuotaExceeded")),
        (429, error("SetLimitExceeded")),
        (403, error("AccountOverdueError")),
        (403, error("OperationDenied.ServiceOverdue")),
        (403, error("insufficient_user_quota", "", type="shell_api_error")),
        (429, error("insufficient_user_quota", "", type="shell_api_error")),
        (403, error("pre_consume_token_quota_failed", "")),
        (403, error("", "user quota is not enough")),
        (429, error("", "用户额度不足 (request id: 2024)")),
        (402, error("", "Insufficient credits")),
        (402, b""),
        (403, platform("NOT_ENOUGH_BALANCE")),
    ],
)
def test_an_exhausted_account_is_told_to_the_operator_and_not_asked_again(status: int, body: bytes) -> None:
    found = refusal(status, body, retry_after="7", now=NOW)

    assert isinstance(found, ProviderMisconfigured)
    assert found.detail.startswith(f"the account's balance or quota is used up: {status}")
    assert "quota" not in str(found.text)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(
    ("code", "message", "stage"),
    [
        ("InputTextSensitiveContentDetected", "", "words"),
        ("InputTextSensitiveContentDetected.PolicyViolation", "", "words"),
        ("SensitiveContentDetected.SevereViolation", "", "words"),
        ("InputTextRiskDetection", "", "words"),
        ("InputImageSensitiveContentDetected.PrivacyInformation", "", "reference"),
        ("InputImageRiskDetection", "", "reference"),
        ("OutputImageSensitiveContentDetected.DeepFake", "", "result"),
        ("OutputImageSensitiveContentDetected", "", "result"),
        ("OutputImageRiskDetection", "", "result"),
        ("InputImageSensitiveContentDetected.PolicyViolation", "", "reference"),
        ("SensitiveContentDetected", "", "words"),
        ("SensitiveContentDetected.Violence", "", "words"),
        ("", "The request failed because the output image may contain sensitive information.", "result"),
        ("", "your content policy was violated", "words"),
    ],
)
def test_moderation_says_at_which_stage(status: int, code: str, message: str, stage: str) -> None:
    found = refusal(status, error(code, message), now=NOW)

    assert isinstance(found, ContentRefused)
    assert found.stage == stage
    assert found.billed is False


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("Sat, 21 Nov 2026 09:00:30 GMT", 30.0), ("", None), ("soon", None)],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    found = refusal(429, error("ModelAccountIpmRateLimitExceeded"), retry_after=header, now=NOW)

    assert isinstance(found, ProviderBusy)
    assert found.retry_after == seconds


def test_the_request_id_is_kept_for_the_operator_and_cut_from_the_words() -> None:
    found = refusal(400, error("InvalidParameter", "The size is wrong. Request id: 0217abc"), now=NOW)

    assert found.detail == "400 InvalidParameter request 0217abc"
    assert "The size is wrong" in str(found.text)
    assert "0217abc" not in str(found.text)


def test_a_picture_of_several_that_failed_inside_is_not_billed() -> None:
    assert item_refusal({"code": "InternalServiceError", "message": ""}).billed is False
    assert isinstance(item_refusal({"code": "OutputImageSensitiveContentDetected"}), ContentRefused)


def test_an_error_within_a_200_is_read_by_its_code() -> None:
    assert isinstance(whole_refusal({"code": "InternalServiceError", "message": ""}), OutcomeUnknown)
    assert isinstance(whole_refusal({"code": "OutputImageSensitiveContentDetected", "message": ""}), ContentRefused)
    assert isinstance(whole_refusal({"code": "ServerOverloaded", "message": ""}), ProviderBusy)
    assert isinstance(whole_refusal({"code": "Strange", "message": "x"}), AnswerBroken)


def test_the_words_of_an_error_within_a_200_tell_moderation_only() -> None:
    assert isinstance(whole_refusal("the output image may contain sensitive information"), ContentRefused)
    assert isinstance(whole_refusal({"code": "", "message": "too many requests"}), AnswerBroken)


def test_a_body_that_is_nested_without_end_is_read_by_its_status() -> None:
    assert isinstance(refusal(400, b"[" * 100_000, now=NOW), ProviderRefused)


def test_a_request_id_within_the_words_is_short_and_harmless() -> None:
    found = refusal(400, error("InvalidParameter", "No. Request id: " + "é0" * 300), now=NOW)

    assert found.detail.isascii()
    assert len(found.detail) < 120

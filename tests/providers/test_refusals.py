import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.errors import (
    AnswerBroken,
    ContentRefused,
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


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("InvalidParameter"), ProviderRefused),
        (400, error("InvalidParameter.UnsupportedParameter"), ProviderRefused),
        (400, error("MissingParameter.prompt"), ProviderRefused),
        (400, error("InvalidImageURL.EmptyURL"), ProviderRefused),
        (400, error("InvalidEndpoint.ClosedEndpoint"), ProviderMisconfigured),
        (401, error("AuthenticationError"), ProviderMisconfigured),
        (401, error("InvalidAccountStatus"), ProviderMisconfigured),
        (403, error("AccountOverdueError"), ProviderMisconfigured),
        (403, error("OperationDenied.ServiceOverdue"), ProviderMisconfigured),
        (404, error("ModelNotOpen"), ProviderMisconfigured),
        (404, error("InvalidEndpointOrModel.NotFound"), ProviderMisconfigured),
        (429, error("ModelAccountIpmRateLimitExceeded"), ProviderBusy),
        (429, error("RateLimitExceeded.EndpointRPMExceeded"), ProviderBusy),
        (429, error("ServerOverloaded"), ProviderBusy),
        (503, error("ServerOverloaded"), ProviderBusy),
        (429, error("RequestBurstTooFast"), ProviderBusy),
        (429, error("QuotaExceeded"), ProviderMisconfigured),
        (429, error("SetLimitExceeded"), ProviderMisconfigured),
        (429, error("insufficient_user_quota", "", type="shell_api_error"), ProviderMisconfigured),
        (403, error("", "user quota is not enough"), ProviderMisconfigured),
        (400, error("ContentSecurityDetectionError"), ProviderBusy),
        (500, error("InternalServiceError"), OutcomeUnknown),
        (500, error("", "upstream overloaded, too many requests"), OutcomeUnknown),
        (502, error("bad_response_status_code", ""), OutcomeUnknown),
        (502, b"<html>Bad Gateway</html>", OutcomeUnknown),
        (524, b"", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (408, b"", OutcomeUnknown),
        (429, b"", ProviderBusy),
        (401, '{"error":{"message":"无效的令牌 (request id: 2024)"}}'.encode(), ProviderMisconfigured),
        (400, b'{"error": "invalid size"}', ProviderRefused),
        (302, b"", ProviderMisconfigured),
        (413, b"<html>", ProviderRefused),
    ],
)  # fmt: skip
def test_the_code_decides_then_the_words_then_the_status(status: int, body: bytes, kind: type[ProviderError]) -> None:
    assert type(refusal(status, body, now=NOW)) is kind


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
        ("OutputImageRiskDetection", "", "result"),
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
    assert isinstance(whole_refusal({"code": "Strange", "message": "x"}), AnswerBroken)

"""The question that costs nothing."""

from typing import Any

import pytest

from bot.providers.sandbox import Sandbox
from tests.providers.conftest import Gateway

MODELS = {"object": "list", "data": [{"id": "gpt-image-1"}, {"id": "seedream-4-5-251128"}, {"id": "Doubao-Seedream-5"}]}


USED_UP = "the account's balance or quota is used up"


def error(code: str, message: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": "shell_api_error"}}


@pytest.mark.parametrize(
    ("status", "body", "well", "told"),
    [
        (200, MODELS, True, "the key is accepted; Seedream models listed: 2"),
        (200, {"data": None}, True, "the key is accepted; Seedream models listed: 0"),
        (200, b"<html>welcome</html>", False, "what stands there is no image API: its list of models is not JSON"),
        (401, error("", "无效的令牌 (request id: 2024)"), False, "the key is not accepted (401)"),
        (403, error("AccessDenied"), False, "the key is not accepted (403 AccessDenied)"),
        (403, error("insufficient_user_quota"), False, USED_UP + " (403 insufficient_user_quota)"),
        (402, b"", False, USED_UP + " (402)"),
        (404, b"<html>", False, "it answered 404"),
        (429, error("RateLimitExceeded"), False, "it answered 429 RateLimitExceeded"),
        (502, b"", False, "it answered 502"),
        (301, b"", False, "it answered 301"),
    ],
)  # fmt: skip
async def test_the_list_of_models_tells_whether_the_key_is_good(
    gateway: Gateway, status: int, body: Any, well: bool, told: str
) -> None:
    gateway.says(body, status)
    probed = await gateway.provider(free_question="/models").probe()

    assert (probed.well, probed.told) == (well, told)
    assert gateway.requests == [("GET", "/v1/models", b"")]


@pytest.mark.parametrize(
    ("status", "body", "well", "told"),
    [
        (400, error("MissingParameter"), True, "the key is accepted"),
        (400, error("InvalidParameter.Model"), True, "the key is accepted"),
        (404, error("InvalidEndpointOrModel.NotFound"), True, "the key is accepted"),
        (404, error("ModelNotOpen"), True, "the key is accepted"),
        (404, b"<html>", False, "it answered 404"),
        (400, error("model_not_found"), True, "the key is accepted"),
        (401, error("InvalidParameter"), False, "the key is not accepted (401 InvalidParameter)"),
        (400, error("strange"), False, "it answered 400 strange"),
        (401, error("AuthenticationError"), False, "the key is not accepted (401 AuthenticationError)"),
        (403, error("AccountOverdueError"), False, USED_UP + " (403 AccountOverdueError)"),
        (500, error("InternalServiceError"), False, "it answered 500 InternalServiceError"),
        (200, {"data": []}, False, "it answered 200"),
    ],
)  # fmt: skip
async def test_where_nothing_is_free_an_empty_request_tells_it(
    gateway: Gateway, status: int, body: Any, well: bool, told: str
) -> None:
    gateway.says(body, status)
    probed = await gateway.provider().probe()

    assert (probed.well, probed.told) == (well, told)
    assert gateway.requests == [("POST", "/v1/images/generations", b"{}")]


@pytest.mark.parametrize("free_question", ["", "/models"])
async def test_who_is_not_there_is_named_by_host_only(gateway: Gateway, nowhere: str, free_question: str) -> None:
    probed = await gateway.provider(base_url=nowhere + "/canary?canary", free_question=free_question).probe()

    assert (probed.well, probed.told) == (False, "no connection to 127.0.0.1")


async def test_the_backup_answers_for_an_address_that_is_not_there(gateway: Gateway, nowhere: str) -> None:
    gateway.says(MODELS)
    provider = gateway.provider(base_url=nowhere, backup_url=gateway.base_url, free_question="/models")
    probed = await provider.probe()

    assert probed.well
    assert probed.told == "no connection to 127.0.0.1; the key is accepted; Seedream models listed: 2"


@pytest.mark.parametrize("base_url", ["", "nonsense", "http://[::1", "http://h:99999"])
async def test_an_address_that_is_none_is_no_crash(gateway: Gateway, base_url: str) -> None:
    probed = await gateway.provider(base_url=base_url).probe()

    assert not probed.well
    assert probed.told.startswith("no connection to ")


@pytest.mark.parametrize("odd", [{"api_key": "sk-canary\n012"}, {"base_url": "http://me:canary@127.0.0.1:9/v1"}])
async def test_a_key_or_an_address_that_no_request_can_hold_is_no_crash(gateway: Gateway, odd: dict[str, str]) -> None:
    probed = await gateway.provider(**odd).probe()

    assert (probed.well, probed.told) == (False, "the key or the address cannot stand in a request")


@pytest.mark.parametrize("free_question", ["", "/models"])
async def test_a_server_that_says_the_key_back_is_not_repeated(gateway: Gateway, free_question: str) -> None:
    gateway.says(error("bad sk-canary-0123456789"), 401)
    probed = await gateway.provider(free_question=free_question).probe()

    assert probed.told == "the key is not accepted (401 bad …)"


@pytest.mark.parametrize("free_question", ["", "/models"])
async def test_who_takes_the_question_and_says_nothing_is_told(
    gateway: Gateway, resetting: str, free_question: str
) -> None:
    probed = await gateway.provider(base_url=resetting, free_question=free_question).probe()

    assert (probed.well, probed.told) == (False, "no answer from 127.0.0.1")


async def test_the_sandbox_refuses_an_empty_request_as_the_vendor_does(gateway: Gateway) -> None:
    async with Sandbox(seconds=0) as sandbox:
        good = await gateway.provider(base_url=sandbox.base_url).probe()
        bad = await gateway.provider(base_url=sandbox.base_url, api_key="").probe()

    assert (good.well, bad.well) == (True, False)

"""The sandbox by itself: what it refuses, and in which words; what it counts; that it runs alone."""

import base64
import io
import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from bot.catalogue import load
from bot.providers.sandbox import Faults, Sandbox
from bot.providers.sandbox.faults import without_words
from bot.providers.sandbox.rules import Refused, check

MODELS = {model.id: model for model in load().models("sandbox")}
V4, V45, PRO = "seedream-4-0-250828", "seedream-4-5-251128", "dola-seedream-5-0-pro-260628"


def uri(width: int = 20, height: int = 20, kind: str = "png") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


SIZE = "The parameter `size` specified in the request is not valid: "
IMAGE = "The parameter `image` specified in the request is not valid: "
SERIES = {"sequential_image_generation": "auto"}
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {}, "MissingParameter.model", "`model`"),
    (V45, {"prompt": " "}, "MissingParameter.prompt", "`prompt`"),
    (V45, {"prompt": "x" * 4001}, "InvalidParameter", "prompt must be at most 4000 characters"),
    (V45, {"prompt": 7}, "InvalidParameter", "expected str"),
    ("seedream-9", {}, "InvalidEndpointOrModel.NotFound", "seedream-9 does not exist"),
    (V45, {"size": "1024x1024"}, "InvalidParameter", SIZE + "image size must be at least 3686400 pixels."),
    (V45, {"size": "1K"}, "InvalidParameter", SIZE + f"the specified size is not supported for model {V45}."),
    (V45, {"size": "16:9"}, "InvalidParameter", "the specified size is not supported"),
    (V45, {"size": "9000x9000"}, "InvalidParameter", "at most 16777216 pixels"),
    (V4, {"size": "20000x200"}, "InvalidParameter", "aspect ratio"),
    (V45, {"watermark": "no"}, "InvalidParameter", "expected bool"),
    (V45, {"response_format": "png"}, "InvalidParameter", "must be one of url, b64_json"),
    (V45, {"seed": -2}, "InvalidParameter", "seed must be between"),
    (V45, {"output_format": "png"}, "InvalidParameter", f"output_format is not supported by model {V45}"),
    (PRO, {"output_format": "jpg"}, "InvalidParameter", "must be one of jpeg, png"),
    (PRO, {"sequential_image_generation": "disabled"}, "InvalidParameter", "not supported by model"),
    (PRO, {"stream": False}, "InvalidParameter", "stream is not supported by model"),
    (V45, {**SERIES, "sequential_image_generation_options": {"max_images": 16}}, "InvalidParameter", "max_images"),
    (V45, {**SERIES, "image": [uri()]}, "InvalidParameter", "must not exceed 15 in total"),
    (V45, {"image": [uri()] * 15}, "InvalidParameter", "the number of input images must not exceed 14"),
    (PRO, {"image": [uri()] * 11}, "InvalidParameter", "the number of input images must not exceed 10"),
    (V45, {"image": uri().partition(",")[2]}, "InvalidParameter", IMAGE + "invalid url specified."),
    (V45, {"image": uri(kind="PNG")}, "InvalidParameter", "the format must be in lower case"),
    (V45, {"image": "data:image/png;base64,!!"}, "InvalidParameter", "invalid base64 image"),
    (V45, {"image": "data:image/png;base64,QUJD"}, "InvalidParameter", "could not be decoded"),
    (V45, {"image": uri(14, 14)}, "InvalidParameter", "outside of the supported size"),
    (V45, {"image": uri(400, 20)}, "InvalidParameter", "aspect ratio"),
    (V45, {"image": "https://x/y.png?k=1"}, "InvalidParameter", "are not valid: Timeout while downloading url=https://x/y.png"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "wanted", "code", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_the_contract_forbids_is_refused_in_its_words(
    model: str, wanted: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        check({"model": model, "prompt": "a fox", **wanted}, MODELS)

    assert refused.value.code == code
    assert words in refused.value.message


def test_keys_that_do_not_exist_are_ignored_or_refused_as_told() -> None:
    body = {"model": V45, "prompt": "a fox", "n": 4, "quality": "hd", "seed": None}

    assert check(body, MODELS).images == 1
    with pytest.raises(Refused, match="`n`"):
        check(body, MODELS, unknown_keys=False)


def test_what_is_left_out_is_what_upstream_makes_of_it() -> None:
    asked = check({"model": V45, "prompt": "a fox", "sequential_image_generation": "auto"}, MODELS)

    assert (asked.images, asked.watermark, asked.base64, asked.size) == (15, True, False, "2K")


def test_words_in_a_prompt_switch_faults_for_one_request() -> None:
    faults = Faults(slow_seconds=3)

    assert faults.with_words("a fox sandbox:refuse-result").refuse_result
    assert faults.with_words("SANDBOX:busy").busy
    assert not faults.with_words("a sandbox: refuse").refuse_words
    assert faults == Faults(slow_seconds=3)
    assert without_words("a fox sandbox:slow") == "a fox"


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as session:
        yield session


async def test_an_error_carries_the_request_id_twice(client: aiohttp.ClientSession) -> None:
    async with Sandbox(seconds=0) as sandbox:
        url = sandbox.base_url + "/images/generations"
        async with client.post(url, json={"model": V45, "prompt": ""}) as answer:
            body = await answer.json()

    request_id = answer.headers["x-request-id"]
    assert answer.status == 400
    assert body["error"]["message"].endswith(f"Request id: {request_id}")
    assert set(body["error"]) == {"code", "message", "param", "type"}


async def test_an_empty_key_is_refused(client: aiohttp.ClientSession) -> None:
    async with Sandbox(seconds=0) as sandbox:
        url = sandbox.base_url + "/images/generations"
        async with client.post(url, json={}, headers={"Authorization": "Bearer "}) as answer:
            assert answer.status == 401
            assert answer.headers["x-error-code"] == "AuthN_MissOrInvalidAuthorizationHeader"


async def test_usage_follows_the_formula_and_counts_successes(client: aiohttp.ClientSession) -> None:
    async with Sandbox(seconds=0) as sandbox:
        sandbox.faults.reject = frozenset({0})
        series = {**SERIES, "sequential_image_generation_options": {"max_images": 2}}
        body = {"model": V4, "prompt": "a fox", "size": "1024x1024", **series}
        async with client.post(sandbox.base_url + "/images/generations", json=body) as answer:
            data = await answer.json()

    assert data["usage"] == {"generated_images": 1, "output_tokens": 4096, "total_tokens": 4096}
    assert data["data"][0]["error"]["code"] == "OutputImageSensitiveContentDetected"
    assert data["data"][1]["size"] == "1024x1024"
    assert "created" in data


async def test_it_runs_alone_and_its_journal_outlives_it(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    command = (sys.executable, "-m", "bot.providers.sandbox", "--journal", str(journal), "--seconds", "0")
    process = await create_subprocess_exec(*command, stdout=PIPE)
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().strip() + "/images/generations"
        body = {"model": V4, "prompt": "a secret fox", "size": "1024x1024", "response_format": "b64_json"}
        async with client.post(url, json=body) as answer:
            assert answer.status == 200
        async with client.post(url, json={**body, "prompt": "x sandbox:busy"}) as answer:
            assert answer.status == 429
    finally:
        process.kill()
        await process.wait()

    [line] = journal.read_text().splitlines()
    assert json.loads(line)["model"] == "seedream-4"
    assert "secret" not in line

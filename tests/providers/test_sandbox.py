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
from PIL import Image, ImageChops

from bot.catalogue import load
from bot.providers.sandbox import Faults, Sandbox
from bot.providers.sandbox.faults import without_words
from bot.providers.sandbox.fields import Refused
from bot.providers.sandbox.references import has_alpha
from bot.providers.sandbox.rules import check

MODELS = {model.id: model for model in load().models("sandbox")}
V4, V45, LITE = "seedream-4-0-250828", "seedream-4-5-251128", "seedream-5-0-260128"
PRO, FLASH, V55 = "dola-seedream-5-0-pro-260628", "dola-seedream-5-0-flash-260915", "dola-seedream-5-5-261028"


def encoded(width: int = 20, height: int = 20, mode: str = "RGB", kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height), "teal").save(buffer, kind)
    return buffer.getvalue()


def uri(width: int = 20, height: int = 20, kind: str = "png", *, mode: str = "RGB", coded: str = "PNG") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(encoded(width, height, mode, coded)).decode()


SIZE = "The parameter `size` specified in the request is not valid: "
IMAGE = "The parameter `image` specified in the request is not valid: "
SERIES = {"sequential_image_generation": "auto"}
LAYERS: dict[str, Any] = {"layer_decomposition": True, "image": [uri(512, 512)], "prompt": None}
CLEAR: dict[str, Any] = {"background": "transparent", "output_format": "png"}
FAST = {"optimize_prompt_options": {"mode": "fast"}}
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
    (V45, FAST, "InvalidParameter", "mode fast is not supported by model"),
    (FLASH, FAST, "InvalidParameter", "mode fast is not supported by model"),
    (V4, {"optimize_prompt_options": {"mode": "off"}}, "InvalidParameter", "mode off is not supported by model"),
    (V45, {"guidance_scale": 2.5}, "InvalidParameter", "guidance_scale is not supported by model"),
    (V4, {"tools": [{"type": "web_search"}]}, "InvalidParameter", "tools is not supported by model"),
    (LITE, {"tools": [{"type": "calculator"}]}, "InvalidParameter", "the only tool is web_search"),
    (LITE, {"background": "opaque"}, "InvalidParameter", "background is not supported by model"),
    (PRO, {"background": "auto"}, "InvalidParameter", "must be one of opaque, transparent"),
    (PRO, CLEAR, "InvalidParameter", "transparent requires exactly one input image with an alpha channel"),
    (PRO, {**CLEAR, "image": [uri()]}, "InvalidParameter", "exactly one input image with an alpha channel"),
    (PRO, {**CLEAR, "image": [uri(mode="RGBA")] * 2}, "InvalidParameter", "exactly one input image with an alpha"),
    (PRO, {"background": "transparent", "image": uri(mode="RGBA")}, "InvalidParameter", "requires png"),
    (V55, {**CLEAR, "output_format": "jpeg"}, "InvalidParameter", "requires png"),
    (LITE, LAYERS, "InvalidParameter", "layer_decomposition is not supported by model"),
    (PRO, {**LAYERS, "image": None}, "InvalidParameter", "requires exactly one input image"),
    (PRO, {**LAYERS, "image": [uri(512, 512)] * 2}, "InvalidParameter", "exactly one input image"),
    (PRO, {**LAYERS, "image": uri(512, 511)}, "InvalidParameter", "at least 262144 pixels"),
    (PRO, {**LAYERS, "image": uri(512, 512, "webp", coded="WEBP")}, "InvalidParameter", "png and jpeg images only"),
    (PRO, {**LAYERS, "size": "1024x1024"}, "InvalidParameter", "the specified size is not supported"),
    (PRO, {**LAYERS, "output_format": "png"}, "InvalidParameter", "output_format is not supported"),
    (PRO, {**LAYERS, "stream": True}, "InvalidParameter", "stream is not supported"),
    (PRO, {"size": "auto"}, "InvalidParameter", "the specified size is not supported"),
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


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (V4, FAST),
        (PRO, FAST),
        (V55, {"optimize_prompt_options": {"mode": "standard"}}),
        (LITE, {"tools": [{"type": "web_search"}]}),
        (PRO, {"background": "opaque"}),
        (PRO, {**CLEAR, "image": uri(mode="RGBA")}),
        (V55, CLEAR),
        (V55, {"background": "auto"}),
        (PRO, LAYERS),
        (V55, {**LAYERS, "size": "auto", "prompt": "the text apart"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_contract_allows_passes(model: str, wanted: dict[str, Any]) -> None:
    check({"model": model, "prompt": "a fox", **wanted}, MODELS, unknown_keys=False)


def test_transparency_makes_png_where_it_needs_no_picture() -> None:
    asked = check({"model": V55, "prompt": "a fox", "background": "transparent"}, MODELS)

    assert (asked.background, asked.format) == ("transparent", "png")


@pytest.mark.parametrize(
    ("mode", "kind", "alpha"),
    [
        ("RGB", "PNG", False),
        ("RGBA", "PNG", True),
        ("LA", "PNG", True),
        ("RGB", "WEBP", False),
        ("RGBA", "WEBP", True),
        ("RGB", "JPEG", False),
    ],
)
def test_transparency_is_seen_in_a_picture(mode: str, kind: str, alpha: bool) -> None:
    data = io.BytesIO()
    Image.new(mode, (30, 20)).save(data, kind)

    assert has_alpha(data.getvalue()) is alpha


def test_a_palette_with_a_transparent_colour_is_transparent() -> None:
    data = io.BytesIO()
    Image.new("P", (30, 20)).save(data, "PNG", transparency=0)

    assert has_alpha(data.getvalue())
    assert not has_alpha(encoded())


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


async def answered(client: aiohttp.ClientSession, body: dict[str, Any]) -> dict[str, Any]:
    async with (
        Sandbox(seconds=0) as sandbox,
        client.post(f"{sandbox.base_url}/images/generations", json=body) as answer,
    ):
        data: dict[str, Any] = await answer.json()
        return data


async def test_layers_lie_over_a_base_and_are_the_picture_again(client: aiohttp.ClientSession) -> None:
    given = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    buffer = io.BytesIO()
    given.save(buffer, "PNG")
    body = {**LAYERS, "model": PRO, "size": "auto", "response_format": "b64_json"}
    body["image"] = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    data = await answered(client, body)

    layers = [Image.open(io.BytesIO(base64.b64decode(entry["b64_json"]))) for entry in data["data"]]
    assert 3 <= len(layers) <= 5
    assert {image.format for image in layers} == {"PNG"}
    assert [entry["z_index"] for entry in data["data"]] == list(range(len(layers)))
    assert "bounding_box" not in data["data"][0]
    stack = layers[0].convert("RGBA")
    base = stack.convert("RGB")
    for entry, image in zip(data["data"][1:], layers[1:], strict=True):
        left, top, right, bottom = entry["bounding_box"]["absolute"]
        assert entry["size"] == f"{right - left}x{bottom - top}" == f"{image.width}x{image.height}"
        assert image.getchannel("A").getextrema() == (0, 255)
        assert entry["bounding_box"]["normalized"] == [
            round(1000 * left / 800), round(1000 * top / 600), round(1000 * right / 800), round(1000 * bottom / 600)
        ]  # fmt: skip
        assert entry["name"]
        assert entry["description"]
        stack.alpha_composite(image, (left, top))
    assert ImageChops.difference(stack.convert("RGB"), given).getbbox() is None
    assert ImageChops.difference(base, given).getbbox() is not None
    assert data["usage"]["generated_images"] == len(layers)
    assert data["usage"]["input_images"] == 1


async def test_a_search_is_counted(client: aiohttp.ClientSession) -> None:
    body = {"model": LITE, "prompt": "the weather", "size": "2K", "tools": [{"type": "web_search"}]}
    data = await answered(client, body)

    assert data["usage"]["tool_usage"] == {"web_search": 1}
    assert data["tools"] == [{"type": "web_search"}]


async def test_a_transparent_background_is_told_and_drawn(client: aiohttp.ClientSession) -> None:
    body = {"model": V55, "prompt": "a fox", "size": "1K", "response_format": "b64_json", **CLEAR}
    [entry] = (await answered(client, body))["data"]

    assert (entry["background"], entry["output_format"]) == ("transparent", "png")
    with Image.open(io.BytesIO(base64.b64decode(entry["b64_json"]))) as image:
        assert image.getchannel("A").getextrema() == (0, 255)


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

"""What goes to Apiframe, field by field, and whether the vendor's own document agrees with us and with our simulator.

That document is not ours to pass on: `BOT_TEST_APIFRAME_OPENAPI` names the place of a copy.
"""

import json
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
import pytest_asyncio

from bot.catalogue.sizes import resolve
from bot.errors import UsageError
from bot.providers.apiframe_wire import wire_fields
from tests.simulators.apiframe_bench import Bench, opened
from tests.simulators.base import Fault

# What is wanted, what `seedreamParams` are for it, and the size that it brings.
MODES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int]]] = {
    "a tier": ({"size": "2K"}, {"size": "2K"}, (2048, 2048)),
    "a ratio of the table": (
        {"size": "2848x1600", "ratio": "16:9"},
        {"size": "2K", "aspect_ratio": "16:9"},
        (2848, 1600),
    ),
    "the size of a ratio": ({"size": "864x1152"}, {"size": "1K", "aspect_ratio": "3:4"}, (864, 1152)),
    "a size of one's own": (
        {"size": "1500x1024"},
        {"size": "custom", "width": 1500, "height": 1024},
        (1500, 1024),
    ),
    "words improved": ({"optimize": "standard"}, {"size": "1K", "enhance_prompt": True}, (1024, 1024)),
    "words left alone": ({"optimize": "off"}, {"size": "1K", "enhance_prompt": False}, (1024, 1024)),
    "what the model has not": (
        {"seed": 7, "guidance": 2.5, "format": "png", "search": True, "background": "transparent", "watermark": True},
        {"size": "1K"},
        (1024, 1024),
    ),
    "4.5": ({"model": "seedream-4.5", "optimize": "standard"}, {"size": "2K"}, (2048, 2048)),
    "4.5, a size of one's own": (
        {"model": "seedream-4.5", "size": "2000x2000"},
        {"size": "custom", "width": 2000, "height": 2000},
        (2000, 2000),
    ),
    "5 Lite": ({"model": "seedream-5-lite"}, {"size": "2K", "output_format": "png"}, (2048, 2048)),
    "5 Lite as JPEG": (
        {"model": "seedream-5-lite", "size": "4096x2304", "format": "jpeg"},
        {"size": "3K", "aspect_ratio": "16:9", "output_format": "jpg"},
        (4096, 2304),
    ),
    "5 Pro": ({"model": "seedream-5-pro", "size": "1.5K"}, {"size": "1.5K"}, (1536, 1536)),
    "3": ({"model": "seedream-3"}, {}, (1024, 1024)),
    "3, a ratio": ({"model": "seedream-3", "size": "720x1280"}, {"aspect_ratio": "9:16"}, (720, 1280)),
    "3.1, all that it has": (
        {"model": "seedream-3.1", "size": "1100x1300", "seed": 0, "guidance": 2.5},
        {"width": 1100, "height": 1300, "seed": 0, "guidance_scale": 2.5},
        (1100, 1300),
    ),
}


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    place = Path(os.environ.get("BOT_TEST_APIFRAME_OPENAPI") or "not set")
    if not place.is_file():
        pytest.skip("BOT_TEST_APIFRAME_OPENAPI names no copy of Apiframe's OpenAPI document")
    schemas: dict[str, Any] = json.loads(place.read_text("utf-8"))["components"]["schemas"]
    return schemas


def complaints(schema: Any, value: Any) -> list[str]:
    return [
        error.message for error in jsonschema_rs.Draft202012Validator(schema, validate_formats=True).iter_errors(value)
    ]


@pytest.mark.parametrize("mode", MODES)
async def test_each_mode_sends_what_the_model_knows_and_brings_the_size_that_was_asked_for(
    bench: Bench, mode: str
) -> None:
    wanted, own, size = MODES[mode]
    job = bench.job(**wanted)

    outcome = await bench.ask(job)

    parameters = {"seedreamParams": own} if own else {}
    assert json.loads(bench.sim.paid[0].body) == {"model": job.model.id, "prompt": "a red fox", **parameters}
    (picture,) = outcome.produced
    assert (picture.width, picture.height) == size
    assert picture.media_type == ("image/png" if own.get("output_format") == "png" else "image/jpeg")


@pytest.mark.parametrize("mode", MODES)
async def test_the_vendors_document_takes_each_mode(bench: Bench, document: dict[str, Any], mode: str) -> None:
    await bench.ask(bench.job(**MODES[mode][0]))

    assert complaints(document["GenerateImageRequest"], json.loads(bench.sim.paid[0].body)) == []


async def with_all(bench: Bench) -> dict[str, Any]:
    """The body of a request with ten references and a webhook."""
    provider = bench.provider(webhook_url="https://bot.example/hooks/apiframe")
    job = bench.job("把这只狐狸变成蓝色", references=(bench.reference("one.png"),) * 10, ratio="match")
    await bench.ask(job, provider=provider)
    body: dict[str, Any] = json.loads(bench.sim.paid[0].body)
    return body


async def test_references_and_the_webhook_are_named_as_the_vendor_does(bench: Bench) -> None:
    body = await with_all(bench)

    assert body["prompt"] == "把这只狐狸变成蓝色"
    assert body["webhookUrl"] == "https://bot.example/hooks/apiframe"
    assert body["webhookEvents"] == ["completed", "failed"]
    assert body["seedreamParams"]["aspect_ratio"] == "match_input_image"
    assert len(body["seedreamParams"]["image_input"]) == 10


async def test_the_vendors_document_takes_references_and_the_webhook(bench: Bench, document: dict[str, Any]) -> None:
    assert complaints(document["GenerateImageRequest"], await with_all(bench)) == []


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("seedream-4", "1000x2000"),
        ("seedream-4", "4097x1024"),
        ("seedream-5-lite", "2000x2000"),
        ("seedream-3", "2100x1500"),
    ],
)
def test_a_size_that_it_cannot_take_is_refused_before_anything_is_held(bench: Bench, model: str, size: str) -> None:
    with pytest.raises(UsageError):
        resolve(bench.catalogue.model("apiframe", model), size, "")


def test_a_tiers_table_row_is_never_sent_as_a_size_of_its_own(bench: Bench) -> None:
    for model in bench.catalogue.models("apiframe"):
        for tier, table in model.tiers.items():
            for ratio, size in table.items():
                own = wire_fields(bench.job(model=model.name, size=size))["seedreamParams"]
                assert own["aspect_ratio"] == ratio
                assert own.get("size") == (tier if len(model.tiers) > 1 else None)


GOOD = {"model": "seedream-4", "prompt": "x", "seedreamParams": {"size": "1K"}}


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1},
        {"webhook_url": "https://bot.example"},
        {"model": "seedream-9"},
        {"prompt": ""},
        {"prompt": "x" * 2001},
        {"webhookUrl": "nowhere"},
        {"webhookEvents": []},
        {"webhookEvents": ["started"]},
        {"seedreamParams": []},
        *(
            {"seedreamParams": own}
            for own in (
                {"watermark": False},
                {"max_images": 2},
                {"size": 2},
                {"width": 511, "height": 1024},
                {"width": 1024, "height": 4097},
                {"width": 1024.5},
                {"image_input": "https://cdn.example/a.png"},
                {"image_input": ["https://cdn.example/a.png"] * 15},
                {"output_format": "jpeg"},
                {"enhance_prompt": "true"},
                {"guidance_scale": 11},
                {"guidance_scale": 0.5},
                {"seed": 1.5},
                {"seed": True},
            )
        ),
    ],
    ids=str,
)
async def test_what_the_document_does_not_take_our_simulator_does_not_take_either(
    bench: Bench, document: dict[str, Any], change: dict[str, Any]
) -> None:
    body = {**GOOD, **change}

    status, answer = await posted(bench, body)

    assert complaints(document["GenerateImageRequest"], GOOD) == []
    assert complaints(document["GenerateImageRequest"], body) != []
    assert status == 400
    assert answer["details"]
    assert complaints(document["ValidationError"], answer) == []
    assert bench.sim.billed == 0


async def test_our_simulators_answers_are_the_documents(bench: Bench, document: dict[str, Any]) -> None:
    accepted = (await posted(bench, GOOD))[1]
    bench.sim.ends = ("FAILED", "upstream timeout")
    failed = (await posted(bench, GOOD))[1]
    bench.sim.seconds, bench.sim.ends = 1e9, ("COMPLETED", None)
    running = (await posted(bench, GOOD))[1]
    bench.sim.goes_wrong(Fault.NO_BALANCE)
    exhausted = (await posted(bench, GOOD))[1]

    for answer in (accepted, failed, running):
        assert complaints(document["JobAccepted"], answer) == []
        assert complaints(document["Job"], await got(bench, f"/v2/jobs/{answer['jobId']}")) == []
    assert complaints(document["InsufficientCredits"], exhausted) == []
    assert complaints(document["Me"], await got(bench, "/v2/me")) == []
    assert complaints(document["Upload"], await uploaded(bench, bench.reference("one.png").path.read_bytes())) == []
    assert complaints(document["ErrorResponse"], await got(bench, "/v2/jobs/not-a-uuid")) == []


@pytest.mark.parametrize(("start", "size"), [("one.png", 25_000_001), ("", 100), ("", 0)])
async def test_our_simulator_takes_pictures_only_and_25_mb_at_most(bench: Bench, start: str, size: int) -> None:
    head = bench.reference(start).path.read_bytes() if start else b""

    refused = "details" in await uploaded(bench, head.ljust(size, b"."))

    assert refused


async def posted(bench: Bench, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    url, headers = f"{bench.sim.base_url}/v2/images/generate", {"X-API-Key": bench.sim.key}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        return response.status, await response.json()


async def got(bench: Bench, path: str) -> Any:
    url, headers = bench.sim.base_url + path, {"X-API-Key": bench.sim.key}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return await response.json()


async def uploaded(bench: Bench, data: bytes) -> Any:
    form = aiohttp.FormData()
    form.add_field("file", BytesIO(data), filename="reference.png")
    url, headers = f"{bench.sim.base_url}/v2/uploads", {"X-API-Key": bench.sim.key}
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as response:
        return await response.json()

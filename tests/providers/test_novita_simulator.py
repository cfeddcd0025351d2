"""Novita AI's simulator is as strict as its pages are."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tests.fakes import painted
from tests.providers.conftest import Clock
from tests.simulators.novita import NovitaSim

pytestmark = pytest.mark.slow


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[NovitaSim]:
    async with NovitaSim(clock=clock) as sim:
        yield sim


async def posted(sim: NovitaSim, model: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    body = {"prompt": "a fox", "size": "2K", **fields}
    headers = {"Authorization": "Bearer any"}
    url = f"{sim.origin}/v3/{model}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        return response.status, await response.json()


async def status_of(sim: NovitaSim, model: str, fields: dict[str, Any]) -> int:
    return (await posted(sim, model, fields))[0]


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        ("seedream-4.0", {"image": ["data:…"]}),
        ("seedream-4.0", {"sequential_image_generation_options": {"max_images": 2}}),
        ("seedream-4.0", {"optimize_prompt_options": {"mode": "standard"}}),
        ("seedream-4.0", {"size": "1024x1023"}),
        ("seedream-4.0", {"size": "3K"}),
        ("seedream-4.5", {"images": ["data:…"]}),
        ("seedream-4.5", {"max_images": 2}),
        ("seedream-4.5", {"size": "1K"}),
        ("seedream-4.5", {"size": "2560x1439"}),
        ("seedream-4.5", {"image": []}),
        ("seedream-4.5", {"sequential_image_generation_options": {"max_images": 16}}),
        ("seedream-5.0-lite", {"size": "4K"}),
        ("seedream-5.0-lite", {"size": "4096x4096"}),
        ("seedream-5.0-lite", {"optimize_prompt_options": {"mode": "fast"}}),
        *(
            (model, {key: value})
            for model in ("seedream-4.0", "seedream-4.5", "seedream-5.0-lite")
            for key, value in (
                ("model", model),
                ("response_format", "url"),
                ("stream", False),
                ("output_format", "jpeg"),
                ("seed", 1),
                ("watermark", "false"),
                ("prompt", " "),
                ("sequential_image_generation", "on"),
            )
        ),
    ],
    ids=str,
)
async def test_the_simulator_refuses_what_a_model_does_not_take(
    sim: NovitaSim, model: str, wrong: dict[str, Any]
) -> None:
    assert await status_of(sim, model, {}) == 200
    assert await status_of(sim, model, wrong) == 400


@pytest.mark.parametrize(
    ("model", "taken", "refused"),
    [("seedream-4.0", (300, 900), (300, 901)), ("seedream-4.5", (100, 1600), (100, 1601))],
)
async def test_references_are_counted_and_measured(
    sim: NovitaSim, model: str, taken: tuple[int, int], refused: tuple[int, int]
) -> None:
    key = "images" if model == "seedream-4.0" else "image"
    most = 10 if model == "seedream-4.0" else 14
    good, bad = (f"data:image/png;base64,{base64.b64encode(painted('x', *size)).decode()}" for size in (taken, refused))

    assert await status_of(sim, model, {key: [good] * most}) == 200
    assert await status_of(sim, model, {key: [good] * (most + 1)}) == 400
    assert await status_of(sim, model, {key: [bad]}) == 400
    assert await status_of(sim, model, {key: [good.replace("image/png", "image/PNG")]}) == 400
    assert await status_of(sim, model, {key: [good.partition(",")[2]]}) == 400


async def test_a_link_works_for_a_day(sim: NovitaSim, clock: Clock) -> None:
    link = (await posted(sim, "seedream-4.0", {}))[1]["images"][0]

    async def status() -> int:
        async with aiohttp.ClientSession() as session, session.get(link) as response:
            return response.status

    assert await status() == 200
    clock.advance(timedelta(hours=23, minutes=59))
    assert await status() == 200
    clock.advance(timedelta(minutes=2))
    assert await status() == 403

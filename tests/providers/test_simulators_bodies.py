"""Every body that we send to ModelArk, against a schema that was written from its documents."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from PIL import Image

from bot.providers.base import Finished, InputPicture, Job
from tests.contract.benches import SimulatorBench, images_api
from tests.contract.own_benches import CATALOGUE
from tests.simulators.personalities import MODELARK, VOLCENGINE

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).parents[1] / "simulators" / "schemas" / "modelark.json"
PERSONALITIES = {"modelark": MODELARK, "volcengine": VOLCENGINE}
MODELS = [model.name for model in CATALOGUE.models("modelark")]
WANTED: dict[str, dict[str, Any]] = {
    "words": {},
    "chinese": {"prompt": "一只红色的狐狸", "size": "2K", "watermark": True},
    "edited": {"references": 1},
    "fused": {"references": 3},
    "series": {"series": True, "images": 3},
    "continued": {"series": True, "images": 2, "references": 2},
    "optimised": {"optimize": "standard"},
    "hurried": {"optimize": "fast"},
    "png": {"format": "png"},
    "jpeg": {"format": "jpeg"},
    "cut out": {"background": "transparent", "references": 1},
    "opaque": {"background": "opaque"},
    "auto": {"background": "auto"},
    "searched": {"search": True},
    "seeded": {"seed": 7, "guidance": 3.5},  # no model of these has them, so both are left out
    "layers": {"layers": True, "prompt": "", "references": 1, "size": "1K", "images": 17},
    "told layers": {"layers": True, "references": 1, "images": 17},
}
# What certainly has to be sent then; a body without any option would suit every model.
SENT: dict[str, dict[str, Any]] = {
    "series": {
        "sequential_image_generation": "auto",
        "sequential_image_generation_options": {"max_images": 3},
        "stream": True,
    },
    "hurried": {"optimize_prompt_options": {"mode": "fast"}},
    "png": {"output_format": "png"},
    "cut out": {"background": "transparent", "output_format": "png"},
    "searched": {"tools": [{"type": "web_search"}]},
    "layers": {"layer_decomposition": True},
}


def has(name: str, how: str) -> bool:
    """Whether a request of this kind is ever made of the model."""
    model, wanted = CATALOGUE.model("modelark", name), WANTED[how]
    return (
        (model.series or "series" not in wanted)
        and (model.layers > 0 or "layers" not in wanted)
        and (wanted.get("format", model.formats[0]) in model.formats)
        and (wanted.get("optimize", "standard") in model.optimize)
        and (not wanted.get("background") or wanted["background"] in model.backgrounds)
        and (model.search or "search" not in wanted)
    )


@pytest.fixture(params=PERSONALITIES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[SimulatorBench]:
    async with images_api(PERSONALITIES[request.param]) as bench:
        yield bench


@pytest.fixture
def picture(tmp_path: Path) -> InputPicture:
    """Large enough to be taken apart, and transparent."""
    file = tmp_path / "reference.png"
    Image.new("RGBA", (640, 480), (200, 60, 60, 90)).save(file)
    return InputPicture(path=file, media_type="image/png")


@pytest.fixture(scope="module")
def schema() -> Any:
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))


@pytest.mark.parametrize(("name", "how"), [(name, how) for name in MODELS for how in WANTED if has(name, how)])
async def test_every_body_suits_its_model(
    bench: SimulatorBench, schema: Any, picture: InputPicture, tmp_path: Path, name: str, how: str
) -> None:
    wanted = {"prompt": "a red fox", "size": "2K", **WANTED[how]}
    wanted["references"] = (picture,) * wanted.get("references", 0)
    job = Job(id="g1:0", model=CATALOGUE.model(bench.offer, name), folder=tmp_path, **wanted)
    events = [event async for event in bench.provider.generate(job)]

    (recorded,) = bench.sim.paid
    body = json.loads(recorded.body)
    schema.validate(body)
    assert body["watermark"] is job.watermark
    assert {**body, **SENT.get(how, {})} == body
    assert isinstance(events[-1], Finished)


GOOD: dict[str, Any] = {
    "model": "seedream-4-5-251128",
    "prompt": "a fox",
    "size": "2K",
    "response_format": "url",
    "watermark": False,
}
V4, LITE, PRO = "seedream-4-0-250828", "doubao-seedream-5-0-260128", "dola-seedream-5-0-pro-260628"
FLASH, V55 = "dola-seedream-5-0-flash-260915", "dola-seedream-5-5-261028"
URI = "data:image/png;base64,QUJD"
BAD: list[dict[str, Any]] = [
    {"n": 2},
    {"quality": "hd"},
    {"prompt": "  "},
    {"size": "1K"},
    {"size": "16:9"},
    {"size": "auto"},
    {"image": "QUJD"},
    {"image": "data:image/PNG;base64,QUJD"},
    {"image": [URI] * 15},
    {"seed": 7},
    {"guidance_scale": 2.5},
    {"background": "opaque"},
    {"output_format": "png"},
    {"optimize_prompt_options": {"mode": "fast"}},
    {"tools": [{"type": "web_search"}]},
    {"layer_decomposition": True, "image": URI},
    {"sequential_image_generation": "auto"},
    {"sequential_image_generation": "auto", "sequential_image_generation_options": {"max_images": 16}},
    {"sequential_image_generation": "disabled", "sequential_image_generation_options": {"max_images": 2}},
    {"sequential_image_generation_options": {"max_images": 2}},
    {"model": V4, "output_format": "jpeg"},
    {"model": LITE, "size": "1K"},
    {"model": LITE, "output_format": "jpg"},
    {"model": LITE, "optimize_prompt_options": {"mode": "fast"}},
    {"model": LITE, "tools": [{"type": "calculator"}]},
    {"model": PRO, "size": "4K"},
    {"model": PRO, "size": "auto"},
    {"model": PRO, "stream": False},
    {"model": PRO, "sequential_image_generation": "disabled"},
    {"model": PRO, "image": [URI] * 11},
    {"model": PRO, "background": "auto"},
    {"model": PRO, "background": "transparent", "output_format": "png"},
    {"model": PRO, "background": "transparent", "image": [URI]},
    {"model": PRO, "background": "transparent", "image": [URI, URI], "output_format": "png"},
    {"model": PRO, "layer_decomposition": True},
    {"model": PRO, "layer_decomposition": True, "image": [URI, URI]},
    {"model": PRO, "layer_decomposition": True, "image": URI, "size": "1024x1024"},
    {"model": PRO, "layer_decomposition": True, "image": URI, "output_format": "png"},
    {"model": PRO, "layer_decomposition": True, "image": "data:image/webp;base64,QUJD"},
    {"model": FLASH, "optimize_prompt_options": {"mode": "fast"}},
    {"model": V55, "stream": True},
    {"model": V55, "background": "transparent", "output_format": "jpeg"},
    {"model": V55, "tools": [{"type": "web_search"}]},
]


@pytest.mark.parametrize("wrong", BAD, ids=lambda wrong: json.dumps(wrong).replace(URI, "uri")[:170])
def test_the_schema_refuses_what_the_model_would(schema: Any, wrong: dict[str, Any]) -> None:
    assert schema.is_valid(GOOD)
    assert not schema.is_valid({**GOOD, **wrong})


@pytest.mark.parametrize("key", GOOD)
def test_the_schema_wants_what_must_never_be_left_to_a_default(schema: Any, key: str) -> None:
    assert not schema.is_valid({name: value for name, value in GOOD.items() if name != key})

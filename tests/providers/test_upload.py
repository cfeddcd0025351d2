import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.catalogue import load
from bot.providers.base import InputPicture, Job
from bot.providers.upload import body_of, upload, wire_fields

CATALOGUE = load()


def job(folder: Path, model: str = "seedream-4.5", **wanted: object) -> Job:
    found = CATALOGUE.model("modelark", model)
    return Job(**{"id": "1", "model": found, "prompt": "a fox", "size": "2K", "folder": folder, **wanted})  # type: ignore[arg-type]


@pytest.mark.parametrize("sizes", [[], [1], [2, 3], [3 * 256 * 1024, 3 * 256 * 1024 + 1, 2_000_000]])
async def test_references_stream_into_a_body_of_the_told_size(tmp_path: Path, sizes: list[int]) -> None:
    data = [bytes(at % 251 for at in range(size)) for size in sizes]
    pictures = []
    for at, one in enumerate(data):
        (tmp_path / str(at)).write_bytes(one)
        pictures.append(InputPicture(path=tmp_path / str(at), media_type="image/JPEG"))
    body = upload(job(tmp_path, references=tuple(pictures), prompt='a "fox"\n狐'))

    chunks = [chunk async for chunk in body.chunks()]
    sent = json.loads(b"".join(chunks))

    assert sum(map(len, chunks)) == body.size
    assert max(map(len, chunks)) <= 1024 * 1024
    assert sent["prompt"] == 'a "fox"\n狐'
    uris = [f"data:image/jpeg;base64,{base64.b64encode(one).decode()}" for one in data]
    assert sent.get("image", []) == uris


def test_a_single_picture_is_asked_with_nothing_that_is_not_needed(tmp_path: Path) -> None:
    assert wire_fields(job(tmp_path)) == {
        "model": "seedream-4-5-251128",
        "prompt": "a fox",
        "size": "2K",
        "response_format": "b64_json",
        "watermark": False,
    }


def test_a_series_says_how_many_and_streams(tmp_path: Path) -> None:
    fields = wire_fields(job(tmp_path, "4", series=True, images=4, prompt="四季"))

    assert fields["sequential_image_generation"] == "auto"
    assert fields["sequential_image_generation_options"] == {"max_images": 4}
    assert fields["stream"] is True
    assert fields["response_format"] == "url"
    assert fields["prompt"] == "四季\n生成一组共4张连贯的图片。"


@pytest.mark.parametrize("key", ["image", "images"])
async def test_references_stand_under_the_key_that_a_dialect_wants(tmp_path: Path, key: str) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    picture = InputPicture(path=tmp_path / "a", media_type="image/png")
    body = body_of({"prompt": "狐"}, (picture, picture), key)
    sent = b"".join([chunk async for chunk in body.chunks()])

    assert json.loads(sent) == {"prompt": "狐", key: ["data:image/png;base64,YWJj"] * 2}
    assert len(sent) == body.size


def test_without_references_there_is_no_key_for_them(tmp_path: Path) -> None:
    assert body_of({"prompt": "x"}, (), "images").before == b'{"prompt": "x"}'


CHOICES: dict[str, Any] = {
    "format": "png",
    "optimize": "fast",
    "background": "opaque",
    "search": True,
    "seed": 0,
    "guidance": 2.5,
}
WIRE = {
    "output_format": "png",
    "optimize_prompt_options": {"mode": "fast"},
    "background": "opaque",
    "tools": [{"type": "web_search"}],
    "seed": 0,
    "guidance_scale": 2.5,
}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("4", {"optimize_prompt_options"}),
        ("4.5", set()),
        ("5-lite", {"output_format", "tools"}),
        ("5-pro", {"output_format", "optimize_prompt_options", "background"}),
        ("5-flash", {"output_format", "background"}),
        ("5.5", {"output_format", "background"}),
    ],
)
def test_what_was_chosen_is_sent_where_the_model_knows_it_and_nowhere_else(
    tmp_path: Path, model: str, known: set[str]
) -> None:
    plain, chosen = wire_fields(job(tmp_path, model)), wire_fields(job(tmp_path, model, **CHOICES))

    assert chosen == {**plain, **{name: WIRE[name] for name in known}}


def test_seed_and_guidance_are_sent_to_a_model_that_has_them(tmp_path: Path) -> None:
    asked = job(tmp_path)
    asked = replace(asked, model=replace(asked.model, seed=True, guidance=(1.0, 10.0)))

    assert not {"seed", "guidance_scale"} & wire_fields(asked).keys()
    chosen = wire_fields(replace(asked, seed=0, guidance=1.0))
    assert (chosen["seed"], chosen["guidance_scale"]) == (0, 1.0)


@pytest.mark.parametrize(("model", "chosen", "sent"), [("5.5", "", "png"), ("5.5", "png", "png"), ("4", "", None)])
def test_a_transparent_background_is_a_png(tmp_path: Path, model: str, chosen: str, sent: str | None) -> None:
    fields = wire_fields(job(tmp_path, model, background="transparent", format=chosen))

    assert fields.get("output_format") == sent
    assert ("background" in fields) is (sent is not None)


@pytest.mark.parametrize("model", ["5-pro", "5-flash", "5.5"])
@pytest.mark.parametrize("series", [False, True])
def test_layers_go_with_nothing_else(tmp_path: Path, model: str, series: bool) -> None:
    asked = job(tmp_path, model, layers=True, series=series, images=17, prompt=" ", watermark=True, **CHOICES)
    bare = {"model": asked.model.id, "size": "2K", "response_format": "url", "watermark": True}

    assert wire_fields(asked) == {**bare, "layer_decomposition": True}
    assert wire_fields(replace(asked, prompt="the sky")) == {**bare, "prompt": "the sky", "layer_decomposition": True}


@pytest.mark.parametrize("model", ["4", "4.5", "5-lite", "5-pro", "5-flash", "5.5"])
@pytest.mark.parametrize("more", [{}, {"series": True, "images": 3}, {"layers": True, "images": 3}])
def test_what_must_never_and_what_must_always_be_sent(tmp_path: Path, model: str, more: dict[str, Any]) -> None:
    fields = wire_fields(job(tmp_path, model, **more, **CHOICES))

    assert not {"n", "quality", "style", "user", "negative_prompt", "mask"} & fields.keys()
    assert {"watermark", "response_format"} <= fields.keys()
    assert ("sequential_image_generation" in fields) is ("sequential_image_generation_options" in fields)


@pytest.mark.parametrize("model", ["5-pro", "5-flash", "5.5"])
def test_keys_whose_presence_is_refused_are_left_out(tmp_path: Path, model: str) -> None:
    fields = wire_fields(job(tmp_path, model, series=True, images=2))

    assert not {"stream", "sequential_image_generation", "seed", "n", "quality"} & fields.keys()
    assert fields["output_format"] == "jpeg"

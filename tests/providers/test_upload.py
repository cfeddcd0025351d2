import base64
import json
from pathlib import Path

import pytest

from bot.catalogue import load
from bot.providers.base import InputPicture, Job
from bot.providers.upload import upload, wire_fields

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


@pytest.mark.parametrize("model", ["5-pro", "5-flash", "5.5"])
def test_keys_whose_presence_is_refused_are_left_out(tmp_path: Path, model: str) -> None:
    fields = wire_fields(job(tmp_path, model, series=True, images=2))

    assert not {"stream", "sequential_image_generation", "seed", "n", "quality"} & fields.keys()
    assert fields["output_format"] == "jpeg"

"""A picture taken apart: what is asked, and in what order and under what names the layers come."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ContentRefused
from bot.providers.base import InputPicture
from tests.fakes import painted
from tests.providers.conftest import Gateway, Outcome, collect

LINK = {"url": "https://host/0.png"}


async def ask(gateway: Gateway, tmp_path: Path, entries: list[dict[str, Any]], images: int = 17) -> Outcome:
    gateway.says({"data": entries, "usage": {"generated_images": len(entries)}})
    (tmp_path / "whole.png").write_bytes(painted("whole", 600, 600))
    reference = InputPicture(path=tmp_path / "whole.png", media_type="image/png")
    job = gateway.job("seedream-5-pro", prompt="", layers=True, images=images, references=(reference,))
    return await collect(gateway.provider(), job)


async def test_layers_come_from_the_bottom_up_with_their_names(gateway: Gateway, tmp_path: Path) -> None:
    box = {"absolute": [0, 0, 9, 9], "normalized": [0, 0, 1000, 1000]}
    outcome = await ask(
        gateway,
        tmp_path,
        [
            {**LINK, "z_index": 2, "name": "a fox", "description": "red", "bounding_box": box},
            {**LINK, "z_index": 0, "description": "the  base\nof it all"},
            {**LINK, "z_index": 1, "name": " ", "description": None},
        ],
    )

    assert [(one.index, one.title) for one in outcome.produced] == [(0, "the base of it all"), (1, ""), (2, "a fox")]
    assert outcome.finished
    assert outcome.finished.images == 3


@pytest.mark.parametrize("bottom", [None, "0", {}])
async def test_where_not_every_layer_says_its_height_they_stay_as_they_came(
    gateway: Gateway, tmp_path: Path, bottom: Any
) -> None:
    entries = [{**LINK, "name": "top", "z_index": 5}, {**LINK, "name": "base", "z_index": bottom}]
    outcome = await ask(gateway, tmp_path, entries)

    assert [one.title for one in outcome.produced] == ["top", "base"]


async def test_a_name_is_one_short_printable_line_without_our_key(gateway: Gateway, tmp_path: Path) -> None:
    name = "a\u202e\x1b[2J\n sk-canary-0123456789 " + "long " * 40
    outcome = await ask(gateway, tmp_path, [{**LINK, "name": name}])

    assert outcome.produced[0].title.startswith("a[2J … long long")
    assert len(outcome.produced[0].title) <= 80
    assert outcome.produced[0].title.isprintable()


async def test_a_layer_that_was_held_back_leaves_the_others(gateway: Gateway, tmp_path: Path) -> None:
    refused = {"error": {"code": "OutputImageSensitiveContentDetected", "message": ""}}
    outcome = await ask(gateway, tmp_path, [{**LINK, "z_index": 0}, refused, {**LINK, "z_index": 1}])

    assert [one.index for one in outcome.produced] == [0, 2]
    assert isinstance(outcome.rejected[0].error, ContentRefused)


async def test_more_layers_than_were_paid_for_are_left_from_the_top(gateway: Gateway, tmp_path: Path) -> None:
    entries = [{**LINK, "z_index": height, "name": str(height)} for height in (3, 1, 0, 2)]
    outcome = await ask(gateway, tmp_path, entries, images=2)

    assert [one.title for one in outcome.produced] == ["0", "1"]


async def test_a_picture_of_several_that_is_no_layer_has_no_title(gateway: Gateway) -> None:
    gateway.says({"data": [{**LINK, "name": "x", "z_index": 1}, {**LINK, "name": "y", "z_index": 0}]})
    outcome = await collect(gateway.provider(), gateway.job(series=True, images=2))

    assert [one.title for one in outcome.produced] == ["", ""]


async def test_the_request_holds_one_reference_and_no_words(gateway: Gateway, tmp_path: Path) -> None:
    await ask(gateway, tmp_path, [{**LINK, "z_index": 0}])

    sent = json.loads(gateway.requests[0][2])
    assert sent["layer_decomposition"] is True
    assert len(sent["image"]) == 1
    assert "prompt" not in sent

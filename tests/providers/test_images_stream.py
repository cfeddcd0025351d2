"""A series as server-sent events, as careful and as careless servers send it."""

import base64
import io
import json
import random
from typing import Any

import pytest
from PIL import Image

from bot.errors import AnswerBroken, ContentRefused, OutcomeUnknown, ProviderBusy, ProviderError, ProviderMisconfigured
from tests.fakes import painted
from tests.providers.conftest import Gateway, Outcome, collect

LINK = "https://host/0.jpeg"
DONE = b"data: [DONE]\n\n"


def frame(kind: str, **data: Any) -> bytes:
    name = f"image_generation.{kind}"
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def came(index: int, **data: Any) -> bytes:
    return frame("partial_succeeded", image_index=index, **(data or {"url": LINK}))


def failed(index: int, code: str = "OutputImageSensitiveContentDetected") -> bytes:
    return frame("partial_failed", image_index=index, error={"code": code, "message": "No. Request id: 0217abc"})


COMPLETED = frame("completed", usage={"generated_images": 2})


async def ask(gateway: Gateway, body: bytes, size: int = 0, *, images: int = 3, cut: bool = False) -> Outcome:
    gateway.streams(body, size, cut=cut)
    outcome = await collect(gateway.provider(), gateway.job(images=images, series=True))
    assert len(gateway.requests) == 1
    return outcome


def indices(outcome: Outcome) -> tuple[list[int], list[int]]:
    return [one.index for one in outcome.produced], [one.index for one in outcome.rejected]


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_any_split_and_line_end_brings_every_picture(gateway: Gateway, size: int, end: bytes) -> None:
    body = b": keep-alive\n\n" + came(0) + b": still here\n" + failed(1) + came(2) + COMPLETED + DONE
    outcome = await ask(gateway, body.replace(b"\n", end), size)

    assert indices(outcome) == ([0, 2], [1])
    assert outcome.finished
    assert outcome.finished.images == 2
    assert outcome.error is None


async def test_data_over_several_lines_is_one_frame(gateway: Gateway) -> None:
    lines = json.dumps({"type": "image_generation.partial_succeeded", "image_index": 0, "url": LINK}, indent=1)
    body = "".join(f"data: {line}\n" for line in lines.split("\n")).encode() + b"\n"
    outcome = await ask(gateway, body + COMPLETED)

    assert indices(outcome) == ([0], [])
    assert outcome.error is None


async def test_a_frame_may_name_its_type_beside_the_json_only(gateway: Gateway) -> None:
    body = f'event: image_generation.partial_succeeded\ndata: {{"image_index": 0, "url": "{LINK}"}}\n\n'.encode()
    outcome = await ask(gateway, body, images=1)

    assert indices(outcome) == ([0], [])


async def test_previews_and_unknown_events_are_no_pictures(gateway: Gateway) -> None:
    preview = frame("partial_image", partial_image_index=0, b64_json=base64.b64encode(painted("p", 9, 9)).decode())
    outcome = await ask(gateway, preview + frame("news", image_index=1) + b"data: [1]\n\n" + came(2) + COMPLETED)

    assert indices(outcome) == ([2], [])


async def test_gaps_between_the_indices_are_no_loss_once_it_is_completed(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + came(2) + COMPLETED)

    assert indices(outcome) == ([0, 2], [])
    assert outcome.finished
    assert outcome.error is None


async def test_a_picture_twice_or_beyond_what_was_asked_for_comes_once_or_not(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + came(0) + failed(0) + came(7) + failed(-1) + COMPLETED)

    assert indices(outcome) == ([0], [])
    assert outcome.error is None


async def test_a_picture_in_base64_that_nobody_asked_for_is_taken(gateway: Gateway) -> None:
    noise = io.BytesIO()
    Image.frombytes("RGB", (1800, 1800), random.Random(1).randbytes(1800 * 1800 * 3)).save(noise, "PNG")
    body = came(0, b64_json="data:image/png;base64," + base64.b64encode(noise.getvalue()).decode())
    outcome = await ask(gateway, body + COMPLETED, 2**20)

    assert len(body) > 8 * 2**20
    assert outcome.produced[0].file.read_bytes() == noise.getvalue()
    assert outcome.error is None


@pytest.mark.parametrize("ending", [b"", DONE])
@pytest.mark.parametrize("cut", [False, True])
async def test_without_its_last_frame_a_stream_is_complete_only_if_all_came(
    gateway: Gateway, ending: bytes, cut: bool
) -> None:
    whole = await ask(gateway, came(0) + failed(1) + came(2) + ending, cut=cut)
    gateway.requests.clear()
    short = await ask(gateway, came(0) + failed(1) + ending, cut=cut)

    assert whole.finished
    assert whole.error is None
    assert indices(short) == ([0], [1])
    assert isinstance(short.error, OutcomeUnknown)


async def test_a_frame_that_is_cut_is_not_taken(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + came(1)[:-20], cut=True)

    assert indices(outcome) == ([0], [])
    assert isinstance(outcome.error, OutcomeUnknown)


@pytest.mark.parametrize("ending", [b"", COMPLETED + DONE])
async def test_a_failure_inside_of_the_service_ends_the_series(gateway: Gateway, ending: bytes) -> None:
    outcome = await ask(gateway, came(0) + failed(1, "InternalServiceError") + ending)

    assert indices(outcome) == ([0], [1])
    assert outcome.rejected[0].error.billed is False
    assert outcome.finished
    assert outcome.error is None


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b'event: error\ndata: {"error": {"code": "QuotaExceeded", "message": ""}}\n\n', ProviderMisconfigured),
        (b'event: error\ndata: {"code": "ServerOverloaded", "message": ""}\n\n', ProviderBusy),
        (b'data: {"error": {"code": "InputTextRiskDetection", "message": ""}}\n\n', ContentRefused),
        (b'data: {"error": {"code": "InternalServiceError", "message": ""}}\n\n', OutcomeUnknown),
        (frame("completed", error={"code": "OutputImageRiskDetection"}), ContentRefused),
        (frame("completed", error={"code": "strange"}), AnswerBroken),
        (COMPLETED, AnswerBroken),
    ],
)
async def test_an_error_before_any_picture_is_the_whole_requests(
    gateway: Gateway, event: bytes, kind: type[ProviderError]
) -> None:
    outcome = await ask(gateway, event)

    assert type(outcome.error) is kind
    assert outcome.events == []


async def test_an_error_after_a_picture_never_lets_the_request_be_sent_again(gateway: Gateway) -> None:
    event = b'event: error\ndata: {"error": {"code": "ServerOverloaded", "message": ""}}\n\n'
    outcome = await ask(gateway, came(0) + event)

    assert indices(outcome) == ([0], [1, 2])
    assert outcome.finished
    assert outcome.error is None


async def test_an_error_after_the_last_picture_changes_nothing(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + came(1) + b'data: {"error": {"code": "strange"}}\n\n', images=2)

    assert indices(outcome) == ([0, 1], [])
    assert outcome.finished
    assert outcome.error is None


async def test_an_unclear_error_after_a_picture_leaves_the_rest_unknown(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + b'data: {"error": {"code": "InternalServiceError"}}\n\n')

    assert indices(outcome) == ([0], [])
    assert isinstance(outcome.error, OutcomeUnknown)


async def test_a_completed_stream_keeps_its_pictures_whatever_error_it_mentions(gateway: Gateway) -> None:
    outcome = await ask(gateway, came(0) + frame("completed", error={"code": "InternalServiceError"}))

    assert indices(outcome) == ([0], [])
    assert outcome.finished


async def test_a_refusal_comes_as_json_although_a_stream_was_asked_for(gateway: Gateway) -> None:
    gateway.says({"error": {"code": "InputTextSensitiveContentDetected", "message": ""}}, 400)
    outcome = await collect(gateway.provider(), gateway.job(images=3, series=True))

    assert json.loads(gateway.requests[0][2])["stream"] is True
    assert isinstance(outcome.error, ContentRefused)


async def test_a_gateway_that_does_not_stream_answers_in_one_piece(gateway: Gateway) -> None:
    gateway.says({"data": [{"url": LINK}, {"url": LINK}]})
    outcome = await collect(gateway.provider(), gateway.job(images=3, series=True))

    assert indices(outcome) == ([0, 1], [])
    assert outcome.finished


async def test_a_frame_without_end_is_given_up(gateway: Gateway) -> None:
    outcome = await ask(gateway, b"data: " + b"a" * (65 * 2**20), 4 * 2**20)

    assert isinstance(outcome.error, OutcomeUnknown)
    assert "a frame longer than" in outcome.error.detail

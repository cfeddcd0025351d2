"""Answers that the sandbox never gives, but gateways do, from a server that says exactly what a test wants."""

import base64
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from bot.catalogue import load
from bot.errors import AnswerBroken, ContentRefused, OutcomeUnknown, ProviderMisconfigured
from bot.providers.base import Job
from bot.providers.images_api import ImagesApi
from bot.providers.transport import Transport
from tests.providers.conftest import Links, Outcome, collect

MODEL = load().model("modelark", "seedream-4.5")
Ask = Callable[..., Awaitable[Outcome]]


def picture(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(buffer, kind)
    return buffer.getvalue()


PNG = base64.b64encode(picture()).decode()


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    async def asking(
        body: bytes | str, *, status: int = 200, kind: str = "application/json", images: int = 1, **headers: str
    ) -> Outcome:
        posts = 0

        async def answer(request: web.Request) -> web.Response:
            nonlocal posts
            posts += 1
            await request.read()
            data = body.encode() if isinstance(body, str) else body
            return web.Response(status=status, body=data, headers={"Content-Type": kind, **headers})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(app, host="127.0.0.1") as server, Transport() as transport:
            base_url, links = str(server.make_url("/v1")), Links(picture("WEBP"))
            provider = ImagesApi("x", base_url=base_url, api_key="k", transport=transport, fetcher=links)
            series = images > 1
            job = Job(id="1", model=MODEL, prompt="p", size="2K", folder=tmp_path, images=images, series=series)
            outcome = await collect(provider, job)
        assert posts == 1
        return outcome

    return asking


async def test_the_bytes_say_what_a_picture_is_not_its_claimed_size(ask: Ask) -> None:
    outcome = await ask(json.dumps({"data": [{"b64_json": PNG, "size": "2048×2048", "output_format": "jpeg"}]}))

    assert (outcome.produced[0].width, outcome.produced[0].height) == (3, 2)
    assert outcome.produced[0].media_type == "image/png"
    assert outcome.finished
    assert outcome.finished.images is None


async def test_an_empty_base64_beside_a_link_means_the_link(ask: Ask) -> None:
    outcome = await ask(json.dumps({"data": [{"b64_json": "", "url": "https://host/1.jpeg"}]}))

    assert outcome.produced[0].media_type == "image/webp"


async def test_a_gateway_that_fills_every_absent_field_with_nothing_is_understood(ask: Ask) -> None:
    empty = {"code": "", "message": ""}
    entry = {"url": "https://host/1.jpeg", "b64_json": "", "revised_prompt": "", "task_id": "", "error": empty}
    usage = {"input_tokens": 1, "output_tokens": 16384, "total_tokens": 16385}
    outcome = await ask(json.dumps({"created": 1, "task_id": "", "data": [entry], "usage": usage, "error": ""}))

    assert len(outcome.produced) == 1
    assert outcome.finished
    assert outcome.finished.images is None
    assert outcome.error is None


async def test_pictures_beside_the_name_of_a_task_are_pictures(ask: Ask) -> None:
    entry = {"task_id": "t1", "url": "https://host/1.jpeg"}
    outcome = await ask(json.dumps({"id": "t1", "status": "succeeded", "data": [entry]}))

    assert len(outcome.produced) == 1


async def test_fewer_pictures_than_asked_for_settle_what_came(ask: Ask) -> None:
    outcome = await ask(json.dumps({"data": [{"url": "https://host/1.jpeg"}]}), images=4)

    assert [one.index for one in outcome.produced] == [0]
    assert outcome.rejected == []
    assert outcome.finished


async def test_an_error_within_an_entry_may_be_bare_words(ask: Ask) -> None:
    outcome = await ask(json.dumps({"data": [{"error": "the output image may contain sensitive information"}]}))

    assert isinstance(outcome.rejected[0].error, ContentRefused)


async def test_a_mixed_list_gives_each_entry_its_own_end(ask: Ask) -> None:
    entries = [
        {"url": "https://host/1.jpeg"},
        {"error": {"code": "OutputImageSensitiveContentDetected", "message": "…"}},
        {"b64_json": PNG},
        {"b64_json": base64.b64encode(b"<svg>").decode()},
        {},
    ]
    outcome = await ask(json.dumps({"data": entries, "usage": {"generated_images": 3}}), images=5)

    assert [one.index for one in outcome.produced] == [0, 2]
    assert [(one.index, type(one.error)) for one in outcome.rejected] == [
        (1, ContentRefused),
        (3, AnswerBroken),
        (4, AnswerBroken),
    ]
    assert outcome.finished
    assert outcome.finished.images == 3


async def test_more_pictures_than_asked_for_are_left(ask: Ask) -> None:
    outcome = await ask(json.dumps({"data": [{"b64_json": PNG}, {"b64_json": PNG}]}))

    assert len(outcome.produced) == 1


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        ("", "application/json", AnswerBroken),
        ("<html>hello</html>", "text/html", AnswerBroken),
        ('{"data": [', "application/json", AnswerBroken),
        ("[]", "application/json", AnswerBroken),
        ("{}", "application/json", AnswerBroken),
        ('{"data": []}', "application/json", AnswerBroken),
        ('{"data": null, "created": 1}', "application/json", AnswerBroken),
        ('{"data": [], "error": {"code": "InternalServiceError", "message": ""}}', "application/json", OutcomeUnknown),
        ('{"error": {"code": "QuotaExceeded", "message": ""}}', "application/json", ProviderMisconfigured),
        ('data: {"error": {"code": "InternalServiceError"}}\n\n', "text/event-stream", OutcomeUnknown),
        ('event: error\ndata: {"error": {"code": "QuotaExceeded"}}\n\n', "text/event-stream", ProviderMisconfigured),
        ("data: [DONE]\n\n", "text/event-stream", OutcomeUnknown),
        ("", "text/event-stream", OutcomeUnknown),
    ],
)
async def test_an_answer_without_a_picture_is_told_apart(
    ask: Ask, body: str, kind: str, error: type[Exception]
) -> None:
    outcome = await ask(body, kind=kind)

    assert type(outcome.error) is error
    assert outcome.events == []


@pytest.mark.parametrize(
    "body",
    [
        {"task_id": "t1"},
        {"task_id": "t1", "status": "queued", "data": []},
        {"id": "t1", "status": "pending", "object": "image.generation.task"},
        {"id": "t1", "status": "pending", "data": None, "error": ""},
        {"code": "success", "message": "", "data": {"task_id": "t1"}},
        {"code": 200, "data": {"taskId": "t1"}},
        {"code": 200, "data": {"id": "t1", "status": "created", "urls": {"get": "https://host/t1"}}},
        {"code": 200, "data": [{"task_id": "t1", "status": "submitted"}]},
    ],
    ids=str,
)
async def test_an_asynchronous_gateway_is_named_to_the_operator(ask: Ask, body: dict[str, Any]) -> None:
    outcome = await ask(json.dumps(body), **{"x-request-id": "r1"})

    assert isinstance(outcome.error, AnswerBroken)
    assert outcome.events == []
    assert "a task to be polled, which is not supported" in outcome.error.detail
    assert "r1" in outcome.error.detail


async def test_a_stream_is_read_past_previews_unknown_events_and_noise(ask: Ask) -> None:
    def frame(kind: str, **data: object) -> str:
        name = f"image_generation.{kind}"
        return f"event: {name}\r\ndata: {json.dumps({'type': name, **data})}\r\n\r\n"

    body = (
        ": keep-alive\n\n"
        + frame("partial_image", partial_image_index=0, b64_json=PNG)
        + frame("partial_succeeded", image_index=0, b64_json=PNG)
        + frame("news", whatever=1)
        + "data: not json\n\n"
        + frame("partial_failed", image_index=1, error={"code": "OutputImageSensitiveContentDetected"})
        + frame("partial_succeeded", image_index=2, url="https://host/2.jpeg")
        + frame("partial_succeeded", image_index=2, url="https://host/2.jpeg")
        + frame("completed", usage={"generated_images": 2})
    )
    outcome = await ask(body, kind="text/event-stream", images=3)

    assert [one.index for one in outcome.produced] == [0, 2]
    assert [one.index for one in outcome.rejected] == [1]
    assert outcome.finished
    assert outcome.finished.images == 2


@pytest.mark.parametrize("number", ["0", "17", "9" * 5000], ids=len)
async def test_a_number_that_no_picture_of_ours_has_is_no_picture(ask: Ask, number: str) -> None:
    outcome = await ask(f'{{"data": [{{"b64\\u005fjson": "{number}"}}]}}')

    assert isinstance(outcome.rejected[0].error, AnswerBroken)


async def test_an_answer_that_is_nested_without_end_is_broken(ask: Ask) -> None:
    assert isinstance((await ask("[" * 100_000)).error, AnswerBroken)


async def test_a_compressed_answer_is_not_unpacked(ask: Ask) -> None:
    outcome = await ask(b"\x1f\x8b\x08 whatever", **{"Content-Encoding": "gzip"})

    assert isinstance(outcome.error, AnswerBroken)


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_redirect_never_carries_the_paid_request_on(ask: Ask, status: int) -> None:
    outcome = await ask("", status=status, Location="/elsewhere")

    assert isinstance(outcome.error, ProviderMisconfigured)

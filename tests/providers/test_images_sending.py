"""Which address is asked, how often, and what a server error that comes at once means."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.errors import OutcomeUnknown, ProviderBusy, ProviderMisconfigured
from bot.providers.base import InputPicture
from bot.providers.transport import Answer, Transport
from tests.fakes import painted
from tests.providers.conftest import Gateway, collect

ONE = {"data": [{"url": "https://host/0.jpeg"}]}
FAILED = {"error": {"code": "InternalServiceError", "message": ""}}


async def test_the_backup_is_asked_where_no_connection_comes_about(
    gateway: Gateway, nowhere: str, tmp_path: Path
) -> None:
    gateway.says(ONE)
    (tmp_path / "a.png").write_bytes(painted("a"))
    reference = InputPicture(path=tmp_path / "a.png", media_type="image/png")
    provider = gateway.provider(base_url=nowhere, backup_url=gateway.base_url + "/")
    outcome = await collect(provider, gateway.job(references=(reference,)))

    assert len(outcome.produced) == 1
    [(method, path, body)] = gateway.requests
    assert (method, path) == ("POST", "/v1/images/generations")
    assert len(json.loads(body)["image"]) == 1


async def test_without_a_backup_or_with_none_that_answers_nothing_was_taken(gateway: Gateway, nowhere: str) -> None:
    for backup_url in ("", nowhere):
        outcome = await collect(gateway.provider(base_url=nowhere, backup_url=backup_url), gateway.job())

        assert isinstance(outcome.error, ProviderBusy)
        assert outcome.error.unreachable


async def test_what_may_have_been_read_is_not_sent_to_the_backup(gateway: Gateway, resetting: str) -> None:
    gateway.says(ONE)
    outcome = await collect(gateway.provider(base_url=resetting, backup_url=gateway.base_url), gateway.job())

    assert isinstance(outcome.error, OutcomeUnknown)
    assert gateway.requests == []


@pytest.mark.parametrize(("status", "kind"), [(429, ProviderBusy), (401, ProviderMisconfigured), (500, OutcomeUnknown)])
async def test_an_answer_of_the_first_address_is_the_answer(
    gateway: Gateway, status: int, kind: type[Exception]
) -> None:
    gateway.says({"error": {"code": "", "message": ""}}, status)
    backup = gateway.base_url.replace("/v1", "/backup")
    outcome = await collect(gateway.provider(backup_url=backup), gateway.job())

    assert type(outcome.error) is kind
    assert [path for _, path, _ in gateway.requests] == ["/v1/images/generations"]


@pytest.mark.parametrize(
    ("status", "seconds", "retry_quick", "kind"),
    [
        (500, 1.9, True, ProviderBusy),
        (502, 2.0, True, ProviderBusy),
        (502, 2.1, True, OutcomeUnknown),
        (500, 0.1, False, OutcomeUnknown),
        (408, 0.1, True, OutcomeUnknown),
        (200, 0.1, True, OutcomeUnknown),
    ],
)
async def test_a_server_error_at_once_may_be_sent_again_only_where_the_operator_says_so(
    gateway: Gateway, status: int, seconds: float, retry_quick: bool, kind: type[Exception]
) -> None:
    gateway.says(FAILED if status in (200, 500) else b"<html>", status, **{"Retry-After": "7"})
    ticks = iter([100.0, 100.0 + seconds])
    provider = gateway.provider(retry_quick=retry_quick, monotonic=lambda: next(ticks))
    outcome = await collect(provider, gateway.job())

    assert type(outcome.error) is kind
    assert len(gateway.requests) == 1
    if isinstance(outcome.error, ProviderBusy):
        assert outcome.error.retry_after == 7
        assert not outcome.error.unreachable


async def test_the_time_spent_on_an_address_without_connection_does_not_count(gateway: Gateway, nowhere: str) -> None:
    gateway.says(FAILED, 500)
    ticks = iter([100.0, 110.0, 110.5])
    provider = gateway.provider(
        base_url=nowhere, backup_url=gateway.base_url, retry_quick=True, monotonic=lambda: next(ticks)
    )

    assert isinstance((await collect(provider, gateway.job())).error, ProviderBusy)


class Noting(Transport):
    """Keeps how long each paid request was to be waited for."""

    seconds = 0.0

    @asynccontextmanager
    async def post(
        self, url: str, *, headers: Mapping[str, str], body: AsyncIterator[bytes], size: int, seconds: float
    ) -> AsyncIterator[Answer]:
        self.seconds = seconds
        async with super().post(url, headers=headers, body=body, size=size, seconds=seconds) as answer:
            yield answer


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        ({}, 300),
        ({"series": True, "images": 4}, 480),
        ({"layers": True, "images": 2}, 360),
        ({"layers": True, "images": 17}, 600),
    ],
)
async def test_more_pictures_are_waited_for_longer_and_layers_not_for_ever(
    gateway: Gateway, wanted: dict[str, Any], seconds: int
) -> None:
    gateway.says(ONE)
    async with Noting() as transport:
        await collect(gateway.provider(transport=transport), gateway.job("seedream-5-pro", **wanted))

    assert int(transport.seconds) == seconds


async def test_a_request_id_in_a_header_is_short_and_harmless(gateway: Gateway) -> None:
    gateway.says({"error": {"code": "InvalidParameter"}}, 400, **{"x-request-id": "0217 <b>é" + "a" * 500})
    outcome = await collect(gateway.provider(), gateway.job())

    assert outcome.error
    assert outcome.error.detail.startswith("400 InvalidParameter request 0217b")
    assert len(outcome.error.detail) < 120
    assert outcome.error.detail.isascii()

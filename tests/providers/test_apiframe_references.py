"""References are brought to Apiframe first; that is free, and before it is done nothing paid is sent."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from bot.errors import ProviderBusy, ProviderError, ProviderMisconfigured, ProviderRefused
from bot.providers.apiframe import TRIES
from bot.providers.base import Prepared
from tests.simulators.apiframe_bench import NOON, Bench, opened


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


async def test_references_arrive_in_order(bench: Bench) -> None:
    references = (bench.reference("tall.png", 40, 80), bench.reference("wide.png", 160, 80))

    outcome = await bench.ask(bench.job(references=references, ratio="match"))

    assert len(json.loads(bench.sim.paid[0].body)["seedreamParams"]["image_input"]) == 2
    (picture,) = outcome.produced
    assert picture.width < picture.height
    sent = [one.body for one in bench.sim.requests if one.path == "/v2/uploads"]
    assert [reference.path.read_bytes() in body for reference, body in zip(references, sent, strict=True)] == [True] * 2


@pytest.mark.parametrize("status", [500, 502, 429, 408, 201, 0], ids=str)
async def test_an_upload_is_free_and_tried_again(bench: Bench, status: int) -> None:
    bench.sim.upload_statuses.extend([status, status])

    outcome = await bench.ask(bench.job(references=(bench.reference("one.png"),)))

    assert len(outcome.produced) == 1
    assert len(bench.sim.paid) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, ProviderBusy),
        (429, ProviderBusy),
        (408, ProviderBusy),
        (201, ProviderBusy),  # without a link
        (0, ProviderBusy),
        (400, ProviderRefused),
        (401, ProviderMisconfigured),
        (403, ProviderMisconfigured),
    ],
    ids=str,
)
async def test_without_its_references_nothing_paid_is_sent(
    bench: Bench, status: int, kind: type[ProviderError]
) -> None:
    bench.sim.upload_statuses.extend([status] * TRIES)

    outcome = await bench.ask(bench.job(references=(bench.reference("one.png"),)))

    assert type(outcome.error) is kind
    assert outcome.error.billed is False
    assert bench.sim.paid == []


async def test_a_reference_that_has_expired_there_fails_the_job_and_is_refunded(bench: Bench) -> None:
    job = bench.job(references=(bench.reference("one.png"),))
    async with aclosing(bench.provider().generate(job)) as events:
        prepared = await anext(events)
    assert isinstance(prepared, Prepared)
    bench.sim.clock = lambda: NOON.replace(hour=14)

    outcome = await bench.ask(job, prepared.ticket)

    assert isinstance(outcome.error, ProviderRefused)
    assert bench.sim.account.left == bench.sim.account.credits

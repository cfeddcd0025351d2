"""The Images API provider against the sandbox, over a real socket."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    PictureError,
    ProviderBusy,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.i18n import text
from bot.media.fetch import FetchError, GuardedFetcher
from bot.providers.base import Finished, InputPicture
from bot.providers.images_api import ImagesApi
from bot.providers.transport import Transport
from tests.providers.conftest import Links, Workbench, collect

SMALL = {"model": "seedream-4", "size": "1024x1024"}


async def test_words_become_a_picture_of_the_wanted_size(workbench: Workbench) -> None:
    outcome = await workbench.ask(workbench.job(model="seedream-4", size="1312x736"))

    [picture] = outcome.produced
    assert (picture.width, picture.height, picture.media_type) == (1312, 736, "image/jpeg")
    assert outcome.finished == Finished(1, workbench.sandbox.journal.received[0].request_id)
    assert outcome.error is None


async def test_a_tier_lets_the_model_choose_the_ratio_from_the_words(workbench: Workbench) -> None:
    outcome = await workbench.ask(workbench.job("a lake, 16:9", model="seedream-4", size="1K"))

    assert (outcome.produced[0].width, outcome.produced[0].height) == (1312, 736)


@pytest.mark.parametrize(("wanted", "got"), [("png", "image/png"), ("jpeg", "image/jpeg"), ("", "image/jpeg")])
async def test_the_format_is_chosen_where_the_model_has_one(workbench: Workbench, wanted: str, got: str) -> None:
    outcome = await workbench.ask(workbench.job(model="seedream-5-pro", size="1K", format=wanted))

    assert outcome.produced[0].media_type == got


@pytest.mark.slow
@pytest.mark.parametrize("model", ["4", "4.5", "5-lite", "5-pro", "5-flash", "5.5"])
async def test_every_model_takes_a_request_of_ours(workbench: Workbench, model: str) -> None:
    job = workbench.job(model=model, size="2K")
    first = await workbench.ask(job)
    picture = InputPicture(path=first.produced[0].file, media_type="image/jpeg")
    series = replace(job, series=job.model.series, images=2 if job.model.series else 1, references=(picture,))

    again = await workbench.ask(replace(series, folder=workbench.job().folder))

    assert again.error is None
    assert len(again.produced) == series.images


async def test_references_arrive_in_order_and_whole(workbench: Workbench) -> None:
    fox = await workbench.ask(workbench.job(**SMALL))
    sea = await workbench.ask(workbench.job("the sea at night", **SMALL))
    references = tuple(InputPicture(path=one.produced[0].file, media_type="image/JPEG") for one in (fox, sea))

    outcome = await workbench.ask(workbench.job("combine", references=references, **SMALL))

    assert len(outcome.produced) == 1
    assert [one.references for one in workbench.sandbox.journal.received] == [0, 0, 2]


async def test_a_series_comes_one_by_one(workbench: Workbench) -> None:
    outcome = await workbench.ask(workbench.job(series=True, images=3, **SMALL))

    assert [picture.index for picture in outcome.produced] == [0, 1, 2]
    assert outcome.finished
    assert outcome.finished.images == 3
    assert workbench.sandbox.journal.received[0].images == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("busy", ProviderBusy),
        ("failing", OutcomeUnknown),
        ("refuse_words", ContentRefused),
        ("refuse_reference", ContentRefused),
        ("refuse_result", ContentRefused),
        ("cut_request", OutcomeUnknown),
        ("cut_answer", OutcomeUnknown),
        ("html", OutcomeUnknown),
        ("task", AnswerBroken),
        ("silent", OutcomeUnknown),
        ("slow", OutcomeUnknown),
    ],
)
async def test_no_fault_makes_a_second_paid_request(workbench: Workbench, fault: str, kind: type[Exception]) -> None:
    setattr(workbench.sandbox.faults, fault, True)
    job = workbench.job(**SMALL)
    job = replace(job, model=replace(job.model, timeout=0.3)) if fault in ("silent", "slow") else job

    outcome = await workbench.ask(job)

    assert type(outcome.error) is kind
    assert outcome.produced == []
    assert workbench.sandbox.paid_requests == 1


async def test_busy_says_when_to_come_back(workbench: Workbench) -> None:
    workbench.sandbox.faults.busy = True
    workbench.sandbox.faults.retry_after = "Sat, 21 Nov 2026 09:00:12 GMT"

    outcome = await workbench.ask(workbench.job(**SMALL))

    assert isinstance(outcome.error, ProviderBusy)
    assert outcome.error.retry_after == 12


async def test_a_wrong_size_is_refused_with_the_reason(workbench: Workbench) -> None:
    outcome = await workbench.ask(workbench.job(size="1024x1024"))

    assert isinstance(outcome.error, ProviderRefused)
    assert "image size must be at least 3686400 pixels" in str(outcome.error.text)


async def test_without_a_key_it_is_the_operators_business(workbench: Workbench) -> None:
    async with Transport() as transport:
        provider = ImagesApi(
            "x", base_url=workbench.sandbox.base_url, api_key="", transport=transport, fetcher=Links(None)
        )
        outcome = await collect(provider, workbench.job(**SMALL))

    assert isinstance(outcome.error, ProviderMisconfigured)


async def test_a_rejected_picture_leaves_the_others(workbench: Workbench) -> None:
    workbench.sandbox.faults.reject = frozenset({1})

    outcome = await workbench.ask(workbench.job(series=True, images=3, **SMALL))

    assert [picture.index for picture in outcome.produced] == [0, 2]
    assert [one.index for one in outcome.rejected] == [1]
    assert outcome.rejected[0].error.billed is False
    assert outcome.finished
    assert outcome.finished.images == 2


async def test_an_internal_error_ends_a_series_early(workbench: Workbench) -> None:
    workbench.sandbox.faults.stop_at = 1

    outcome = await workbench.ask(workbench.job(series=True, images=3, **SMALL))

    assert [picture.index for picture in outcome.produced] == [0]
    assert [one.index for one in outcome.rejected] == [1]
    assert outcome.finished


async def test_fewer_pictures_than_asked_for_are_no_error(workbench: Workbench) -> None:
    workbench.sandbox.faults.fewer = 2

    outcome = await workbench.ask(workbench.job(series=True, images=3, **SMALL))

    assert len(outcome.produced) == 1
    assert outcome.finished
    assert outcome.finished.images == 1


@pytest.mark.parametrize(("fault", "came"), [("cut_answer", 1), ("unfinished", 1)])
async def test_a_stream_that_ends_early_keeps_what_came(workbench: Workbench, fault: str, came: int) -> None:
    setattr(workbench.sandbox.faults, fault, True)
    workbench.sandbox.faults.fewer = 1 if fault == "unfinished" else 0

    outcome = await workbench.ask(workbench.job(series=True, images=2, **SMALL))

    assert len(outcome.produced) == came
    assert isinstance(outcome.error, OutcomeUnknown)
    assert workbench.sandbox.paid_requests == 1


async def test_a_stream_without_its_last_frame_is_fine_when_all_came(workbench: Workbench) -> None:
    workbench.sandbox.faults.unfinished = True

    outcome = await workbench.ask(workbench.job(series=True, images=2, **SMALL))

    assert len(outcome.produced) == 2
    assert outcome.finished == Finished(None, workbench.sandbox.journal.received[0].request_id)


async def test_leaving_early_closes_the_connection(workbench: Workbench) -> None:
    workbench.sandbox.faults.silent = True
    asking = asyncio.ensure_future(workbench.ask(workbench.job(**SMALL)))
    async with asyncio.timeout(5):
        await workbench.sandbox.journal.next_accepted()

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert workbench.sandbox.paid_requests == 1


@pytest.mark.parametrize(
    ("links", "asked", "produced"),
    [
        ({"failures": 2}, 3, True),
        ({"failures": 3}, 3, False),
        ({"failures": 1, "transient": False}, 1, False),
        ({"cut": True}, 1, False),
    ],
    ids=str,
)
async def test_a_download_is_tried_again_and_a_lost_picture_is_probably_billed(
    workbench: Workbench, links: dict[str, Any], asked: int, produced: bool
) -> None:
    whole = (await workbench.ask(workbench.job(**SMALL))).produced[0].file.read_bytes()
    fetcher = Links(whole[: len(whole) // 2] if links.pop("cut", False) else whole, **links)
    async with Transport() as transport:
        base_url = workbench.sandbox.base_url
        provider = ImagesApi("x", base_url=base_url, api_key="k", transport=transport, fetcher=fetcher, pause=0)
        outcome = await collect(provider, workbench.job(series=True, images=1, **SMALL))

    assert fetcher.asked == asked
    assert bool(outcome.produced) is produced
    if not produced:
        assert isinstance(outcome.rejected[0].error, AnswerBroken)
        assert outcome.rejected[0].error.billed is None
    assert outcome.finished
    assert workbench.sandbox.paid_requests == 2


async def test_a_link_works_for_a_day(workbench: Workbench) -> None:
    seen: list[str] = []

    class Noting(Links):
        async def fetch(self, url: str, *, into: Path, hosts: tuple[str, ...], max_bytes: int) -> None:
            seen.append(url)
            raise PictureError(text("No."))

    async with Transport() as transport:
        base_url = workbench.sandbox.base_url
        provider = ImagesApi("x", base_url=base_url, api_key="k", transport=transport, fetcher=Noting(None))
        await collect(provider, workbench.job(series=True, images=1, **SMALL))

    assert "X-Tos-Expires=86400" in seen[0]
    assert await fetched(workbench, seen[0])
    assert not await fetched(workbench, seen[0].replace("_0", "_1"))
    workbench.clock.advance(timedelta(hours=23, minutes=59))
    assert await fetched(workbench, seen[0])
    workbench.clock.advance(timedelta(minutes=2))
    assert not await fetched(workbench, seen[0])


async def fetched(workbench: Workbench, url: str) -> bool:
    into = workbench.folder / "fetched"
    async with GuardedFetcher([f"{workbench.sandbox.host}:{workbench.sandbox.port}"]) as fetcher:
        try:
            await fetcher.fetch(url, into=into, hosts=("127.0.0.1",), max_bytes=10_000_000)
        except FetchError:
            return False
    return True

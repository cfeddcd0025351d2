"""Apiframe over its simulator: from a job that was taken to its picture, or to what became of it instead."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import AnswerBroken, ContentRefused, OutcomeUnknown, ProviderRefused
from bot.providers.base import Finished, Prepared, Probed, Produced, Progress, Submitted
from tests.simulators.apiframe_bench import NOON, Bench, Ticking, opened
from tests.simulators.base import Fault


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


async def test_a_job_is_prepared_then_submitted_and_brings_its_picture_and_its_cost(bench: Bench) -> None:
    outcome = await bench.ask(bench.job(size="1312x736"))

    assert [type(event) for event in outcome.events] == [Prepared, Submitted, Produced, Finished]
    (picture,) = outcome.produced
    assert (picture.width, picture.height, picture.cost) == (1312, 736, 3 * 10_000)
    assert [*bench.sim.jobs] == outcome.tickets(Submitted)
    assert outcome.events[-1] == Finished(1, outcome.tickets(Submitted)[0])


async def test_progress_is_told_only_when_it_changes(bench: Bench) -> None:
    bench.sim.clock, bench.sim.seconds = Ticking(timedelta(seconds=1)), 60

    outcome = await bench.ask(bench.job())

    assert [event.fraction for event in outcome.events if isinstance(event, Progress)] == [0.4, 0.8]
    assert len(outcome.produced) == 1
    assert len([one for one in bench.sim.requests if "/v2/jobs/" in one.path]) > 10


@pytest.mark.parametrize(
    "shape",
    [
        lambda link: link,
        lambda link: [link],
        lambda link: [{"url": link}],
        lambda link: {"url": link},
        lambda link: {"images": [link]},
        lambda link: {"images": [{"url": link}]},
        lambda link: {"images": link},
    ],
    ids=["string", "list", "list of objects", "object", "images", "images as objects", "images as string"],
)
async def test_a_result_may_have_any_of_its_shapes(bench: Bench, shape: Any) -> None:
    bench.sim.shape = shape

    assert len((await bench.ask(bench.job())).produced) == 1


@pytest.mark.parametrize("result", [None, [], {}, "", {"images": None}, {"images": [7, {"link": "x"}]}, 3])
async def test_a_result_without_a_link_is_a_broken_answer(bench: Bench, result: Any) -> None:
    bench.sim.shape = lambda _: result

    assert type((await bench.ask(bench.job())).error) is AnswerBroken


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("Provider returned an error: content policy violation", "words"),
        ("The prompt was flagged", "words"),
        ("Blocked by the safety system", "words"),
        ("NSFW content detected", "words"),
        ("InputTextSensitiveContentDetected", "words"),
        ("InputImageSensitiveContentDetected", "reference"),
        ("the reference image was rejected by moderation", "reference"),
        ("OutputImageSensitiveContentDetected.DeepFake", "result"),
        ("the output image may contain sensitive information", "result"),
    ],
)
async def test_the_text_of_a_failed_job_tells_moderation_and_its_stage(bench: Bench, words: str, stage: str) -> None:
    bench.sim.ends = ("FAILED", words)

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, ContentRefused)
    assert (error.stage, error.billed) == (stage, False)


@pytest.mark.parametrize(
    "ends", [("FAILED", "upstream timeout: a red fox"), ("FAILED", None), ("CANCELLED", None)], ids=str
)
async def test_a_job_that_ends_without_a_picture_is_not_billed_and_its_words_stay_there(
    bench: Bench, ends: tuple[str, str | None]
) -> None:
    bench.sim.ends = ends

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, ProviderRefused)
    assert error.billed is False
    assert "fox" not in f"{error.text} {error.detail}"
    assert bench.sim.account.left == bench.sim.account.credits


@pytest.mark.parametrize("fault", [Fault.WRONG_TYPE, Fault.HUGE])
async def test_the_bytes_decide_what_a_picture_is(bench: Bench, fault: Fault) -> None:
    bench.sim.goes_wrong(fault)

    (picture,) = (await bench.ask(bench.job())).produced

    assert (picture.media_type, picture.width, picture.height) == ("image/png", 1024, 1024)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.NOT_A_PICTURE, "no dimensions"),
        (Fault.CUT_PICTURE, "ClientPayloadError"),
        (Fault.INWARD, "localhost"),
        (Fault.NO_PICTURE, "without a picture"),
        (Fault.FEWER, "without a picture"),
        (Fault.GONE, "status 403"),
    ],
)
async def test_a_picture_that_does_not_come_is_a_broken_answer_and_probably_billed(
    bench: Bench, fault: Fault, told: str
) -> None:
    bench.sim.goes_wrong(fault)

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, AnswerBroken)
    assert error.billed is None
    assert told in error.detail
    assert "?" not in error.detail


async def test_a_picture_that_was_not_fetched_in_a_day_has_expired(bench: Bench) -> None:
    job = bench.job()
    (ticket,) = (await bench.ask(job)).tickets(Submitted)
    bench.sim.clock = lambda: NOON + timedelta(hours=24)

    error = (await bench.ask(replace(job, folder=bench.job().folder), ticket)).error

    assert isinstance(error, AnswerBroken)
    assert "expired" in error.detail


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 302, 0], ids=str)
async def test_polls_that_fail_are_repeated(bench: Bench, status: int) -> None:
    bench.sim.poll_statuses.extend([status, status])

    outcome = await bench.ask(bench.job())

    assert len(outcome.produced) == 1
    assert len(bench.sim.paid) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_job_that_can_no_longer_be_asked_for_may_be_billed_all_the_same(bench: Bench, status: int) -> None:
    bench.sim.poll_statuses.append(status)

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, OutcomeUnknown)
    assert str(status) in error.detail


async def test_a_job_that_does_not_end_in_its_time_is_unknown(bench: Bench) -> None:
    bench.sim.seconds = math.inf
    job, clock = bench.job(), Ticking(timedelta(seconds=30))

    outcome = await bench.ask(job, provider=bench.provider(clock=clock))

    assert type(outcome.error) is OutcomeUnknown
    waited = (clock.now - NOON).total_seconds()
    assert job.model.timeout + 300 < waited < job.model.timeout + 700


async def test_the_ticket_of_a_submitted_job_is_followed_and_nothing_is_sent(bench: Bench) -> None:
    job = bench.job()
    (ticket,) = (await bench.ask(job)).tickets(Submitted)

    outcome = await bench.ask(replace(job, folder=bench.job().folder), ticket)

    assert [type(event) for event in outcome.events] == [Produced, Finished]
    assert len(bench.sim.paid) == 1


async def test_a_ticket_that_nobody_knows_is_unknown(bench: Bench) -> None:
    outcome = await bench.ask(bench.job(), "3e8f5a1c-0000-4000-8000-000000000000")

    assert type(outcome.error) is OutcomeUnknown
    assert bench.sim.paid == []


async def test_whoever_stops_waiting_for_a_job_is_let_go_at_once(bench: Bench) -> None:
    bench.sim.seconds = math.inf
    waiting = asyncio.ensure_future(bench.ask(bench.job(), provider=bench.provider(polls=(3600, 3600))))
    async with asyncio.timeout(5):
        await bench.sim.taken()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_probe_tells_the_team_and_its_credits(bench: Bench) -> None:
    await bench.ask(bench.job())

    assert await bench.provider().probe() == Probed(well=True, told="team Night shift, 997 credits left", credits=997)
    assert len(bench.sim.paid) == 1


async def test_the_probe_tells_what_is_wrong(bench: Bench) -> None:
    wrong = await bench.provider(api_key="afk_wrong_and_secret").probe()
    unsendable = await bench.provider(api_key="afk_secret\n").probe()
    away = await bench.provider(base_url="http://127.0.0.1:9").probe()
    elsewhere = await bench.provider(base_url=f"{bench.sim.base_url}/v7").probe()
    bench.sim.account.key_state = "inactive"
    inactive = await bench.provider().probe()
    bench.sim.account.key_state, bench.sim.account.credits = "good", 0
    empty = await bench.provider().probe()

    probed = (wrong, unsendable, away, elsewhere, inactive, empty)
    assert [one.well for one in probed] == [False] * 6
    assert "the key is wrong" in wrong.told
    assert "cannot be sent" in unsendable.told
    assert "cannot be reached" in away.told
    assert "404" in elsewhere.told
    assert "inactive" in inactive.told
    assert empty.credits == 0
    assert not any("secret" in one.told for one in probed)


async def test_the_probe_of_a_key_without_a_team_is_well(bench: Bench) -> None:
    bench.sim.account.team = False

    probed = await bench.provider().probe()

    assert (probed.well, probed.credits) == (True, None)

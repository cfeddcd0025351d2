"""What is certain about a request to Apiframe: it is asked again under its key, and is one job all the same."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.errors import (
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.providers.apiframe import TRIES
from bot.providers.apiframe_wire import refused
from bot.providers.base import Job, Prepared, Submitted
from tests.simulators.apiframe_bench import NOON, Bench, Outcome, opened
from tests.simulators.base import Fault

LOST = (
    *(Fault.RESET, Fault.CUT, Fault.FAILED, Fault.GATEWAY_PAGE, Fault.NOT_JSON, Fault.EMPTY),
    *(Fault.SILENT, Fault.LATE),
)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as bench:
        yield bench


def impatient(job: Job) -> Job:
    return replace(job, model=replace(job.model, timeout=0.3))


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (Fault.BUSY, ProviderBusy, "429"),
        (Fault.BAD_REQUEST, ProviderRefused, "400"),
        (Fault.BAD_KEY, ProviderMisconfigured, "401"),
        (Fault.NO_BALANCE, ProviderMisconfigured, "needs 3 credits, 0 left"),
    ],
)
async def test_a_clear_no_is_taken_at_once_and_costs_nothing(
    bench: Bench, fault: Fault, kind: type[ProviderError], told: str
) -> None:
    bench.sim.goes_wrong(fault, always=True)

    error = (await bench.ask(bench.job())).error

    assert type(error) is kind
    assert (error.billed, len(bench.sim.paid), bench.sim.billed) == (False, 1, 0)
    assert told in error.detail


async def test_an_inactive_key_is_the_operators_business(bench: Bench) -> None:
    bench.sim.account.key_state = "inactive"

    assert type((await bench.ask(bench.job())).error) is ProviderMisconfigured


async def test_too_few_credits_are_told_in_numbers(bench: Bench) -> None:
    bench.sim.account.credits = 2

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, ProviderMisconfigured)
    assert error.detail == "needs 3 credits, 2 left"


async def test_a_bad_request_tells_the_person_which_field_and_why(bench: Bench) -> None:
    error = (await bench.ask(bench.job("x" * 2001))).error

    assert isinstance(error, ProviderRefused)
    assert "prompt: Invalid input" in str(error.text)


async def test_busy_says_when_to_come_back(bench: Bench) -> None:
    bench.sim.goes_wrong(Fault.BUSY)
    bench.sim.retry_after = "7"

    error = (await bench.ask(bench.job())).error

    assert isinstance(error, ProviderBusy)
    assert error.retry_after == 7


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_is_asked_again_and_is_one_job(bench: Bench, fault: Fault) -> None:
    bench.sim.goes_wrong(fault)

    outcome = await bench.ask(impatient(bench.job()))

    assert len(outcome.produced) == 1
    assert bench.sim.billed == 1
    first, second = bench.sim.paid
    assert first.body == second.body
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == "k3f9w2ab:0"


async def test_a_service_that_is_away_for_a_moment_is_asked_again(bench: Bench) -> None:
    bench.sim.goes_wrong(Fault.OVERLOADED, Fault.OVERLOADED)

    outcome = await bench.ask(bench.job())

    assert len(outcome.produced) == 1
    assert (len(bench.sim.paid), bench.sim.billed) == (3, 1)


async def test_a_service_that_stays_away_has_certainly_taken_nothing(bench: Bench) -> None:
    bench.sim.goes_wrong(Fault.OVERLOADED, always=True)

    outcome = await bench.ask(bench.job())

    assert type(outcome.error) is ProviderBusy
    assert len(bench.sim.paid) == TRIES


async def test_without_a_connection_nothing_was_taken_and_another_may_be_asked(bench: Bench) -> None:
    outcome = await bench.ask(bench.job(), provider=bench.provider(base_url="http://127.0.0.1:9"))

    assert isinstance(outcome.error, ProviderBusy)
    assert outcome.error.unreachable


async def test_answers_that_stay_lost_are_unknown_in_the_end(bench: Bench) -> None:
    bench.sim.goes_wrong(Fault.RESET, always=True)

    outcome = await bench.ask(bench.job())

    assert type(outcome.error) is OutcomeUnknown
    assert (len(bench.sim.paid), bench.sim.billed) == (TRIES, 1)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.OVERLOADED, Fault.BAD_KEY, Fault.BAD_REQUEST])
async def test_after_a_lost_answer_no_later_no_proves_that_nothing_was_taken(bench: Bench, fault: Fault) -> None:
    bench.sim.goes_wrong(Fault.RESET, *[fault] * TRIES)

    outcome = await bench.ask(bench.job())

    assert type(outcome.error) is OutcomeUnknown
    assert bench.sim.billed == 1


async def test_after_a_lost_answer_a_busy_server_is_asked_on(bench: Bench) -> None:
    bench.sim.goes_wrong(Fault.RESET, Fault.BUSY)

    outcome = await bench.ask(bench.job())

    assert len(outcome.produced) == 1
    assert bench.sim.billed == 1


async def test_a_key_that_was_used_for_something_else_is_unknown_and_not_asked_again(bench: Bench) -> None:
    await bench.ask(bench.job(id="the same"))

    outcome = await bench.ask(bench.job("a blue fox", id="the same"))

    assert type(outcome.error) is OutcomeUnknown
    assert (len(bench.sim.paid), bench.sim.billed) == (2, 1)


async def killed_before_the_answer(bench: Bench, job: Job) -> Outcome:
    """What was told until a process died whose request had been taken."""
    outcome = Outcome()

    async def asking() -> None:
        async with aclosing(bench.provider().generate(job)) as events:
            async for event in events:
                outcome.events.append(event)

    bench.sim.goes_wrong(Fault.SILENT)
    task = asyncio.ensure_future(asking())
    async with asyncio.timeout(5):
        await bench.sim.taken()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return outcome


async def test_a_crash_before_the_answer_is_one_job_and_needs_no_references_again(bench: Bench) -> None:
    references = (bench.reference("one.png"), bench.reference("two.png"))
    job = bench.job(references=references, model="seedream-4.5")
    (ticket,) = (await killed_before_the_answer(bench, job)).tickets(Prepared)
    for picture in references:
        picture.path.unlink()

    outcome = await bench.ask(job, ticket)

    assert outcome.error is None
    assert (len(outcome.produced), len(outcome.tickets(Submitted)), outcome.tickets(Prepared)) == (1, 1, [])
    assert (len(bench.sim.paid), bench.sim.billed) == (2, 1)
    assert bench.sim.paid[0].body == bench.sim.paid[1].body
    assert len([one for one in bench.sim.requests if one.path == "/v2/uploads"]) == 2


async def test_a_crash_before_anything_was_sent_is_one_job(bench: Bench) -> None:
    job = bench.job()
    async with aclosing(bench.provider().generate(job)) as events:
        prepared = await anext(events)
    assert isinstance(prepared, Prepared)
    assert bench.sim.paid == []

    outcome = await bench.ask(job, prepared.ticket)

    assert len(outcome.produced) == 1
    assert (len(bench.sim.paid), bench.sim.billed) == (1, 1)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.OVERLOADED])
async def test_after_a_crash_a_busy_server_does_not_prove_that_nothing_was_taken(bench: Bench, fault: Fault) -> None:
    job = bench.job()
    (ticket,) = (await killed_before_the_answer(bench, job)).tickets(Prepared)
    bench.sim.goes_wrong(fault, always=True)

    assert type((await bench.ask(job, ticket)).error) is OutcomeUnknown


async def test_what_another_account_was_sent_is_not_sent_to_this_one(bench: Bench) -> None:
    job = bench.job()
    (ticket,) = (await killed_before_the_answer(bench, job)).tickets(Prepared)

    outcome = await bench.ask(job, ticket, provider=bench.provider(api_key="afk_of_another_account"))

    assert type(outcome.error) is OutcomeUnknown
    assert len(bench.sim.paid) == 1
    assert bench.sim.key not in ticket


@pytest.mark.parametrize("body", [b"<html>503 Service Unavailable</html>", b"", b'{"message": "upstream"}'])
def test_only_in_its_own_words_a_503_says_that_nothing_was_taken(body: bytes) -> None:
    error = refused(503, body, retry_after="", request_id="r1", now=NOON, hide=())

    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 503])
def test_no_secret_of_ours_comes_back_in_an_error(status: int) -> None:
    said = "the prompt 'a very private wish' of afk_0123456789 at https://cdn.example/x.png?Signature=abcdef"
    body = json.dumps({"error": said, "details": {"prompt": [said]}}).encode()

    error = refused(
        status, body, retry_after="", request_id="r1", now=NOON, hide=("afk_0123456789", "a very private wish")
    )

    for secret in ("private wish", "0123456789", "abcdef"):
        assert secret not in f"{error.text} {error.detail}"


async def test_a_server_that_says_our_request_back_tells_nobody_our_secrets(bench: Bench) -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"{request.headers['X-API-Key']}: {await request.text()}"
        return web.json_response({"error": said, "details": {"prompt": [said]}}, status=400)

    application = web.Application()
    application.router.add_post("/v2/images/generate", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        provider = bench.provider(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}", api_key="afk_0123456789")
        error = (await bench.ask(bench.job("a very private wish"), provider=provider)).error
    finally:
        await runner.cleanup()

    assert isinstance(error, ProviderRefused)
    assert "prompt:" in str(error.text)
    for secret in ("private wish", "0123456789"):
        assert secret not in f"{error.text} {error.detail}"

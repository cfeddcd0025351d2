"""Apiframe's webhooks: a good one wakes the poll of its job, and that is all that any of them can do."""

import asyncio
import hmac
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bot.providers.apiframe import Apiframe
from bot.providers.base import Event, Finished, Submitted
from tests.simulators.apiframe_bench import Bench, Outcome, opened
from tests.simulators.apiframe_jobs import SimJob

HOUR = (3600.0, 3600.0)  # far beyond any test: only a webhook ends a job before


@dataclass
class Hooked:
    """A provider whose webhook is mounted on a real socket, and one job that it follows, an hour between its polls."""

    bench: Bench
    provider: Apiframe
    asking: asyncio.Task[Outcome]
    job: SimJob

    @property
    def polls(self) -> int:
        return len([one for one in self.bench.sim.requests if "/v2/jobs/" in one.path])

    async def polled(self) -> None:
        """Wait until the job is asked for once more."""
        async with asyncio.timeout(5):
            assert await self.bench.sim.polled.get() == self.job.id

    async def ended(self) -> Outcome:
        async with asyncio.timeout(5):
            return await self.asking


@asynccontextmanager
async def mounted(receivers: list[Apiframe]) -> AsyncIterator[str]:
    async def hook(request: web.Request) -> web.Response:
        good = await receivers[0].receive(request.headers, await request.read())
        return web.Response(status=200 if good else 401)

    application = web.Application()
    application.router.add_post("/hooks/apiframe", hook)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/apiframe"
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Hooked]:
    receivers: list[Apiframe] = []
    async with opened(tmp_path) as bench, mounted(receivers) as url:
        bench.sim.seconds = math.inf
        provider = bench.provider(webhook_url=url, polls=HOUR)
        receivers.append(provider)
        asking = asyncio.ensure_future(bench.ask(bench.job(), provider=provider))
        async with asyncio.timeout(5):
            await bench.sim.taken()
        (job,) = bench.sim.jobs.values()
        hooked = Hooked(bench, provider, asking, job)
        await hooked.polled()
        yield hooked
        asking.cancel()
        await asyncio.wait([asking])


async def test_a_webhook_ends_the_wait_at_once(hooked: Hooked) -> None:
    hooked.job.over = True

    assert await hooked.bench.sim.tell(hooked.job) == 200
    outcome = await hooked.ended()
    assert len(outcome.produced) == 1
    assert hooked.polls == 2


@pytest.mark.parametrize("prefix", ["sha256=", ""])
async def test_the_signatures_prefix_may_be_missing(hooked: Hooked, prefix: str) -> None:
    hooked.job.over = True

    assert await hooked.bench.sim.tell(hooked.job, prefix=prefix) == 200
    assert (await hooked.ended()).produced


async def test_a_bad_signature_wakes_nobody(hooked: Hooked) -> None:
    hooked.job.over = True

    assert await hooked.bench.sim.tell(hooked.job, good=False) == 401
    await asyncio.wait([hooked.asking], timeout=0.1)
    assert not hooked.asking.done()
    assert hooked.polls == 1


async def test_what_a_webhook_says_is_not_believed_and_sets_off_one_poll(hooked: Hooked) -> None:
    assert await hooked.bench.sim.tell(hooked.job, "completed") == 200
    await hooked.polled()
    await asyncio.wait([hooked.asking], timeout=0.1)

    assert not hooked.asking.done()
    assert hooked.polls == 2


async def test_webhooks_that_come_twice_late_and_for_other_jobs_do_no_harm(hooked: Hooked) -> None:
    sim = hooked.bench.sim
    statuses = [
        await sim.tell(hooked.job, job_id="3e8f5a1c-0000-4000-8000-000000000000"),
        await sim.tell(hooked.job, "progress"),
        await sim.tell(hooked.job, "progress"),
    ]
    hooked.job.over = True
    statuses += [await sim.tell(hooked.job) for _ in range(3)]
    outcome = await hooked.ended()
    statuses += [await sim.tell(hooked.job, "progress"), await sim.tell(hooked.job)]

    assert statuses == [200] * 8
    assert len(outcome.produced) == 1
    assert len(sim.paid) == 1


async def test_a_webhook_that_comes_before_the_wait_begins_is_not_missed(tmp_path: Path) -> None:
    receivers: list[Apiframe] = []
    async with opened(tmp_path) as bench, mounted(receivers) as url:
        bench.sim.seconds = math.inf
        provider = bench.provider(webhook_url=url, polls=HOUR)
        receivers.append(provider)
        events: list[Event] = []
        async with asyncio.timeout(5):
            async for event in provider.generate(bench.job()):
                events.append(event)
                if isinstance(event, Submitted):  # told while its caller still writes the ticket down
                    job = bench.sim.jobs[event.ticket]
                    job.over = True
                    assert await bench.sim.tell(job) == 200

        assert isinstance(events[-1], Finished)


async def test_without_any_webhook_slower_polls_bring_the_picture(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        provider = bench.provider(webhook_url="http://127.0.0.1:9/hooks/apiframe", polls=(0.001, 0.002))
        bench.sim.poll_statuses.extend([503, 503])

        assert (await bench.ask(bench.job(), provider=provider)).produced


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"X-Webhook-Signature": ""}, b"{}"),
        ({"X-Webhook-Signature": "sha256="}, b"{}"),
        ({"X-Webhook-Signature": "sha256=ümlaut"}, b"{}"),
        ({"X-Webhook-Signature": "sha256=\udcff"}, b"{}"),
        ({"X-Webhook-Signature": "sha256=" + "0" * 64}, b"{}"),
    ],
    ids=ascii,
)
async def test_a_call_without_a_good_signature_is_refused(
    tmp_path: Path, headers: Mapping[str, str], body: bytes
) -> None:
    async with opened(tmp_path) as bench:
        assert not await bench.provider().receive(headers, body)


@pytest.mark.parametrize("raw", [True, False], ids=["raw digest", "digest in hexadecimal"])
@pytest.mark.parametrize("body", [b"{}", b"not JSON", b'{"jobId": 7}', b"[]", b""])
async def test_both_readings_of_the_key_are_good_and_any_body_is_harmless(
    tmp_path: Path, raw: bool, body: bytes
) -> None:
    async with opened(tmp_path) as bench:
        digest = sha256(bench.sim.key.encode())
        key = digest.digest() if raw else digest.hexdigest().encode()
        signature = hmac.new(key, body, sha256).hexdigest()

        assert await bench.provider().receive({"X-Webhook-Signature": f"sha256={signature}"}, body)

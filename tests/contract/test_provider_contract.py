"""What every provider keeps, whatever it speaks: one paid request, true events, errors that say what was billed.

A provider joins by a bench of its own in `BENCHES`: how to build it, and how to make the other side behave.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from PIL import Image

from bot.catalogue import Catalogue, load
from bot.errors import ContentRefused, OutcomeUnknown, ProviderBusy, ProviderError
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Event, Finished, InputPicture, Job, Produced, Provider, Rejected
from bot.providers.images_api import ImagesApi
from bot.providers.sandbox import Sandbox
from bot.providers.transport import Transport
from tests.fakes import DONE, FakeProvider, Make, Reject, painted

CATALOGUE: Catalogue = load()


class Bench(Protocol):
    """A provider and the other side of its wire."""

    provider: Provider
    name: str

    @property
    def paid(self) -> int:
        """How many paid requests came over the wire."""
        ...

    def goes_wrong(self, how: str) -> None:
        """From now on: `busy`, `refuse words`, `refuse result`, `cut` (the answer), `silent`, `reject one`, `away`."""
        ...

    async def taken(self) -> None:
        """Wait until the other side has taken a paid request and answers nothing yet."""
        ...


@dataclass
class SandboxBench:
    """The Images API over the sandbox, on a real socket."""

    provider: ImagesApi
    sandbox: Sandbox
    name: str = "sandbox"

    @property
    def paid(self) -> int:
        return self.sandbox.paid_requests

    def goes_wrong(self, how: str) -> None:
        match how:
            case "away":
                self.provider._url = "http://127.0.0.1:9/api/v3/images/generations"
            case "reject one":
                self.sandbox.faults.reject = frozenset({1})
            case _:
                names = {"cut": "cut_answer", "refuse words": "refuse_words", "refuse result": "refuse_result"}
                setattr(self.sandbox.faults, names.get(how, how), True)

    async def taken(self) -> None:
        await self.sandbox.journal.next_accepted()


@asynccontextmanager
async def images_api(folder: Path) -> AsyncIterator[SandboxBench]:
    async with Sandbox(seconds=0) as sandbox, Transport() as transport, GuardedFetcher() as fetcher:
        fetcher.allow_also(sandbox.host, sandbox.port)
        provider = ImagesApi(
            "sandbox",
            base_url=sandbox.base_url,
            api_key="any",
            transport=transport,
            fetcher=fetcher,
            hosts=CATALOGUE.offer("sandbox").hosts,
            pause=0,
        )
        yield SandboxBench(provider, sandbox)


@dataclass
class FakeBench:
    """The fake that stands in for a provider elsewhere is held to the same."""

    provider: FakeProvider = field(default_factory=FakeProvider)
    name: str = "sandbox"

    def __post_init__(self) -> None:
        self.came = asyncio.Event()

    @property
    def paid(self) -> int:
        return self.provider.paid

    def goes_wrong(self, how: str) -> None:
        async def stay(_: object) -> None:
            self.came.set()
            await asyncio.Event().wait()

        scripts: dict[str, Any] = {
            "busy": (ProviderBusy(),),
            "away": (ProviderBusy(),),
            "refuse words": (ContentRefused("words"),),
            "refuse result": (ContentRefused("result"),),
            "cut": (OutcomeUnknown(),),
            "silent": (stay,),
            "reject one": (Make(0), Reject(1, ContentRefused("result")), Make(2), DONE),
        }
        self.provider.scripts.append(scripts[how])

    async def taken(self) -> None:
        await self.came.wait()


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[FakeBench]:
    yield FakeBench()


BENCHES: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {"images_api": images_api, "fake": fake}


@pytest_asyncio.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](tmp_path) as bench:
        yield bench


@pytest.fixture
def job(bench: Bench, tmp_path: Path) -> Callable[..., Job]:
    """Makes a job of the smallest size, each with a folder of its own."""
    made = count()

    def make(**wanted: Any) -> Job:
        folder = tmp_path / f"job-{next(made)}"
        folder.mkdir()
        model = CATALOGUE.model(bench.name, "seedream-4")
        return Job(
            **{"id": "k3f9w2ab:0", "model": model, "prompt": "a red fox", "size": "1K", "folder": folder, **wanted}
        )

    return make


async def events_of(provider: Provider, job: Job, ticket: str = "") -> list[Event]:
    return [event async for event in provider.generate(job, ticket)]


async def error_of(provider: Provider, job: Job, ticket: str = "") -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await events_of(provider, job, ticket)
    return raised.value


async def test_one_job_is_one_paid_request_that_ends_with_finished(bench: Bench, job: Callable[..., Job]) -> None:
    asked = job()
    events = await events_of(bench.provider, asked)

    assert bench.paid == 1
    assert isinstance(events[-1], Finished)
    (made,) = [event for event in events if isinstance(event, Produced)]
    assert made.index == 0


async def test_a_picture_is_a_whole_file_in_the_jobs_folder_and_is_what_it_says(
    bench: Bench, job: Callable[..., Job]
) -> None:
    asked = job()
    (made,) = [event for event in await events_of(bench.provider, asked) if isinstance(event, Produced)]

    assert made.file.parent == asked.folder
    with Image.open(made.file) as image:
        image.load()
        assert Image.MIME[image.format or ""] == made.media_type
        assert image.size == (made.width, made.height) or isinstance(bench, FakeBench)


async def test_nothing_is_sent_before_the_first_event_is_asked_for(bench: Bench, job: Callable[..., Job]) -> None:
    bench.provider.generate(job())
    await asyncio.sleep(0)

    assert bench.paid == 0


async def test_a_series_brings_each_picture_once_and_no_more_than_wanted(bench: Bench, job: Callable[..., Job]) -> None:
    events = await events_of(bench.provider, job(images=3, series=True))

    made = [event for event in events if isinstance(event, Produced)]
    assert [each.index for each in made] == [0, 1, 2]
    assert len({each.file for each in made}) == 3
    assert bench.paid == 1


async def test_one_of_a_series_that_is_held_back_does_not_end_the_others(bench: Bench, job: Callable[..., Job]) -> None:
    bench.goes_wrong("reject one")
    events = await events_of(bench.provider, job(images=3, series=True))

    assert [event.index for event in events if isinstance(event, Produced)] == [0, 2]
    (rejected,) = [event for event in events if isinstance(event, Rejected)]
    assert (rejected.index, rejected.error.billed) == (1, False)
    assert isinstance(rejected.error, ContentRefused)


async def test_references_are_taken(bench: Bench, job: Callable[..., Job], tmp_path: Path) -> None:
    file = tmp_path / "reference.png"
    file.write_bytes(painted("reference", 640, 480))
    references = (InputPicture(path=file, media_type="image/png"),) * 2

    assert isinstance((await events_of(bench.provider, job(references=references)))[-1], Finished)


@pytest.mark.parametrize("how", ["busy", "away"])
async def test_a_busy_provider_certainly_took_nothing_and_is_not_asked_again(
    bench: Bench, job: Callable[..., Job], how: str
) -> None:
    bench.goes_wrong(how)
    error = await error_of(bench.provider, job())

    assert isinstance(error, ProviderBusy)
    assert error.billed is False
    assert bench.paid <= 1


@pytest.mark.parametrize("stage", ["words", "result"])
async def test_moderation_says_at_which_stage_and_is_not_billed(
    bench: Bench, job: Callable[..., Job], stage: str
) -> None:
    bench.goes_wrong(f"refuse {stage}")
    error = await error_of(bench.provider, job())

    assert isinstance(error, ContentRefused)
    assert (error.stage, error.billed, bench.paid) == (stage, False, 1)


async def test_an_answer_that_is_cut_is_unknown_and_not_asked_again(bench: Bench, job: Callable[..., Job]) -> None:
    bench.goes_wrong("cut")
    error = await error_of(bench.provider, job())

    assert isinstance(error, OutcomeUnknown)
    assert (error.billed, bench.paid) == (None, 1)


async def test_whoever_stops_waiting_is_let_go_at_once(bench: Bench, job: Callable[..., Job]) -> None:
    bench.goes_wrong("silent")
    waiting = asyncio.ensure_future(events_of(bench.provider, job()))
    await bench.taken()
    waiting.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert bench.paid == 1


async def test_leaving_a_series_early_keeps_what_came(bench: Bench, job: Callable[..., Job]) -> None:
    asked = job(images=3, series=True)
    async with asyncio.timeout(10), aclosing(bench.provider.generate(asked)) as events:  # type: ignore[type-var]
        first = await anext(aiter(events))

    assert isinstance(first, Produced)
    assert first.file.exists()


async def test_with_a_ticket_nothing_is_paid_for(bench: Bench, job: Callable[..., Job]) -> None:
    with suppress(OutcomeUnknown):  # where there are no tickets, nobody can know what became of one
        await events_of(bench.provider, job(), "a-ticket")

    assert bench.paid == 0


async def test_jobs_at_the_same_time_do_not_mix(bench: Bench, job: Callable[..., Job]) -> None:
    jobs = [job(id=f"k3f9w2ab:{number}", prompt=f"fox number {number}") for number in range(4)]
    results = await asyncio.gather(*(events_of(bench.provider, each) for each in jobs))

    assert bench.paid == 4
    for asked, events in zip(jobs, results, strict=True):
        (made,) = [event for event in events if isinstance(event, Produced)]
        assert made.file.parent == asked.folder


async def test_no_error_repeats_the_words_to_the_operator(bench: Bench, job: Callable[..., Job]) -> None:
    for how in ("refuse words", "busy"):
        bench.goes_wrong(how)
        error = await error_of(bench.provider, job(prompt="canary-words"))
        assert "canary" not in error.detail + str(error)

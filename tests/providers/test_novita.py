"""Novita AI's provider against its simulator, over a real socket."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot.catalogue import load
from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.media.fetch import GuardedFetcher
from bot.providers.base import Finished, InputPicture, Job
from bot.providers.novita import Novita
from bot.providers.transport import Transport
from tests.fakes import painted
from tests.providers.conftest import Clock, Outcome
from tests.simulators.base import Fault
from tests.simulators.novita import NovitaSim

CATALOGUE = load()
KEY = "sk_canary-0123456789"
MODELS = ("seedream-4", "seedream-4.5", "seedream-5-lite")
SERIES: dict[str, Any] = {"series": True, "images": 3}


@dataclass
class Desk:
    """The provider, and the simulator that it asks."""

    sim: NovitaSim
    provider: Novita
    folder: Path
    numbers: Any = field(default_factory=count)

    def job(self, model: str = "seedream-4", **wanted: Any) -> Job:
        folder = self.folder / f"job-{next(self.numbers)}"
        folder.mkdir()
        found = CATALOGUE.model("novita", model)
        size = next(iter(found.tiers))
        return Job(**{"id": "g1:0", "model": found, "prompt": "a red fox", "size": size, "folder": folder, **wanted})

    async def ask(self, model: str = "seedream-4", **wanted: Any) -> Outcome:
        return await collect(self.provider, self.job(model, **wanted))

    def sent(self) -> dict[str, Any]:
        """The body of the only paid request."""
        (one,) = self.sim.paid
        body: dict[str, Any] = json.loads(one.body)
        return body

    def reference(self, seed: str = "fox", width: int = 640, height: int = 480) -> InputPicture:
        file = self.folder / f"reference-{seed}"
        file.write_bytes(painted(seed, width, height))
        return InputPicture(path=file, media_type="image/PNG")


async def collect(provider: Novita, job: Job) -> Outcome:
    outcome = Outcome()
    try:
        async for event in provider.generate(job):
            outcome.events.append(event)
    except ProviderError as error:
        outcome.error = error
    return outcome


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    async with NovitaSim(clock=clock) as sim, Transport() as transport, GuardedFetcher() as fetcher:
        fetcher.allow_also(sim.host, sim.port)
        provider = Novita(base_url=sim.origin, api_key=KEY, transport=transport, fetcher=fetcher, clock=clock, pause=0)
        yield Desk(sim, provider, tmp_path)


async def test_words_become_a_picture_of_the_wanted_size(desk: Desk) -> None:
    outcome = await desk.ask(size="1376x774")

    [picture] = outcome.produced
    assert (picture.width, picture.height, picture.media_type) == (1376, 774, "image/jpeg")
    assert outcome.finished == Finished(1)
    assert outcome.error is None


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("seedream-4", "/v3/seedream-4.0"),
        ("seedream-4.5", "/v3/seedream-4.5"),
        ("seedream-5-lite", "/v3/seedream-5.0-lite"),
    ],
)
async def test_one_picture_is_asked_with_nothing_that_is_not_needed(desk: Desk, model: str, path: str) -> None:
    await desk.ask(model, size="2K", format="png", seed=7, optimize="standard", search=True, guidance=2.0)

    (one,) = desk.sim.paid
    assert (one.method, one.path) == ("POST", path)
    assert json.loads(one.body) == {"prompt": "a red fox", "size": "2K", "watermark": False}
    assert one.headers["Authorization"] == f"Bearer {KEY}"
    assert one.headers["Content-Length"] == str(len(one.body))


@pytest.mark.parametrize(
    ("model", "many"),
    [
        ("seedream-4", {"max_images": 3}),
        ("seedream-4.5", {"sequential_image_generation_options": {"max_images": 3}}),
        ("seedream-5-lite", {"sequential_image_generation_options": {"max_images": 3}}),
    ],
)
async def test_a_series_says_how_many_in_the_models_own_way(desk: Desk, model: str, many: dict[str, Any]) -> None:
    outcome = await desk.ask(model, size="2K", watermark=True, **SERIES)

    assert desk.sent() == {
        "prompt": "a red fox\nGenerate a series of 3 coherent images.",
        "size": "2K",
        "watermark": True,
        "sequential_image_generation": "auto",
        **many,
    }
    assert [picture.index for picture in outcome.produced] == [0, 1, 2]
    assert outcome.finished == Finished(3)


@pytest.mark.parametrize(("model", "key"), [("seedream-4", "images"), ("seedream-4.5", "image")])
async def test_references_arrive_whole_and_in_order_under_the_models_own_key(desk: Desk, model: str, key: str) -> None:
    references = tuple(desk.reference(seed) for seed in ("fox", "sea"))

    outcome = await desk.ask(model, references=references)

    data = [reference.path.read_bytes() for reference in references]
    assert desk.sent()[key] == [f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in data]
    assert desk.sim.asked[0].references == tuple(data)
    assert len(outcome.produced) == 1


@pytest.mark.parametrize("model", MODELS)
async def test_every_model_takes_every_mode_and_size_of_its_own(desk: Desk, model: str) -> None:
    found = CATALOGUE.model("novita", model)
    for size in (*found.tiers, *(row for table in found.tiers.values() for row in table.values())):
        desk.sim.goes_wrong(Fault.NO_PICTURE)  # what was asked is looked at, not what is drawn
        await desk.ask(model, size=size, references=(desk.reference(),), **SERIES)

    assert len(desk.sim.asked) == len(desk.sim.paid) == len(found.tiers) * 9


@pytest.mark.parametrize("entry", ["url", "image_url"])
async def test_a_link_may_stand_in_an_object(desk: Desk, entry: str) -> None:
    desk.sim.entry = entry
    outcome = await desk.ask(**SERIES)

    assert len(outcome.produced) == 3


@pytest.mark.parametrize(("fault", "came"), [(Fault.FEWER, 2), (Fault.REJECT_ONE, 2), (None, 3)])
async def test_fewer_links_than_asked_for_settle_what_came(desk: Desk, fault: Fault | None, came: int) -> None:
    desk.sim.goes_wrong(fault)
    outcome = await desk.ask(**SERIES)

    assert [picture.index for picture in outcome.produced] == list(range(came))
    assert (outcome.rejected, outcome.error, outcome.finished) == ([], None, Finished(came))


REFUSALS = {
    Fault.BUSY: (ProviderBusy, 0),
    Fault.OVERLOADED: (ProviderBusy, 0),
    Fault.REFUSE_WORDS: (ContentRefused, 0),
    Fault.REFUSE_REFERENCE: (ContentRefused, 0),
    Fault.REFUSE_RESULT: (ContentRefused, 0),
    Fault.BAD_REQUEST: (ProviderRefused, 0),
    Fault.BAD_KEY: (ProviderMisconfigured, 0),
    Fault.NO_BALANCE: (ProviderMisconfigured, 0),
    Fault.FAILED: (OutcomeUnknown, 1),
}
BROKEN = {
    Fault.GATEWAY_PAGE: (OutcomeUnknown, 1),
    Fault.CUT: (OutcomeUnknown, 1),
    Fault.RESET: (OutcomeUnknown, 1),
    Fault.SILENT: (OutcomeUnknown, 1),
    Fault.LATE: (OutcomeUnknown, 1),
    Fault.NOT_JSON: (AnswerBroken, 1),
    Fault.EMPTY: (AnswerBroken, 1),
    Fault.NO_PICTURE: (AnswerBroken, 1),
    Fault.FEWER: (AnswerBroken, 1),
}
LINKS = {Fault.NOT_A_PICTURE, Fault.CUT_PICTURE, Fault.INWARD, Fault.GONE}
GOOD = {Fault.WRONG_TYPE, Fault.HUGE, Fault.REJECT_ONE}


def test_every_fault_is_looked_at() -> None:
    assert {*REFUSALS, *BROKEN, *LINKS, *GOOD} == set(Fault)


@pytest.mark.parametrize("platform", [False, True], ids=["ModelArk's errors", "its own errors"])
@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_refusal_means_the_same_in_both_shapes(desk: Desk, fault: Fault, platform: bool) -> None:
    desk.sim.platform = platform
    desk.sim.goes_wrong(fault)
    outcome = await desk.ask()

    kind, billed = REFUSALS[fault]
    assert type(outcome.error) is kind
    assert outcome.events == []
    assert (len(desk.sim.paid), desk.sim.billed) == (1, billed)


@pytest.mark.parametrize("fault", BROKEN)
async def test_an_answer_that_does_not_come_is_never_asked_for_again(desk: Desk, fault: Fault) -> None:
    desk.sim.goes_wrong(fault)
    job = desk.job()
    outcome = await collect(desk.provider, replace(job, model=replace(job.model, timeout=0.3)))

    kind, billed = BROKEN[fault]
    assert type(outcome.error) is kind
    assert outcome.events == []
    assert (len(desk.sim.paid), desk.sim.billed) == (1, billed)


async def test_more_pictures_and_larger_references_are_waited_for_longer(desk: Desk) -> None:
    desk.sim.late = 0.5
    desk.sim.goes_wrong(Fault.LATE, always=True)
    hasty = replace(CATALOGUE.model("novita", "seedream-4"), timeout=0.1, timeout_per_extra=5.0)
    large = desk.folder / "large.png"
    large.write_bytes(painted("large", 640, 480) + b"\0" * 1_000_000)
    reference = InputPicture(path=large, media_type="image/png")

    series = await collect(desk.provider, replace(desk.job(**SERIES), model=hasty))
    edited = await collect(desk.provider, replace(desk.job(references=(reference,)), model=hasty))
    single = await collect(desk.provider, replace(desk.job(), model=hasty))

    assert len(series.produced) == 3
    assert len(edited.produced) == 1
    assert isinstance(single.error, OutcomeUnknown)


@pytest.mark.parametrize("fault", sorted(LINKS))
async def test_what_is_no_picture_behind_a_link_is_never_given_out(desk: Desk, fault: Fault) -> None:
    desk.sim.goes_wrong(fault)
    outcome = await desk.ask(**SERIES)

    assert outcome.produced == []
    assert [type(one.error) for one in outcome.rejected] == [AnswerBroken] * 3
    assert outcome.finished == Finished(3)
    assert len(desk.sim.paid) == 1
    assert not [one for one in desk.sim.requests if one.path.startswith("/inside")]


@pytest.mark.parametrize(("fault", "media_type"), [(Fault.WRONG_TYPE, "image/png"), (Fault.HUGE, "image/png")])
async def test_a_picture_is_what_its_bytes_say(desk: Desk, fault: Fault, media_type: str) -> None:
    desk.sim.goes_wrong(fault)
    outcome = await desk.ask()

    [picture] = outcome.produced
    assert (picture.media_type, picture.width) == (media_type, 1024)
    assert (picture.file.stat().st_size > 30_000_000) is (fault is Fault.HUGE)


async def test_a_download_that_breaks_off_is_tried_again_and_not_paid_for_again(desk: Desk) -> None:
    desk.sim.goes_wrong(Fault.CUT_PICTURE)
    await desk.ask()

    assert [one.method for one in desk.sim.requests] == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("Sat, 21 Nov 2026 09:00:12 GMT", 12), ("", None)])
async def test_busy_says_when_to_come_back(desk: Desk, value: str, seconds: float | None) -> None:
    desk.sim.retry_after = value
    desk.sim.goes_wrong(Fault.BUSY)
    outcome = await desk.ask()

    assert isinstance(outcome.error, ProviderBusy)
    assert outcome.error.retry_after == seconds


@pytest.mark.parametrize("platform", [False, True])
async def test_an_account_without_access_is_the_operators_business(desk: Desk, platform: bool) -> None:
    desk.sim.platform, desk.sim.denied = platform, True
    outcome = await desk.ask()

    assert isinstance(outcome.error, ProviderMisconfigured)
    assert "model_access_denied" in outcome.error.detail


async def test_a_task_is_recognised_and_refused(desk: Desk) -> None:
    desk.sim.task = True
    outcome = await desk.ask()

    assert isinstance(outcome.error, AnswerBroken)
    assert "a task to be polled, which is not supported" in outcome.error.detail


async def test_with_a_ticket_nothing_is_sent(desk: Desk) -> None:
    with pytest.raises(OutcomeUnknown):
        await anext(desk.provider.generate(desk.job(), "a ticket"))

    assert desk.sim.requests == []


async def test_leaving_early_fetches_no_more(desk: Desk) -> None:
    async with aclosing(desk.provider.generate(desk.job(**SERIES))) as events:
        await anext(events)

    assert [one.method for one in desk.sim.requests] == ["POST", "GET"]


async def test_a_provider_that_is_not_there_took_nothing(desk: Desk) -> None:
    job = desk.job()
    async with Transport() as transport, GuardedFetcher() as fetcher:
        away = Novita(base_url="http://127.0.0.1:9", api_key=KEY, transport=transport, fetcher=fetcher)
        outcome = await collect(away, job)
        probed = await away.probe()

    assert isinstance(outcome.error, ProviderBusy)
    assert (probed.well, probed.told) == (False, "no connection to 127.0.0.1")


async def test_a_probe_says_that_all_is_well_and_costs_nothing(desk: Desk) -> None:
    probed = await desk.provider.probe()

    assert (probed.well, probed.told) == (True, "the key is accepted")
    assert (len(desk.sim.requests), desk.sim.paid, desk.sim.billed) == (1, [], 0)


@pytest.mark.parametrize(
    ("set_up", "told"),
    [
        ({"key": "sk_another"}, "the key is not accepted (401 AuthenticationError)"),
        ({"denied": True}, "the key is not accepted (403 model_access_denied)"),
    ],
)
async def test_a_probe_says_what_is_wrong(desk: Desk, set_up: dict[str, Any], told: str) -> None:
    for name, value in set_up.items():
        setattr(desk.sim, name, value)

    probed = await desk.provider.probe()

    assert (probed.well, probed.told) == (False, told)

"""Answers that are odd and good all the same, and answers that are bad in ways only a stream can be."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.errors import (
    AnswerBroken,
    ContentRefused,
    ModelMisconfigured,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.providers.base import Finished, Job
from bot.providers.sandbox.fields import Refused
from tests.contract.benches import SimulatorBench, images_api
from tests.contract.own_benches import CATALOGUE
from tests.providers.conftest import Outcome, collect
from tests.simulators.base import Fault
from tests.simulators.dress import Dress
from tests.simulators.personalities import (
    ASYNC_GATEWAY,
    EMPTY_BALANCE,
    EMPTY_BALANCE_AS_RATE,
    FREE_QUOTA_USED,
    MODELARK,
    NEW_API,
    NO_UPSTREAM,
    NOT_OPEN,
    OVERLOADED_AS_RATE,
    REAL_PERSON,
    SAFE_LIMIT,
)

pytestmark = pytest.mark.slow


@dataclass
class Asker:
    """Asks for one picture, or for a series of three, of the smallest size."""

    bench: SimulatorBench
    folder: Path

    async def __call__(self, **wanted: Any) -> Outcome:
        model = CATALOGUE.model(self.bench.offer, "seedream-4")
        own = {"id": "g1:0", "model": model, "prompt": "a red fox", "size": "1K", "folder": self.folder}
        return await collect(self.bench.provider, Job(**{**own, **wanted}))

    async def series(self) -> Outcome:
        return await self(series=True, images=3)


@pytest.fixture
async def ask(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Asker]:
    async with images_api(getattr(request, "param", MODELARK)) as bench:
        yield Asker(bench, tmp_path)


STREAMS = {
    "plain": Dress(),
    "CRLF": Dress(newline="\r\n"),
    "CR": Dress(newline="\r"),
    "split at any byte": Dress(split=True),
    "split within CRLF": Dress(split=True, newline="\r\n"),
    "comments": Dress(comments=True),
    "several data lines": Dress(multi_line=True),
    "gaps": Dress(gaps=0.05),
    "previews": Dress(previews=True),
    "unknown events": Dress(unknown=True),
    "no DONE": Dress(done=False),
    "only DONE": Dress(completed=False),
    "neither": Dress(completed=False, done=False),
    "no sizes": Dress(without=frozenset({"size", "usage", "model", "created"})),
    "everything": Dress(split=True, newline="\r\n", comments=True, multi_line=True, previews=True, unknown=True),
}


@pytest.mark.parametrize("dress", STREAMS.values(), ids=STREAMS)
async def test_however_a_stream_is_dressed_all_its_pictures_come(ask: Asker, dress: Dress) -> None:
    ask.bench.sim.dress = dress
    outcome = await ask.series()

    assert [picture.index for picture in outcome.produced] == [0, 1, 2]
    assert outcome.error is None
    assert outcome.finished
    assert (ask.bench.paid, ask.bench.billed) == (1, 1)


ANSWERS = {
    "sizes with a sign": Dress(times=True),
    "empty strings": Dress(empty_strings=True),
    "nothing around": Dress(without=frozenset({"size", "usage", "model", "created"})),
}


@pytest.mark.parametrize("dress", ANSWERS.values(), ids=ANSWERS)
async def test_however_an_answer_is_dressed_its_picture_comes(ask: Asker, dress: Dress) -> None:
    ask.bench.sim.dress = dress
    outcome = await ask()

    assert len(outcome.produced) == 1
    assert outcome.error is None


async def test_a_picture_that_is_refused_does_not_end_a_stream(ask: Asker) -> None:
    ask.bench.sim.goes_wrong(Fault.REJECT_ONE)
    outcome = await ask.series()

    assert [picture.index for picture in outcome.produced] == [0, 2]
    assert [(one.index, type(one.error)) for one in outcome.rejected] == [(1, ContentRefused)]


async def test_an_internal_error_ends_a_series_with_what_came_before(ask: Asker) -> None:
    ask.bench.sim.dress = Dress(stop_at=1)
    outcome = await ask.series()

    assert [picture.index for picture in outcome.produced] == [0]
    assert [one.index for one in outcome.rejected] == [1]
    assert outcome.finished == Finished(1, outcome.finished.request_id if outcome.finished else "")


@pytest.mark.parametrize(
    ("dress", "error"),
    [(Dress(error_after=0), OutcomeUnknown), (Dress(stop_at=2, completed=False), type(None))],
    ids=["an error for the whole request", "an internal error and no end"],
)
async def test_what_came_before_a_stream_breaks_is_kept(ask: Asker, dress: Dress, error: type[ProviderError]) -> None:
    ask.bench.sim.dress = dress
    outcome = await ask.series()

    assert outcome.produced
    assert type(outcome.error) is error
    assert ask.bench.paid == 1


async def test_a_stream_that_is_cut_within_a_frame_keeps_what_came(ask: Asker) -> None:
    ask.bench.sim.goes_wrong(Fault.CUT)
    ask.bench.sim.dress = Dress(gaps=0.2)  # of the 28 s that the vendor takes; each picture is fetched meanwhile
    outcome = await ask.series()

    assert [picture.index for picture in outcome.produced] == [0, 1]
    assert isinstance(outcome.error, OutcomeUnknown)


async def test_an_error_instead_of_a_stream_is_an_error(ask: Asker) -> None:
    ask.bench.sim.goes_wrong(Fault.BAD_REQUEST)
    outcome = await ask.series()

    assert isinstance(outcome.error, ProviderRefused)


async def test_an_error_that_says_200_is_an_error(ask: Asker) -> None:
    ask.bench.sim.dress = Dress(whole_error=True)
    outcome = await ask()

    assert isinstance(outcome.error, ContentRefused)
    assert (outcome.produced, outcome.finished) == ([], None)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (FREE_QUOTA_USED, ProviderMisconfigured),
        (SAFE_LIMIT, ProviderMisconfigured),
        (EMPTY_BALANCE, ProviderMisconfigured),
        (EMPTY_BALANCE_AS_RATE, ProviderMisconfigured),
        (NOT_OPEN, ModelMisconfigured),
        (OVERLOADED_AS_RATE, ProviderBusy),
        (REAL_PERSON, ContentRefused),
        (NO_UPSTREAM, OutcomeUnknown),
    ],
    ids=lambda value: f"{value.status} {value.code}" if isinstance(value, Refused) else "",
)
async def test_the_code_decides_before_the_status(ask: Asker, refused: Refused, error: type[ProviderError]) -> None:
    ask.bench.sim.refuses(refused)
    outcome = await ask()

    assert type(outcome.error) is error
    assert ask.bench.paid == 1


async def test_a_page_of_a_proxy_that_gave_up_waiting_leaves_the_outcome_unknown(ask: Asker) -> None:
    ask.bench.sim.page_status = 524
    ask.bench.sim.goes_wrong(Fault.GATEWAY_PAGE)
    outcome = await ask()

    assert isinstance(outcome.error, OutcomeUnknown)
    assert (ask.bench.paid, ask.bench.billed) == (1, 1)


async def test_a_reset_while_the_request_is_being_sent_is_not_sent_again(ask: Asker) -> None:
    ask.bench.sim.breaks_uploads = True
    outcome = await ask()

    assert isinstance(outcome.error, OutcomeUnknown)
    assert ask.bench.paid == 1


@pytest.mark.parametrize("ask", [ASYNC_GATEWAY], indirect=True)
@pytest.mark.parametrize("shape", range(3))
async def test_a_gateway_that_answers_with_a_task_is_refused_with_a_sentence(ask: Asker, shape: int) -> None:
    ask.bench.sim.task = shape
    outcome = await ask()

    assert isinstance(outcome.error, AnswerBroken)
    assert "task" in outcome.error.detail
    assert ask.bench.paid == 1


@pytest.mark.parametrize("ask", [NEW_API], indirect=True)
async def test_a_gateway_that_drops_the_keys_of_a_series_gives_one_picture(ask: Asker) -> None:
    outcome = await ask.series()

    assert [picture.index for picture in outcome.produced] == [0]
    assert (outcome.error, bool(outcome.finished)) == (None, True)

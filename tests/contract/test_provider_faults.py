"""What every provider makes of trouble: an error that says what was billed, one paid request, nothing but pictures."""

from collections.abc import Callable

import pytest
from PIL import Image

from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.providers.base import Job
from bot.request import Mode
from tests.contract.asking import cases, ended, error_of, hurried
from tests.contract.benches import BENCHES, SimulatorBench
from tests.contract.own_benches import Bench
from tests.simulators.base import Fault

pytestmark = pytest.mark.slow

# What an error of the other side has to become; whatever is not billed here is certainly not billed.
REFUSALS: dict[Fault, type[ProviderError]] = {
    Fault.BUSY: ProviderBusy,
    Fault.REFUSE_WORDS: ContentRefused,
    Fault.REFUSE_REFERENCE: ContentRefused,
    Fault.REFUSE_RESULT: ContentRefused,
    Fault.BAD_REQUEST: ProviderRefused,
    Fault.BAD_KEY: ProviderMisconfigured,
    Fault.NO_BALANCE: ProviderMisconfigured,
}
LOST = (Fault.FAILED, Fault.GATEWAY_PAGE, Fault.CUT, Fault.RESET, Fault.SILENT, Fault.LATE)
BROKEN = (Fault.NOT_JSON, Fault.EMPTY, Fault.NO_PICTURE)
UNUSABLE = (Fault.NOT_A_PICTURE, Fault.CUT_PICTURE, Fault.INWARD, Fault.GONE)
USABLE = (Fault.WRONG_TYPE, Fault.HUGE)
HUGE = 30_000_000


@pytest.mark.parametrize(("bench", "fault"), cases(*REFUSALS), indirect=["bench"])
async def test_a_refusal_is_known_for_what_it_is_and_certainly_not_billed(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    error = await error_of(bench.provider, job())

    assert type(error) is REFUSALS[fault]
    assert error.billed is False
    assert bench.paid == 1


@pytest.mark.parametrize("bench", [name for name, entry in BENCHES.items() if entry.simulated], indirect=True)
@pytest.mark.parametrize(("wait", "seconds"), [("7", 7), ("Sat, 21 Nov 2026 12:00:09 GMT", 9), ("", None)])
async def test_a_rate_limit_says_when_to_come_back(
    bench: SimulatorBench, job: Callable[..., Job], wait: str, seconds: float | None
) -> None:
    bench.sim.retry_after = wait
    bench.goes_wrong(Fault.BUSY)
    error = await error_of(bench.provider, job())

    assert isinstance(error, ProviderBusy)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("bench", "fault"),
    cases(Fault.REFUSE_WORDS, Fault.REFUSE_REFERENCE, Fault.REFUSE_RESULT),
    indirect=["bench"],
)
async def test_moderation_says_at_which_stage(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    error = await error_of(bench.provider, job())

    assert isinstance(error, ContentRefused)
    assert error.stage == fault.removeprefix("refuse ")


async def test_a_provider_that_is_not_there_took_nothing(bench: Bench, job: Callable[..., Job]) -> None:
    await bench.leaves()
    error = await error_of(bench.provider, job())

    assert isinstance(error, ProviderBusy)
    assert (error.billed, bench.billed) == (False, 0)


@pytest.mark.parametrize(("bench", "fault"), cases(Fault.OVERLOADED), indirect=["bench"])
async def test_an_overloaded_provider_took_nothing(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    error = await error_of(bench.provider, job())

    assert isinstance(error, ProviderBusy)
    assert (error.billed, bench.billed) == (False, 0)


@pytest.mark.parametrize(("bench", "fault"), cases(*LOST), indirect=["bench"])
async def test_an_answer_that_is_lost_leaves_the_outcome_unknown_and_one_paid_request(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    error = await error_of(bench.provider, hurried(job()))

    assert isinstance(error, OutcomeUnknown)
    assert error.billed is None
    assert bench.billed == 1
    assert bench.distinct == 1


@pytest.mark.parametrize(
    "bench", [name for name, entry in BENCHES.items() if Fault.CUT in entry.faults and entry.replays], indirect=True
)
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.RESET, Fault.FAILED, Fault.GATEWAY_PAGE], ids=lambda f: f.name)
async def test_where_the_same_request_can_be_sent_again_a_lost_answer_loses_nothing(
    bench: SimulatorBench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.sim.goes_wrong(fault)
    made, errors = await ended(bench.provider, job())

    assert (len(made), errors) == (1, [])
    assert (bench.billed, bench.distinct) == (1, 1)


@pytest.mark.parametrize(("bench", "fault"), cases(*BROKEN), indirect=["bench"])
async def test_an_answer_that_says_nothing_may_have_been_billed_and_is_not_asked_for_again(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    made, errors = await ended(bench.provider, job())

    assert made == []
    assert isinstance(errors[-1], AnswerBroken | OutcomeUnknown)
    assert errors[-1].billed is None
    assert (bench.billed, bench.distinct) == (1, 1)


@pytest.mark.parametrize(("bench", "fault"), cases(*UNUSABLE), indirect=["bench"])
async def test_what_is_not_a_picture_is_never_delivered(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    asked = job()
    made, errors = await ended(bench.provider, asked)

    assert made == []
    assert [type(error) for error in errors] == [AnswerBroken]
    assert bench.billed == 1
    assert not bench.inside


@pytest.mark.parametrize(("bench", "fault"), cases(*UNUSABLE, mode=Mode.SERIES), indirect=["bench"])
async def test_what_is_not_a_picture_is_never_delivered_in_a_series_either(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    made, errors = await ended(bench.provider, job(Mode.SERIES))

    assert made == []
    assert {type(error) for error in errors} == {AnswerBroken}
    assert not bench.inside


@pytest.mark.parametrize(("bench", "fault"), cases(*USABLE), indirect=["bench"])
async def test_a_good_picture_is_delivered_whatever_its_size_and_type_say(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    made, errors = await ended(bench.provider, job())

    assert errors == []
    (picture,) = made
    assert (fault is Fault.HUGE) == (picture.file.stat().st_size >= HUGE)
    with Image.open(picture.file) as image:
        assert image.size == (picture.width, picture.height)


@pytest.mark.parametrize(("bench", "fault"), cases(*REFUSALS), indirect=["bench"])
async def test_no_error_repeats_the_words_to_the_operator(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    error = await error_of(bench.provider, job(prompt="canary-words"))

    assert "canary" not in error.detail + str(error)
    assert bench.key not in error.detail + str(error)

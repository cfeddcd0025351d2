"""What every provider keeps, whatever it speaks: one paid request, true events, each mode that it has.

A provider joins with a bench in `tests/contract/benches.py`: how to build it, how to make the other side behave, and
what it has. A test runs for the benches that have what it is about; `test_provider_faults.py` has what goes wrong.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

import pytest
from PIL import Image

from bot.errors import OutcomeUnknown
from bot.providers.base import Finished, Job, Produced, Rejected
from bot.request import Mode
from tests.contract.asking import cases, events_of, having
from tests.contract.benches import BENCHES, SimulatorBench
from tests.contract.own_benches import Bench, FakeBench
from tests.simulators.base import Fault


async def test_one_job_is_one_paid_request_that_ends_with_finished(bench: Bench, job: Callable[..., Job]) -> None:
    events = await events_of(bench.provider, job())

    assert (bench.paid, bench.billed) == (1, 1)
    assert isinstance(events[-1], Finished)
    (made,) = [event for event in events if isinstance(event, Produced)]
    assert made.index == 0


@pytest.mark.parametrize(
    ("bench", "mode"),
    [(name, mode) for mode in (Mode.IMAGINE, Mode.EDIT, Mode.BLEND) for name in having(mode)],
    indirect=["bench"],
)
async def test_a_picture_is_a_whole_file_in_the_jobs_folder_and_is_what_it_says(
    bench: Bench, job: Callable[..., Job], mode: Mode
) -> None:
    asked = job(mode)
    events = await events_of(bench.provider, asked)

    (made,) = [event for event in events if isinstance(event, Produced)]
    assert made.file.parent == asked.folder
    with Image.open(made.file) as image:
        image.load()
        assert Image.MIME[image.format or ""] == made.media_type
        assert image.size == (made.width, made.height) or isinstance(bench, FakeBench)


async def test_nothing_is_sent_before_the_first_event_is_asked_for(bench: Bench, job: Callable[..., Job]) -> None:
    bench.provider.generate(job())
    await asyncio.sleep(0)

    assert bench.paid == 0


@pytest.mark.parametrize("bench", having(Mode.SERIES), indirect=True)
async def test_a_series_brings_each_picture_once_and_no_more_than_wanted(bench: Bench, job: Callable[..., Job]) -> None:
    events = await events_of(bench.provider, job(Mode.SERIES))

    made = [event for event in events if isinstance(event, Produced)]
    assert [each.index for each in made] == [0, 1, 2]
    assert len({each.file for each in made}) == 3
    assert (bench.paid, bench.billed) == (1, 1)


@pytest.mark.parametrize("bench", having(Mode.LAYERS), indirect=True)
async def test_layers_are_pngs_with_names_and_the_base_first(bench: Bench, job: Callable[..., Job]) -> None:
    events = await events_of(bench.provider, job(Mode.LAYERS))

    base, *layers = [event for event in events if isinstance(event, Produced)]
    assert 2 <= len(layers) <= 4
    assert {each.media_type for each in (base, *layers)} == {"image/png"}
    assert all(each.title for each in layers)
    assert all(each.width * each.height < base.width * base.height for each in layers)
    assert bench.paid == 1


@pytest.mark.parametrize(("bench", "fault"), cases(Fault.REJECT_ONE, mode=Mode.SERIES), indirect=["bench"])
async def test_one_of_a_series_that_is_held_back_does_not_end_the_others(
    bench: Bench, job: Callable[..., Job], fault: Fault
) -> None:
    bench.goes_wrong(fault)
    events = await events_of(bench.provider, job(Mode.SERIES))

    assert len([event for event in events if isinstance(event, Produced)]) == 2
    assert [event.error.billed for event in events if isinstance(event, Rejected)] == [False] * bench.tells_why
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(("bench", "fault"), cases(Fault.FEWER, mode=Mode.SERIES), indirect=["bench"])
async def test_fewer_pictures_than_asked_for_are_delivered(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    events = await events_of(bench.provider, job(Mode.SERIES))

    assert [event.index for event in events if isinstance(event, Produced)] == [0, 1]
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(("bench", "fault"), cases(Fault.SILENT), indirect=["bench"])
async def test_whoever_stops_waiting_is_let_go_at_once(bench: Bench, job: Callable[..., Job], fault: Fault) -> None:
    bench.goes_wrong(fault)
    waiting = asyncio.ensure_future(events_of(bench.provider, job()))
    await bench.taken()
    waiting.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (bench.paid, bench.billed) == (1, 1)


@pytest.mark.parametrize("bench", having(Mode.SERIES), indirect=True)
async def test_leaving_a_series_early_keeps_what_came(bench: Bench, job: Callable[..., Job]) -> None:
    async with asyncio.timeout(10), aclosing(bench.provider.generate(job(Mode.SERIES))) as events:
        first = await anext(aiter(events))

    assert isinstance(first, Produced)
    assert first.file.exists()


async def test_with_a_ticket_nothing_is_paid_for(bench: Bench, job: Callable[..., Job]) -> None:
    with suppress(OutcomeUnknown):  # where there are no tickets, nobody can know what became of one
        await events_of(bench.provider, job(), "a-ticket")

    assert bench.paid == 0


async def test_jobs_at_the_same_time_do_not_mix(bench: Bench, job: Callable[..., Job]) -> None:
    jobs = [job(prompt=f"fox number {number}") for number in range(4)]
    results = await asyncio.gather(*(events_of(bench.provider, each) for each in jobs))

    assert (bench.paid, bench.billed) == (4, 4)
    for asked, events in zip(jobs, results, strict=True):
        (made,) = [event for event in events if isinstance(event, Produced)]
        assert made.file.parent == asked.folder


@pytest.mark.parametrize("bench", [name for name, entry in BENCHES.items() if entry.simulated], indirect=True)
async def test_the_question_after_the_key_costs_nothing_and_never_fails(bench: SimulatorBench) -> None:
    good = await bench.provider.probe()
    bench.changes_key()
    bad = await bench.provider.probe()
    await bench.leaves()
    away = await bench.provider.probe()

    assert (good.well, bad.well, away.well) == (True, False, False)
    assert all(bench.key not in probed.told for probed in (good, bad, away))
    assert (bench.paid, bench.billed) == (0, 0)

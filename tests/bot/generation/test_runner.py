"""The runner with a provider that plays scripts: every ending, and what it costs."""

import asyncio
import errno
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.clock import micros
from bot.errors import (
    AnswerBroken,
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
    Unavailable,
)
from bot.generation import accepting
from bot.generation.queue import Admitted
from bot.generation.record import Generation
from bot.generation.states import State
from bot.i18n import text
from bot.media import metadata
from bot.request import Mode
from tests.bot.generation.core import PICTURE, Core
from tests.fakes import DONE, Make, Reject, Step, Ticket, Wait

FULL = OSError(errno.EIO, "Input/output error")


def cancelled(core: Core, generation: str) -> object:
    """Cancel as its maker does, straight in the tables."""

    async def work() -> object:
        return await core.service.cancel(generation, await core.person())

    return work()


async def test_what_was_made_is_stored_charged_and_told(core: Core) -> None:
    done = await core.run()

    assert done.state is State.SETTLED
    assert [image.index for image in done.images] == [0]
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, 0)}
    assert core.changes.count(done.id) >= 3
    assert await core.happened(done.id) == ["accepted", "admitted", "sending", "produced", "job done", "settled"]
    await core.nothing_is_held()


async def test_a_picture_carries_how_it_was_made_but_not_the_words(core: Core, tmp_path: Path) -> None:
    done = await core.run(prompt="canary-prompt")
    file = tmp_path / "copy"
    await core.blobs.copy_to(done.images[0].blob, file)

    written = await metadata.read(file)
    assert written["model"] == "seedream-4.5"
    assert written["generation"] == done.id
    assert "canary" not in str(written)


async def test_independent_pictures_are_independent_requests(core: Core) -> None:
    done = await core.run(count=4)

    assert sorted(job.id for job, _ in core.provider.asked) == [f"{done.id}:{number}" for number in range(4)]
    assert [image.index for image in done.images] == [0, 1, 2, 3]
    assert len({image.blob for image in done.images}) == 4


async def test_a_series_is_one_request(core: Core) -> None:
    done = await core.run(mode=Mode.SERIES, count=4)

    (asked,) = core.provider.asked
    assert (asked[0].series, asked[0].images) == (True, 4)
    assert [image.index for image in done.images] == [0, 1, 2, 3]


async def test_a_part_is_charged_as_a_part(core: Core) -> None:
    core.provider.scripts.append((Make(0), Make(1), DONE))
    done = await core.run(mode=Mode.SERIES, count=4)

    assert (done.state, len(done.images), done.charged) == (State.SETTLED, 2, 2)
    assert await core.spent() == {"images": (2, 0), "usd": (2 * PICTURE, 0), "pool": (2 * PICTURE, 0)}
    await core.nothing_is_held()


async def test_one_of_a_series_that_moderation_held_back_costs_nothing(core: Core) -> None:
    core.provider.scripts.append((Make(0), Reject(1, ContentRefused("result")), Make(2), DONE))
    done = await core.run(mode=Mode.SERIES, count=3)

    assert done.state is State.SETTLED
    assert [image.index for image in done.images] == [0, 2]
    assert await core.spent() == {"images": (2, 0), "usd": (2 * PICTURE, 0), "pool": (2 * PICTURE, 0)}
    assert done.missing
    await core.nothing_is_held()


async def test_one_of_a_series_that_was_perhaps_billed_stays_with_the_pools(core: Core) -> None:
    core.provider.scripts.append((Make(0), Reject(1, AnswerBroken()), DONE))
    done = await core.run(mode=Mode.SERIES, count=2)

    assert done.state is State.SETTLED
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, PICTURE)}
    await core.check_books()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ContentRefused("words"), State.REFUSED),
        (ContentRefused("reference"), State.REFUSED),
        (ContentRefused("result"), State.REFUSED),
        (ProviderRefused("the size does not suit it"), State.FAILED),
        (ProviderMisconfigured(), State.FAILED),
    ],
    ids=lambda value: str(getattr(value, "stage", value)),
)
async def test_a_refusal_costs_nothing_and_is_not_tried_again(core: Core, error: ProviderError, state: State) -> None:
    core.provider.scripts.append((error,))
    done = await core.run()

    assert (done.state, str(done.failure)) == (state, str(error.text))
    assert core.provider.paid == 1
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, 0)}
    await core.nothing_is_held()


@pytest.mark.parametrize("error", [OutcomeUnknown(), AnswerBroken(), RuntimeError("a bug")], ids=repr)
async def test_what_nobody_knows_is_given_back_to_the_person_and_kept_for_the_pools(
    core: Core, error: BaseException
) -> None:
    core.provider.scripts.append((error,))
    done = await core.run()

    assert done.state is State.UNKNOWN
    assert core.provider.paid == 1
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, PICTURE)}
    await core.check_books()


async def test_an_answer_without_picture_or_reason_is_unknown(core: Core) -> None:
    core.provider.scripts.append((DONE,))
    done = await core.run()

    assert done.state is State.UNKNOWN
    await core.check_books()


@pytest.mark.parametrize("error", [OutcomeUnknown(), RuntimeError("a bug"), ProviderBusy()], ids=repr)
async def test_pictures_that_came_before_an_error_are_real(core: Core, error: BaseException) -> None:
    core.provider.scripts.append((Make(0), error))
    done = await core.run(mode=Mode.SERIES, count=3)

    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    assert core.provider.paid == 1
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, 2 * PICTURE)}
    await core.check_books()


@pytest.mark.parametrize("error", [OutcomeUnknown(), RuntimeError("a bug")], ids=repr)
async def test_one_of_four_that_is_unknown_does_not_disturb_the_others(core: Core, error: BaseException) -> None:
    slow = asyncio.Event()

    async def fail(_: object) -> None:
        slow.set()
        raise error

    core.provider.by_number[2] = deque([(fail,)])
    for number in (0, 1, 3):
        core.provider.by_number[number] = deque([(Wait(slow), Make(), DONE)])
    done = await core.run(count=4)

    assert (done.state, [image.index for image in done.images]) == (State.SETTLED, [0, 1, 3])
    assert core.provider.paid == 4
    assert await core.spent() == {"images": (3, 0), "usd": (3 * PICTURE, 0), "pool": (3 * PICTURE, PICTURE)}
    await core.check_books()


async def test_a_busy_provider_is_asked_again_later_with_the_same_holds(core: Core) -> None:
    core.provider.scripts.append((ProviderBusy(retry_after=7),))
    waiting = await core.run()
    held = await core.spent()

    assert (waiting.state, waiting.tries) == (State.QUEUED, 1)
    assert held["images"] == (0, 1)
    assert await core.admitted() == []  # not yet
    (row,) = await core.database.fetch("SELECT run_after FROM generations")
    assert row["run_after"] >= micros(datetime.now(UTC)) + 6_000_000

    done = await core.run_again(waiting.id)
    assert done.state is State.SETTLED
    assert core.provider.paid == 2
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, 0)}
    await core.nothing_is_held()


async def test_pauses_grow_while_the_provider_stays_busy(core: Core) -> None:
    core.provider.scripts.extend([(ProviderBusy(),)] * 3)
    generation = (await core.run()).id
    pauses = []
    for _ in range(2):
        before = micros(datetime.now(UTC))
        await core.run_again(generation)
        (row,) = await core.database.fetch("SELECT run_after FROM generations")
        pauses.append((row["run_after"] - before) / 1_000_000)

    assert 2.0 <= pauses[0] <= 4.5
    assert 4.0 <= pauses[1] <= 8.5


async def test_a_provider_that_stays_busy_is_given_up(core: Core) -> None:
    core.provider.scripts.extend([(ProviderBusy(),)] * 4)
    done = await core.run()
    for _ in range(3):
        assert done.state is State.QUEUED
        done = await core.run_again(done.id)

    assert (done.state, core.provider.paid) == (State.FAILED, 4)
    assert "busy" in str(done.failure)
    await core.nothing_is_held()


async def test_only_what_was_busy_is_asked_again(core: Core) -> None:
    core.provider.by_number[1] = deque([(ProviderBusy(),)])
    waiting = await core.run(count=3)
    done = await core.run_again(waiting.id)

    assert (done.state, len(done.images)) == (State.SETTLED, 3)
    assert sorted(job.id[-1] for job, _ in core.provider.asked) == ["0", "1", "1", "2"]
    assert await core.spent() == {"images": (3, 0), "usd": (3 * PICTURE, 0), "pool": (3 * PICTURE, 0)}


async def test_cancelling_what_was_put_back_still_charges_what_was_made(core: Core) -> None:
    core.provider.by_number[1] = deque([(ProviderBusy(),)])
    waiting = await core.run(count=3)
    await cancelled(core, waiting.id)
    (mine,) = await core.admitted()  # at once: there is nothing to wait for any more
    await core.runner.run(mine)

    done = await core.load(waiting.id)
    assert (done.state, len(done.images)) == (State.SETTLED, 2)
    assert core.provider.paid == 3
    assert await core.spent() == {"images": (2, 0), "usd": (2 * PICTURE, 0), "pool": (2 * PICTURE, 0)}
    await core.nothing_is_held()


async def test_cancelling_what_was_put_back_with_nothing_made_is_free(core: Core) -> None:
    core.provider.scripts.append((ProviderBusy(),))
    waiting = await core.run()
    await cancelled(core, waiting.id)

    assert (await core.load(waiting.id)).state is State.CANCELLED
    await core.nothing_is_held()


async def test_cancelled_before_anything_was_sent_nothing_is_sent(core: Core) -> None:
    generation = await core.accepted(count=2)
    (mine,) = await core.admitted()
    await cancelled(core, generation)
    await core.runner.run(mine)

    done = await core.load(generation)
    assert (done.state, core.provider.paid) == (State.CANCELLED, 0)
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, 0)}
    await core.nothing_is_held()


async def test_cancelled_while_the_provider_draws_the_picture_is_kept_and_charged(core: Core) -> None:
    drawing, go_on = asyncio.Event(), asyncio.Event()

    async def begin(_: object) -> None:
        drawing.set()

    core.provider.scripts.append((begin, Wait(go_on), Make(), DONE))
    generation = await core.accepted()
    (mine,) = await core.admitted()
    running = asyncio.ensure_future(core.runner.run(mine))
    await drawing.wait()
    await cancelled(core, generation)
    go_on.set()
    await running

    done = await core.load(generation)
    assert (done.state, done.cancelled, len(done.images)) == (State.SETTLED, True, 1)
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, 0)}
    await core.nothing_is_held()


async def test_cancelled_while_the_provider_is_busy_it_ends_at_once(core: Core) -> None:
    async def cancel(_: object) -> None:
        await cancelled(core, generation)

    generation = await core.accepted()
    core.provider.scripts.append((cancel, ProviderBusy()))
    (mine,) = await core.admitted()
    await core.runner.run(mine)

    assert (await core.load(generation)).state is State.CANCELLED
    await core.nothing_is_held()


async def test_a_ticket_is_followed_after_a_stop_and_nothing_is_sent_again(core: Core) -> None:
    here = asyncio.Event()
    core.provider.scripts.append((Ticket("t-1"), _reached(here)))
    generation = await core.accepted()
    (mine,) = await core.admitted()
    await _stopped(core, mine, here)

    done = await _taken_over(core, generation)
    assert (done.state, core.provider.paid) == (State.SETTLED, 1)
    assert core.provider.asked[-1][1] == "t-1"
    await core.nothing_is_held()


async def test_a_ticket_of_a_cancelled_generation_is_followed_too(core: Core) -> None:
    here = asyncio.Event()
    core.provider.scripts.append((Ticket("t-1"), _reached(here)))
    generation = await core.accepted()
    (mine,) = await core.admitted()
    await _stopped(core, mine, here)
    await cancelled(core, generation)

    done = await _taken_over(core, generation)
    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, 0)}
    await core.nothing_is_held()


async def test_a_ticket_is_followed_although_a_reference_is_gone(core: Core) -> None:
    here = asyncio.Event()
    reference = await core.stored()
    core.provider.scripts.append((Ticket("t-1"), _reached(here)))
    generation = await core.accepted(mode=Mode.EDIT, references=(reference,))
    (mine,) = await core.admitted()
    await _stopped(core, mine, here)
    await core.blobs.delete(reference.blob)

    done = await _taken_over(core, generation)
    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    await core.nothing_is_held()


async def test_what_was_being_sent_when_the_process_ended_is_unknown_and_not_sent_again(core: Core) -> None:
    here, made = asyncio.Event(), asyncio.Event()

    async def note(_: object) -> None:
        made.set()

    core.provider.by_number[0] = deque([(Make(), note, DONE)])
    core.provider.by_number[1] = deque([(Wait(made), _reached(here))])
    generation = await core.accepted(count=2)
    (mine,) = await core.admitted()
    await _stopped(core, mine, here)

    done = await _taken_over(core, generation)
    assert (done.state, len(done.images), core.provider.paid) == (State.SETTLED, 1, 2)
    assert await core.spent() == {"images": (1, 0), "usd": (PICTURE, 0), "pool": (PICTURE, PICTURE)}
    await core.check_books()


async def test_a_reference_that_is_gone_ends_it_before_anything_is_sent(core: Core) -> None:
    reference = await core.stored()
    await core.blobs.delete(reference.blob)
    done = await core.run(mode=Mode.EDIT, references=(reference,))

    assert (done.state, core.provider.paid) == (State.FAILED, 0)
    assert done.failure is not None
    assert "no longer kept" in str(done.failure)
    await core.nothing_is_held()


async def test_references_reach_the_provider_in_order(core: Core) -> None:
    references = [await core.stored(words) for words in (b"one", b"two", b"three")]
    seen = []

    async def look(job: object) -> None:
        seen.extend(each.path.read_bytes() for each in core.provider.asked[-1][0].references)

    core.provider.scripts.append((look, Make(), DONE))
    await core.run(mode=Mode.BLEND, references=tuple(references))

    assert seen == [b"one", b"two", b"three"]


@pytest.mark.parametrize("problem", [Unavailable(text("full")), FULL], ids=repr)
async def test_a_picture_that_cannot_be_stored_is_not_charged_to_the_person_nor_asked_again(
    core: Core, problem: Exception
) -> None:
    core.blobs.problems.append(problem)
    done = await core.run()

    assert (done.state, core.provider.paid) == (State.UNKNOWN, 1)
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (0, PICTURE)}
    assert await core.admitted(now=micros(datetime.now(UTC)) + 10**12) == []
    await core.check_books()


@pytest.mark.parametrize("problem", [Unavailable(text("full")), FULL], ids=repr)
async def test_one_picture_that_cannot_be_stored_does_not_lose_the_others(core: Core, problem: Exception) -> None:
    core.blobs.problems.extend([None, problem])
    series = await core.run(mode=Mode.SERIES, count=3)
    assert [image.index for image in series.images] == [0, 2]

    core.blobs.problems.extend([None, problem])
    several = await core.run(count=3)
    assert (several.state, len(several.images), core.provider.paid) == (State.SETTLED, 2, 4)
    assert await core.spent() == {"images": (4, 0), "usd": (4 * PICTURE, 0), "pool": (4 * PICTURE, 2 * PICTURE)}
    await core.check_books()


async def test_a_model_that_is_no_longer_offered_ends_it_with_nothing_sent(core: Core) -> None:
    done = await core.run(model="seedream-0.1")

    assert (done.state, core.provider.paid) == (State.FAILED, 0)
    await core.nothing_is_held()


async def test_a_provider_that_was_switched_off_ends_it_with_nothing_sent(core: Core) -> None:
    generation = await core.accepted()
    (mine,) = await core.admitted()
    core.router.order = ()
    await core.runner.run(mine)

    assert (await core.load(generation)).state is State.FAILED
    await core.nothing_is_held()


async def test_scratch_files_are_gone_whatever_happened(core: Core) -> None:
    scripts: list[tuple[Step, ...]] = [(Make(), DONE), (ProviderBusy(),), (Make(), OutcomeUnknown())]
    core.provider.scripts.extend(scripts)
    for _ in scripts:
        await core.run()

    assert list(core.folder.iterdir()) == []


async def test_a_generation_that_is_not_ours_any_more_is_left_alone(core: Core) -> None:
    generation = await core.accepted()
    (mine,) = await core.admitted()
    await core.runner.run(Admitted(mine.id, mine.attempt - 1))
    await core.runner.run(Admitted(mine.id, mine.attempt + 1))

    assert (await core.load(generation)).state is State.RUNNING
    assert core.provider.paid == 0


async def test_questions_that_nobody_answered_expire_and_held_nothing(core: Core) -> None:
    asked = await core.accepted(count=2)
    await core.database.transaction(lambda connection: connection.execute("UPDATE generations SET state='asked'"))
    await core.database.transaction(lambda connection: connection.execute("DELETE FROM holds"))
    late = core.at + 600_000_001

    assert await core.database.transaction(accepting.expire_questions, core.at - 1, late) == []
    assert await core.database.transaction(accepting.expire_questions, late, late) == [asked]
    assert (await core.load(asked)).state is State.CANCELLED


def _reached(here: asyncio.Event) -> Step:
    """A step at which nothing goes on any more."""

    async def stay(_: object) -> None:
        here.set()
        await asyncio.Event().wait()

    return stay


async def _stopped(core: Core, mine: Admitted, here: asyncio.Event) -> None:
    """Run until this is reached, and no further: as if the process ended there."""
    running = asyncio.ensure_future(core.runner.run(mine))
    await here.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _taken_over(core: Core, generation: str) -> Generation:
    """What another worker makes of it once the lease is over."""
    (mine,) = await core.admitted(now=micros(datetime.now(UTC)) + 3_600_000_000)
    assert mine.id == generation
    await core.runner.run(mine)
    return await core.load(generation)

"""Several providers: who is asked, who steps in, who is left alone, and that nothing is ever paid for twice."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
)
from bot.generation import health
from bot.generation.health import FIRST_REST, LONGEST_REST, MOST_FAILURES
from bot.generation.queue import Capacity
from bot.generation.states import State
from bot.request import Mode
from bot.storage.database import Database
from tests.bot.generation.core import WIDE, Core
from tests.fakes import DONE, FakeProvider, Make, Ticket

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
ALL = Capacity(per_person=50, running=50, images_per_minute=100_000)


def several(database: Database, tmp_path: Path, *names: str, capacity: Capacity = WIDE) -> Core:
    first, *others = names
    folder = tmp_path / "scratch"
    folder.mkdir()
    return Core(
        database=database,
        folder=folder,
        provider=FakeProvider(name=first),
        others=tuple(FakeProvider(name=name) for name in others),
        capacity=capacity,
    )


@pytest.fixture
def two(database: Database, tmp_path: Path) -> Core:
    return several(database, tmp_path, "modelark", "apiyi")


def asked(core: Core) -> dict[str, int]:
    return {provider.name: provider.paid for provider in core.providers}


async def rest(core: Core, provider: str, *, times: int = MOST_FAILURES, reason: str = "busy") -> None:
    now = micros(datetime.now(UTC))
    for _ in range(times):
        await core.database.transaction(health.failed, provider, reason, now, now)


# --- who is asked


async def test_the_preferred_provider_is_asked_and_no_other(two: Core) -> None:
    done = await two.run()

    assert done.state is State.SETTLED
    assert done.provider == "modelark"
    assert asked(two) == {"modelark": 1, "apiyi": 0}


async def test_one_that_is_left_alone_is_passed_over(two: Core) -> None:
    await rest(two, "modelark")
    done = await two.run()

    assert (done.state, done.provider) == (State.SETTLED, "apiyi")
    assert asked(two) == {"modelark": 0, "apiyi": 1}


async def test_one_over_its_rate_is_passed_over(database: Database, tmp_path: Path) -> None:
    slow = Capacity(per_person=50, running=50, images_per_minute=1)
    core = several(database, tmp_path, "modelark", "apiyi", capacity=slow)
    first, second, third = [await core.run_next() for _ in range(2)] + [await core.accepted()]

    assert (first, second) == ("modelark", "apiyi")
    assert await core.admitted() == []
    assert (await core.load(third)).state is State.QUEUED


async def test_where_all_are_left_alone_it_waits_and_nothing_is_sent(two: Core) -> None:
    await rest(two, "modelark")
    await rest(two, "apiyi")
    generation = await two.accepted()

    assert await two.admitted() == []
    (mine,) = await two.admitted(now=micros(datetime.now(UTC)) + FIRST_REST + SECOND)
    await two.runner.run(mine)
    assert (await two.load(generation)).state is State.SETTLED


async def test_a_key_that_does_not_work_is_tried_so_that_its_person_is_told(core: Core) -> None:
    await rest(core, "sandbox", reason="misconfigured")
    core.provider.scripts.append((ProviderMisconfigured(),))

    assert (await core.run()).state is State.FAILED
    await core.nothing_is_held()


# --- who steps in


@pytest.mark.parametrize(
    "error", [ProviderBusy(), ProviderMisconfigured(), ProviderRefused("size")], ids=lambda error: str(error.kind)
)
async def test_after_a_certain_refusal_the_next_is_asked_at_once(two: Core, error: ProviderError) -> None:
    two.provider.scripts.append((error,))
    done = await two.run()

    assert (done.state, done.provider, done.missing) == (State.SETTLED, "apiyi", ())
    assert asked(two) == {"modelark": 1, "apiyi": 1}
    assert (await two.spent())["images"] == (1, 0)
    await two.nothing_is_held()


@pytest.mark.parametrize(
    "error",
    [OutcomeUnknown(), AnswerBroken(), ContentRefused("words"), ContentRefused("result")],
    ids=["unknown", "broken", "words", "result"],
)
async def test_after_anything_else_nobody_else_is_asked(two: Core, error: ProviderError) -> None:
    two.provider.scripts.append((error,))
    done = await two.run()

    assert done.state in (State.UNKNOWN, State.REFUSED)
    assert asked(two) == {"modelark": 1, "apiyi": 0}


async def test_nobody_steps_in_for_one_that_gave_a_ticket_and_then_nothing(two: Core) -> None:
    two.provider.scripts.append((Ticket("t-1"), OutcomeUnknown()))

    assert (await two.run()).state is State.UNKNOWN
    assert asked(two) == {"modelark": 1, "apiyi": 0}


@pytest.mark.parametrize("error", [ProviderRefused("failed"), ProviderBusy()], ids=["refused", "busy"])
async def test_nobody_steps_in_for_one_that_was_taken_and_given_back(two: Core, error: ProviderError) -> None:
    two.provider.scripts.append((Ticket("t-1"), error))

    assert (await two.run()).state is State.FAILED
    assert asked(two) == {"modelark": 1, "apiyi": 0}
    await two.nothing_is_held()


async def test_nobody_steps_in_for_a_series_of_which_a_picture_came(two: Core) -> None:
    two.provider.scripts.append((Make(0), ProviderBusy()))
    done = await two.run(mode=Mode.SERIES, count=3)

    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    assert asked(two) == {"modelark": 1, "apiyi": 0}


async def test_each_picture_of_a_request_finds_its_own_way(two: Core) -> None:
    two.provider.by_number[1].append((ProviderBusy(),))
    done = await two.run(count=3)

    assert [image.index for image in done.images] == [0, 1, 2]
    assert asked(two) == {"modelark": 3, "apiyi": 1}
    jobs = await two.database.fetch("SELECT provider FROM jobs ORDER BY number")
    assert [job["provider"] for job in jobs] == ["modelark", "apiyi", "modelark"]


async def test_who_does_not_offer_the_model_does_not_step_in(database: Database, tmp_path: Path) -> None:
    core = several(database, tmp_path, "modelark", "novita")
    core.provider.scripts.append((ProviderBusy(),))
    waiting = await core.run(model="seedream-5-pro", price=90_000)

    assert waiting.state is State.QUEUED
    assert asked(core) == {"modelark": 1, "novita": 0}


async def test_who_cannot_do_it_does_not_step_in(database: Database, tmp_path: Path) -> None:
    core = several(database, tmp_path, "modelark", "apiframe")
    core.provider.scripts.append((ProviderBusy(),))

    assert (await core.run(mode=Mode.SERIES, count=3)).state is State.QUEUED
    assert asked(core) == {"modelark": 1, "apiframe": 0}


async def test_who_costs_more_than_is_held_does_not_step_in(two: Core) -> None:
    two.provider.scripts.append((ProviderBusy(),))
    cheap = {"model": "seedream-5-pro", "size": "1K"}
    waiting = await two.run(**cheap, price=45_000)

    assert waiting.state is State.QUEUED
    assert asked(two) == {"modelark": 1, "apiyi": 0}
    two.provider.scripts.append((ProviderBusy(),))
    assert (await two.run(**cheap, price=120_000)).provider == "apiyi"


async def test_who_is_left_alone_does_not_step_in(two: Core) -> None:
    await rest(two, "apiyi")
    two.provider.scripts.append((ProviderBusy(),))

    assert (await two.run()).state is State.QUEUED
    assert asked(two) == {"modelark": 1, "apiyi": 0}


async def test_who_is_over_its_rate_does_not_step_in(database: Database, tmp_path: Path) -> None:
    slow = Capacity(per_person=50, running=50, images_per_minute=1)
    core = several(database, tmp_path, "modelark", "apiyi", capacity=slow)
    assert [await core.run_next(), await core.run_next()] == ["modelark", "apiyi"]
    core.provider.scripts.append((ProviderBusy(),))
    generation = await core.accepted()
    (mine,) = await core.admitted(now=micros(datetime.now(UTC)) + 61 * SECOND)
    await core.database.transaction(
        lambda connection: connection.execute("DELETE FROM rates WHERE provider LIKE 'sent %'")
    )
    await core.runner.run(mine)

    assert (await core.load(generation)).state is State.QUEUED
    assert asked(core) == {"modelark": 2, "apiyi": 1}


async def test_where_all_are_busy_it_waits_and_begins_with_the_first_again(two: Core) -> None:
    for provider in two.providers:
        provider.scripts.append((ProviderBusy(retry_after=5),))
    waiting = await two.run()
    assert waiting.state is State.QUEUED
    done = await two.run_again(waiting.id)

    assert (done.state, done.provider) == (State.SETTLED, "modelark")
    assert asked(two) == {"modelark": 2, "apiyi": 1}


async def test_where_none_will_ever_it_ends_with_the_last_reason(two: Core) -> None:
    two.provider.scripts.append((ProviderMisconfigured(),))
    two.others[0].scripts.append((ProviderRefused("the size"),))
    done = await two.run()

    assert done.state is State.FAILED
    assert "the size" in str(done.failure)
    await two.nothing_is_held()


async def test_one_that_is_busy_is_asked_again_although_another_is_broken(two: Core) -> None:
    two.provider.scripts.append((ProviderBusy(),))
    two.others[0].scripts.append((ProviderMisconfigured(),))
    waiting = await two.run()

    assert waiting.state is State.QUEUED
    assert (await two.run_again(waiting.id)).provider == "modelark"


async def test_a_cancelled_request_is_not_passed_on(two: Core) -> None:
    async def cancel_it(job: Any) -> None:
        await two.service.cancel(job.id.partition(":")[0], await two.person())

    two.provider.scripts.append((cancel_it, ProviderBusy()))
    done = await two.run()

    assert done.state is State.CANCELLED
    assert asked(two) == {"modelark": 1, "apiyi": 0}
    await two.nothing_is_held()


async def test_a_request_for_a_provider_that_is_no_longer_in_use_goes_to_another(two: Core) -> None:
    generation = await two.accepted()
    two.router.order = ("apiyi",)
    (mine,) = await two.admitted()
    await two.runner.run(mine)

    assert (await two.load(generation)).provider == "apiyi"
    assert asked(two) == {"modelark": 0, "apiyi": 1}


# --- what it costs


async def test_what_a_provider_says_it_charged_is_charged(core: Core) -> None:
    core.provider.scripts.append((Make(0, cost=25_000), DONE))
    done = await core.run()

    assert done.cost == 25_000
    assert (await core.spent())["usd"] == (25_000, 0)


async def test_more_than_was_held_is_never_charged(core: Core) -> None:
    core.provider.scripts.append((Make(0, cost=90_000), DONE))

    assert (await core.run(price=40_000)).cost == 40_000
    await core.nothing_is_held()


async def test_each_picture_costs_what_the_provider_that_made_it_takes(two: Core) -> None:
    two.provider.by_number[0].append((ProviderBusy(),))
    done = await two.run(model="seedream-5-pro", size="1K", count=2, price=240_000)

    assert done.cost == 120_000 + 90_000  # the fake draws 2048x2048, which the vendor sells dearer than 1K
    await two.nothing_is_held()


# --- who is left alone


class Health:
    """Health by itself, with a clock that is set by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START

    async def fails(self, times: int = 1, *, since: int | None = None) -> bool:
        rests = False
        for _ in range(times):
            started = self.now if since is None else since
            rests = await self.database.transaction(health.failed, "p", "busy", started, self.now)
        return rests

    async def works(self) -> None:
        await self.database.transaction(health.worked, "p")

    async def rest(self) -> int:
        """Seconds that are left of it."""
        found = await self.database.read(health.resting, self.now)
        return (found[0].until - self.now) // SECOND if found else 0


@pytest.fixture
def provider(database: Database) -> Health:
    return Health(database)


async def test_two_failures_are_borne_and_the_third_is_not(provider: Health) -> None:
    assert not await provider.fails(2)
    assert await provider.rest() == 0
    assert await provider.fails()
    assert await provider.rest() == 30


async def test_failures_count_in_a_row_only(provider: Health) -> None:
    await provider.fails(2)
    await provider.works()

    assert not await provider.fails(2)


async def test_each_rest_is_twice_as_long_up_to_ten_minutes(provider: Health) -> None:
    await provider.fails(2)
    rests = []
    for _ in range(8):
        await provider.fails()
        rests.append(await provider.rest())
        provider.now += rests[-1] * SECOND

    assert rests == [30, 60, 120, 240, 480, 600, 600, 600]
    assert await provider.rest() == 0


async def test_what_began_before_the_rest_does_not_make_it_longer(provider: Health) -> None:
    began = provider.now
    provider.now += SECOND
    await provider.fails(3)
    await provider.fails(10, since=began)

    assert await provider.rest() == 30


async def test_one_answer_ends_a_rest(provider: Health) -> None:
    await provider.fails(3)
    await provider.works()

    assert await provider.rest() == 0
    assert not await provider.fails(2)


async def test_a_clock_that_was_set_back_leaves_nobody_alone_for_ever(provider: Health) -> None:
    await provider.fails(3)
    provider.now -= LONGEST_REST

    assert await provider.rest() == 0


async def test_words_that_are_refused_say_that_the_provider_is_well(core: Core) -> None:
    await rest(core, "sandbox", times=2)
    core.provider.scripts.append((ContentRefused("words"),))
    await core.run()
    await rest(core, "sandbox", times=2)

    assert await core.service.health() == ()


async def test_three_requests_that_fail_put_it_to_rest_and_the_service_says_so(core: Core) -> None:
    for _ in range(3):
        core.provider.scripts.append((OutcomeUnknown(),))
        await core.run()

    (resting,) = await core.service.health()
    assert (resting.provider, resting.reason) == ("sandbox", "unknown")

"""Nobody is charged more than was held, whatever providers say and whenever the process ends."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.clock import micros
from bot.errors import ContentRefused, OutcomeUnknown, ProviderBusy
from bot.generation.states import State
from bot.providers.base import Prepared
from bot.request import Mode
from tests.bot.generation.core import PICTURE, Core
from tests.bot.generation.test_sending_again import DAY, stopped, taken_over
from tests.fakes import DONE, Make, Reject, Ticket


async def test_a_larger_picture_than_was_asked_for_costs_no_more_than_was_held(core: Core) -> None:
    done = await core.run(model="seedream-5-pro", size="1K", price=45_000)  # the fake draws 2K, which costs 90,000

    assert done.cost == 45_000
    await core.nothing_is_held()


async def test_a_provider_that_says_it_paid_for_drawing_pays_nobody(core: Core) -> None:
    core.provider.scripts.append((Make(0, cost=-1_000_000), DONE))
    done = await core.run()

    assert done.cost == PICTURE
    assert (await core.spent())["usd"] == (PICTURE, 0)


@pytest.mark.parametrize("sent", [(), (Ticket("t-1"),)], ids=["sending", "submitted"])
async def test_a_picture_that_is_stored_is_charged_once_whatever_its_provider_says_later(
    core: Core, sent: tuple[Ticket, ...]
) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the body"), *sent, Make(0))
    core.provider.scripts.append((OutcomeUnknown(),))
    done = await taken_over(core, generation)

    assert (done.state, done.missing, len(core.provider.asked)) == (State.SETTLED, (), 1)
    assert (await core.spent())["pool"] == (PICTURE, 0)
    await core.nothing_is_held()


async def test_a_stored_picture_of_a_provider_that_is_gone_is_charged_once(core: Core) -> None:
    generation = await stopped(core, Ticket("t-1"), Make(0))
    core.router.order = ()
    done = await taken_over(core, generation)

    assert (done.state, done.missing) == (State.SETTLED, ())
    await core.nothing_is_held()


async def test_a_part_that_is_stored_leaves_only_the_rest_as_a_risk(core: Core) -> None:
    generation = await stopped(core, Ticket("t-1"), Make(0), mode=Mode.SERIES, count=3)
    core.provider.scripts.append((OutcomeUnknown(),))
    await taken_over(core, generation)

    assert (await core.spent())["pool"] == (PICTURE, 2 * PICTURE)
    await core.check_books()


async def test_whoever_paid_for_a_part_is_not_told_that_nothing_was_charged(core: Core) -> None:
    core.provider.scripts.append((Make(0), ProviderBusy()))
    done = await core.run(mode=Mode.SERIES, count=3)

    assert done.missing
    assert "Nothing was charged" not in str(done.missing)


async def test_a_request_of_which_a_picture_was_held_back_was_taken(core: Core) -> None:
    core.provider.scripts.append((Reject(0, ContentRefused("result")), ProviderBusy()))
    done = await core.run(mode=Mode.SERIES, count=3)

    assert (done.state, core.provider.paid) == (State.FAILED, 1)


async def test_a_request_whose_provider_is_gone_is_not_said_to_be_free(core: Core) -> None:
    generation = await stopped(core, Ticket("t-1"))
    core.router.order = ()
    done = await taken_over(core, generation)

    assert done.state is State.UNKNOWN
    assert "Nothing was charged" not in str(done.failure)


async def test_cancelled_before_anything_was_prepared_nothing_is_sent_after_a_stop(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core)
    await core.service.cancel(generation, await core.person())
    done = await taken_over(core, generation)

    assert (done.state, len(core.provider.asked)) == (State.CANCELLED, 1)
    await core.nothing_is_held()


async def test_what_had_prepared_nothing_is_free_however_late_the_restart(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core)
    done = await taken_over(core, generation, later=2 * DAY)

    assert done.state is State.SETTLED
    await core.nothing_is_held()


async def test_whoever_lost_the_generation_while_preparing_sends_nothing(core: Core) -> None:
    sent = []

    async def lose(_: object) -> None:
        await core.admitted(now=micros(datetime.now(UTC)) + 10**9)

    async def send(_: object) -> None:
        sent.append("paid")

    core.provider.scripts.append((lose, Prepared("the body"), send, Make(0), DONE))
    await core.run()

    assert sent == []


async def test_a_provider_that_neither_ends_nor_fails_is_given_up(core: Core) -> None:
    core.runner._jobs.longest = 0.05
    core.provider.scripts.append((Make(0), *[Ticket("t")] * 3, _for_ever))
    done = await core.run(mode=Mode.SERIES, count=3)

    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    assert (await core.spent())["pool"] == (PICTURE, 2 * PICTURE)


async def _for_ever(_: object) -> None:
    await asyncio.Event().wait()

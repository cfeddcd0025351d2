"""A provider that takes a repeated request for the same one: after a stop it is sent again, and only there and then."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from bot.clock import micros
from bot.errors import ProviderBusy
from bot.generation.queue import Admitted
from bot.generation.record import Generation
from bot.generation.states import State
from bot.providers.base import Job, Prepared
from bot.request import Mode
from tests.bot.generation.core import Core
from tests.fakes import Ticket

DAY = 86_400.0


def reached(here: asyncio.Event) -> Callable[[Job], Awaitable[None]]:
    """A step of a script that says it was reached and stays there."""

    async def stay(_: Job) -> None:
        here.set()
        await asyncio.Event().wait()

    return stay


async def stopped(core: Core, *script: object, **wanted: object) -> str:
    """A request whose runner is gone after it has come to the end of the script."""
    here = asyncio.Event()
    core.provider.scripts.append((*script, reached(here)))  # type: ignore[arg-type]
    generation = await core.accepted(**wanted)  # type: ignore[arg-type]
    (mine,) = await core.admitted()
    running = asyncio.ensure_future(core.runner.run(mine))
    await here.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return generation


async def taken_over(core: Core, generation: str, *, later: float = 120.0) -> Generation:
    (mine,) = await core.admitted(now=micros(datetime.now(UTC)) + round(later * 1_000_000))
    assert isinstance(mine, Admitted)
    await core.runner.run(mine)
    return await core.load(generation)


async def test_what_was_being_sent_is_sent_again_with_what_was_prepared(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the whole body"))
    done = await taken_over(core, generation)

    assert (done.state, len(done.images)) == (State.SETTLED, 1)
    assert [ticket for _, ticket in core.provider.asked] == ["", "the whole body"]
    assert len({job.id for job, _ in core.provider.asked}) == 1
    await core.nothing_is_held()


async def test_before_anything_was_prepared_it_is_sent_anew(core: Core) -> None:
    core.provider.idempotent = DAY
    reference = await core.stored()
    generation = await stopped(core, mode=Mode.EDIT, references=(reference,))
    done = await taken_over(core, generation)

    assert done.state is State.SETTLED
    (job, ticket) = core.provider.asked[-1]
    assert ticket == ""
    assert job.references[0].path.name == "reference-0"


async def test_the_ticket_that_came_later_is_the_one_that_counts(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the whole body"), Ticket("t-1"))
    await taken_over(core, generation)

    assert core.provider.asked[-1][1] == "t-1"


async def test_any_other_provider_is_not_asked_again(core: Core) -> None:
    generation = await stopped(core, Prepared("the whole body"))
    done = await taken_over(core, generation)

    assert done.state is State.UNKNOWN
    assert len(core.provider.asked) == 1


async def test_after_its_time_it_could_be_another_request_and_is_not_sent(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the whole body"))
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE jobs SET sent_at=sent_at-:day", day=round(DAY * 1_000_000))
    )
    done = await taken_over(core, generation)

    assert done.state is State.UNKNOWN
    assert len(core.provider.asked) == 1


async def test_a_time_that_has_not_come_yet_is_no_reason_to_send_it_again(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the whole body"))
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE jobs SET sent_at=sent_at+:hour", hour=3_600_000_000)
    )

    assert (await taken_over(core, generation)).state is State.UNKNOWN


async def test_what_was_refused_after_all_may_go_to_another_and_forgets_its_ticket(core: Core) -> None:
    core.provider.idempotent = DAY
    generation = await stopped(core, Prepared("the whole body"))
    core.provider.scripts.append((ProviderBusy(),))
    waiting = await taken_over(core, generation)
    assert waiting.state is State.QUEUED
    done = await core.run_again(generation)

    assert done.state is State.SETTLED
    assert [ticket for _, ticket in core.provider.asked] == ["", "the whole body", ""]


async def test_a_provider_that_is_gone_leaves_an_unknown_outcome(core: Core) -> None:
    generation = await stopped(core, Ticket("t-1"))
    core.router.order = ()
    done = await taken_over(core, generation)

    assert done.state is State.UNKNOWN
    rows = await core.database.fetch("SELECT amount FROM holds WHERE state='possible'")
    assert rows

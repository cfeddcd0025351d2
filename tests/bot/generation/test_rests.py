"""Who is left alone and who is not: for which failures, for whom, and how one comes back."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.clock import micros
from bot.errors import AnswerBroken, ModelMisconfigured, ProviderBusy, ProviderMisconfigured, ProviderRefused
from bot.generation import delivery, health
from bot.generation.health import FIRST_REST
from bot.generation.states import State
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.bot.generation.test_failover import START, Health, asked, rest, several
from tests.fakes import DONE, Make, Reject

SECOND = 1_000_000


@pytest.fixture
def two(database: Database, tmp_path: Path) -> Core:
    return several(database, tmp_path, "modelark", "apiyi")


@pytest.fixture
def provider(database: Database) -> Health:
    return Health(database)


async def resting(core: Core) -> list[str]:
    return [each.provider for each in await core.service.health()]


def soon() -> int:
    return micros(datetime.now(UTC)) + FIRST_REST + SECOND


# --- for what


async def test_a_model_that_the_account_lacks_leaves_the_others_in_use(core: Core) -> None:
    for _ in range(4):
        core.provider.scripts.append((ModelMisconfigured(),))
        assert (await core.run(model="seedream-4")).state is State.FAILED

    assert await resting(core) == []


async def test_a_model_that_the_account_lacks_does_not_hide_that_the_provider_fails(core: Core) -> None:
    await rest(core, "sandbox", times=2)
    core.provider.scripts.append((ModelMisconfigured(),))
    await core.run()
    await rest(core, "sandbox", times=1)

    assert await resting(core) == ["sandbox"]


async def test_pictures_that_are_none_put_a_provider_to_rest(core: Core) -> None:
    for _ in range(3):
        core.provider.scripts.append((Reject(0, AnswerBroken()), DONE))
        await core.run()

    assert await resting(core) == ["sandbox"]


async def test_a_disk_that_is_full_is_not_the_providers_fault(core: Core) -> None:
    for _ in range(3):
        core.blobs.problems.append(OSError("no space"))
        await core.run()

    assert await resting(core) == []


async def test_a_picture_that_came_speaks_for_its_provider(core: Core) -> None:
    for _ in range(3):
        core.provider.scripts.append((Make(0), Reject(1, AnswerBroken()), DONE))
        await core.run()

    assert await resting(core) == []


async def test_a_clock_that_was_set_back_does_not_stop_the_counting(provider: Health) -> None:
    await provider.fails(3)
    provider.now = START - 3_600 * SECOND
    await provider.fails(3)

    assert await provider.rest() > 0


# --- how one comes back


async def test_after_a_rest_one_request_finds_out_and_the_others_wait(core: Core) -> None:
    await rest(core, "sandbox")
    for number in range(5):
        await core.accepted(by=f"person {number}")

    (first,) = await core.admitted(now=soon())
    assert await core.admitted(now=soon()) == []
    await core.runner.run(first)
    assert len(await core.admitted(now=soon())) == 4


async def test_while_one_finds_out_the_others_go_to_the_next_provider(two: Core) -> None:
    await rest(two, "modelark")
    waiting = [await two.accepted(by=f"person {number}") for number in range(3)]
    await two.admitted(now=soon())

    assert sorted([(await two.load(each)).provider for each in waiting]) == ["apiyi", "apiyi", "modelark"]


async def test_who_finds_out_and_disappears_holds_up_nobody(core: Core) -> None:
    await rest(core, "sandbox")
    core.provider.scripts.append((RuntimeError("nobody foresaw it"),))
    await core.accepted(by="ann")
    await core.accepted(by="bob")
    (first,) = await core.admitted(now=soon())
    await core.runner.run(first)

    assert len(await core.admitted(now=soon())) == 1


async def test_one_that_has_just_rested_steps_in_for_one_request_at_a_time(two: Core) -> None:
    await _rested(two, "apiyi")
    here, go_on = asyncio.Event(), asyncio.Event()

    async def stay(_: object) -> None:
        here.set()
        await go_on.wait()

    two.others[0].scripts.append((stay, Make(0), DONE))
    two.provider.scripts.extend([(ProviderRefused("no"),), (ProviderRefused("no"),)])
    first, second = [await two.accepted(by=name) for name in ("ann", "bob")]
    mine = {each.id: each for each in await two.admitted()}
    running = asyncio.ensure_future(two.runner.run(mine[first]))
    await here.wait()
    await two.runner.run(mine[second])

    assert asked(two)["apiyi"] == 1
    assert (await two.load(second)).state is State.QUEUED
    go_on.set()
    await running
    assert (await two.load(first)).state is State.SETTLED


# --- what its people are told


async def test_a_cancelled_request_is_settled_while_all_providers_rest(core: Core) -> None:
    core.provider.by_number[0].append((Make(0), DONE))
    core.provider.by_number[1].append((ProviderBusy(),))
    waiting = await core.run(count=2)
    await rest(core, "sandbox")
    await core.service.cancel(waiting.id, await core.person())
    (mine,) = await core.admitted()
    await core.runner.run(mine)

    done = await core.load(waiting.id)
    assert (done.state, len(done.images), core.provider.paid) == (State.SETTLED, 1, 2)
    await core.nothing_is_held()


async def test_a_request_waits_for_who_could_serve_it_and_rests(two: Core) -> None:
    await rest(two, "apiyi")
    two.provider.scripts.append((ProviderMisconfigured(),))

    assert (await two.run()).state is State.QUEUED
    assert asked(two) == {"modelark": 1, "apiyi": 0}


async def test_who_said_when_to_come_back_is_not_asked_before_although_another_rests(two: Core) -> None:
    await rest(two, "apiyi")
    two.provider.scripts.append((ProviderBusy(retry_after=300),))
    await two.run()

    assert await two.admitted(now=micros(datetime.now(UTC)) + 290 * SECOND) == []


@pytest.mark.slow
async def test_it_is_told_that_all_providers_rest_and_when_they_no_longer_do(core: Core) -> None:
    await rest(core, "sandbox")
    async with core.delivery:
        generation = await core.accepted()
        await core.adapter.until(lambda: "busy" in _words(core, generation))
        await core.database.transaction(health.worked, "sandbox")
        await core.adapter.until(lambda: "next" in _words(core, generation))


async def test_a_rest_that_begins_while_it_waits_is_told(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PLACE_PACE", 0.0)
    async with core.delivery:
        generation = await core.accepted()
        await core.adapter.until(lambda: "next" in _words(core, generation))  # it has a place
        await rest(core, "sandbox")
        await core.adapter.until(lambda: "busy" in _words(core, generation))


async def test_a_wrong_key_holds_nobody_up(core: Core) -> None:
    await rest(core, "sandbox", reason="misconfigured")
    async with core.delivery:
        generation = await core.accepted()
        await core.adapter.until(lambda: core.adapter.replies(generation))

        assert "next" in _words(core, generation)


def _words(core: Core, generation: str) -> str:
    replies = core.adapter.replies(generation)
    return str(replies[-1].text) if replies else ""


async def _rested(core: Core, provider: str) -> None:
    await rest(core, provider)
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE provider_health SET until=0 WHERE provider=:p", p=provider)
    )

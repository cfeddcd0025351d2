"""Progress of many at once: who must wait for their turn to be shown cost nothing meanwhile."""

import asyncio
from typing import Any

import pytest

from bot.chat import Reply
from bot.generation import delivery as delivering
from bot.generation import outbox, queue
from bot.generation.delivery import Delivery
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.fakes import FakeAdapter

MANY, ROUNDS = 30, 10


@pytest.fixture(autouse=True)
def _no_pause_between_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "PLACE_PACE", 0.0)


class CountedReads:
    """A database that counts how often somebody looks for standing messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def read(self, function: Any, *arguments: Any, **named: Any) -> Any:
        self.looks += function is outbox.standing
        return await self._database.read(function, *arguments, **named)


async def test_a_message_that_may_not_change_yet_is_not_looked_for_in_every_round(core: Core) -> None:
    counted = CountedReads(core.database)
    adapter = FakeAdapter(pace=60.0)

    async def shown(generation: str, place: int) -> Reply:
        return await core._show(generation, place)

    delivery = Delivery(
        database=counted,  # type: ignore[arg-type]
        adapters={adapter.name: adapter},
        present=shown,
        present_log=core.delivery.present_log,
    )
    async with delivery:
        waiting = [await core.accepted(by=f"person {number}") for number in range(MANY)]
        await adapter.until(lambda: all(adapter.replies(each) for each in waiting))
        for each in waiting:
            delivery.changed(each)
        for number in range(ROUNDS):
            late = await core.accepted(by=f"late {number}")
            delivery.line_moved()
            await adapter.until(lambda late=late: adapter.replies(late))

    assert counted.looks <= 3 * MANY


async def test_what_moves_while_the_first_post_is_on_its_way_is_shown_after_it(core: Core) -> None:
    await core.accepted(by="ann")
    generation = await core.accepted(by="bob")
    core.adapter.open.clear()
    async with core.delivery:
        await core.adapter.until(lambda: [post for post in core.adapter.calls if post.reply.generation == generation])
        await core.admitted(free=1)
        core.delivery.line_moved()
        async with asyncio.timeout(5):
            while core.delivery._line_moved or core.delivery._places.get(generation) != 1:
                await core.database.read(queue.places)
            for _ in range(20):  # a round that would forget it has time to
                await core.database.read(queue.places)
        core.adapter.open.set()
        await core.adapter.until(lambda: "next" in str(core.adapter.replies(generation)[-1:]))


async def test_a_platform_that_was_switched_off_keeps_nobody_else_waiting(core: Core) -> None:
    async with core.delivery:
        gone = await core.accepted(by="ann")
        await core.adapter.until(lambda: core.adapter.replies(gone))
    await core.database.transaction(_move_away, gone)
    async with Delivery(
        database=core.database,
        adapters={"fake": core.adapter},
        present=core._show,
        present_log=core.delivery.present_log,
    ) as delivery:
        here = await core.accepted(by="bob")
        await core.adapter.until(lambda: core.adapter.replies(here))
        before = len(core.adapter.shown)
        delivery.changed(gone)
        delivery.changed(here)
        await core.adapter.until(lambda: len(core.adapter.shown) > before)


def _move_away(connection: Any, generation: str) -> None:
    connection.execute("UPDATE postings SET adapter='gone' WHERE generation=:id", id=generation)

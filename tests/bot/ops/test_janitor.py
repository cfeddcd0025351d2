"""What has to be done by the clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from bot.errors import OutcomeUnknown
from bot.generation import inbox
from bot.generation.states import State
from bot.media.store import Blob
from bot.ops.janitor import Janitor
from bot.ops.views import Views
from bot.quota import audit
from bot.request import Mode
from tests.bot.generation.core import PICTURE, Core
from tests.fakes import FakeBlobs


@dataclass
class Shelf:
    """The fake blobs as a store lists them, all put there at one time."""

    blobs_: FakeBlobs
    stored: datetime

    async def blobs(self) -> AsyncIterator[Blob]:
        for key, data in list(self.blobs_.stored.items()):
            yield Blob(key=key, size=len(data), stored=self.stored)

    async def delete(self, key: str) -> None:
        await self.blobs_.delete(key)


def janitor(core: Core, **wanted: object) -> Janitor:
    given: dict[str, object] = {
        "unknown_after": timedelta(hours=24),
        "charge_unknown": True,
        "days": 90,
        "total": 10**12,
        **wanted,
    }
    shelf = Shelf(core.blobs, core.clock())
    return Janitor(database=core.database, blobs=shelf, clock=core.clock, changed=core.changes.append, **given)  # type: ignore[arg-type]


async def asked(core: Core) -> str:
    """A price question that waits."""
    async with core.delivery, core.dispatcher:
        reply = await core.answer("/imagine a fox --count 4")
    return reply.generation


async def test_a_question_expires_after_ten_minutes(core: Core) -> None:
    generation = await asked(core)
    cleaner = janitor(core)
    core.clock.forward(minutes=9, seconds=59)
    await cleaner.round()
    assert (await core.load(generation)).state is State.ASKED

    core.clock.forward(seconds=2)
    await cleaner.round()
    assert (await core.load(generation)).state is State.CANCELLED
    assert generation in core.changes
    await core.nothing_is_held()


@pytest.mark.parametrize(("charge", "spent"), [(True, PICTURE), (False, 0)])
async def test_an_unknown_outcome_is_decided_after_a_day(core: Core, charge: bool, spent: int) -> None:
    core.provider.scripts.append((OutcomeUnknown(),))
    generation = (await core.run()).id
    cleaner = janitor(core, charge_unknown=charge)
    core.clock.forward(hours=23)
    await cleaner.round()
    assert (await core.spent())["pool"] == (0, PICTURE)

    core.clock.forward(hours=2)
    await cleaner.round()
    await cleaner.round()
    assert await core.spent() == {"images": (0, 0), "usd": (0, 0), "pool": (spent, 0)}
    assert (await core.happened(generation))[-1] == ("charged" if charge else "released")
    await core.nothing_is_held()


async def test_old_pictures_go_and_say_so(core: Core) -> None:
    old = await core.run()
    cleaner = janitor(core)
    core.clock.forward(days=89)
    young = await core.run()
    await cleaner.round()
    assert (await core.load(old.id)).images[0].state == "made"

    core.clock.forward(days=2)
    await cleaner.round()
    assert (await core.load(old.id)).images[0].state == "cleaned"
    assert (await core.load(young.id)).images[0].state == "made"
    assert set(core.blobs.stored) == {young.images[0].blob}
    async with core.delivery:
        await core.adapter.until(lambda: "cleaned up" in str(core.adapter.replies(old.id)[-1:]))


async def test_beyond_the_room_the_oldest_go_first(core: Core) -> None:
    early = core.clock()
    first = await core.run()
    core.clock.forward(hours=1)
    second = await core.run()
    room = len(core.blobs.stored[second.images[0].blob])
    cleaner = janitor(core, total=room + 1)
    cleaner.blobs = Shelf(core.blobs, early)  # when each was used decides, not when its file was written
    await cleaner.round()

    assert set(core.blobs.stored) == {second.images[0].blob}
    assert (await core.load(first.id)).images[0].state == "cleaned"


async def test_what_a_waiting_request_needs_stays(core: Core) -> None:
    reference = await core.stored(b"needed")
    await core.accepted(mode=Mode.EDIT, references=(reference,))
    core.clock.forward(days=400)
    shelf = janitor(core)
    shelf.blobs.stored = core.clock() - timedelta(days=400)  # type: ignore[attr-defined]
    await shelf.round()

    assert reference.blob in core.blobs.stored


async def test_what_nobody_knows_goes_when_it_is_old(core: Core) -> None:
    await core.stored(b"left by a process that died")
    shelf = janitor(core)
    await shelf.round()
    assert core.blobs.stored

    core.clock.forward(days=91)
    await shelf.round()
    assert core.blobs.stored == {}


async def test_events_are_forgotten_only_when_they_are_done_and_old(core: Core) -> None:
    await core.run()
    await core.database.transaction(inbox.receive, "open", "fake", {}, core.at)
    core.clock.forward(days=inbox.KEEP_DAYS + 1)
    await janitor(core).round()

    rows = await core.database.fetch("SELECT id FROM inbox")
    assert [row["id"] for row in rows] == ["open"]


async def test_a_round_that_fails_is_not_the_last(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.ops.janitor.Janitor.every", 0.001)
    rounds: list[str] = []
    again = asyncio.Event()

    def clock() -> datetime:
        rounds.append("begun")
        if len(rounds) == 1:
            raise OSError("the disk is away")
        again.set()
        return core.clock()

    cleaner = janitor(core)
    cleaner.clock = clock
    async with cleaner, asyncio.timeout(5):
        await again.wait()

    assert len(rounds) >= 2


async def test_books_that_do_not_agree_are_found_within_the_hour_and_told_until_they_do(running: Core) -> None:
    await running.answer("/imagine a fox")
    cleaner = janitor(running)
    view = Views(
        database=running.database,
        router=running.router,
        service=running.service,
        spaces=running.spaces,
        clock=running.clock,
    )

    async def off(by: int) -> None:
        change = "UPDATE balances SET held=held+:by WHERE account='all' AND win='day' AND unit='images'"
        await running.database.transaction(lambda connection: connection.execute(change, by=by))

    await cleaner.round()
    assert await view.problems() == []
    await off(7)
    running.clock.forward(minutes=59)
    await cleaner.round()
    assert await view.problems() == []
    running.clock.forward(minutes=1)
    await cleaner.round()
    assert await view.problems() == ["the books do not agree: run `seedream-bot ledger verify`"]
    assert "all images in day" in await running.database.read(audit.kept)

    await off(-7)
    running.clock.forward(hours=1)
    await cleaner.round()
    assert await view.problems() == []


async def test_months_that_an_older_program_left_behind_are_mended_and_alarm_nobody(running: Core) -> None:
    await running.answer("/imagine a fox")
    await running.database.transaction(lambda connection: connection.execute("DELETE FROM usage_months"))

    await janitor(running).round()
    assert await running.database.read(audit.kept) == ""
    assert len(await running.database.fetch("SELECT * FROM usage_months")) == 1

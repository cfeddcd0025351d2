"""The weekly digest: when it is due, what it tells, and that it comes once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from bot.chat import Post
from bot.i18n import say
from bot.ops import digest
from bot.ops.digest import Digest, due
from bot.quota.usage import count
from bot.reports import Charts
from bot.spaces import SpaceRules
from bot.storage.connection import Connection
from tests.bot.generation.core import Core, telling, working
from tests.postgres import BOTH

SPACE = "fake/team"
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


@pytest_asyncio.fixture
async def house(core: Core) -> AsyncIterator[Core]:
    """The core at work on a Saturday, after two weeks of use, with a digest that is to come."""
    charts = Charts(blobs=core.blobs, database=core.database, clock=core.clock, folder=core.folder)
    telling(core, digest.kinds(core.database, charts))
    async with working(core):
        await core.answer("/imagine a fox", by="bob")
        await switch(core, digest="weekly", alerts="ops")
        for days, images in ((0, 3), (1, 4), (5, 5), (6, 100), (12, 2)):
            await used(core, "ann", images, days)
        yield core


async def switch(core: Core, **more: Any) -> None:
    def change(before: SpaceRules) -> SpaceRules:
        return replace(before, **more)

    await core.spaces.change(SPACE, change, by=await core.person("ann", admin=True), at=core.at)


async def used(core: Core, by: str, images: int, days: int) -> None:
    person = await core.person(by)
    row = {"space": SPACE, "team": "", "person": person.id, "adapter": "fake", "provider": "sandbox", "model": "m1"}
    row |= {"started_at": 0, "finished_at": 0}

    def note(connection: Connection) -> None:
        at = core.at - days * 86_400_000_000
        count(connection, row, images=images, usd=images * 40_000, state="settled", at=at, zone="UTC")

    await core.database.transaction(note)


def weekly(core: Core, zone: str = "UTC") -> Digest:
    return Digest(
        database=core.database, spaces=core.spaces, clock=core.clock, zone=zone, told=core.delivery.line_moved
    )


def told(core: Core) -> list[Post]:
    return [post for post in core.adapter.shown if post.key.startswith("digest-")]


@pytest.mark.parametrize(
    ("moment", "zone", "week"),
    [
        (MONDAY, "UTC", date(2026, 11, 16)),
        (MONDAY - timedelta(seconds=1), "UTC", None),
        (MONDAY + timedelta(hours=23, minutes=59), "UTC", date(2026, 11, 16)),
        (MONDAY + timedelta(hours=24), "UTC", None),
        (MONDAY - timedelta(hours=8), "Asia/Shanghai", date(2026, 11, 16)),
        (MONDAY, "America/New_York", None),
        (datetime(2026, 3, 30, 7, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 23)),  # the clocks went forward
        (datetime(2026, 3, 30, 6, 59, tzinfo=UTC), "Europe/Berlin", None),
        (datetime(2027, 1, 4, 9, 0, tzinfo=UTC), "UTC", date(2026, 12, 28)),
    ],
)
def test_it_is_due_on_mondays_at_nine_where_the_space_is(moment: datetime, zone: str, week: date | None) -> None:
    assert due(moment, zone) == week


async def test_it_tells_of_the_week_before_once(house: Core) -> None:
    house.clock.now = MONDAY
    watch = weekly(house)
    for each in (watch, watch, weekly(house)):
        await each.round()
    await house.adapter.until(lambda: told(house))
    await watch.round()

    (post,) = told(house)
    lines = {say(label, "en"): say(value, "en") for label, value in post.reply.rows}
    # Saturday, Friday and Monday of that week, and the fox; the Sunday before it and the week of that do not count.
    assert say(post.reply.text, "en") == "The week from 2026-11-16: 13 pictures, 0.52 USD."
    assert lines["ann"] == "12 pictures, 0.48 USD"
    assert lines["bob"] == "1 picture, 0.04 USD"
    assert lines["m1"] == "12 pictures, 0.48 USD"
    assert "The week before: 102 pictures, 4.08 USD." in [say(each, "en") for each in post.reply.notes]
    assert (post.place.room, post.place.private, post.reply.private) == ("ops", False, False)
    assert len(post.reply.pictures) == 1


async def test_it_does_not_come_early(house: Core) -> None:
    house.clock.now = MONDAY - timedelta(minutes=1)
    await weekly(house).round()

    assert await house.database.fetch("SELECT * FROM postings WHERE key LIKE 'digest-%'") == []


@pytest.mark.parametrize("rules", [{"digest": ""}, {"alerts": "", "log": ""}])
async def test_nobody_gets_it_who_does_not_want_it(house: Core, rules: dict[str, str]) -> None:
    await switch(house, **rules)
    house.clock.now = MONDAY
    await weekly(house).round()

    assert await house.database.fetch("SELECT * FROM postings WHERE key LIKE 'digest-%'") == []


async def test_after_a_change_of_room_or_language_it_does_not_come_again(house: Core) -> None:
    house.clock.now = MONDAY
    await weekly(house).round()
    await switch(house, alerts="elsewhere", language="zh-CN")
    await weekly(house).round()

    assert len(await house.database.fetch("SELECT * FROM postings WHERE key LIKE 'digest-%'")) == 1


async def test_a_week_in_which_nothing_was_used_is_not_told_of(house: Core) -> None:
    house.clock.now = MONDAY + timedelta(days=14)
    await weekly(house).round()

    assert await house.database.fetch("SELECT * FROM postings WHERE key LIKE 'digest-%'") == []


async def test_it_goes_to_the_log_room_where_there_is_no_other(house: Core) -> None:
    await switch(house, alerts="", log="log")
    house.clock.now = MONDAY
    await weekly(house).round()
    await house.adapter.until(lambda: told(house))

    assert told(house)[0].place.room == "log"

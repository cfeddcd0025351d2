"""Alerts: who is told that a pool or a provider runs short, once, and that no crash makes it twice or never."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from bot import linking, teams
from bot.audit import OPERATOR
from bot.chat import CannotPost, Post, Quoted, Tone
from bot.generation.notices import is_to
from bot.i18n import say
from bot.ops import alerts
from bot.ops.alerts import Alerts
from bot.quota import ledger
from bot.spaces import SpaceRules
from bot.storage.connection import Connection
from tests.bot.generation.core import PICTURE, Core, telling, working
from tests.linked import link
from tests.postgres import BOTH

SPACE = "fake/team"
OPEN = "SELECT key FROM postings WHERE state IN ('to post', 'posting')"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH, indirect=True)


@pytest_asyncio.fixture
async def house(core: Core) -> AsyncIterator[Core]:
    """The core at work, which can say what nobody asked for."""
    telling(core, alerts.kinds(core.database))
    async with working(core):
        yield core


def watching(core: Core, **more: Any) -> Alerts:
    return Alerts(
        database=core.database,
        spaces=core.spaces,
        rules=core.rules,
        told=core.delivery.line_moved,
        now=core.clock,
        **more,
    )


async def limited(
    core: Core, amount: int, account: str = f"space:{SPACE}", unit: str = "images", win: str = "month"
) -> None:
    await core.database.transaction(ledger.set_limit, account, unit, win, amount)


async def rules(core: Core, **more: Any) -> None:
    def change(before: SpaceRules) -> SpaceRules:
        return replace(before, **more)

    await core.spaces.change(SPACE, change, by=await core.person("ann", admin=True), at=core.at)


def told(core: Core) -> list[Post]:
    """What was said without having been asked, in order."""
    return [post for post in core.adapter.shown if post.key.startswith(("alert-", "credits-"))]


def words(post: Post, language: str = "en") -> str:
    return say(post.reply.text, language)


async def delivered(core: Core, count: int) -> list[str]:
    """The words of so many alerts, once all that was to be said stands."""
    await core.adapter.until(lambda: len(told(core)) >= count)
    async with asyncio.timeout(10):
        while await core.database.fetch(OPEN):  # noqa: ASYNC110 - nobody tells when it is written down
            await asyncio.sleep(0.01)
    assert len(told(core)) == count
    return [words(each) for each in told(core)]


async def test_each_threshold_is_told_once_in_the_alert_room(house: Core) -> None:
    await limited(house, 10)
    await rules(house, alerts="ops", log="log")
    watch = watching(house)
    seen = []
    for count in range(1, 11):
        await house.answer("/imagine a fox")
        await watch.round()
        await watch.round()
        await watching(house).round()  # another process, which remembers nothing
        if count in (5, 8, 10):
            seen = await delivered(house, len(seen) + 1)
        assert len(told(house)) == len(seen)

    assert seen == [
        "This space: 50 % of 10 pictures a month is used (5 pictures).",
        "This space: 80 % of 10 pictures a month is used (8 pictures).",
        "This space: all of 10 pictures a month is used, and nothing more is made for now.",
    ]
    assert {(each.place.room, each.place.private) for each in told(house)} == {("ops", False)}


async def test_what_is_crossed_in_one_leap_is_told_as_one(house: Core) -> None:
    await limited(house, 2 * PICTURE, unit="usd")
    await rules(house, alerts="ops")
    await house.answer("/imagine a fox --count 2")

    await watching(house).round()
    assert await delivered(house, 1) == [
        "This space: all of 0.08 USD a month is used, and nothing more is made for now."
    ]
    rows = await house.database.fetch("SELECT percent FROM alerts ORDER BY percent")
    assert [row["percent"] for row in rows] == [50, 80, 100]


async def test_a_new_period_is_told_of_anew(house: Core) -> None:
    await limited(house, 1, win="day")
    await rules(house, alerts="ops")
    watch = watching(house)
    await house.answer("/imagine a fox")
    await watch.round()
    await delivered(house, 1)
    house.clock.forward(days=1)
    await watch.round()
    assert len(told(house)) == 1

    await house.answer("/imagine a fox")
    await watch.round()
    await delivered(house, 2)


async def test_two_that_look_at_once_tell_it_once(house: Core) -> None:
    await limited(house, 1)
    await rules(house, alerts="ops")
    await house.answer("/imagine a fox")

    await asyncio.gather(*(watching(house).round() for _ in range(8)))
    await delivered(house, 1)
    assert len(await house.database.fetch("SELECT * FROM alerts")) == 3


async def test_without_a_room_for_alerts_the_log_room_is_told(house: Core) -> None:
    await limited(house, 1)
    await rules(house, log="log")
    await house.answer("/imagine a fox")

    await watching(house).round()
    await delivered(house, 1)
    assert told(house)[0].place.room == "log"


async def test_without_any_room_the_admins_who_are_known_are_told_privately(house: Core) -> None:
    await limited(house, 4)
    for name in ("ann", "cid", "root"):
        await house.answer("/imagine a fox", by=name)
    for name in ("ann", "eve", "root"):  # eve has never asked, so nobody knows where to reach her
        await house.person(name, admin=True)
    await house.person("root")  # is none any more

    await watching(house).round()
    # By its name: where they are told of it may be another space.
    assert await delivered(house, 1) == ["Space fake/team: 75 % of 4 pictures a month is used (3 pictures)."]
    assert told(house)[0].place.private
    (row,) = await house.database.fetch("SELECT key, generation FROM postings WHERE key LIKE 'alert-%'")
    assert is_to(row["key"], row["generation"], (await house.person("ann", admin=True)).id)


async def test_admins_who_cannot_be_reached_take_nobody_s_place(house: Core) -> None:
    await limited(house, 2)
    await house.person("ann", admin=True)
    await house.answer("/imagine a fox", by="ann", admin=True)
    house.clock.forward(seconds=1)
    for number in range(alerts.MOST_ADMINS):
        await house.person(f"eve{number}", admin=True)  # was seen later, and has never asked

    await watching(house).round()
    await delivered(house, 1)


async def test_no_more_admins_than_a_few_are_told(house: Core) -> None:
    await limited(house, alerts.MOST_ADMINS + 2)
    for number in range(alerts.MOST_ADMINS + 2):
        await house.answer("/imagine a fox", by=f"ann{number}", admin=True)

    await watching(house).round()
    await delivered(house, alerts.MOST_ADMINS)


async def test_an_admin_with_linked_accounts_is_told_once(house: Core) -> None:
    await limited(house, 2)
    for name in ("ann", "bob"):
        await house.answer("/imagine a fox", by=name)
    found = [(await house.person(name, admin=True)).id for name in ("ann", "bob")]
    code = await house.database.transaction(linking.new_code, found[0], house.at)
    await house.database.transaction(link, code, found[1], house.at, OPERATOR)

    await watching(house).round()
    await delivered(house, 1)


async def test_without_any_room_or_admin_nobody_is_told_and_nothing_breaks(house: Core) -> None:
    await limited(house, 1)
    await house.answer("/imagine a fox")
    await house.person("ann", admin=True)
    house.clock.forward(days=91)
    await house.answer("/imagine a fox")

    await watching(house).round()
    assert len(await house.database.fetch("SELECT * FROM alerts")) == 3
    assert told(house) == []


async def test_the_owners_of_a_team_are_told_privately(house: Core) -> None:
    team = await made_team(house)
    await limited(house, 4, f"team:{team}")
    for name in ("ann", "bob", "cid"):  # eve has never asked, so nobody knows where to reach her
        await house.answer("/imagine a fox", by=name)

    await watching(house).round()
    assert set(await delivered(house, 2)) == {"Team Design: 50 % of 4 pictures a month is used (2 pictures)."}
    assert all(each.place.private and each.reply.private for each in told(house))
    owners = {(await house.person(name)).id for name in ("ann", "bob")}
    rows = await house.database.fetch("SELECT key, generation FROM postings WHERE key LIKE 'alert-%'")
    assert len({row["key"] for row in rows}) == len(owners)


async def test_a_team_s_home_may_have_a_room_for_it(house: Core) -> None:
    team = await made_team(house)
    await rules(house, alerts="ops")
    await limited(house, 2, f"team:{team}")
    for _ in range(2):
        await house.answer("/imagine a fox", by="ann")

    await watching(house).round()
    await delivered(house, 1)
    assert told(house)[0].place.room == "ops"
    assert not told(house)[0].reply.private


async def test_the_operators_are_told_of_everybody_s_pool_and_of_providers(house: Core) -> None:
    await limited(house, 2, "all")
    await house.answer("/imagine a fox", by="root")
    watch = watching(house, operators=[("fake", "root"), ("fake", "nobody")], credits=lambda: {"x": 3}, low=100)

    await watch.round()
    await watch.round()
    assert set(await delivered(house, 2)) == {
        "Everyone: 50 % of 2 pictures a month is used (1 picture).",
        "x runs short: 3 credits are left there.",
    }
    assert all(each.reply.private for each in told(house))


async def test_a_balance_is_told_of_once_a_day_however_it_sinks(house: Core) -> None:
    await house.answer("/imagine a fox", by="root")
    left = {"x": 90, "y": 5000}
    watch = watching(house, operators=[("fake", "root")], credits=lambda: left, low=100)
    for credits in (90, 40, 10):
        left["x"] = credits
        await watch.round()
    await delivered(house, 1)

    house.clock.forward(days=1)
    await watch.round()
    assert await delivered(house, 2) == [f"x runs short: {count} credits are left there." for count in (90, 10)]


@pytest.mark.slow
async def test_an_alert_outlives_a_platform_that_is_away(house: Core) -> None:
    await limited(house, 1)
    await rules(house, alerts="ops")
    await house.answer("/imagine a fox")
    house.adapter.problems.extend(CannotPost("away", retry_after=0.01, unknown=True) for _ in range(3))

    await watching(house).round()
    await delivered(house, 1)
    keys = {post.key for post in house.adapter.calls if post.key.startswith("alert-")}
    assert len(keys) == 1


async def test_what_was_written_down_before_the_end_is_told_after_it(core: Core) -> None:
    async with working(core):
        await limited(core, 1)
        await rules(core, alerts="ops")
        await core.answer("/imagine a fox")
    await watching(core).round()  # nobody delivers any more
    assert told(core) == []

    again = Core(database=core.database, folder=core.folder, adapter=core.adapter, clock=core.clock)
    telling(again, alerts.kinds(core.database))
    async with working(again):
        await delivered(again, 1)


async def test_it_is_said_in_the_language_of_the_space(house: Core) -> None:
    await limited(house, 1)
    await rules(house, alerts="ops", language="zh-CN")
    await house.answer("/imagine a fox")

    await watching(house).round()
    await delivered(house, 1)
    assert told(house)[0].reply.language == "zh-CN"


async def test_what_is_only_held_alarms_nobody(core: Core) -> None:
    await limited(core, 1)
    await rules(core, alerts="ops")
    await core.accepted()

    await watching(core).round()
    assert await core.database.fetch("SELECT * FROM alerts") == []


async def test_none_and_unlimited_are_no_pools_to_run_short(house: Core) -> None:
    await house.answer("/imagine a fox")
    await limited(house, 0, unit="usd")

    await watching(house).round()
    assert await house.database.fetch("SELECT * FROM alerts") == []


async def test_a_reply_to_an_alert_means_no_picture(house: Core) -> None:
    await limited(house, 1)
    await rules(house, alerts="ops")
    await house.answer("/imagine a fox")
    await watching(house).round()
    await delivered(house, 1)

    message = house.adapter.messages[told(house)[0].key]
    reply = await house.answer("/quota", quoted=Quoted(message_id=message))
    assert reply.tone is Tone.ANSWER, say(reply.text, "en")


async def made_team(core: Core) -> str:
    owners = [(await core.person(name)).id for name in ("ann", "bob", "eve")]

    def make(connection: Connection) -> str:
        made = teams.create(connection, SPACE, "Design", OPERATOR, core.at)
        for person in owners:
            teams.add(connection, made, person, OPERATOR, core.at, role=teams.OWNER)
        return made.id

    team = await core.database.transaction(make)
    await core.memberships.load()
    return team

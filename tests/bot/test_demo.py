"""The demonstration's people: carol has nothing left, whatever happened before this start."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import demo
from bot.chat import Actor
from bot.people import find
from bot.quota import audit, ledger
from bot.quota.limits import Policy
from bot.quota.standing import Payer, Rules
from bot.storage.connection import Connection
from bot.storage.database import Database

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEXT_MONTH = MONDAY + timedelta(days=10)


def people() -> list[Actor]:
    return [Actor(adapter="web", user=name, name=name, space="local") for name in demo.PEOPLE]


async def start(database: Database, now: datetime, policy: Policy) -> Rules:
    rules = Rules(policy=policy, now=now, zone="UTC")
    await database.transaction(demo.prepare, people(), rules)
    return rules


def use(connection: Connection, key: str, rules: Rules) -> None:
    carol = find(connection, people()[2], rules.at)
    amounts = {"images": 1, "usd": 0}
    ledger.hold(connection, key, Payer(person=carol.id, space=carol.space), amounts, rules)
    ledger.settle(connection, key, amounts, rules.at)


async def left(database: Database, rules: Rules) -> int:
    carol = await database.transaction(find, people()[2], rules.at)
    lines = await database.read(ledger.account_lines, (f"person:{carol.id}",), rules)
    return min(line.left for line in lines if line.left is not None)


@pytest.mark.parametrize("policy", [{}, {("person", "images", "day"): 3}, {("person", "images", "month"): 0}])
async def test_carol_has_nothing_left_under_any_limits(database: Database, policy: Policy) -> None:
    rules = await start(database, MONDAY, policy)

    assert await left(database, rules) == 0
    assert (await database.read(audit.verify)).problems == ()


async def test_a_new_month_in_which_carol_drew_already_still_starts(database: Database) -> None:
    await start(database, MONDAY, {})
    await database.transaction(use, "drawn", Rules(policy={}, now=NEXT_MONTH, zone="UTC"))
    rules = await start(database, NEXT_MONTH, {})

    assert await left(database, rules) == 0
    assert (await database.read(audit.verify)).problems == ()


async def test_starting_twice_spends_once(database: Database) -> None:
    await start(database, MONDAY, {})
    await start(database, MONDAY, {})

    entries = await database.fetch("SELECT sum(spent) AS spent FROM entries WHERE unit='images'")
    assert entries[0]["spent"] == demo.CAROLS

"""Many at once: a limit grants exactly what it says, over the real writer."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from bot.errors import QuotaExceeded
from bot.quota import audit, ledger
from bot.quota.standing import Payer, Rules
from bot.storage.connection import Connection
from bot.storage.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CROWD = 200


def take(connection: Connection, name: str, person: str, rules: Rules) -> None:
    """A hold and the row that owns it, as accepting does."""
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " model, count, price, state, created_at) VALUES (:id, :id, :person, '', 'team', 'a', 'en', '{}', 'p', 'm',"
        " 1, 0, 'queued', 0)",
        id=name,
        person=person,
    )
    ledger.hold(connection, name, Payer(person=person, space="team"), {"images": 1, "usd": 40_000}, rules)


@pytest.mark.parametrize("unit", ["images", "usd"])
@pytest.mark.parametrize("kind", ["person", "space", "all"])
async def test_two_hundred_at_once_are_granted_exactly_the_limit(database: Database, kind: str, unit: str) -> None:
    rules = Rules(policy={(kind, unit, "day"): 17 * {"images": 1, "usd": 40_000}[unit]}, now=NOON, zone="UTC")
    asking = [database.transaction(take, f"g{number}", "bob", rules) for number in range(CROWD)]

    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {type(None): 17, QuotaExceeded: CROWD - 17}
    rows = await database.fetch("SELECT state, count(*) AS n FROM generations GROUP BY state")
    assert [(row["state"], row["n"]) for row in rows] == [("queued", 17)]
    books = await database.read(audit.verify)
    assert books.problems == ()
    assert books.held == 17 * 8


async def test_a_pool_is_shared_by_everybody_and_lost_to_nobody(database: Database) -> None:
    rules = Rules(policy={("space", "images", "month"): 50, ("person", "images", "day"): 3}, now=NOON, zone="UTC")
    asking = [database.transaction(take, f"g{number}", f"p{number % 40}", rules) for number in range(CROWD)]

    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert outcomes.count(None) == 50
    rows = await database.fetch("SELECT max(held) AS most FROM balances WHERE account LIKE 'person:%' AND win='day'")
    assert rows[0]["most"] <= 40_000 * 3
    assert (await database.read(audit.verify)).problems == ()


async def test_one_that_fails_leaves_the_others_of_its_batch_intact(database: Database) -> None:
    rules = Rules(policy={}, now=NOON, zone="UTC")

    def spoilt(connection: Connection) -> None:
        take(connection, "spoilt", "bob", rules)
        raise RuntimeError("after everything was written")

    outcomes = await asyncio.gather(
        database.transaction(take, "before", "bob", rules),
        database.transaction(spoilt),
        database.transaction(take, "after", "bob", rules),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes] == [type(None), RuntimeError, type(None)]
    rows = await database.fetch("SELECT id FROM generations ORDER BY id")
    assert [row["id"] for row in rows] == ["after", "before"]
    (line, *_) = await database.read(
        ledger.account_lines, ("person:bob",), Rules(policy={("person", "images", "day"): 9}, now=NOON, zone="UTC")
    )
    assert (line.used, line.held) == (0, 2)
    assert (await database.read(audit.verify)).problems == ()

"""Many that draw on one pool, or on one grant, at the same time."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg.sql import SQL, Identifier

from bot.audit import OPERATOR
from bot.errors import OutcomeUnknown, QuotaExceeded
from bot.quota import audit, grants, ledger, usage
from bot.quota.standing import Rules
from bot.storage import postgres
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.storage.postgres import PostgresDatabase
from tests.bot.generation.core import Core
from tests.bot.ops.test_janitor import janitor
from tests.bot.quota.books import PostgresBooks
from tests.bot.quota.test_crowd import take
from tests.bot.quota.test_ledger import NOON
from tests.bot.storage import cable
from tests.postgres import BOTH, ON_POSTGRES

WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname=current_database() AND wait_event_type='Lock'"


@pytest.mark.parametrize("engine", [ON_POSTGRES], indirect=True)
@pytest.mark.timeout(60)
async def test_two_processes_that_race_for_a_pool_are_granted_exactly_the_pool(database_url: str) -> None:
    books = PostgresBooks(database_url)
    books.team("red", *(f"p{number}" for number in range(5)))
    books.do(ledger.set_limit, "team:red", "images", "month", 33)
    command = "-m", "tests.bot.quota.taker", database_url
    takers = [
        await asyncio.create_subprocess_exec(sys.executable, *command, name, "60", stdin=PIPE, stdout=PIPE)
        for name in ("a", "b")
    ]
    for taker in takers:
        assert taker.stdout is not None
        assert await taker.stdout.readline() == b"ready\n"

    said = [out.decode().split() for out, _ in await asyncio.gather(*(taker.communicate(b"go\n") for taker in takers))]
    books.close()
    assert [words[:2] for words in said] == [["wrong", "nothing"]] * 2
    granted = [int(words[2]) for words in said]
    assert sum(granted) == 33
    async with PostgresDatabase(database_url) as database:
        found = await database.read(audit.verify)
    assert (found.problems, found.held) == ((), 33 * 12)


@pytest.mark.parametrize("engine", [ON_POSTGRES], indirect=True)
async def test_who_waits_for_the_first_of_a_day_has_locked_nothing_that_comes_later(
    database: Database, database_url: str
) -> None:
    """Else the first, which goes on to that, would wait for this one: a deadlock for everybody at midnight."""

    async def waits() -> bool:
        return bool(await database.fetch(WAITS))

    rules = Rules(policy={}, now=NOON, zone="UTC")
    await database.transaction(take, "yesterday", "bob", replace(rules, now=NOON - timedelta(days=1)))

    with postgres.connected(database_url) as first:
        first.execute("BEGIN")
        first.execute(
            "INSERT INTO balances (account, unit, win, period, held, spent)"
            " VALUES ('all', 'images', 'day', '2026-11-30', 0, 0)"
        )
        waiting = asyncio.create_task(database.transaction(take, "today", "bob", rules))
        await cable.until(waits)
        later = first.execute("SELECT account FROM balances WHERE win='total' FOR UPDATE NOWAIT").fetchall()
        first.execute("COMMIT")
    await waiting

    assert {"all", "person:bob", "space:team"} <= {row["account"] for row in later}
    assert (await database.read(audit.verify)).problems == ()


@pytest.mark.parametrize("engine", [ON_POSTGRES], indirect=True)
async def test_months_are_mended_in_the_order_in_which_they_are_counted(database: Database, database_url: str) -> None:
    """Else whoever has counted for a person would wait for the months, and the months for that person."""

    async def waits() -> bool:
        return bool(await database.fetch(WAITS))

    def spoil(connection: Connection) -> None:
        whose = "'2026-11', 'space', 'team'"
        connection.execute(f"INSERT INTO person_months (month, space, team, person, seen) VALUES ({whose}, 'bob', '')")
        of_all = "month, space, team, adapter, provider, model, images"
        connection.execute(f"INSERT INTO usage_months ({of_all}) VALUES ({whose}, 'fake', 'p', 'm', 1)")

    await database.transaction(spoil)
    with postgres.connected(database_url) as first:
        first.execute("BEGIN")
        first.execute("UPDATE person_months SET images=images+1")
        mending = asyncio.create_task(database.transaction(usage.mend_months, "2026-11"))
        await cable.until(waits)
        months = first.execute("SELECT month FROM usage_months FOR UPDATE NOWAIT").fetchall()
        first.execute("COMMIT")
    await mending

    assert [row["month"] for row in months] == ["2026-11"]


@pytest.mark.parametrize("engine", [ON_POSTGRES], indirect=True)
async def test_who_decides_what_may_have_been_billed_counts_nothing_while_all_others_wait(
    core: Core, database_url: str
) -> None:
    """Else whoever has counted for the same months would wait for the balances of all, and these for the months."""

    async def waits() -> bool:
        return bool(await core.database.fetch(WAITS))

    for _ in range(2):
        core.provider.scripts.append((OutcomeUnknown(),))
        last = await core.run()
    another = {"id": last.id, "model": "another"}
    await core.database.transaction(
        lambda connection: connection.execute("UPDATE generations SET model=:model WHERE id=:id", **another)
    )
    core.clock.forward(hours=25)

    with postgres.connected(database_url) as first:
        first.execute("BEGIN")
        first.execute(
            "INSERT INTO usage_months (month, space, team, adapter, provider, model)"
            " SELECT month, space, team, adapter, provider, 'another' FROM usage_months"
        )
        deciding = asyncio.create_task(janitor(core).round())
        await cable.until(waits)
        of_all = first.execute("SELECT spent FROM balances WHERE account='all' FOR UPDATE NOWAIT").fetchall()
        first.execute("COMMIT")
    await deciding

    assert any(row["spent"] for row in of_all), "the first of the two is decided"
    (left,) = await core.database.fetch("SELECT count(*) AS n FROM holds WHERE state='possible'")
    assert left["n"] == 0


@pytest.mark.parametrize("engine", [ON_POSTGRES], indirect=True)
async def test_what_is_decided_while_somebody_is_forgotten_is_counted_for_nobody_known(
    core: Core, database_url: str
) -> None:
    async def waits() -> bool:
        return bool(await core.database.fetch(WAITS))

    core.provider.scripts.append((OutcomeUnknown(),))
    await core.run()
    core.clock.forward(hours=25)
    with postgres.connected(database_url) as first:
        first.execute("BEGIN")
        for table in ("generations", "usage_days", "person_months"):
            first.execute(SQL("UPDATE {} SET person='gone'").format(Identifier(table)))
        deciding = asyncio.create_task(janitor(core).round())
        await cable.until(waits)
        first.execute("COMMIT")
    await deciding

    for table in ("usage_days", "person_months"):
        assert {row["person"] for row in await core.database.fetch(f"SELECT person FROM {table}")} == {"gone"}


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_a_crowd_of_one_person_gets_their_limit_and_their_grants_and_nothing_more(database: Database) -> None:
    rules = Rules(policy={("person", "images", "day"): 5}, now=NOON, zone="UTC")

    def give(connection: Connection, amount: int, days: int) -> str:
        until = rules.at + days * 86_400_000_000
        given = {"pool": "space:team", "person": "bob", "unit": "images"}
        return f"grant:{grants.give(connection, **given, amount=amount, until=until, by=OPERATOR, at=rules.at)}"

    later, sooner = await database.transaction(give, 3, 2), await database.transaction(give, 4, 1)
    asking = [database.transaction(take, f"g{number}", "bob", rules) for number in range(60)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    assert Counter(map(type, outcomes)) == {type(None): 12, QuotaExceeded: 48}
    rows = await database.fetch("SELECT account, held FROM balances WHERE win='total' AND unit='images'")
    held = {row["account"]: row["held"] for row in rows}
    assert (held["person:bob"], held[later], held[sooner], held["all"]) == (5, 3, 4, 12)
    assert (await database.read(audit.verify)).problems == ()

"""Linked people who ask at the same time for two teams, with grants: what locks what must come in one order."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bot.audit import OPERATOR
from bot.errors import QuotaExceeded
from bot.quota import audit, grants, ledger, usage
from bot.quota.standing import Payer, Rules
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.bot.quota.test_ledger import NOON
from tests.postgres import BOTH

RULES = Rules(policy={("person", "images", "day"): 5}, now=NOON, zone="UTC")
GIVEN = {"team:red": 3, "team:blue": 3, "space:team": 4, "all": 2}
PAYERS = [(person, team) for person in ("bob", "rob") for team in ("red", "blue", "")]

pytestmark = pytest.mark.parametrize("engine", BOTH, indirect=True)


def known(connection: Connection) -> None:
    for person in ("bob", "rob"):
        connection.execute("INSERT INTO people (id, name, created_at, linked) VALUES (:id, :id, 0, 'one')", id=person)
    for team, person in (("red", "rob"), ("blue", "bob")):
        connection.execute(
            "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:id, 'team', :id, :id, 0)", id=team
        )
        connection.execute(
            "INSERT INTO team_members VALUES (:team, :person, 'member', 'admin', 0)", team=team, person=person
        )
    for days, (pool, amount) in enumerate(GIVEN.items(), 1):
        until = round((NOON + timedelta(days=days)).timestamp() * 1_000_000)
        given: dict[str, Any] = {"pool": pool, "person": PAYERS[days][0], "unit": "images", "amount": amount}
        grants.give(connection, **given, until=until, by=OPERATOR, at=RULES.at)


def take(connection: Connection, name: str, person: str, team: str) -> None:
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " model, count, price, state, created_at, team) VALUES (:id, :id, :person, '', 'team', 'a', 'en', '{}', 'p',"
        " 'm', 1, 0, 'queued', 0, :team)",
        id=name,
        person=person,
        team=team,
    )
    ledger.hold(connection, name, Payer(person=person, space="team", team=team), {"images": 1, "usd": 9}, RULES)


def end(connection: Connection, name: str, made: int) -> None:
    row = connection.lock_row("SELECT * FROM generations WHERE id=:id", id=name)
    assert row is not None
    connection.execute("UPDATE generations SET state='settled', charged=:made WHERE id=:id", made=made, id=name)
    usage.count(connection, row, images=made, usd=9 * made, state=usage.SETTLED, at=RULES.at, zone="UTC")
    ledger.settle(connection, name, {"images": made, "usd": 9 * made}, RULES.at)


async def test_two_hundred_of_linked_people_in_two_teams_get_what_there_is(database: Database) -> None:
    await database.transaction(known)
    asking = [database.transaction(take, f"g{number}", *PAYERS[number % 6]) for number in range(200)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    most = 5 + sum(GIVEN.values())
    assert Counter(map(type, outcomes)) == {type(None): most, QuotaExceeded: 200 - most}
    rows = await database.fetch("SELECT account, held FROM balances WHERE win='total' AND unit='images'")
    held = {row["account"]: row["held"] for row in rows}
    assert held["all"] == most
    assert held["person:bob"] == held["person:rob"] == 5
    assert (await database.read(audit.verify)).problems == ()


async def test_holds_ends_and_refunds_at_once_leave_true_books(database: Database) -> None:
    """Each of those who hold ends or is refunded while others ask for what that gives back."""
    await database.transaction(known)
    held: list[str] = []
    for number in range(40):
        try:
            await database.transaction(take, f"h{number}", *PAYERS[number % 6])
        except QuotaExceeded:
            continue
        held.append(f"h{number}")

    async def closed(name: str, place: int) -> None:
        await database.transaction(end, name, place % 3 and 1)
        if place % 3 == 1:
            await database.transaction(ledger.refund, name, RULES.at, "", by_operator=place % 2 == 0)

    async def asked(number: int) -> bool:
        try:
            await database.transaction(take, f"g{number}", *PAYERS[number % 6])
        except QuotaExceeded:
            return False
        return True

    work = [asked(number) for number in range(80)]
    await asyncio.gather(*(closed(name, place) for place, name in enumerate(held)), *work)

    books = await database.read(audit.verify)
    assert books.problems == ()
    own = await database.fetch(
        "SELECT account, held+spent AS n FROM balances WHERE account LIKE 'person:%' AND unit='images' AND win='day'"
    )
    assert {row["account"]: row["n"] <= 5 for row in own} == {"person:bob": True, "person:rob": True}

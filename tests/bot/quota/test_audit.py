"""The audit finds every kind of disagreement, and nothing where there is none."""

from datetime import timedelta
from typing import Any

import pytest

from bot.audit import OPERATOR
from bot.quota import audit, grants, ledger
from bot.quota.ledger import Rules
from tests.bot.quota.books import Books, payer
from tests.bot.quota.test_ledger import NOON

RULES = Rules(policy={}, now=NOON, zone="UTC")
AMOUNTS = {"images": 2, "usd": 80_000}


@pytest.fixture
def kept(books: Books) -> Books:
    """One generation of each kind: settled, running, unknown, cancelled, refunded, and one of a team with a grant."""
    for name in ("settled", "running", "unknown", "cancelled"):
        books.generation(name, "queued")
        books.do(ledger.hold, name, payer(), AMOUNTS, RULES)
    books.generation("settled", "settled", charged=1)
    books.do(ledger.settle, "settled", {"images": 1, "usd": 40_000}, RULES.at)
    books.generation("running", "running")
    books.generation("unknown", "unknown")
    books.do(ledger.settle, "unknown", {"images": 0, "usd": 0}, RULES.at, possible={"usd": 80_000})
    books.generation("cancelled", "cancelled")
    books.do(ledger.release, "cancelled", RULES.at)
    books.generation("refunded")
    books.do(ledger.hold, "refunded", payer(), AMOUNTS, RULES)
    books.generation("refunded", "settled", charged=1)
    books.do(ledger.settle, "refunded", {"images": 1, "usd": 40_000}, RULES.at)
    books.do(ledger.refund, "refunded", RULES.at, "")
    _of_a_team(books)
    return books


def _of_a_team(books: Books) -> None:
    """Two linked people, and a share that is too small for what one of them asks for."""
    books.team("red", "bob")
    for person in ("bob", "rob"):
        books.person(person, "one")
    given: dict[str, Any] = {"pool": "team:red", "person": "bob", "unit": "images", "amount": 5}
    books.do(grants.give, **given, until=RULES.at + 1_000_000, by=OPERATOR, at=RULES.at)
    books.do(ledger.set_limit, "share:team:red", "images", "day", 1)
    books.generation("team", team="red")
    books.do(ledger.hold, "team", payer(team="red"), AMOUNTS, RULES)
    books.generation("team", "settled", charged=2)
    books.do(ledger.settle, "team", {"images": 2, "usd": 80_000}, RULES.at)


def test_true_books_have_no_problems(kept: Books) -> None:
    found = audit.verify(kept.connection)

    assert found.problems == ()
    assert (found.accounts, found.held, found.possible) == (8, 8, 1)
    # Each was held, and all but the running one closed; one was refunded; the team's draws on seven and a grant.
    assert found.entries == 5 * 8 + 4 * 8 + 8 + 2 * (7 * 2 + 1)


PLANTED = {
    "a balance that was raised": "UPDATE balances SET spent=spent+1 WHERE account='all' AND win='total'",
    "held that nobody holds": "UPDATE balances SET held=held+1 WHERE account='all' AND unit='usd' AND win='total'",
    "a day that is off": "UPDATE balances SET spent=spent+1 WHERE account='person:bob' AND win='day'",
    "a week that is off": "UPDATE balances SET held=held-1 WHERE account='person:bob' AND win='week'",
    "a month that is off": "UPDATE balances SET held=held+1 WHERE account='space:team' AND win='month'",
    "a balance that was lost": "DELETE FROM balances WHERE account='all' AND unit='images' AND win='total'",
    "a day that was lost": "DELETE FROM balances WHERE account='all' AND unit='images' AND win='day'",
    "a balance below zero": "UPDATE balances SET held=-1 WHERE account='person:bob' AND unit='usd' AND win='total'",
    "an entry that was lost": "DELETE FROM entries WHERE generation='settled' AND kind='settle' AND account='all'",
    "an entry that was changed": "UPDATE entries SET spent=spent+1 WHERE generation='settled' AND kind='settle'"
    " AND account='space:team' AND unit='usd'",
    "an entry without a hold": "INSERT INTO entries VALUES ('ghost', 'settle', 'all', 'usd', 0, 5, 0, '');"
    " UPDATE balances SET spent=spent+5 WHERE account='all' AND unit='usd' AND win='total'",
    "a hold that says another amount": "UPDATE holds SET amount=3 WHERE generation='running' AND account='all'"
    " AND unit='images'",
    "one of several holds closed without an entry": "UPDATE holds SET state='closed' WHERE generation='running'"
    " AND account='all' AND unit='images'",
    "a running generation without holds": "DELETE FROM holds WHERE generation='running';"
    " DELETE FROM entries WHERE generation='running'",
    "an ended generation with open holds": "UPDATE generations SET state='failed' WHERE id='running'",
    "a question with holds": "UPDATE generations SET state='asked' WHERE id='running'",
    "a charge that the account does not know": "UPDATE generations SET charged=2 WHERE id='settled'",
    "a charge that the generation does not know": "UPDATE generations SET charged=0 WHERE id='settled'",
    "a closed hold of which no entry tells": "INSERT INTO holds (generation, account, unit, amount, state, day, week,"
    " month) SELECT 'refused', account, unit, 0, 'closed', day, week, month FROM holds WHERE generation='settled'",
    "a hold of nobody": "DELETE FROM generations WHERE id='running'",
    "a pool that was charged more than the person": "UPDATE entries SET spent=spent+1 WHERE generation='settled'"
    " AND kind='settle' AND account='space:team' AND unit='images';"
    " UPDATE balances SET spent=spent+1 WHERE account='space:team' AND unit='images'",
    "a share that was charged less than the person": "UPDATE entries SET spent=spent-1 WHERE generation='settled'"
    " AND kind='settle' AND account='share:space:team/bob' AND unit='usd';"
    " UPDATE balances SET spent=spent-1 WHERE account='share:space:team/bob' AND unit='usd'",
    "a grant that is used beyond itself": "UPDATE grants SET amount=0",
    "a grant that nobody gave": "DELETE FROM grants",
    "a grant of something else": "UPDATE grants SET unit='usd'",
    "a refund that no entry tells of": "UPDATE generations SET refunded_at=5 WHERE id='settled'",
    "a refund that the generation does not know": "UPDATE generations SET refunded_at=0 WHERE id='refunded'",
    "a refund of more than was charged": "UPDATE entries SET spent=spent-1 WHERE kind='refund' AND account='all'"
    " AND unit='usd'; UPDATE balances SET spent=spent-1 WHERE account='all' AND unit='usd'",
    "a pool of no team": "DELETE FROM teams",
    "a team that did not pay": "UPDATE generations SET team='blue' WHERE id='settled'",
    "a team that paid for another": "UPDATE generations SET team='' WHERE id='team'",
    "a share of a pool that did not pay": "UPDATE holds SET account='share:team:blue/bob'"
    " WHERE account='share:team:red/bob'; UPDATE entries SET account='share:team:blue/bob'"
    " WHERE account='share:team:red/bob'; UPDATE balances SET account='share:team:blue/bob'"
    " WHERE account='share:team:red/bob'",
    "somebody who is linked to nobody": "UPDATE people SET linked='' WHERE id='rob'",
    "possibly billed, but known": "UPDATE generations SET state='cancelled' WHERE id='unknown'",
}


@pytest.mark.parametrize("sql", PLANTED.values(), ids=PLANTED)
def test_it_finds(kept: Books, sql: str) -> None:
    for statement in sql.split(";"):
        kept.connection.execute(statement)

    assert kept.problems()


def test_a_problem_names_the_account_and_both_numbers(kept: Books) -> None:
    kept.connection.execute("UPDATE balances SET spent=77 WHERE account='all' AND unit='images' AND win='total'")

    assert any("all images" in problem and "77" in problem for problem in kept.problems())


def test_looking_changes_nothing(kept: Books) -> None:
    before = kept.dump()
    audit.verify(kept.connection)

    assert kept.dump() == before


# What `recent` cannot see: it adds up days, and not all there ever was.
OF_ALL_TIMES = {
    *("a balance that was raised", "held that nobody holds", "a week that is off", "a month that is off"),
    *("a hold of nobody", "a running generation without holds"),
    *("an entry without a hold", "a closed hold of which no entry tells"),
}


@pytest.mark.parametrize("name", sorted(PLANTED.keys() - OF_ALL_TIMES))
def test_a_look_at_the_last_days_finds(kept: Books, name: str) -> None:
    for statement in PLANTED[name].split(";"):
        kept.connection.execute(statement)

    assert audit.recent(kept.connection, NOON + timedelta(days=1))


def test_a_look_at_the_last_days_finds_nothing_in_true_books_however_old(kept: Books) -> None:
    for days in (-1, 0, 1, 2, 3, 4, 5, 40):
        assert audit.recent(kept.connection, NOON + timedelta(days=days)) == ()


def test_a_look_at_the_last_days_leaves_alone_what_is_older(kept: Books) -> None:
    kept.connection.execute(PLANTED["a charge that the account does not know"])

    assert audit.recent(kept.connection, NOON + timedelta(days=3))
    assert audit.recent(kept.connection, NOON + timedelta(days=5)) == ()
    assert kept.problems()

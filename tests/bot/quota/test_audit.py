"""The audit finds every kind of disagreement, and nothing where there is none."""

import pytest

from bot.quota import audit, ledger
from bot.quota.ledger import Rules
from tests.bot.quota.books import BOB, EVERYONE, TEAM, Books
from tests.bot.quota.test_ledger import NOON

RULES = Rules(policy={}, now=NOON, zone="UTC")
AMOUNTS = {"images": 2, "usd": 80_000}


@pytest.fixture
def kept(books: Books) -> Books:
    """One generation of each kind: settled, running, unknown, cancelled."""
    for name in ("settled", "running", "unknown", "cancelled"):
        books.generation(name, "queued")
        books.do(ledger.hold, name, (BOB, TEAM, EVERYONE), AMOUNTS, RULES)
    books.generation("settled", "settled", charged=1)
    books.do(ledger.settle, "settled", {"images": 1, "usd": 40_000}, RULES.at)
    books.generation("running", "running")
    books.generation("unknown", "unknown")
    books.do(ledger.settle, "unknown", {"images": 0, "usd": 0}, RULES.at, possible={"usd": 80_000})
    books.generation("cancelled", "cancelled")
    books.do(ledger.release, "cancelled", RULES.at)
    return books


def test_true_books_have_no_problems(kept: Books) -> None:
    found = audit.verify(kept.connection)

    assert found.problems == ()
    assert (found.accounts, found.held, found.possible) == (3, 6, 1)
    assert found.entries == 24 + 6 * 3


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

"""The audit finds every kind of disagreement, and nothing where there is none."""

from datetime import timedelta
from typing import Any

import pytest

from bot.audit import OPERATOR
from bot.quota import audit, grants, ledger, usage
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
    _end(books, "settled", "settled", 1)
    books.generation("running", "running")
    _end(books, "unknown", "unknown", 0, possible=80_000)
    books.generation("cancelled", "cancelled")
    books.do(ledger.release, "cancelled", RULES.at)
    books.generation("refunded")
    books.do(ledger.hold, "refunded", payer(), AMOUNTS, RULES)
    _end(books, "refunded", "settled", 1)
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
    _end(books, "team", "settled", 2)


def _end(books: Books, name: str, state: str, made: int, possible: int = 0) -> None:
    """As settling does: counted by day, then charged."""
    books.generation(name, state, charged=made)
    spent = {"images": made, "usd": 40_000 * made}
    row = books.connection.row("SELECT * FROM generations WHERE id=:id", id=name)
    books.do(usage.count, row, **spent, state=state, at=RULES.at, zone="UTC")
    books.do(ledger.settle, name, spent, RULES.at, possible={"usd": possible})


def test_true_books_have_no_problems(kept: Books) -> None:
    found = audit.verify(kept.connection)

    assert found.problems == ()
    assert (found.accounts, found.held, found.possible) == (8, 8, 1)
    # Each was held, and all but the running one closed; one was refunded; the team's draws on seven and a grant.
    assert found.entries == 5 * 8 + 4 * 8 + 8 + 2 * (7 * 2 + 1)


# What is done to the books, and what is said of it.
PLANTED = {
    "a balance that was raised": (
        "UPDATE balances SET spent=spent+1 WHERE account='all' AND win='total'",
        "all images: balance held 2, spent 4, but its entries add up to 2, 3",
    ),
    "held that nobody holds": (
        "UPDATE balances SET held=held+1 WHERE account='all' AND unit='usd' AND win='total'",
        "all usd: balance held 160001, spent 120000, but its entries add up to 160000, 120000",
    ),
    "a day that is off": (
        "UPDATE balances SET spent=spent+1 WHERE account='person:bob' AND win='day'",
        "person:bob images in day 2026-11-30: balance held 2, spent 3, but its entries add up to 2 and 2",
    ),
    "a week that is off": (
        "UPDATE balances SET held=held-1 WHERE account='person:bob' AND win='week'",
        "person:bob usd in week 2026-W49: balance held 79999, spent 120000",
    ),
    "a month that is off": (
        "UPDATE balances SET held=held+1 WHERE account='space:team' AND win='month'",
        "space:team images in month 2026-11: balance held 3, spent 3",
    ),
    "a balance that was lost": (
        "DELETE FROM balances WHERE account='all' AND unit='images' AND win='total'",
        "all images: entries exist, but no balance",
    ),
    "a day that was lost": (
        "DELETE FROM balances WHERE account='all' AND unit='images' AND win='day'",
        "all images: cancelled counts in day 2026-11-30, but there is no balance",
    ),
    "a balance below zero": (
        "UPDATE balances SET held=-1 WHERE account='person:bob' AND unit='usd' AND win='total'",
        "person:bob usd in total all: held -1 or spent 120000 is below zero",
    ),
    "an entry that was lost": (
        "DELETE FROM entries WHERE generation='settled' AND kind='settle' AND account='all'",
        "settled was charged for 1 pictures, but the account of all says 0",
    ),
    "an entry that was changed": (
        "UPDATE entries SET spent=spent+1 WHERE generation='settled' AND kind='settle' AND"
        " account='space:team' AND unit='usd'",
        "space:team usd: balance held 160000, spent 120000, but its entries add up to 160000, 120001",
    ),
    "an entry without a hold": (
        "INSERT INTO entries VALUES ('ghost', 'settle', 'all', 'usd', 0, 5, 0, ''); UPDATE balances SET"
        " spent=spent+5 WHERE account='all' AND unit='usd' AND win='total'",
        "all usd: an entry (settle) of ghost belongs to no hold",
    ),
    "a hold that says another amount": (
        "UPDATE holds SET amount=3 WHERE generation='running' AND account='all' AND unit='images'",
        "running on all images: the hold says 3, its entries 2",
    ),
    "one of several holds closed without an entry": (
        "UPDATE holds SET state='closed' WHERE generation='running' AND account='all' AND unit='images'",
        "running on all images: the hold is closed, but 2 is still held",
    ),
    "a running generation without holds": (
        "DELETE FROM holds WHERE generation='running'; DELETE FROM entries WHERE generation='running'",
        "running is running, but has 0 open holds",
    ),
    "an ended generation with open holds": (
        "UPDATE generations SET state='failed' WHERE id='running'",
        "running is failed, but has 8 open holds",
    ),
    "a question with holds": (
        "UPDATE generations SET state='asked' WHERE id='running'",
        "running is asked, but has 8 open holds",
    ),
    "a charge that the account does not know": (
        "UPDATE generations SET charged=2 WHERE id='settled'",
        "settled was charged for 2 pictures, but the account of all says 1",
    ),
    "a charge that the generation does not know": (
        "UPDATE generations SET charged=0 WHERE id='settled'",
        "settled was charged for 0 pictures, but the account of all says 1",
    ),
    "a closed hold of which no entry tells": (
        "INSERT INTO holds (generation, account, unit, amount, state, day, week, month) SELECT"
        " 'refused', account, unit, 0, 'closed', day, week, month FROM holds WHERE generation='settled'",
        "refused on all images: there is a hold, but no entry tells of it",
    ),
    "a hold of nobody": (
        "DELETE FROM generations WHERE id='running'",
        "running holds 2 images on all, but there is no such generation",
    ),
    "a pool that was charged more than the person": (
        "UPDATE entries SET spent=spent+1 WHERE generation='settled' AND kind='settle' AND"
        " account='space:team' AND unit='images'; UPDATE balances SET spent=spent+1 WHERE"
        " account='space:team' AND unit='images'",
        "settled images (settle): pools say 1 to 2, what is the person's own 1 to 1",
    ),
    "a share that was charged less than the person": (
        "UPDATE entries SET spent=spent-1 WHERE generation='settled' AND kind='settle' AND"
        " account='share:space:team/bob' AND unit='usd'; UPDATE balances SET spent=spent-1 WHERE"
        " account='share:space:team/bob' AND unit='usd'",
        "settled usd (settle): pools say 40000 to 40000, what is the person's own 39999 to",
    ),
    "a grant that is used beyond itself": (
        "UPDATE grants SET amount=0",
        "images: held 0 and spent 1, but 0 images were given",
    ),
    "a grant that nobody gave": (
        "DELETE FROM grants",
        "images: held 0 and spent 1, but 0 images were given",
    ),
    "a grant of something else": (
        "UPDATE grants SET unit='usd'",
        "images: held 0 and spent 1, but 5 usd were given",
    ),
    "a refund that no entry tells of": (
        "UPDATE generations SET refunded_at=5 WHERE id='settled'",
        "settled was refunded, but no entry tells of it",
    ),
    "a refund that the generation does not know": (
        "UPDATE generations SET refunded_at=0 WHERE id='refunded'",
        "an entry tells that refunded was refunded, but it was not",
    ),
    "a refund of more than was charged": (
        "UPDATE entries SET spent=spent-1 WHERE kind='refund' AND account='all' AND unit='usd'; UPDATE"
        " balances SET spent=spent-1 WHERE account='all' AND unit='usd'",
        "refunded on all usd: 40001 were given back of 40000 that were charged",
    ),
    "a pool of no team": (
        "DELETE FROM teams",
        "team:red: there is no such team",
    ),
    "a team that did not pay": (
        "UPDATE generations SET team='blue' WHERE id='settled'",
        "settled is for the team blue, but holds nothing of it",
    ),
    "a team that paid for another": (
        "UPDATE generations SET team='' WHERE id='team'",
        "team is for the team , but holds on team:red",
    ),
    "a share of a pool that did not pay": (
        "UPDATE holds SET account='share:team:blue/bob' WHERE account='share:team:red/bob'; UPDATE"
        " entries SET account='share:team:blue/bob' WHERE account='share:team:red/bob'; UPDATE balances"
        " SET account='share:team:blue/bob' WHERE account='share:team:red/bob'",
        "share:team:blue/bob: a share of a pool on which team does not draw",
    ),
    "somebody who is linked to nobody": (
        "UPDATE people SET linked='' WHERE id='rob'",
        "bob is linked to nobody",
    ),
    "a month of somebody that no day has": (
        "UPDATE person_months SET images=images+1 WHERE person='bob' AND team=''",
        "bob in 2026-11, team, team : the sums of months differ from those of days by 0 requests, 0 failed, 1 pictures",
    ),
    "a month that no day has": (
        "UPDATE usage_months SET requests=requests-1 WHERE team=''",
        "fake p m in 2026-11, team, team : the sums of months differ from those of days by -1 requests",
    ),
    "possibly billed, but known": (
        "UPDATE generations SET state='cancelled' WHERE id='unknown'",
        "unknown is cancelled, but all holds 80000 for it as possibly billed",
    ),
    "a balance of a period in which nobody held": (
        "INSERT INTO balances VALUES ('all', 'images', 'day', '2020-01-01', 0, 9)",
        "all images in day 2020-01-01: balance held 0, spent 9, but its entries add up to 0 and 0",
    ),
    "a grant that took as much as the person": (
        "UPDATE entries SET spent=2 WHERE generation='team' AND kind='settle' AND unit='images'",
        "team images (settle): pools say 2 to 2, what is the person's own 2 to 2, and grants 2",
    ),
    "a picture that no day counts": (
        "UPDATE usage_days SET images=images-1 WHERE team='red'",
        "the days count 1 requests, 0 failed, 1 pictures and 80000 micro-USD, but there were 1 to 1, 0, 2 and 80000",
    ),
    "money that nobody spent": (
        "UPDATE usage_days SET usd=usd+1 WHERE team=''",
        "3 requests, 1 failed, 1 pictures and 40001 micro-USD, but there were 3 to 4, 1, 1 and 40000",
    ),
    "a day that counts what was never asked": (
        "UPDATE usage_days SET requests=requests+2 WHERE team=''",
        "the days count 5 requests, 1 failed, 1 pictures and 40000 micro-USD, but there were 3 to 4, 1,",
    ),
    "a failure that no day counts": (
        "UPDATE usage_days SET failed=0",
        "the days count 3 requests, 0 failed",
    ),
    "what was used counted for somebody else": (
        "UPDATE usage_days SET person='eve' WHERE team='red'",
        "eve in team, team red, m of p through fake: the days count 1 requests, 0 failed, 2 pictures",
    ),
    "what was used and is counted nowhere": (
        "DELETE FROM usage_days WHERE team='red'",
        "bob in team, team red, m of p through fake: the days count 0 requests, 0 failed, 0 pictures",
    ),
}


def _plant(kept: Books, name: str) -> str:
    sql, words = PLANTED[name]
    for statement in sql.split(";"):
        kept.connection.execute(statement)
    return words


@pytest.mark.parametrize("name", PLANTED)
def test_it_finds(kept: Books, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    words = _plant(kept, name)
    found = audit.verify(kept.connection).problems

    assert [problem for problem in found if words in problem]
    monkeypatch.setattr(audit, "SLICE", 2)
    assert set(audit.verify(kept.connection).problems) == set(found)


def test_a_problem_names_the_account_and_both_numbers(kept: Books) -> None:
    kept.connection.execute("UPDATE balances SET spent=77 WHERE account='all' AND unit='images' AND win='total'")

    assert any("all images" in problem and "77" in problem for problem in kept.problems())


def test_looking_changes_nothing(kept: Books) -> None:
    before = kept.dump()
    audit.verify(kept.connection)

    assert kept.dump() == before


# What `recent` cannot see, or says otherwise: it adds up days, and not all there ever was.
OF_ALL_TIMES = {
    *("a balance that was raised", "held that nobody holds", "a week that is off", "a month that is off"),
    *("a hold of nobody", "a running generation without holds"),
    *("an entry without a hold", "a closed hold of which no entry tells"),
    *("a balance of a period in which nobody held", "an entry that was changed"),
    *("a picture that no day counts", "money that nobody spent", "a day that counts what was never asked"),
    *("a failure that no day counts", "what was used counted for somebody else"),
    "what was used and is counted nowhere",
}


@pytest.mark.parametrize("name", sorted(PLANTED.keys() - OF_ALL_TIMES))
def test_a_look_at_the_last_days_finds(kept: Books, name: str) -> None:
    words = _plant(kept, name)

    assert any(words in problem for problem in audit.recent(kept.connection, NOON + timedelta(days=1)))


def test_a_look_at_the_last_days_finds_nothing_in_true_books_however_old(kept: Books) -> None:
    for days in (-1, 0, 1, 2, 3, 4, 5, 40):
        assert audit.recent(kept.connection, NOON + timedelta(days=days)) == ()


def test_a_look_at_the_last_days_leaves_alone_what_is_older(kept: Books) -> None:
    _plant(kept, "a charge that the account does not know")

    assert audit.recent(kept.connection, NOON + timedelta(days=3))
    assert audit.recent(kept.connection, NOON + timedelta(days=5)) == ()
    assert kept.problems()


def test_holds_that_belong_to_no_generation_are_added_up_all_the_same(kept: Books) -> None:
    """A demonstration makes such: what one of its people has spent before it begins."""
    books = audit.verify(kept.connection)
    kept.do(ledger.hold, "before", payer(), AMOUNTS, RULES)
    kept.do(ledger.settle, "before", AMOUNTS, RULES.at)

    found = audit.verify(kept.connection)
    assert found.problems == ()
    assert found.entries == books.entries + 2 * 10  # of bob, who is two
    kept.connection.execute("UPDATE entries SET held=held+1 WHERE generation='before' AND kind='hold' AND unit='usd'")
    assert "before on all usd: the hold says 0, its entries 1" in audit.verify(kept.connection).problems


def test_a_cancelled_request_may_be_counted_or_not(kept: Books) -> None:
    """It is where somebody was at work on it already."""
    row = kept.connection.row("SELECT * FROM generations WHERE id='cancelled'")
    kept.do(usage.count, row, images=0, usd=0, state="cancelled", at=RULES.at, zone="UTC")

    assert audit.verify(kept.connection).problems == ()


def test_it_tells_how_far_it_has_come(kept: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SLICE", 4)
    told: list[tuple[int, int]] = []
    audit.verify(kept.connection, lambda done, of: told.append((done, of)))

    assert told == [(4, 6), (6, 6)]

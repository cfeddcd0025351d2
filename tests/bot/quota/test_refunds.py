"""A refund: what one generation was charged comes back, once, where and when it was taken."""

from datetime import timedelta

import pytest

from bot.clock import micros
from bot.errors import NotThere, QuotaExceeded, UsageError
from bot.quota import ledger
from bot.quota.limits import Account
from bot.quota.standing import Rules
from bot.quota.tiers import Tier
from tests.bot.quota.books import BOB, EVERYONE, SHARE, SPACE, Books, payer
from tests.bot.quota.test_grants import give, hold, settle, total
from tests.bot.quota.test_ledger import NOON

LATER = micros(NOON + timedelta(days=3))


def refund(books: Books, name: str = "g") -> dict[str, int]:
    given: dict[str, int] = books.do(ledger.refund, name, LATER, "the wrong colour")
    return given


def test_it_comes_back_on_every_account_in_the_periods_in_which_it_was_taken(books: Books) -> None:
    hold(books, "g", 3, 120)
    settle(books, "g", 2, 80)

    assert refund(books) == {"images": 2, "usd": 80}
    for account in (BOB, SPACE, EVERYONE):
        assert books.balance(account, "images", "day", "2026-11-30") == (0, 0)
        assert total(books, account, "usd") == (0, 0)
    rows = books.connection.rows("SELECT spent, reason, at FROM entries WHERE kind='refund' AND unit='images'")
    assert {(row["spent"], row["reason"], row["at"]) for row in rows} == {(-2, "the wrong colour", LATER)}
    assert books.problems() == ()


def test_it_is_given_once(books: Books) -> None:
    hold(books, "g", 1)
    settle(books, "g", 1)
    refund(books)
    before = books.dump()

    with pytest.raises(UsageError, match="before"):
        refund(books)
    assert books.dump() == before


@pytest.mark.parametrize("state", ["queued", "failed"])
def test_what_was_not_charged_is_not_given_back(books: Books, state: str) -> None:
    hold(books, "g", 1)
    if state == "failed":
        settle(books, "g", 0)
        books.generation("g", "failed")
    before = books.dump()

    with pytest.raises(UsageError, match="Nothing was charged"):
        refund(books)
    assert books.dump() == before
    assert books.problems() == ()


def test_an_unknown_one_cannot_be_refunded(books: Books) -> None:
    with pytest.raises(NotThere, match="nothere"):
        refund(books, "nothere")


def test_a_grant_gets_back_what_it_paid(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 5)
    settle(books, "g", 4)
    refund(books)

    assert (total(books, grant), total(books, BOB)) == ((0, 0), (0, 0))
    assert books.problems() == ()


def test_a_team_gets_back_what_it_paid(books: Books) -> None:
    books.team("red", "bob")
    hold(books, "g", 2, who=payer(team="red"))
    settle(books, "g", 2)
    refund(books)

    assert total(books, Account("team:red")) == total(books, Account("share:team:red/bob")) == (0, 0)
    assert books.problems() == ()


@pytest.mark.parametrize("charge", [True, False])
@pytest.mark.parametrize("first", ["refund", "resolve"])
def test_what_is_possibly_billed_is_decided_by_itself(books: Books, charge: bool, first: str) -> None:
    hold(books, "g", 2, 80)
    books.generation("g", "settled", charged=1)
    books.do(ledger.settle, "g", {"images": 1, "usd": 40}, micros(NOON), possible={"usd": 40})

    def resolve() -> None:
        assert books.do(ledger.resolve, "g", LATER, charge=charge, reason="")

    if first == "resolve":
        resolve()
    assert refund(books) == {"images": 1, "usd": 80 if charge and first == "resolve" else 40}
    assert books.problems() == ()
    if first == "refund":
        resolve()
    assert total(books, EVERYONE, "usd") == (40 if charge and first == "refund" else 0, 0)
    assert total(books, BOB, "usd") == (0, 0)
    assert books.problems() == ()


def test_the_room_is_there_again(books: Books) -> None:
    limited = Rules(policy={("person", "images", "day"): 2}, now=NOON, zone="UTC")
    hold(books, "g", 2, by=limited)
    settle(books, "g", 2)
    refund(books)

    hold(books, "h", 2, by=limited)
    assert books.problems() == ()


def test_it_is_taken_off_what_was_used_that_day(books: Books) -> None:
    hold(books, "g", 2)
    settle(books, "g", 2)
    books.connection.execute("UPDATE generations SET finished_at=:at", at=micros(NOON))
    refund(books)

    rows = books.connection.rows("SELECT day, images, requests FROM usage_days")
    assert [(row["day"], row["images"], row["requests"]) for row in rows] == [("2026-11-30", -2, 0)]


def refund_by_an_admin(books: Books, name: str = "g") -> dict[str, int]:
    given: dict[str, int] = books.do(ledger.refund, name, LATER, "the wrong colour", by_operator=False)
    return given


def test_an_admin_gives_back_what_is_the_persons_own_and_the_pools_have_spent_it(books: Books) -> None:
    """Or whoever rules a space could draw at the operator's cost for ever, by refunding all of it."""
    books.team("red", "bob")
    books.do(ledger.set_limit, "space:team", "images", "total", 2)
    hold(books, "g", 2, 80, who=payer(team="red"))
    settle(books, "g", 2, 80)

    assert refund_by_an_admin(books) == {"images": 2, "usd": 80}
    assert total(books, BOB) == total(books, SHARE) == total(books, Account("share:team:red/bob")) == (0, 0)
    for pool in (EVERYONE, SPACE, Account("team:red")):
        assert (total(books, pool), total(books, pool, "usd")) == ((2, 0), (80, 0))
    assert books.problems() == ()
    with pytest.raises(QuotaExceeded, match="This space"):
        hold(books, "h", 1)
    with pytest.raises(UsageError, match="before"):
        refund(books)
    assert books.connection.rows("SELECT * FROM usage_days") == []  # it was used


@pytest.mark.parametrize("holder", ["", "person:bob", "space:team"])
def test_an_admin_gives_nothing_back_of_what_the_operator_set_for_somebody(books: Books, holder: str) -> None:
    if holder:
        books.tier(Tier(name="basic", limits={("images", "day"): 2}), holder)
    else:
        books.do(ledger.set_limit, "person:bob", "images", "day", 2)
    hold(books, "g", 2)
    settle(books, "g", 2)
    refund_by_an_admin(books)

    assert (total(books, BOB), total(books, SHARE)) == ((2, 0), (0, 0))
    assert books.problems() == ()
    with pytest.raises(QuotaExceeded, match="You"):
        hold(books, "h", 1)


def test_an_admin_gives_back_what_their_space_gave_and_not_what_the_operator_did(books: Books) -> None:
    space, own = give(books, 1), give(books, 9, pool="all", days=2)
    hold(books, "g", 5)
    settle(books, "g", 5)
    assert refund_by_an_admin(books) == {"images": 3, "usd": 0}

    assert (total(books, space), total(books, own), total(books, BOB)) == ((0, 0), (1, 0), (0, 0))
    assert books.problems() == ()


def test_where_all_of_it_is_the_operators_an_admin_is_told_so(books: Books) -> None:
    hold(books, "g", 2, 80)
    books.generation("g", "unknown")
    books.do(ledger.settle, "g", {"images": 0, "usd": 0}, micros(NOON), possible={"usd": 80})
    books.do(ledger.resolve, "g", LATER, charge=True, reason="")

    with pytest.raises(UsageError, match="Only the bot's operator"):
        refund_by_an_admin(books)
    assert refund(books) == {"images": 0, "usd": 80}
    assert books.problems() == ()

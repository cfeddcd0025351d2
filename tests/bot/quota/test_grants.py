"""Grants: extra that stands in where a person's own limits are short, out of a pool, until a date."""

from datetime import datetime, timedelta

import pytest

from bot import audit
from bot.audit import OPERATOR, By
from bot.clock import micros
from bot.errors import NotThere, QuotaExceeded
from bot.i18n import say
from bot.quota import grants, ledger
from bot.quota.limits import Account, Policy, told
from bot.quota.standing import Payer, Rules
from bot.quota.tiers import Tier
from tests.bot.quota.books import BOB, EVERYONE, SHARE, SPACE, Books, payer
from tests.bot.quota.test_ledger import NOON

DAILY: Policy = {("person", "images", "day"): 3}
DAY = "2026-11-30"
ANN = By("ann", "Ann")


def rules(policy: Policy = DAILY, now: datetime = NOON) -> Rules:
    return Rules(policy=policy, now=now, zone="UTC")


def give(
    books: Books, amount: int, *, pool: str = "space:team", person: str = "bob", unit: str = "images", days: float = 1
) -> Account:
    until = micros(NOON + timedelta(days=days))
    named = {"pool": pool, "person": person, "unit": unit, "amount": amount, "until": until}
    return Account(f"grant:{books.do(grants.give, **named, by=ANN, at=micros(NOON))}")


def hold(
    books: Books, name: str, images: int, usd: int = 0, *, who: Payer | None = None, by: Rules | None = None
) -> None:
    who = who or payer()
    books.generation(name, person=who.person)
    books.connection.execute("UPDATE generations SET team=:team WHERE id=:id", team=who.team, id=name)
    try:
        books.do(ledger.hold, name, who, {"images": images, "usd": usd}, by or rules())
    except QuotaExceeded:
        books.connection.execute("DELETE FROM generations WHERE id=:name", name=name)
        raise


def settle(books: Books, name: str, images: int, usd: int = 0) -> None:
    books.generation(name, "settled", charged=images)
    books.do(ledger.settle, name, {"images": images, "usd": usd}, rules().at)


def total(books: Books, account: Account, unit: str = "images") -> tuple[int, int]:
    """(spent, held)"""
    return books.balance(account, unit, "total", "all")


def test_what_there_is_room_for_touches_no_grant(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 3)

    assert total(books, grant) == (0, 0)
    assert total(books, BOB) == (0, 3)


def test_a_grant_gives_what_the_person_is_short_of_and_pools_pay_all(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 5)

    assert (total(books, grant), total(books, BOB), total(books, SHARE)) == ((0, 2), (0, 3), (0, 3))
    assert total(books, SPACE) == total(books, EVERYONE) == (0, 5)
    assert books.problems() == ()


def test_made_pictures_are_first_ones_own_and_then_the_grants(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 5)
    settle(books, "g", 4)
    hold(books, "h", 2)
    settle(books, "h", 1)

    assert (total(books, grant), total(books, BOB)) == ((2, 0), (3, 0))
    assert total(books, SPACE) == (5, 0)
    assert books.problems() == ()


def test_what_was_not_made_comes_back_to_the_grant_first(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 5)
    settle(books, "g", 2)

    assert (total(books, grant), total(books, BOB)) == ((0, 0), (2, 0))


def test_the_first_to_expire_is_used_first(books: Books) -> None:
    later, sooner = give(books, 2, days=9), give(books, 2, days=2)
    hold(books, "g", 6)

    assert (total(books, sooner), total(books, later)) == ((0, 2), (0, 1))
    settle(books, "g", 5)
    assert (total(books, sooner), total(books, later), total(books, BOB)) == ((2, 0), (0, 0), (3, 0))
    assert books.problems() == ()


def test_a_grant_that_does_not_suffice_is_not_touched_and_ones_own_account_is_named(books: Books) -> None:
    give(books, 1)
    before = books.dump()

    with pytest.raises(QuotaExceeded, match="You: 3 left of 3"):
        hold(books, "g", 5)
    assert books.dump() == before


def test_a_grant_is_used_up_over_days(books: Books) -> None:
    grant = give(books, 3, days=9)
    hold(books, "g", 5)
    tomorrow = rules(now=NOON + timedelta(days=1))
    hold(books, "h", 4, by=tomorrow)

    assert total(books, grant) == (0, 3)
    with pytest.raises(QuotaExceeded):
        hold(books, "i", 1, by=tomorrow)
    assert books.problems() == ()


def test_a_grant_ends_at_its_moment_and_what_was_held_in_time_is_still_paid_by_it(books: Books) -> None:
    grant = give(books, 5)
    end = NOON + timedelta(days=1)
    hold(books, "g", 5)
    hold(books, "h", 4, by=rules(now=end - timedelta(microseconds=1)))

    with pytest.raises(QuotaExceeded):
        hold(books, "i", 1, by=rules(now=end))
    settle(books, "g", 5)
    assert total(books, grant) == (2, 1)
    assert books.problems() == ()


@pytest.mark.parametrize(
    "given",
    [{"pool": "space:other"}, {"pool": "team:red"}, {"person": "eve"}, {"unit": "usd"}],
    ids=["another space's", "a team's that does not pay", "another's", "money for pictures"],
)
def test_a_grant_that_is_not_for_this_does_not_count(books: Books, given: dict[str, str]) -> None:
    give(books, 5, **given)

    with pytest.raises(QuotaExceeded):
        hold(books, "g", 4)


@pytest.mark.parametrize("pool", ["all", "space:team", "team:red"])
def test_every_pool_that_pays_may_give(books: Books, pool: str) -> None:
    books.team("red", "bob")
    books.do(ledger.set_limit, "share:team:red", "images", "week", 2)
    grant = give(books, 5, pool=pool)
    hold(books, "g", 4, who=payer(team="red"))

    assert (total(books, grant), total(books, Account("share:team:red/bob"))) == ((0, 2), (0, 2))
    assert total(books, Account("team:red")) == (0, 4)
    assert books.problems() == ()


def test_a_grant_does_not_stand_in_for_a_pool(books: Books) -> None:
    give(books, 50)

    with pytest.raises(QuotaExceeded, match="This space"):
        hold(books, "g", 5, by=rules({**DAILY, ("space", "images", "day"): 4}))
    with pytest.raises(QuotaExceeded, match="Everyone"):
        hold(books, "g", 5, by=rules({**DAILY, ("all", "images", "day"): 4}))


def test_who_may_use_nothing_may_use_what_they_were_given(books: Books) -> None:
    grant = give(books, 2)
    none = rules({("person", "images", "total"): 0})
    hold(books, "g", 2, by=none)

    assert (total(books, grant), total(books, BOB)) == ((0, 2), (0, 0))
    with pytest.raises(QuotaExceeded, match="no pictures are allowed"):
        hold(books, "h", 1, by=none)


def test_who_is_over_a_limit_that_was_lowered_may_still_use_a_grant(books: Books) -> None:
    hold(books, "g", 3)
    grant = give(books, 2)
    hold(books, "h", 2, by=rules({("person", "images", "day"): 1}))

    assert (total(books, grant), total(books, BOB)) == ((0, 2), (0, 3))
    assert books.problems() == ()


def test_pictures_and_money_have_grants_of_their_own(books: Books) -> None:
    both: Policy = {("person", "images", "day"): 1, ("person", "usd", "day"): 100}
    pictures, money = give(books, 1), give(books, 60, unit="usd")
    hold(books, "g", 2, 160, by=rules(both))

    assert (total(books, pictures), total(books, money, "usd")) == ((0, 1), (0, 60))
    settle(books, "g", 1, 130)
    assert (total(books, pictures), total(books, money, "usd")) == ((0, 0), (30, 0))
    assert (total(books, BOB), total(books, BOB, "usd")) == ((1, 0), (100, 0))
    assert books.problems() == ()


def test_what_cost_more_than_was_held_never_takes_more_of_a_grant_than_it_held(books: Books) -> None:
    money = give(books, 60, unit="usd")
    hold(books, "g", 1, 160, by=rules({("person", "usd", "day"): 100}))
    settle(books, "g", 1, 200)

    assert (total(books, money, "usd"), total(books, BOB, "usd")) == ((60, 0), (140, 0))
    assert total(books, EVERYONE, "usd") == (200, 0)
    assert books.problems() == ()


def test_what_was_possibly_billed_is_given_back_to_the_grant(books: Books) -> None:
    money = give(books, 60, unit="usd")
    hold(books, "g", 1, 160, by=rules({("person", "usd", "day"): 100}))
    books.generation("g", "unknown")
    books.do(ledger.settle, "g", {"images": 0, "usd": 0}, rules().at, possible={"usd": 160})

    assert (total(books, money, "usd"), total(books, BOB, "usd")) == ((0, 0), (0, 0))
    assert total(books, SPACE, "usd") == (0, 160)
    assert books.problems() == ()


def test_linked_accounts_share_what_one_of_them_was_given(books: Books) -> None:
    for person in ("bob", "robert"):
        books.person(person, linked="one")
    grant = give(books, 5)
    hold(books, "g", 4, who=payer("robert"))

    assert total(books, grant) == (0, 1)
    assert total(books, BOB) == total(books, Account("person:robert")) == (0, 3)
    assert books.problems() == ()


def test_one_that_was_ended_gives_nothing_more(books: Books) -> None:
    grant = give(books, 5)
    hold(books, "g", 5)
    seq = int(grant.name.partition(":")[2])
    books.do(grants.end, seq, ANN, micros(NOON))

    with pytest.raises(QuotaExceeded):
        hold(books, "h", 1)
    settle(books, "g", 5)
    assert total(books, grant) == (2, 0)
    with pytest.raises(NotThere, match=str(seq)):
        books.do(grants.end, seq, ANN, micros(NOON))
    assert books.problems() == ()


def test_giving_and_ending_are_audited_where_the_pool_is(books: Books) -> None:
    books.team("red", "bob", space="home")
    grant = give(books, 5, pool="team:red")
    books.do(grants.end, int(grant.name.partition(":")[2]), OPERATOR, micros(NOON))

    ended, given = audit.entries(books.connection, "home", 10)
    assert (given.name, given.by, given.what, given.before) == ("Ann", "ann", grant.name.replace(":", " "), None)
    assert given.after == ended.before
    assert (ended.name, ended.after) == ("operator", None)
    assert [each.seq for each in audit.entries(books.connection, None, 1)] == [ended.seq]
    assert audit.entries(books.connection, None, 10, before_seq=ended.seq) == [given]


def test_lines_show_what_is_left_of_a_grant_and_until_when(books: Books) -> None:
    give(books, 5)
    hold(books, "g", 4)

    line = books.do(ledger.lines, payer(), rules())[-1]
    assert (say(line.name, "en"), line.unit, line.used, line.held, line.left) == (
        "Given to you by Ann",
        "images",
        0,
        1,
        4,
    )
    assert (line.resets, line.ends) == (None, NOON + timedelta(days=1))
    assert say(line.left_in_words, "en", "Asia/Shanghai") == "4 of 5 left, until 2026-12-01 20:00 Asia/Shanghai"
    assert say(told(line), "en") == (
        "Given to you by Ann: 4 left of 5 pictures until 2026-12-01 12:00 UTC (0 used, 1 held)"
    )


def test_a_grant_of_somebody_who_was_forgotten_is_one_of_somebody(books: Books) -> None:
    give(books, 5)
    books.connection.execute("UPDATE grants SET by='gone-0123456789ab', by_name=''")

    line = books.do(ledger.lines, payer(), rules())[-1]
    assert say(line.name, "en") == "Given to you by somebody who was forgotten"
    (line,) = books.do(ledger.given_lines, ("bob",), None, rules().at)
    assert say(line.name, "en") == "Given by somebody who was forgotten"


def paid(books: Books, *accounts: Account) -> list[tuple[int, int]]:
    """(spent, held) of each"""
    return [total(books, account) for account in accounts]


OPERATORS = Tier(name="basic", limits={("images", "day"): 3})


@pytest.mark.parametrize("pool", ["space:team", "team:red"])
@pytest.mark.parametrize("limited", ["none", "three", "tier"])
def test_what_others_give_does_not_lift_what_the_operator_set_for_somebody(
    books: Books, pool: str, limited: str
) -> None:
    books.team("red", "bob")
    grant = give(books, 50, pool=pool)
    if limited == "tier":
        books.tier(OPERATORS, "person:bob")
    else:
        books.do(ledger.set_limit, "person:bob", "images", "total", {"none": 0, "three": 3}[limited])
    before = books.dump()

    with pytest.raises(QuotaExceeded, match="the bot's operator can"):
        hold(books, "g", 4, who=payer(team="red"), by=rules({}))
    assert books.dump() == before
    given = give(books, 4, pool="all")
    hold(books, "g", 4, who=payer(team="red"), by=rules({}))
    assert total(books, grant) == (0, 0)
    assert total(books, given) == (0, 4 if limited == "none" else 1)


def test_what_others_give_counts_for_what_the_operator_set(books: Books) -> None:
    """The admins give more than their own share; the operator's limit is filled by all of it, and then holds."""
    books.do(ledger.set_limit, "person:bob", "images", "day", 6)
    books.do(ledger.set_limit, SHARE.name, "images", "day", 2)
    grant = give(books, 50)

    hold(books, "g", 5, by=rules({}))
    assert paid(books, grant, BOB, SHARE, EVERYONE) == [(0, 3), (0, 5), (0, 2), (0, 5)]
    with pytest.raises(QuotaExceeded, match="You: 1 left of 6"):
        hold(books, "h", 2, by=rules({}))
    settle(books, "g", 4)
    assert paid(books, grant, BOB, SHARE, EVERYONE) == [(2, 0), (4, 0), (2, 0), (4, 0)]
    assert books.problems() == ()


def test_what_the_operator_gives_and_what_others_give_stand_in_together(books: Books) -> None:
    """The operator allows 2 and gives 2; the share is nothing, so that all the rest is out of the space."""
    books.do(ledger.set_limit, "person:bob", "images", "day", 2)
    books.do(ledger.set_limit, SHARE.name, "images", "day", 0)
    space, own = give(books, 10, days=1), give(books, 2, pool="all", days=2)

    with pytest.raises(QuotaExceeded, match="You"):
        hold(books, "g", 5, by=rules({}))
    hold(books, "g", 4, by=rules({}))
    assert paid(books, space, own, BOB, SHARE) == [(0, 2), (0, 2), (0, 2), (0, 0)]
    settle(books, "g", 3)
    assert paid(books, space, own, BOB, SHARE) == [(2, 0), (1, 0), (2, 0), (0, 0)]
    assert books.problems() == ()
    books.do(ledger.refund, "g", rules().at, "")
    assert paid(books, space, own, BOB, SHARE) == [(0, 0)] * 4
    assert books.problems() == ()


def test_the_usual_limit_gives_way_to_what_a_space_gives_and_an_own_unlimited_one_is_no_limit(books: Books) -> None:
    grant = give(books, 5)
    books.do(ledger.set_limit, "person:bob", "images", "month", None)

    hold(books, "g", 5)
    assert paid(books, grant, BOB) == [(0, 2), (0, 3)]


def test_a_limit_of_money_leaves_pictures_to_what_others_give(books: Books) -> None:
    books.do(ledger.set_limit, "person:bob", "usd", "day", 100)
    grant = give(books, 5)

    hold(books, "g", 5, 100)
    assert total(books, grant) == (0, 2)
    with pytest.raises(QuotaExceeded, match="You"):
        hold(books, "h", 1, 1)


def test_linked_accounts_do_not_lift_what_the_operator_set_for_one_of_them(books: Books) -> None:
    for person in ("bob", "rob"):
        books.person(person, "one")
    books.do(ledger.set_limit, "person:bob", "images", "day", 0)
    give(books, 50, person="rob")
    give(books, 50, person="bob")

    with pytest.raises(QuotaExceeded):
        hold(books, "g", 1, who=payer("rob"))


def test_a_grant_that_stands_in_for_the_operators_limit_stands_in_once(books: Books) -> None:
    books.do(ledger.set_limit, "person:bob", "images", "day", 2)
    books.do(ledger.set_limit, SHARE.name, "images", "day", 0)
    given = give(books, 3, pool="all")

    with pytest.raises(QuotaExceeded, match="Your share in this space"):
        hold(books, "g", 4, by=rules({}))
    hold(books, "g", 3, by=rules({}))
    assert paid(books, given, BOB, SHARE) == [(0, 3), (0, 0), (0, 0)]

"""Pools that many draw on, and what happens to open holds while clocks, zones, links and teams change."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import NotAllowed, QuotaExceeded
from bot.quota import ledger
from bot.quota.limits import Account
from bot.quota.standing import Payer, Rules
from tests.bot.quota.books import BOB, Books, payer
from tests.bot.quota.test_ledger import NOON

ROB, RED = Account("person:rob"), Account("team:red")


def rules(now: datetime = NOON, zone: str = "UTC", **limits: int) -> Rules:
    """limits: pictures of a kind of account a day, as `person=3`."""
    return Rules(policy={(kind, "images", "day"): cap for kind, cap in limits.items()}, now=now, zone=zone)


def hold(books: Books, name: str, images: int, by: Rules, who: Payer | None = None) -> None:
    who = who or payer()
    books.generation(name, person=who.person, team=who.team)
    try:
        books.do(ledger.hold, name, who, {"images": images, "usd": 0}, by)
    except (QuotaExceeded, NotAllowed):
        books.connection.execute("DELETE FROM generations WHERE id=:name", name=name)
        raise


def settle(books: Books, name: str, images: int) -> None:
    books.generation(name, "settled", charged=images)
    books.do(ledger.settle, name, {"images": images, "usd": 0}, rules().at)


def link(books: Books, *persons: str) -> None:
    for person in persons:
        books.person(person, "one" if len(persons) > 1 else "")


def test_a_member_has_their_share_and_all_together_the_pool(books: Books) -> None:
    books.team("red", "bob", "eve", "ann")
    books.do(ledger.set_limit, "share:team:red", "images", "day", 3)
    books.do(ledger.set_limit, "team:red", "images", "day", 5)
    hold(books, "g", 3, rules(), payer("bob", team="red"))

    with pytest.raises(QuotaExceeded, match="Your share of red"):
        hold(books, "h", 1, rules(), payer("bob", team="red"))
    hold(books, "i", 2, rules(), payer("eve", team="red"))
    with pytest.raises(QuotaExceeded, match="Team red"):
        hold(books, "j", 1, rules(), payer("ann", team="red"))
    hold(books, "k", 1, rules(), payer("ann"))  # for herself there is room
    assert books.problems() == ()


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("UTC", "2026-11-30T23:59:59", "2026-12-01T00:00:00"),  # a day, and a month
        ("Europe/Berlin", "2026-10-24T21:59:59", "2026-10-25T23:00:00"),  # the day of 25 hours is over
        ("America/New_York", "2027-03-14T04:59:59", "2027-03-14T05:00:00"),  # and the one of 23 hours begins
        ("Asia/Shanghai", "2026-12-31T15:59:59", "2026-12-31T16:00:00"),  # a year
    ],
)
def test_what_is_held_over_midnight_counts_in_the_day_in_which_it_was_held(
    books: Books, zone: str, before: str, after: str
) -> None:
    first, then = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (before, after))
    hold(books, "g", 3, rules(first, zone, person=3))
    with pytest.raises(QuotaExceeded):
        hold(books, "h", 1, rules(first, zone, person=3))

    hold(books, "h", 3, rules(then, zone, person=3))
    settle(books, "g", 2)
    with pytest.raises(QuotaExceeded):  # what came back belongs to the day before
        hold(books, "i", 1, rules(then, zone, person=3))
    hold(books, "i", 1, rules(first, zone, person=3))  # by whoever's clock was set back
    assert books.problems() == ()


def test_a_space_that_moves_neither_forgets_nor_owes(books: Books) -> None:
    moved = datetime(2026, 11, 21, 17, tzinfo=UTC)  # in Shanghai the next day has begun
    hold(books, "g", 3, rules(moved - timedelta(hours=1), space=3))
    books.moved(("Asia/Shanghai", moved))

    with pytest.raises(QuotaExceeded):
        hold(books, "h", 1, rules(moved, space=3))
    settle(books, "g", 2)
    hold(books, "h", 1, rules(moved, space=3))
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    hold(books, "i", 3, rules(midnight, space=3))  # where it was before the day is over
    with pytest.raises(QuotaExceeded):
        hold(books, "j", 1, rules(datetime(2026, 11, 22, 15, 59, tzinfo=UTC), space=3))
    hold(books, "j", 3, rules(datetime(2026, 11, 22, 16, tzinfo=UTC), space=3))  # midnight in Shanghai
    assert books.problems() == ()


def test_moving_to_and_fro_gives_nothing(books: Books) -> None:
    moves: list[tuple[str, datetime]] = []
    hold(books, "g", 3, rules(NOON, space=3))
    for hours, zone in enumerate(("Pacific/Kiritimati", "Etc/GMT+12", "Asia/Tokyo", "UTC"), 1):
        moves.append((zone, NOON + timedelta(hours=hours)))
        books.moved(*moves)

        with pytest.raises(QuotaExceeded):
            hold(books, "h", 1, rules(NOON + timedelta(hours=hours, minutes=1), space=3))
    hold(books, "h", 3, rules(NOON + timedelta(hours=12), space=3))


def test_a_limit_that_is_set_in_the_middle_counts_what_is_used_already(books: Books) -> None:
    hold(books, "g", 2, rules())
    books.do(ledger.set_limit, "share:space:team/bob", "images", "month", 3)

    with pytest.raises(QuotaExceeded, match="1 left of 3"):
        hold(books, "h", 2, rules())
    hold(books, "h", 1, rules())


def test_accounts_that_are_linked_while_both_hold_count_together_from_then_on(books: Books) -> None:
    link(books, "bob")
    link(books, "rob")
    hold(books, "g", 3, rules(person=5))
    hold(books, "h", 2, rules(person=5), payer("rob"))
    link(books, "bob", "rob")

    hold(books, "i", 2, rules(person=5), payer("rob"))
    assert [books.balance(each, "images", "total", "all") for each in (BOB, ROB)] == [(0, 5), (0, 4)]
    for person in ("bob", "rob"):
        with pytest.raises(QuotaExceeded, match="You"):
            hold(books, "j", 1, rules(person=5), payer(person))
    settle(books, "g", 3)
    settle(books, "h", 1)
    settle(books, "i", 0)
    assert [books.balance(each, "images", "total", "all") for each in (BOB, ROB)] == [(3, 0), (1, 0)]
    assert books.problems() == ()


def test_parting_while_holds_are_open_gives_nothing_twice(books: Books) -> None:
    link(books, "bob", "rob")
    hold(books, "g", 4, rules(person=5))
    link(books, "bob")
    link(books, "rob")

    for person in ("bob", "rob"):  # what they used together stays used on both sides
        with pytest.raises(QuotaExceeded):
            hold(books, "h", 2, rules(person=5), payer(person))
    settle(books, "g", 1)
    assert [books.balance(each, "images", "total", "all") for each in (BOB, ROB)] == [(1, 0), (1, 0)]
    hold(books, "h", 4, rules(person=5), payer("rob"))
    hold(books, "i", 4, rules(person=5), payer("bob"))
    assert books.problems() == ()


def test_who_leaves_the_team_in_the_middle_is_still_settled_there(books: Books) -> None:
    books.team("red", "bob")
    hold(books, "g", 2, rules(), payer(team="red"))
    books.connection.execute("DELETE FROM team_members")
    books.connection.execute("UPDATE teams SET closed_at=1")

    settle(books, "g", 2)
    assert books.balance(RED, "images", "total", "all") == (2, 0)
    with pytest.raises(NotAllowed):
        hold(books, "h", 1, rules(), payer(team="red"))
    assert books.problems() == ()

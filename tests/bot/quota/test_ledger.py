"""The ledger: hold, settle, release, exactly once, in the windows in which it was held."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import QuotaExceeded
from bot.i18n import say
from bot.quota import ledger
from bot.quota.limits import Policy
from bot.quota.standing import Payer, Rules
from tests.bot.quota.books import BOB, EVE, EVERYONE, SHARE, SPACE, Books, payer

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)  # the last day of a month, and a Monday
ALL = (BOB, SHARE, SPACE, EVERYONE)
NOTHING: Policy = {}
BOB_PAYS = payer()


def rules(policy: Policy = NOTHING, now: datetime = NOON, zone: str = "UTC") -> Rules:
    return Rules(policy=policy, now=now, zone=zone)


def hold(books: Books, name: str, images: int = 1, usd: int = 40_000, *, who: Payer = BOB_PAYS, by: Rules) -> None:
    books.generation(name)
    try:
        books.do(ledger.hold, name, who, {"images": images, "usd": usd}, by)
    except QuotaExceeded:
        books.connection.execute("DELETE FROM generations WHERE id=:name", name=name)
        raise


def settle(books: Books, name: str, images: int, usd: int, state: str = "settled", **named: object) -> bool:
    books.generation(name, state, charged=images)
    return bool(books.do(ledger.settle, name, {"images": images, "usd": usd}, rules().at, **named))


def test_what_is_held_is_taken_from_every_account(books: Books) -> None:
    hold(books, "g", 2, 80_000, by=rules())

    for account in ALL:
        for window, period in (("day", "2026-11-30"), ("week", "2026-W49"), ("month", "2026-11"), ("total", "all")):
            assert books.balance(account, "images", window, period) == (0, 2)
            assert books.balance(account, "usd", window, period) == (0, 80_000)
    assert books.problems() == ()


def test_settling_charges_what_was_made_and_gives_the_rest_back(books: Books) -> None:
    hold(books, "g", 4, 160_000, by=rules())

    assert settle(books, "g", 3, 120_000)
    assert books.balance(BOB, "images", "day", "2026-11-30") == (3, 0)
    assert books.balance(SPACE, "usd", "total", "all") == (120_000, 0)
    assert books.problems() == ()


def test_a_price_above_the_hold_is_charged_whole(books: Books) -> None:
    hold(books, "g", 1, 40_000, by=rules({("all", "usd", "day"): 40_000}))

    settle(books, "g", 1, 55_000)
    assert books.balance(EVERYONE, "usd", "day", "2026-11-30") == (55_000, 0)
    assert books.problems() == ()
    with pytest.raises(QuotaExceeded):
        hold(books, "h", 1, 1, by=rules({("all", "usd", "day"): 40_000}))


def test_a_hold_is_closed_once(books: Books) -> None:
    hold(books, "g", by=rules())

    assert settle(books, "g", 1, 40_000)
    before = books.dump()
    assert not settle(books, "g", 1, 40_000)
    assert not books.do(ledger.release, "g", rules().at)
    assert not books.do(ledger.resolve, "g", rules().at, charge=True, reason="")
    assert books.dump() == before


def test_two_who_close_the_same_hold_at_once_cannot_both(books: Books) -> None:
    hold(books, "g", by=rules())
    row = books.connection.rows("SELECT * FROM holds WHERE account='all' AND unit='images'")[0]
    settle(books, "g", 1, 40_000)
    before = books.dump()

    with pytest.raises(RuntimeError, match="twice"):
        books.do(ledger._close, [(row, 1, 0)], 0, reason="")
    assert books.dump() == before


def test_a_hold_settles_in_the_windows_in_which_it_was_taken(books: Books) -> None:
    daily = {("person", "images", "day"): 1}
    hold(books, "g", by=rules(daily))
    tomorrow = NOON + timedelta(days=1)
    hold(books, "h", by=rules(daily, now=tomorrow))

    settle(books, "g", 1, 40_000)
    assert books.balance(BOB, "images", "day", "2026-11-30") == (1, 0)
    assert books.balance(BOB, "images", "day", "2026-12-01") == (0, 1)
    assert books.balance(BOB, "images", "month", "2026-11") == (1, 0)
    assert books.balance(BOB, "images", "month", "2026-12") == (0, 1)
    assert books.balance(BOB, "images", "total", "all") == (1, 1)
    assert books.problems() == ()


def test_a_day_begins_in_the_zone_that_was_set(books: Books) -> None:
    late = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)  # half past midnight in Shanghai
    hold(books, "g", by=rules(now=late, zone="Asia/Shanghai"))

    assert books.balance(BOB, "images", "day", "2026-12-01") == (0, 1)


@pytest.mark.parametrize("unit", ["images", "usd"])
@pytest.mark.parametrize("window", ["day", "week", "month", "total"])
@pytest.mark.parametrize(("kind", "title"), [("person", "You"), ("space", "This space"), ("all", "Everyone")])
def test_a_refusal_names_the_account_that_is_short_and_leaves_nothing(
    books: Books, kind: str, title: str, window: str, unit: str
) -> None:
    one = {"images": 1, "usd": 40_000}[unit]
    policy = {(each, unit, win): 9 * one for each in ("person", "space", "all") for win in ("day", "month")}
    policy[kind, unit, window] = 3 * one
    hold(books, "g", 2, 80_000, by=rules(policy))
    before = books.dump()

    with pytest.raises(QuotaExceeded) as refused:
        hold(books, "h", 2, 80_000, by=rules(policy))
    said = say(refused.value.text, "en")
    starts = {"day": "2026-12-01 00:00", "week": "2026-12-07 00:00", "month": "2026-12-01 00:00"}
    assert said.startswith(f"{title}: ")
    assert ("1 left" in said or "1 picture left" in said) if unit == "images" else "0.04 USD" in said
    assert starts.get(window, "") in said
    assert ("anew" in said) == (window != "total")
    assert books.dump() == before


def test_the_first_account_that_is_short_is_named_not_the_tightest(books: Books) -> None:
    with pytest.raises(QuotaExceeded, match="You"):
        hold(books, "g", 5, by=rules({("person", "images", "day"): 4, ("space", "images", "day"): 2}))


def test_none_and_unlimited_are_different(books: Books) -> None:
    hold(books, "g", 1_000_000, 10**12, by=rules({("person", "images", "day"): None}))

    with pytest.raises(QuotaExceeded, match="no pictures are allowed"):
        hold(books, "h", by=rules({("person", "images", "day"): 0}))


def test_an_account_of_its_own_limit_does_not_look_at_the_others(books: Books) -> None:
    policy = {("person", "images", "day"): 1}
    books.do(ledger.set_limit, BOB.name, "images", "day", None)
    books.do(ledger.set_limit, EVE.name, "images", "day", 0)

    hold(books, "g", 5, by=rules(policy))
    with pytest.raises(QuotaExceeded, match="You"):
        hold(books, "h", who=payer("eve"), by=rules(policy))


def test_a_limit_that_was_lowered_refuses_until_enough_is_free(books: Books) -> None:
    hold(books, "g", 3, by=rules())
    tight = rules({("person", "images", "day"): 2})

    with pytest.raises(QuotaExceeded):
        hold(books, "h", by=tight)
    settle(books, "g", 1, 40_000)
    hold(books, "h", by=tight)
    assert books.problems() == ()


def test_what_was_possibly_billed_stays_on_the_pools_alone(books: Books) -> None:
    hold(books, "g", 2, 80_000, by=rules())

    settle(books, "g", 0, 0, "unknown", possible={"usd": 80_000})
    assert books.balance(BOB, "usd", "total", "all") == (0, 0)
    assert books.balance(BOB, "images", "total", "all") == (0, 0)
    assert books.balance(SPACE, "images", "total", "all") == (0, 0)
    assert books.balance(SPACE, "usd", "total", "all") == (0, 80_000)
    assert books.balance(EVERYONE, "usd", "total", "all") == (0, 80_000)
    assert books.problems() == ()


@pytest.mark.parametrize(("charge", "spent"), [(True, 80_000), (False, 0)])
def test_what_was_possibly_billed_is_decided_once(books: Books, charge: bool, spent: int) -> None:
    hold(books, "g", 2, 80_000, by=rules())
    settle(books, "g", 0, 0, "unknown", possible={"usd": 80_000})

    assert books.do(ledger.resolve, "g", rules().at, charge=charge, reason="")
    assert books.balance(SPACE, "usd", "total", "all") == (spent, 0)
    assert books.balance(BOB, "usd", "total", "all") == (0, 0)
    assert not books.do(ledger.resolve, "g", rules().at, charge=not charge, reason="")
    assert books.problems() == ()


def test_lines_show_what_is_limited_and_what_the_person_used(books: Books) -> None:
    policy = {("person", "images", "day"): 5, ("space", "usd", "month"): 1_000_000, ("all", "images", "day"): None}
    hold(books, "g", 2, 80_000, by=rules(policy))

    lines = books.do(ledger.lines, BOB_PAYS, rules(policy))
    shown = [(str(line.name), line.unit, line.window, line.used, line.held, line.left) for line in lines]
    assert shown == [
        ("You", "images", "day", 0, 2, 3),
        ("You", "images", "total", 0, 2, None),
        ("You", "usd", "total", 0, 80_000, None),
        ("This space", "usd", "month", 0, 80_000, 920_000),
    ]

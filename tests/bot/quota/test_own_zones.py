"""The bot's own time zone: an operator who changes it makes neither a debt nor a gift."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.clock import micros
from bot.errors import QuotaExceeded
from bot.quota import ledger, own_zones
from bot.quota.standing import Rules
from tests.bot.quota.books import BOB, SHARE, SPACE, Books, payer

# Midnight is an hour away in UTC; in Shanghai the next day, and month, began seven hours ago.
LATE = datetime(2026, 11, 30, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * 3600 * 1_000_000
ONE = {"images": 1, "usd": 0}


def rules(now: datetime, zone: str, **limits: int) -> Rules:
    return Rules(policy={("person", "images", window): most for window, most in limits.items()}, now=now, zone=zone)


def starts(books: Books, zone: str, now: datetime) -> None:
    books.do(own_zones.note, zone, micros(now))


def draw(books: Books, name: str, now: Rules) -> None:
    books.do(ledger.hold, name, payer(), ONE, now)
    books.do(ledger.settle, name, ONE, now.at)
    books.generation(name, "settled", charged=1)


@pytest.mark.parametrize("window", ["day", "month"])
@pytest.mark.parametrize(
    ("before", "after", "now"), [("UTC", "Asia/Shanghai", LATE), ("Asia/Shanghai", "UTC", LATE - 6 * HOUR)]
)
def test_another_zone_gives_nobody_the_same_period_twice(
    books: Books, window: str, before: str, after: str, now: datetime
) -> None:
    starts(books, before, now - HOUR)
    draw(books, "first", rules(now, before, **{window: 1}))
    starts(books, after, now)

    for later in (now, now + HOUR - timedelta(seconds=1)):
        with pytest.raises(QuotaExceeded):
            draw(books, "second", rules(later, after, **{window: 1}))


def test_it_holds_from_the_end_of_the_running_period(books: Books) -> None:
    starts(books, "UTC", LATE - HOUR)
    starts(books, "Asia/Shanghai", LATE)
    (line, *_) = books.do(ledger.lines, payer(), rules(LATE, "Asia/Shanghai", day=1))
    (next_day, *_) = books.do(ledger.lines, payer(), rules(LATE + HOUR, "Asia/Shanghai", day=1))

    assert (line.period, line.resets) == ("2026-11-30", LATE + HOUR)
    assert (next_day.period, next_day.resets) == ("2026-12-01", datetime(2026, 12, 1, 16, tzinfo=UTC))


def test_a_process_that_still_has_the_former_setting_goes_by_the_same_periods(books: Books) -> None:
    """Processes are restarted one after the other, and one of them once more with the former setting."""
    starts(books, "UTC", LATE)
    starts(books, "Asia/Shanghai", LATE)
    now = LATE + 20 * HOUR
    old, new = (books.do(ledger.lines, payer(), rules(now, zone, day=1)) for zone in ("UTC", "Asia/Shanghai"))
    starts(books, "UTC", now)
    starts(books, "Asia/Shanghai", now)

    assert old == new == books.do(ledger.lines, payer(), rules(now, "Asia/Shanghai", day=1))
    assert {line.period for line in new if line.window == "day"} == {"2026-12-02"}


def test_what_others_read_of_an_account_goes_by_the_same_periods(books: Books) -> None:
    starts(books, "UTC", LATE)
    starts(books, "Asia/Shanghai", LATE)
    policy = {(kind, "images", "day"): 1 for kind in ("person", "space", "all")}
    now = replace(rules(LATE, "Asia/Shanghai"), policy=policy)
    names = (BOB.name, SPACE.name, SHARE.name, "all")
    found = books.do(ledger.account_lines, names, now)

    assert [line.period for line in found if line.window == "day"] == ["2026-11-30"] * 3


def test_a_space_of_its_own_zone_stays_there_and_one_without_moves_along(books: Books) -> None:
    starts(books, "UTC", LATE - 48 * HOUR)
    books.moved(("UTC", LATE - 40 * HOUR), space="own")
    books.moved(("Asia/Tokyo", LATE - 40 * HOUR), ("", LATE - 30 * HOUR), space="back")
    starts(books, "Asia/Shanghai", LATE)
    now = replace(rules(LATE + HOUR, "Asia/Shanghai"), policy={("space", "images", "day"): 1})
    found = books.do(ledger.account_lines, ("space:own", "space:back", "space:none"), now)
    days = {line.account: line for line in found if line.window == "day"}

    assert days["space:own"].resets == LATE + 25 * HOUR
    assert days["space:back"].resets == days["space:none"].resets == LATE + 17 * HOUR


def test_only_what_a_running_month_needs_is_kept(books: Books) -> None:
    zones = ("UTC", "Asia/Tokyo", "UTC", "Asia/Shanghai", "Asia/Shanghai")
    for zone, day in zip(zones, (1, 20, 21, 59, 59), strict=True):
        kept = books.do(own_zones.note, zone, day * DAY)
    assert kept == (("UTC", 0), ("Asia/Tokyo", 20 * DAY), ("UTC", 21 * DAY), ("Asia/Shanghai", 59 * DAY))

    for day, left in ((60, kept[1:]), (61, kept[2:]), (98, kept[2:]), (99, kept[3:])):
        assert books.do(own_zones.note, "Asia/Shanghai", day * DAY) == left == books.do(own_zones.kept, "UTC")


def test_a_clock_that_is_behind_changes_no_order(books: Books) -> None:
    for zone, day in (("UTC", 1), ("Asia/Tokyo", 20), ("Asia/Shanghai", 19)):
        kept = books.do(own_zones.note, zone, day * DAY)

    assert kept == (("UTC", 0), ("Asia/Tokyo", 20 * DAY), ("Asia/Shanghai", 20 * DAY))


def test_where_nothing_was_noted_the_setting_holds(books: Books) -> None:
    assert books.do(own_zones.kept, "Asia/Tokyo") == (("Asia/Tokyo", 0),)

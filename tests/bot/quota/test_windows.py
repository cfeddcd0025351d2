"""Windows: where a day, a week and a month begin, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.quota.windows import WINDOWS, periods, resets

TICK = timedelta(microseconds=1)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
MOMENTS = st.integers(1_704_067_200, 2_366_841_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def at(local: str, zone: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(("day", "week", "month")))
def test_a_period_ends_exactly_where_it_resets(now: datetime, zone: str, window: str) -> None:
    end = resets(window, now, zone)

    assert end is not None
    end = end.astimezone(UTC)
    assert now < end <= now + timedelta(days=32)
    assert periods(end - TICK, zone)[window] == periods(now, zone)[window]
    assert periods(end, zone)[window] != periods(now, zone)[window]


@given(MOMENTS, st.sampled_from(ZONES))
def test_the_total_never_ends(now: datetime, zone: str) -> None:
    assert resets("total", now, zone) is None
    assert periods(now, zone)["total"] == "all"
    assert tuple(periods(now, zone)) == WINDOWS


@pytest.mark.parametrize(
    ("now", "zone", "day", "week", "month"),
    [
        ("2026-11-21T12:00", "UTC", "2026-11-21", "2026-W47", "2026-11"),
        ("2027-01-01T00:30", "Europe/Berlin", "2027-01-01", "2026-W53", "2027-01"),  # the week is the old year's
        ("2029-12-31T23:59", "Asia/Shanghai", "2029-12-31", "2030-W01", "2029-12"),  # and here the new one's
        ("2028-02-29T10:00", "America/New_York", "2028-02-29", "2028-W09", "2028-02"),
    ],
)
def test_periods_have_names_that_people_know(now: str, zone: str, day: str, week: str, month: str) -> None:
    assert periods(at(now, zone), zone) == {"day": day, "week": week, "month": month, "total": "all"}


@pytest.mark.parametrize(
    ("now", "zone", "window", "end"),
    [
        ("2028-02-28T23:59:59", "UTC", "day", "2028-02-29T00:00"),
        ("2028-02-29T08:00", "UTC", "month", "2028-03-01T00:00"),
        ("2027-02-28T08:00", "UTC", "day", "2027-03-01T00:00"),
        ("2026-12-31T18:00", "Asia/Tokyo", "month", "2027-01-01T00:00"),
        ("2027-01-31T18:00", "Asia/Tokyo", "month", "2027-02-01T00:00"),
        ("2026-12-31T18:00", "Asia/Tokyo", "week", "2027-01-04T00:00"),
        ("2026-11-22T23:59", "Asia/Tokyo", "week", "2026-11-23T00:00"),
    ],
)
def test_a_window_resets_at_local_midnight(now: str, zone: str, window: str, end: str) -> None:
    assert resets(window, at(now, zone), zone) == at(end, zone)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2027-03-28", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Australia/Lord_Howe", "2027-04-04", 24.5),
        ("America/Havana", "2027-03-14", 23),  # its clocks go from 23:59:59 to 01:00
        ("Asia/Kathmandu", "2027-03-28", 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(zone: str, day: str, hours: float) -> None:
    noon = at(f"{day}T12:00", zone)
    end = resets("day", noon, zone)
    start = resets("day", noon - timedelta(days=1), zone)

    assert end is not None
    assert start is not None
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)


def test_the_hour_that_comes_twice_belongs_to_one_day() -> None:
    first = at("2026-10-25T02:30", "Europe/Berlin")
    second = at("2026-10-25T02:30", "Europe/Berlin", fold=1)

    assert second - first == timedelta(hours=1)
    assert periods(first, "Europe/Berlin") == periods(second, "Europe/Berlin")

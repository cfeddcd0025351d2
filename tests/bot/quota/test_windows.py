"""Windows: where a day, a week and a month begin, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import micros, recent
from bot.quota.windows import WINDOWS, Zones, history, periods, periods_at, resets, resets_at, zone_at

TICK = timedelta(microseconds=1)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
FAR_APART = ("UTC", "Asia/Shanghai", "America/Havana", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12")
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


# --- of a space that moves, and of a bot that does

WINDOWS_THAT_END = st.sampled_from(("day", "week", "month"))


def moves_since(draw: st.DrawFn, start: datetime, zones: tuple[str, ...]) -> Zones:
    steps = draw(st.lists(st.tuples(st.sampled_from(zones), st.integers(0, 20 * 86_400)), max_size=5))
    moves, at = [], start
    for zone, seconds in steps:
        at += timedelta(seconds=seconds)
        moves.append((zone, micros(at)))
    return tuple(moves)


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Zones, datetime]:
    """Where a space was over some months in which its admins and the bot's operator chose; and when it began."""
    start = draw(MOMENTS)
    bots = ((draw(st.sampled_from(FAR_APART)), 0), *moves_since(draw, start, FAR_APART))
    return history(moves_since(draw, start, (*FAR_APART, "")), bots), start


@given(journeys(), WINDOWS_THAT_END, st.lists(st.integers(0, 80 * 86_400), min_size=2, max_size=20))
def test_no_period_comes_back_once_another_has_begun(
    journey: tuple[Zones, datetime], window: str, seconds: list[int]
) -> None:
    zones, start = journey
    names = [periods_at(start + timedelta(seconds=each), zones)[window] for each in sorted(seconds)]

    assert names == sorted(names)


@given(journeys(), WINDOWS_THAT_END, st.integers(0, 80 * 86_400))
def test_a_period_ends_where_it_is_said_to_whatever_moves_were_made(
    journey: tuple[Zones, datetime], window: str, seconds: int
) -> None:
    zones, start = journey
    now = start + timedelta(seconds=seconds)
    known = [each for each in zones if each[1] <= micros(now)]
    end = resets_at(window, now, known)

    assert end is not None
    end = end.astimezone(UTC)
    name = periods_at(now, known)[window]
    assert periods_at(end - TICK, known)[window] == name
    assert periods_at(end, known)[window] > name
    # However far the new zone is, it lasts at most about a day longer.
    longest = {"day": 1, "week": 7, "month": 31}[window]
    assert end - now <= timedelta(days=longest, hours=27)


@given(journeys(), WINDOWS_THAT_END)
def test_a_move_changes_nothing_at_its_moment(journey: tuple[Zones, datetime], window: str) -> None:
    zones, _ = journey
    for count, (_, at) in enumerate(zones[1:], 1):
        moved = datetime.fromtimestamp(at / 1_000_000, UTC)
        before, after = zones[:count], zones[: count + 1]

        assert periods_at(moved, before)[window] == periods_at(moved, after)[window]


@given(journeys(), WINDOWS_THAT_END, st.sampled_from(FAR_APART))
def test_what_was_long_ago_may_be_forgotten(journey: tuple[Zones, datetime], window: str, usual: str) -> None:
    zones, _ = journey
    last = datetime.fromtimestamp(zones[-1][1] / 1_000_000, UTC)
    if len(zones) == 1:
        return
    for days in (41, 70):
        now = last + timedelta(days=days)

        assert periods_at(now, ((usual, 0), zones[-1])) == periods_at(now, zones)
        assert zone_at(zones, window, now) == zones[-1][0]


def test_a_move_to_the_west_makes_the_running_day_longer_and_never_begins_it_anew() -> None:
    zones = (("Asia/Shanghai", 0), ("UTC", micros(at("2026-11-21T12:00", "Asia/Shanghai"))))

    assert periods_at(at("2026-11-21T23:59", "Asia/Shanghai"), zones)["day"] == "2026-11-21"
    assert periods_at(at("2026-11-22T00:00", "Asia/Shanghai"), zones)["day"] == "2026-11-21"
    assert periods_at(at("2026-11-22T00:00", "UTC"), zones)["day"] == "2026-11-22"
    assert resets_at("day", at("2026-11-21T13:00", "Asia/Shanghai"), zones) == at("2026-11-22T00:00", "UTC")


def test_a_move_to_the_east_waits_for_the_end_of_the_day() -> None:
    zones = (("UTC", 0), ("Asia/Shanghai", micros(at("2026-11-21T17:00", "UTC"))))

    assert periods_at(at("2026-11-21T23:59", "UTC"), zones)["day"] == "2026-11-21"
    assert periods_at(at("2026-11-22T00:00", "UTC"), zones)["day"] == "2026-11-22"
    assert resets_at("day", at("2026-11-22T00:00", "UTC"), zones) == at("2026-11-23T00:00", "Asia/Shanghai")
    assert periods_at(at("2026-11-22T00:00", "UTC"), zones)["month"] == "2026-11"


def test_a_move_across_the_date_line_brings_no_day_back() -> None:
    zones = (("Pacific/Kiritimati", 0), ("Etc/GMT+12", micros(at("2026-11-21T12:00", "Pacific/Kiritimati"))))

    assert periods_at(at("2026-11-22T00:00", "Pacific/Kiritimati"), zones)["day"] == "2026-11-21"
    assert resets_at("day", at("2026-11-21T12:00", "Pacific/Kiritimati"), zones) == at("2026-11-22T00:00", "Etc/GMT+12")


def test_who_thinks_better_of_it_before_the_day_ends_has_not_moved() -> None:
    there, back = micros(at("2026-11-21T10:00", "UTC")), micros(at("2026-11-21T11:00", "UTC"))
    zones = (("UTC", 0), ("Asia/Tokyo", there), ("UTC", back))

    assert zone_at(zones, "day", at("2026-11-22T12:00", "UTC")) == "UTC"
    assert resets_at("day", at("2026-11-21T12:00", "UTC"), zones) == at("2026-11-22T00:00", "UTC")


def test_the_bots_own_zone_stands_before_the_moves_and_for_no_zone() -> None:
    assert history((("", 5), ("Asia/Tokyo", 3)), (("UTC", 0),)) == (("UTC", 0), ("Asia/Tokyo", 3), ("UTC", 5))


def test_a_space_without_a_zone_of_its_own_moves_with_the_bot() -> None:
    bots = (("UTC", 0), ("Asia/Tokyo", 4), ("Europe/Berlin", 6))

    assert history((), bots) == bots
    assert history((("Asia/Kolkata", 3), ("", 5)), bots) == (
        ("UTC", 0),
        ("Asia/Kolkata", 3),
        ("Asia/Tokyo", 5),
        ("Europe/Berlin", 6),
    )


@given(st.data(), MOMENTS, WINDOWS_THAT_END, st.integers(0, 120 * 86_400))
def test_what_the_bot_no_longer_keeps_of_its_moves_changes_no_period(
    data: st.DataObject, start: datetime, window: str, seconds: int
) -> None:
    bots = ((data.draw(st.sampled_from(FAR_APART)), 0), *moves_since(data.draw, start, FAR_APART))
    moves = moves_since(data.draw, start, (*FAR_APART, ""))
    now = datetime.fromtimestamp(max(bots[-1][1], *(at for _, at in moves), 0) / 1_000_000, UTC)
    now += timedelta(seconds=seconds)

    kept = history(moves, recent(bots, micros(now)))
    assert periods_at(now, kept)[window] == periods_at(now, history(moves, bots))[window]
    assert resets_at(window, now, kept) == resets_at(window, now, history(moves, bots))

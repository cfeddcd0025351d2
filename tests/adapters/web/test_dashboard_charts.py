"""The shapes of the dashboard's charts."""

import pytest

from adapters.web.dashboard.charts import HEIGHT, bars, every_day, every_month, nice, share


@pytest.mark.parametrize(
    ("most", "edge"), [(0, 2), (1, 2), (3, 4), (5, 6), (9, 20), (41, 60), (99, 200), (1_000_001, 2_000_000)]
)
def test_the_upper_edge_is_a_number_to_read(most: int, edge: int) -> None:
    assert nice(most) == edge >= most


def test_a_bar_is_as_high_as_its_value_and_little_is_still_seen() -> None:
    drawn = bars([("a", 60), ("b", 30), ("c", 0), ("d", -5), ("e", 1)])

    assert drawn.top == 60
    assert [bar.height for bar in drawn.bars] == [100, 50, 0, 0, pytest.approx(1.67)]
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in drawn.bars)
    assert bars([("tiny", 1), ("huge", 10**12)]).bars[0].height == 1
    assert drawn.bars[-1].x + drawn.bars[-1].width <= drawn.width


def test_nothing_at_all_is_a_chart_too() -> None:
    assert bars([]).width > 0
    assert bars([("a", 0)]).bars[0].height == 0


def test_days_without_anything_have_their_place() -> None:
    drawn = every_day([("2026-03-01", 7)], "2026-02-27", "2026-03-02")

    assert drawn == [("2026-02-27", 0), ("2026-02-28", 0), ("2026-03-01", 7), ("2026-03-02", 0)]


def test_months_without_anything_have_their_place() -> None:
    drawn = every_month([("2025-12", 7)], "2025-11-23", "2026-01-02")

    assert drawn == [("2025-11", 0), ("2025-12", 7), ("2026-01", 0)]


@pytest.mark.parametrize(("value", "whole", "percent"), [(1, 3, 33.3), (0, 0, 0), (-1, 5, 0), (5, 5, 100)])
def test_shares(value: int, whole: int, percent: float) -> None:
    assert share(value, whole) == percent

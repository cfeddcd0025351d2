"""What is let go, and in which order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.media.retention import Kept, superfluous

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def kept(key: str, days: float, size: int = 10) -> Kept:
    return Kept(key=key, last_used=NOW - timedelta(days=days), size=size)


FIVE = [kept("e", 50), kept("d", 40), kept("c", 30), kept("b", 20), kept("a", 10)]


def test_without_limits_everything_stays() -> None:
    assert superfluous(FIVE, now=NOW) == ()


def test_what_was_unused_for_longer_goes() -> None:
    assert superfluous(FIVE, now=NOW, days=30) == ("e", "d")


def test_the_oldest_go_until_the_rest_has_room() -> None:
    assert superfluous(FIVE, now=NOW, max_total=25) == ("e", "d", "c")
    assert superfluous(FIVE, now=NOW, max_total=50) == ()


def test_the_stricter_limit_decides() -> None:
    assert superfluous(FIVE, now=NOW, days=45, max_total=20) == ("e", "d", "c")
    assert superfluous(FIVE, now=NOW, days=15, max_total=40) == ("e", "d", "c", "b")


def test_zero_bytes_keep_nothing_and_nothing_is_kept_of_nothing() -> None:
    assert superfluous(FIVE, now=NOW, max_total=0) == ("e", "d", "c", "b", "a")
    assert superfluous([], now=NOW, days=0, max_total=0) == ()


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 100)), max_size=20), st.integers(0, 90), st.integers(0, 500)
)
def test_what_stays_holds_both_limits_and_nothing_goes_for_nothing(
    rows: list[tuple[int, int]], days: int, most: int
) -> None:
    blobs = [kept(f"{n:02}", age, size) for n, (age, size) in enumerate(rows)]

    removed = set(superfluous(blobs, now=NOW, days=days, max_total=most))

    stays = [blob for blob in blobs if blob.key not in removed]
    assert sum(blob.size for blob in stays) <= most
    assert all(NOW - blob.last_used <= timedelta(days=days) for blob in stays)
    if removed:
        youngest = max((blob for blob in blobs if blob.key in removed), key=lambda blob: (blob.last_used, blob.key))
        too_old = NOW - youngest.last_used > timedelta(days=days)
        assert too_old or sum(blob.size for blob in stays) + youngest.size > most

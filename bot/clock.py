"""The time, as it is passed to everything that needs it; a demonstration may move it forward."""

from datetime import UTC, datetime, timedelta

# A zone that was left so long ago cannot have any part in a month that still runs.
ZONES_KEPT = 40 * 24 * 3600 * 1_000_000


class Clock:
    """Called, it tells the time (aware, UTC). `offset` is what was added to it by hand."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


def micros(moment: datetime) -> int:
    """A moment as it is stored: microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def moment(stored: int) -> datetime:
    return datetime.fromtimestamp(stored / 1_000_000, UTC)


def recent(zones: tuple[tuple[str, int], ...], now: int) -> tuple[tuple[str, int], ...]:
    """Time zones with the micros since when each was wanted, the oldest first: of all that are long past the newest."""
    old = sum(1 for _, since in zones if since <= now - ZONES_KEPT)
    return zones[max(0, old - 1) :]

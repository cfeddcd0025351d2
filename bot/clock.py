"""The time, as it is passed to everything that needs it; a demonstration may move it forward."""

from datetime import UTC, datetime, timedelta


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

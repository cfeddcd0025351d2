"""The windows in which limits count: named periods, computed from the time that is passed in. No I/O.

A period is a name such as `2026-11-21`, `2026-W47` or `2026-11`; a new period is a new row, so nothing is ever reset.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

WINDOWS = ("day", "week", "month", "total")


def periods(now: datetime, zone: str) -> dict[str, str]:
    """The name of the running period of every window, in the space's time zone."""
    local = now.astimezone(ZoneInfo(zone))
    year, week, _ = local.isocalendar()
    return {
        "day": local.strftime("%Y-%m-%d"),
        "week": f"{year}-W{week:02}",
        "month": local.strftime("%Y-%m"),
        "total": "all",
    }


def resets(window: str, now: datetime, zone: str) -> datetime | None:
    """When the next period begins, at local midnight whatever the clocks do that night; None for the total."""
    local = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match window:
        case "day":
            start = midnight + timedelta(days=1)
        case "week":
            start = midnight + timedelta(days=7 - midnight.weekday())
        case "month":
            start = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None
    return start.replace(tzinfo=ZoneInfo(zone))

"""The windows in which limits count: named periods, computed from the time that is passed in. No I/O.

A period is a name such as `2026-11-21`, `2026-W47` or `2026-11`; a new period is a new row, so nothing is ever reset.

A space may move to another zone, and so may the bot. Each window does so when the period ends that is running then;
one that has the same name in the new zone, or an earlier one, goes on until a later name begins there. So no name ever
comes back with nothing used in it, and what was used counts until its period is over.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

WINDOWS = ("day", "week", "month", "total")

Zones = tuple[tuple[str, int], ...]
"""Every zone with the micros since when it was wanted, the oldest first."""


def periods(now: datetime, zone: str) -> dict[str, str]:
    """The name of the running period of every window, in a time zone."""
    local = now.astimezone(ZoneInfo(zone))
    year, week, _ = local.isocalendar()
    return {
        "day": f"{local.year:04}-{local.month:02}-{local.day:02}",
        "week": f"{year}-W{week:02}",
        "month": f"{local.year:04}-{local.month:02}",
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


def history(zones: Iterable[tuple[str, int]], usual: Zones) -> Zones:
    """Where a space was at what time: as its rules keep it, and with the bot (usual) before that and for each ""."""
    (bots, _), *others = usual
    own, found = "", [(bots, 0)]
    moves = [(at, False, zone) for zone, at in others] + [(at, True, zone) for zone, at in zones]
    for at, is_own, zone in sorted(moves, key=lambda move: move[0]):
        own, bots = (zone, bots) if is_own else (own, zone)
        if found[-1][0] != (own or bots):
            found.append((own or bots, at))
    return tuple(found)


def periods_at(now: datetime, zones: Zones) -> dict[str, str]:
    """As `periods`, of somebody who has moved between zones."""
    if len(zones) == 1:
        return periods(now, zones[0][0])
    return {window: _Moving(window, now, zones).name for window in WINDOWS}


def resets_at(window: str, now: datetime, zones: Zones) -> datetime | None:
    """As `resets`, of somebody who has moved between zones."""
    if window == "total" or len(zones) == 1:
        return resets(window, now, zones[0][0])
    return _Moving(window, now, zones).end


def zone_at(zones: Zones, window: str, now: datetime) -> str:
    """The zone by which a window goes just now."""
    return zones[0][0] if len(zones) == 1 else _Moving(window, now, zones).zone


class _Moving:
    """One window at one moment, after all moves up to then."""

    def __init__(self, window: str, now: datetime, zones: Zones) -> None:
        self._window = window
        self._now = now
        self._least = ""  # names sort as their periods follow each other
        self._next: tuple[str, datetime] | None = None
        self.zone = zones[0][0]
        for zone, at in zones[1:]:
            moved = datetime.fromtimestamp(at / 1_000_000, UTC)
            if moved > now:
                break
            self._arrive(moved)
            self._next = (zone, self._next[1] if self._next else self._ends(moved))
        self._arrive(now)
        self.name = self._called(now)

    @property
    def end(self) -> datetime | None:
        if self._window == "total":
            return None
        if self._next is None:
            return self._ends(self._now)
        after = _Moving.__new__(_Moving)
        after._window, after._least, after._next, after.zone = self._window, self._least, self._next, self.zone
        _, at = self._next
        after._arrive(at)
        return at if after._called(at) != self.name else after._ends(at)

    def _arrive(self, now: datetime) -> None:
        """Make the move that was wanted before, once its time has come."""
        if self._next and self._next[1] <= now:
            zone, at = self._next
            self._least = self._called(at - timedelta(microseconds=1))
            self.zone, self._next = zone, None

    def _called(self, now: datetime) -> str:
        return max(self._least, periods(now, self.zone)[self._window])

    def _ends(self, now: datetime) -> datetime:
        """When the running period ends, were there no further move."""
        name, at = self._called(now), now
        while self._called(at) == name:
            end = resets(self._window, at, self.zone)
            if end is None:
                return datetime.max.replace(tzinfo=UTC)
            at = end.astimezone(UTC)
        return at

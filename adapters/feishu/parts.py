"""Events of the long connection that come in several frames, put together again."""

from collections.abc import Callable

import structlog

from adapters.feishu.frames import Arrived

log = structlog.get_logger(__name__)

LASTS = 5.0  # seconds, as in lark-oapi
MOST_PARTS, MOST_EVENTS = 64, 64


class Parts:
    """What is not whole after 5 s is dropped: without an acknowledgement it comes again. clock: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, int], tuple[float, dict[int, bytes]]] = {}

    def whole(self, arrived: Arrived) -> bytes | None:
        """The event, where this frame was all of it or the last that was missing."""
        count, place = (number(arrived.headers.get(name)) for name in ("sum", "seq"))
        if count <= 1:
            return arrived.payload
        if count > MOST_PARTS or place >= count:
            log.warning("a part of an event makes no sense", count=count, place=place)
            return None
        now = self._clock()
        self._waiting = {name: event for name, event in self._waiting.items() if event[0] > now}
        name = (arrived.headers.get("message_id", ""), count)
        until, parts = self._waiting.pop(name, (now + LASTS, {}))
        parts[place] = arrived.payload
        if len(parts) == count:
            return b"".join(parts[place] for place in range(count))
        self._waiting[name] = (until, parts)
        if len(self._waiting) > MOST_EVENTS:
            del self._waiting[next(iter(self._waiting))]
        return None


def number(value: str | None) -> int:
    """A number as headers have it, 0 where it is none."""
    return int(value) if value and len(value) < 20 and value.isascii() and value.isdecimal() else 0

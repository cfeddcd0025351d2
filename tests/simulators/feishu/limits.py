"""How often the app may ask: by chat, by message, and by call."""

import math
from collections import defaultdict, deque
from collections.abc import Callable

from tests.simulators.feishu.wire import Refused


class Limits:
    """per_chat, per_message: of one second. per_second, per_minute: of each call (the usual tier of the platform).

    rounded: what is told of the seconds to wait; with `math.floor` it is 0 within the last one.
    """

    def __init__(self, clock: Callable[[], float], complaints: list[str]) -> None:
        self.clock = clock
        self.complaints = complaints
        self.per_chat = 5
        self.per_message = 5
        self.per_second = 50
        self.per_minute = 1000
        self.rounded: Callable[[float], int] = math.ceil
        self._came: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def call(self, api: str) -> None:
        self._count(("second", api), self.per_second, 1.0, code=99991400)
        self._count(("minute", api), self.per_minute, 60.0, code=99991400)

    def send(self, chat: str) -> None:
        self._count(("chat", chat), self.per_chat, 1.0, complain="sends a second to one chat")

    def change(self, message: str) -> None:
        self._count(("message", message), self.per_message, 1.0, complain="changes a second of one message")

    def _count(self, key: tuple[str, str], most: int, window: float, *, code: int = 230020, complain: str = "") -> None:
        now, came = self.clock(), self._came[key]
        while came and now - came[0] >= window:
            came.popleft()
        if len(came) < most:
            came.append(now)
            return
        if complain:
            self.complaints.append(f"more than {most} {complain}")
        wait = self.rounded(window - (now - came[0]))
        words = (
            "request trigger frequency limit" if code == 99991400 else "This operation triggers the frequency limit."
        )
        raise Refused(code, words, status=429, headers={"x-ogw-ratelimit-reset": str(wait)})

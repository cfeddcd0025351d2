"""How often the bot may ask: a bucket for each route, one for everything together, and the ban for invalid requests."""

import hashlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulators.discord.clock import Clock
from tests.simulators.discord.faults import shape

VIA = {"Via": "1.1 google"}  # discord.py takes a 429 without it for Cloudflare's
_MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")
INVALID_WINDOW = timedelta(minutes=10)


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """retry_after: seconds, where it is too much; everywhere: that is so for all routes."""

    headers: dict[str, str]
    retry_after: float | None = None
    everywhere: bool = False


class Limits:
    """Generous by itself. per_second: of all routes but those of interactions; Discord's is 50.

    invalid: when the bot was answered 401, 403 or 429.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.per_second: int | None = None
        self.ban_after = 10_000
        self.refused = 0  # how many requests were answered 429
        self._invalid: deque[datetime] = deque()
        self._rules: dict[tuple[str, str], tuple[int, float]] = {}
        self._windows: dict[tuple[str, ...], _Window] = {}

    def set(self, method: str, template: str, limit: int, *, per: float) -> None:
        """So many requests in `per` seconds, for each channel or server on its own."""
        self._rules[method, shape(template)] = limit, per

    @property
    def invalid(self) -> int:
        """Invalid requests in the last ten minutes."""
        while self._invalid and self.clock() - self._invalid[0] > INVALID_WINDOW:
            self._invalid.popleft()
        return len(self._invalid)

    @property
    def banned(self) -> bool:
        return self.invalid >= self.ban_after

    def note(self, status: int) -> None:
        if status in (401, 403, 429):
            self._invalid.append(self.clock())
        if status == 429:
            self.refused += 1

    def judge(self, method: str, template: str, params: Mapping[str, str]) -> Verdict:
        """Count a request in, and say what its answer's headers tell."""
        exempt = template.startswith(("/interactions/", "/webhooks/"))
        if self.per_second is not None and not exempt:
            window = self._window(("everything",), 1.0)
            if window.used > self.per_second:
                return busy(window.ends - time.monotonic(), everywhere=True)
        limit, per = self._rules.get((method, shape(template)), (100_000, 1.0))
        major = [params[name] for name in _MAJOR if name in params]
        window = self._window((method, shape(template), *major), per)
        left = window.ends - time.monotonic()
        headers = VIA | {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - window.used)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(f"{method}{shape(template)}".encode()).hexdigest()[:16],
        }
        return Verdict(headers=headers) if window.used <= limit else busy(left, headers=headers)

    def _window(self, key: tuple[str, ...], per: float) -> _Window:
        """The running window with this request counted in."""
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = _Window(now + per)
        window.used += 1
        return window


def busy(seconds: float, *, headers: Mapping[str, str] | None = None, everywhere: bool = False) -> Verdict:
    said = {"Retry-After": f"{seconds:.3f}", "X-RateLimit-Scope": "global" if everywhere else "user"}
    said |= {"X-RateLimit-Global": "true"} if everywhere else {"X-RateLimit-Remaining": "0"}
    return Verdict(headers={**VIA, **(headers or {}), **said}, retry_after=seconds, everywhere=everywhere)

"""Tenant tokens: the same one until half an hour before its end, then a new one; the old one lives on to its end."""

import secrets
from collections.abc import Callable

from tests.simulators.feishu.wire import Json, Refused

RENEWED = 1800.0  # seconds before the end from which a new one is given out


class Tokens:
    """expire: seconds that a token lasts. given: how many different ones were given out."""

    def __init__(self, clock: Callable[[], float], expire: float) -> None:
        self.clock = clock
        self.expire = expire
        self._ends: dict[str, float] = {}

    @property
    def given(self) -> int:
        return len(self._ends)

    def give(self) -> Json:
        now = self.clock()
        renewed = min(RENEWED, self.expire / 4)  # tests give tokens of seconds
        fresh = [(token, end) for token, end in self._ends.items() if end - now > renewed]
        if not fresh:
            fresh = [(f"t-{secrets.token_urlsafe(30)}", now + self.expire)]
            self._ends.update(fresh)
        token, end = fresh[-1]
        return {"tenant_access_token": token, "expire": int(end - now)}

    def revoke(self) -> None:
        """No token is good any more."""
        self._ends = dict.fromkeys(self._ends, 0.0)

    def check(self, token: str) -> None:
        if self._ends.get(token, 0.0) <= self.clock():
            raise Refused(
                99991663,
                "Invalid access token for authorization. Please make a test attempt with a valid access token.",
            )

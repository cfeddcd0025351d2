"""How the open platform says no: one exception that carries the code, its words and the HTTP status."""

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """A business error: HTTP 400 unless something else is known of the code."""

    def __init__(self, code: int, msg: str, *, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.headers = headers or {}

"""What a transaction function works with, whichever database stands behind it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]


class Connection(Protocol):
    """What a transaction function works with."""

    def execute(self, sql: str, /, **values: Any) -> int:
        """Run a statement that changes rows; returns how many it changed."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None: ...

    def rows(self, sql: str, /, **values: Any) -> list[Row]: ...

    def row(self, sql: str, /, **values: Any) -> Row | None: ...

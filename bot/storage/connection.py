"""What a transaction function works with, whichever database stands behind it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]


class Connection(Protocol):
    """What a transaction function works with.

    Transactions may run at the same time, and each statement sees what others have committed meanwhile. A function
    that reads first and then writes by what it read says so, by `lock` or `lock_row`.
    """

    def execute(self, sql: str, /, **values: Any) -> int:
        """Run a statement that changes rows; returns how many it changed."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None: ...

    def rows(self, sql: str, /, **values: Any) -> list[Row]: ...

    def row(self, sql: str, /, **values: Any) -> Row | None: ...

    def lock_row(self, sql: str, /, **values: Any) -> Row | None:
        """As `row`, of one table; nobody else changes that row before this transaction ends."""
        ...

    def lock(self, name: str, /) -> None:
        """Wait until no other transaction has this name, and have it until this one ends."""
        ...

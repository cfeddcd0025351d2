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

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> list[int]:
        """Run it for each of them, in order and without waiting in between; returns how many rows each changed."""
        ...

    def rows(self, sql: str, /, **values: Any) -> list[Row]: ...

    def row(self, sql: str, /, **values: Any) -> Row | None: ...

    def lock_row(self, sql: str, /, **values: Any) -> Row | None:
        """As `row`, of one table; nobody else changes that row before this transaction ends."""
        ...

    def free_rows(self, sql: str, /, **values: Any) -> list[Row]:
        """As `rows`, of one table, without those that another transaction is changing; nobody changes these before this
        one ends.
        """
        ...

    def lock(self, name: str, /) -> None:
        """Wait until no other transaction has this name, and have it until this one ends."""
        ...

    def now(self) -> int:
        """The time by which leases and rates go, in micros: the same clock for all who use this database."""
        ...

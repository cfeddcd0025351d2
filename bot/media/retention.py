"""Which blobs to let go: a pure decision by age and total size, over what the tables and the store know."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stored blob; `last_used` is the latest moment that anybody made, showed or built upon it."""

    key: str
    last_used: datetime
    size: int


def superfluous(
    blobs: Iterable[Kept], *, now: datetime, days: int | None = None, max_total: int | None = None
) -> tuple[str, ...]:
    """The keys to remove, oldest first: what was unused for more than `days`, then more until `max_total` bytes hold.

    None means no limit. The order of `blobs` does not matter; equal ages go by key, so that two runs agree.
    """
    oldest_first = sorted(blobs, key=lambda blob: (blob.last_used, blob.key))
    remaining = sum(blob.size for blob in oldest_first)
    removed = []
    for blob in oldest_first:
        expired = days is not None and now - blob.last_used > timedelta(days=days)
        crowded = max_total is not None and remaining > max_total
        if not (expired or crowded):
            break
        removed.append(blob.key)
        remaining -= blob.size
    return tuple(removed)

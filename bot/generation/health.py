"""Which providers are left alone: after failures in a row one is not asked for a while, twice as long each time.

Functions here run inside a transaction. Times are the machine's own, in microseconds, as leases are.
"""

from dataclasses import dataclass

from bot.storage.connection import Connection

MOST_FAILURES = 3
FIRST_REST = 30_000_000
LONGEST_REST = 600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """reason: the kind of the error that came last ("busy", "misconfigured", "unknown", "broken")."""

    provider: str
    reason: str
    until: int


def failed(connection: Connection, provider: str, reason: str, started: int, now: int) -> bool:
    """Count a failure of a request that began at `started`; True if the provider is left alone from now on.

    One that began before the last rest says nothing new: sixteen at the same time are no sixteen failures in a row.
    """
    row = connection.row(
        "INSERT INTO provider_health (provider, failures, until, reason, changed_at)"
        " VALUES (:provider, 1, 0, :reason, 0) ON CONFLICT (provider) DO UPDATE"
        " SET failures=provider_health.failures+1, reason=:reason"
        " WHERE provider_health.changed_at<=:started OR provider_health.changed_at>:now"  # a clock that was set back
        " RETURNING failures",
        provider=provider,
        reason=reason,
        started=started,
        now=now,
    )
    if row is None or row["failures"] < MOST_FAILURES:
        return False
    rest = min(LONGEST_REST, FIRST_REST * 2 ** min(10, row["failures"] - MOST_FAILURES))
    connection.execute(
        "UPDATE provider_health SET until=:until, changed_at=:now WHERE provider=:provider",
        until=now + rest,
        now=now,
        provider=provider,
    )
    return True


def worked(connection: Connection, provider: str) -> None:
    """It answered as it should: whatever was counted is forgotten."""
    connection.execute("DELETE FROM provider_health WHERE provider=:provider", provider=provider)


def resting(connection: Connection, now: int) -> tuple[Resting, ...]:
    """Those that are left alone now. What ends too far ahead was written by a clock that was wrong."""
    rows = connection.rows(
        "SELECT provider, reason, until FROM provider_health WHERE until>:now AND until<=:furthest ORDER BY provider",
        now=now,
        furthest=now + LONGEST_REST,
    )
    return tuple(Resting(provider=row["provider"], reason=row["reason"], until=row["until"]) for row in rows)


def on_trial(connection: Connection, now: int) -> frozenset[str]:
    """Those that have rested and not worked since: one request at a time finds out. A wrong key may be tried by all."""
    rows = connection.rows(
        "SELECT provider FROM provider_health WHERE failures>=:most AND reason<>'misconfigured'"
        " AND NOT (until>:now AND until<=:furthest)",
        most=MOST_FAILURES,
        now=now,
        furthest=now + LONGEST_REST,
    )
    return frozenset(row["provider"] for row in rows)

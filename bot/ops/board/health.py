"""Whether all is well: providers and what they have left, processes, what waits to be posted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.clock import moment
from bot.generation.health import resting
from bot.ops.board.rights import Rights
from bot.storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """failures: in a row. resting: until when it is left alone, None where it is asked. credits: what it had left when
    it was asked last, None where it does not count in credits or nobody here knows.
    """

    name: str
    failures: int
    reason: str
    resting: datetime | None
    credits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHealth:
    id: str
    role: str
    version: str
    host: str
    started: datetime
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """processes, credits and posts are the operator's: others see only whether providers are asked. kept: posts for
    which no way was found, and which wait for the next contact.
    """

    providers: tuple[ProviderHealth, ...]
    processes: tuple[ProcessHealth, ...]
    to_post: int
    kept: int


def health(
    connection: Connection, viewer: Rights, providers: tuple[str, ...], credits: Mapping[str, int], now: int
) -> Health:
    """now: the machine's own time, as rests are."""
    failing = {row["provider"]: row for row in connection.rows("SELECT * FROM provider_health")}
    rests = {each.provider: each for each in resting(connection, now)}
    found = []
    for name in dict.fromkeys((*providers, *failing)):
        rest = rests.get(name)
        found.append(
            ProviderHealth(
                name=name,
                failures=failing[name]["failures"] if name in failing else 0,
                reason=failing[name]["reason"] if name in failing else "",
                resting=moment(rest.until) if rest else None,
                credits=credits.get(name) if viewer.operates else None,
            )
        )
    return Health(
        providers=tuple(found),
        processes=_processes(connection) if viewer.operates else (),
        to_post=_count(connection, "to post") if viewer.operates else 0,
        kept=_count(connection, "kept") if viewer.operates else 0,
    )


def _processes(connection: Connection) -> tuple[ProcessHealth, ...]:
    return tuple(
        ProcessHealth(
            id=row["id"],
            role=row["role"],
            version=row["version"],
            host=row["host"],
            started=moment(row["started_at"]),
            seen=moment(row["seen_at"]),
        )
        for row in connection.rows("SELECT * FROM processes ORDER BY started_at, id")
    )


def _count(connection: Connection, state: str) -> int:
    row = connection.row(f"SELECT count(*) AS n FROM postings WHERE state='{state}'")
    return int(row["n"]) if row else 0

"""Who is next: fair between persons, within every limit, decided in one transaction.

Persons take turns: whoever was served longest ago comes first, with one generation each, so nobody waits for more than
one turn of each other person. A higher priority goes before. Each person may have so many in flight, all together so
many, and a provider is asked for so many pictures a minute (GCRA: one row a provider, no counter to reset).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.generation.record import note
from bot.generation.states import IN_FLIGHT, State, listed
from bot.storage.connection import Connection, Row

LEASE = 60_000_000  # longer than any stall of the event loop; renewed every quarter of it
BURST = 20

_FLYING = f"state IN ({listed(IN_FLIGHT)})"
_WAITING = (
    "SELECT g.id, g.person, g.provider, g.count, g.seq, g.priority, p.turn,"
    " row_number() OVER (PARTITION BY g.person ORDER BY g.priority DESC, g.seq) AS place"
    " FROM generations g JOIN people p ON p.id=g.person"
    " WHERE g.state='queued' AND g.run_after<=:now"
)
_ORDER = " ORDER BY priority DESC, place, turn, seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What may run at once; images_per_minute counts for each provider by itself."""

    per_person: int
    running: int
    images_per_minute: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """A generation that may run now; whoever holds this attempt, and nobody else, may change it."""

    id: str
    attempt: int


def admit(
    connection: Connection, owner: str, now: int, free: int, capacity: Capacity, at: int | None = None
) -> list[Admitted]:
    """Take over what was left behind, then start what is next, as far as `free` workers and all limits go.

    now: the machine's time, by which leases and rates go. at: the time that people are told, where it differs.
    """
    taken = _take_over(connection, owner, now, free)
    flying = connection.rows(f"SELECT person, count(*) AS n FROM generations WHERE {_FLYING} GROUP BY person")
    busy = {row["person"]: int(row["n"]) for row in flying}
    room = min(free - len(taken), capacity.running - sum(busy.values()))
    if room <= 0:
        return taken
    chosen: list[Row] = []
    rates = _Rates(connection, now, capacity.images_per_minute)
    for row in connection.rows(f"SELECT * FROM ({_WAITING}) w{_ORDER}", now=now):
        if len(chosen) == room:
            break
        if busy.get(row["person"], 0) >= capacity.per_person or not rates.take(row["provider"], row["count"]):
            continue
        busy[row["person"]] = busy.get(row["person"], 0) + 1
        chosen.append(row)
    rates.store()
    return taken + [_start(connection, row, owner, now, now if at is None else at) for row in chosen]


def renew(connection: Connection, running: Iterable[Admitted], now: int) -> None:
    for each in sorted(running, key=lambda admitted: admitted.id):
        connection.execute(
            f"UPDATE generations SET lease_until=:until WHERE id=:id AND attempt=:attempt AND {_FLYING}",
            until=now + LEASE,
            id=each.id,
            attempt=each.attempt,
        )


def orphan(connection: Connection) -> None:
    """Give up every lease: the caller holds the database for itself, so whoever ran these is gone."""
    connection.execute(f"UPDATE generations SET lease_until=0 WHERE {_FLYING}")


def places(connection: Connection) -> list[str]:
    """The ids that wait, in the order in which they would be served."""
    waiting = _WAITING.replace(" AND g.run_after<=:now", "")
    return [row["id"] for row in connection.rows(f"SELECT id FROM ({waiting}) w{_ORDER}")]


def _take_over(connection: Connection, owner: str, now: int, free: int) -> list[Admitted]:
    rows = connection.rows(
        f"UPDATE generations SET attempt=attempt+1, owner=:owner, lease_until=:until WHERE seq IN"
        f" (SELECT seq FROM generations WHERE {_FLYING} AND lease_until<:now ORDER BY seq LIMIT :free)"
        " RETURNING id, attempt",
        owner=owner,
        until=now + LEASE,
        now=now,
        free=free,
    )
    return [Admitted(row["id"], row["attempt"]) for row in rows]


def _start(connection: Connection, row: Row, owner: str, now: int, at: int) -> Admitted:
    connection.execute("UPDATE meta SET value=CAST(value AS INTEGER)+1 WHERE name='turn'")
    turn = connection.row("SELECT CAST(value AS INTEGER) AS turn FROM meta WHERE name='turn'")
    if turn is None:
        raise RuntimeError("the turn counter is missing")
    connection.execute("UPDATE people SET turn=:turn WHERE id=:id", turn=turn["turn"], id=row["person"])
    started = connection.row(
        "UPDATE generations SET state=:running, attempt=attempt+1, owner=:owner, lease_until=:until, started_at=:at"
        " WHERE id=:id AND state='queued' RETURNING attempt",
        running=State.RUNNING,
        owner=owner,
        until=now + LEASE,
        at=at,
        id=row["id"],
    )
    if started is None:
        raise RuntimeError(f"{row['id']} left the line while it was admitted")
    note(connection, row["id"], "admitted", at)
    return Admitted(row["id"], started["attempt"])


class _Rates:
    """Pictures a minute for each provider: `full_at` is when a bucket that starts empty would be full again."""

    def __init__(self, connection: Connection, now: int, images_per_minute: int) -> None:
        self._connection = connection
        self._now = now
        self._gap = 60_000_000 // images_per_minute
        self._full = {row["provider"]: int(row["full_at"]) for row in connection.rows("SELECT * FROM rates")}
        self._changed: set[str] = set()

    def take(self, provider: str, images: int) -> bool:
        full = max(self._full.get(provider, 0), self._now)
        # A single request larger than the burst must still be able to pass when nothing else was asked for.
        if full > self._now and full + images * self._gap > self._now + BURST * self._gap:
            return False
        self._full[provider] = full + images * self._gap
        self._changed.add(provider)
        return True

    def store(self) -> None:
        for provider in sorted(self._changed):
            self._connection.execute(
                "INSERT INTO rates (provider, full_at) VALUES (:provider, :full)"
                " ON CONFLICT (provider) DO UPDATE SET full_at=:full",
                provider=provider,
                full=self._full[provider],
            )

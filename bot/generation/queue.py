"""Who is next: fair between persons, within every limit, decided in one transaction.

Persons take turns: whoever was served longest ago comes first, with one generation each, so nobody waits for more than
one turn of each other person. A higher priority goes before. Each person may have so many in flight, or as many as the
tier says under which they asked, all together so many, and a provider is asked for so many pictures a minute (GCRA: one
row a provider, no counter to reset). A generation goes to the first of its providers that is not left alone and is
under its rate; one that has just been left alone gets a single one at first.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count, islice

from bot.generation import health
from bot.generation.record import note
from bot.generation.states import IN_FLIGHT, State, listed
from bot.storage.connection import Connection, Row

LEASE = 45_000_000  # longer than any stall of the event loop; renewed every quarter of it
BURST = 20
MOST_AT_ONCE = 100  # pictures of one request: a picture taken apart into layers
FAR = 3_600_000_000  # nothing is put back for so long: the clock that said so was wrong

_FLYING = f"state IN ({listed(IN_FLIGHT)})"
_WAITING = (
    "SELECT g.id, g.person, g.provider, g.providers, g.count, g.seq, g.priority, g.cancelled, g.in_flight, p.turn,"
    " NULLIF(p.linked, '') AS linked FROM generations g JOIN people p ON p.id=g.person WHERE g.state='queued'"
)
_IN_ORDER = " ORDER BY g.priority DESC, g.seq"
# Linked accounts are one human, by the mark that they share; an account alone is one by itself.
_HUMAN = "CASE WHEN p.linked='' THEN p.id ELSE p.linked END"
_BUSY = (
    f"SELECT {_HUMAN} AS human, count(*) AS n FROM generations f JOIN people p ON p.id=f.person"
    f" WHERE f.{_FLYING} GROUP BY {_HUMAN}"
)
# Accounts of those who have as many in flight as they may: as many as the most generous of their waiting ones says.
# IS TRUE: what waits is read once, neither joined with each account nor looked for among all that a person ever asked.
_FULL = (
    f"WITH busy AS ({_BUSY}), accounts AS (SELECT human AS person, human, n FROM busy UNION ALL"
    " SELECT p.id, b.human, b.n FROM busy b JOIN people p ON p.linked=b.human AND p.linked <> ''),"
    " most AS (SELECT person, max(CASE WHEN in_flight=0 THEN :most ELSE in_flight END) AS most FROM generations"
    " WHERE state='queued' AND (person IN (SELECT person FROM accounts)) IS TRUE GROUP BY person),"
    " filled AS (SELECT a.human FROM accounts a JOIN most m ON m.person=a.person"
    " GROUP BY a.human, a.n HAVING a.n>=max(m.most))"
    " SELECT person FROM accounts WHERE human IN (SELECT human FROM filled)"
)
_DUE = "(g.run_after<=:now OR g.run_after>:never)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What may run at once; images_per_minute counts for each provider by itself. per_person: where no tier says more
    or less.
    """

    per_person: int
    running: int
    images_per_minute: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """A generation that may run now; whoever holds this attempt, and nobody else, may change it."""

    id: str
    attempt: int


def admit(
    connection: Connection,
    owner: str,
    now: int | None,
    free: int,
    capacity: Capacity,
    at: int | None = None,
    running: Collection[str] = (),
    lease: int = LEASE,
    *,
    overdue: Callable[[], bool] = lambda: True,
) -> list[Admitted]:
    """Take over what was left behind, then start what is next, as far as `free` workers and all limits go.

    owner: who runs them, or "" where that is whoever calls `start` first. now: None for the database's own, by which
    leases and rates go. at: the time that people are told, where it differs. running: what the caller runs itself. A
    machine that slept wakes with its leases gone, but nothing is lost. overdue: whether what is late, but was not given
    up, may be taken over: after an outage its owner gets the first chance to renew it.
    """
    if free <= 0 or not _may_find(connection, connection.now() if now is None else now, capacity):
        return []
    connection.lock("admit")
    now = connection.now() if now is None else now
    # Whoever is to come for it does so in a moment, or died on the way and is not known to anybody.
    until = now + (lease if owner else lease // 4)
    taken = _take_over(connection, owner, now, until, free, running, overdue())
    busy = {row["human"]: int(row["n"]) for row in connection.rows(_BUSY)}
    room = min(free - len(taken), capacity.running - sum(busy.values()))
    if room <= 0:
        return taken
    rates = _Rates(connection, now, capacity.images_per_minute)
    resting = {each.provider: each.reason for each in health.resting(connection, now)}
    on_trial = health.on_trial(connection, now)
    tried = on_trial & _asked_now(connection)
    asked: dict[str, str] = {}
    most: dict[str, int] = {}

    def may_run(row: Row) -> bool:
        human = _human(row)
        if busy.get(human, 0) >= most[human]:
            return False
        nonlocal tried
        if row["cancelled"]:  # it only has to settle what came, and asks nobody
            asked[row["id"]] = row["provider"]
            return True
        able = tuple(provider for provider in _awake(row, resting) if provider not in tried)
        provider = asked[row["id"]] = rates.take(able, row["count"])
        tried |= on_trial & {provider}
        return bool(provider)

    chosen: list[Row] = []
    # Whoever has as many in flight as they may is not even looked at, however many of theirs wait.
    sql = f"{_WAITING} AND {_DUE} AND (g.cancelled=1 OR g.person NOT IN ({_FULL})){_IN_ORDER}"
    waiting = connection.rows(sql, now=now, never=now + FAR, most=capacity.per_person)
    for row in waiting:
        human, own = _human(row), row["in_flight"] or capacity.per_person
        if most.get(human, 0) < own:
            most[human] = own
    for row in islice(_in_turn(waiting, may_run), room):
        busy[_human(row)] = busy.get(_human(row), 0) + 1
        chosen.append(row)
    rates.store()
    told = now if at is None else at
    started = (_start(connection, row, asked[row["id"]], owner, until, told) for row in chosen)
    return taken + [each for each in started if each]


def start(connection: Connection, mine: Admitted, owner: str, lease: int = LEASE) -> bool:
    """Whether this owner may run what was admitted for whoever comes first: it is current, and nobody runs it yet."""
    return bool(
        connection.execute(
            "UPDATE generations SET owner=:owner, lease_until=:until"
            f" WHERE id=:id AND attempt=:attempt AND owner IN ('', :owner) AND {_FLYING}",
            owner=owner,
            until=connection.now() + lease,
            id=mine.id,
            attempt=mine.attempt,
        )
    )


def reserve(connection: Connection, provider: str, images: int, now: int | None, images_per_minute: int) -> bool:
    """Whether a provider that steps in for another may be asked for so many now: it has its own rate and its rests."""
    connection.lock("admit")
    now = connection.now() if now is None else now
    if any(each.provider == provider for each in health.resting(connection, now)):
        return False
    if provider in health.on_trial(connection, now) & _asked_now(connection):
        return False
    rates = _Rates(connection, now, images_per_minute)
    taken = bool(rates.take((provider,), images))
    rates.store()
    return taken


class TooSoon(Exception):
    """A request has to wait so many micros for the pace of its provider."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"{wait} microseconds")
        self.wait = wait


def keep_pace(connection: Connection, provider: str, images: int, images_per_minute: int) -> int:
    """Take a request's place among those that are sent to a provider, and return its moment; or raise `TooSoon`.

    What was admitted in time may still be sent in a crowd, by runners that were held up: this is where it counts.
    """
    sent = f"sent to {provider}"
    connection.lock(sent)
    now = connection.now()
    rates = _Rates(connection, now, images_per_minute)
    if wait := rates.wait(sent, images):
        raise TooSoon(wait)
    rates.take((sent,), images)
    rates.store()
    return now


def renew(
    connection: Connection, running: Collection[Admitted], now: int | None = None, lease: int = LEASE
) -> set[str]:
    """Keep what the caller runs its own; returns the ids that still are, or were when they ended."""
    until = (connection.now() if now is None else now) + lease
    # In the order of their ids: two that want the same rows wait for each other, and not crosswise.
    ordered = sorted(running, key=lambda admitted: admitted.id)
    connection.execute_many(
        f"UPDATE generations SET lease_until=:until WHERE id=:id AND attempt=:attempt AND {_FLYING}",
        [{"until": until, "id": each.id, "attempt": each.attempt} for each in ordered],
    )
    flying = connection.rows(f"SELECT id, attempt FROM generations WHERE {_FLYING}")
    kept = {(row["id"], row["attempt"]) for row in flying}
    return {each.id for each in ordered if (each.id, each.attempt) in kept or _in_force(connection, each)}


def give_back(connection: Connection, running: Iterable[Admitted]) -> None:
    """Whoever looks next takes these over at once: their runners are gone."""
    for each in sorted(running, key=lambda admitted: admitted.id):
        connection.execute(
            f"UPDATE generations SET lease_until=0 WHERE id=:id AND attempt=:attempt AND {_FLYING}",
            id=each.id,
            attempt=each.attempt,
        )


def orphan(connection: Connection) -> None:
    """Give up every lease: nobody else uses this database, so whoever ran these is gone. SQLite only."""
    connection.execute(f"UPDATE generations SET lease_until=0 WHERE {_FLYING}")


def places(connection: Connection) -> list[str]:
    """The ids that wait, in the order in which they would be served."""
    return [row["id"] for row in _in_turn(connection.rows(_WAITING + _IN_ORDER), lambda row: True)]


def held_up(connection: Connection, now: int | None = None) -> frozenset[str]:
    """The ids that wait because every provider that could serve them is left alone."""
    now = connection.now() if now is None else now
    resting = {each.provider: each.reason for each in health.resting(connection, now)}
    if not resting:
        return frozenset()
    waiting = connection.rows(_WAITING)
    return frozenset(row["id"] for row in waiting if not row["cancelled"] and not _awake(row, resting))


def _in_turn(rows: Iterable[Row], may_run: Callable[[Row], bool]) -> Iterator[Row]:
    """The order of service: the highest priority, of it the person who was served longest ago, and their oldest.

    Who may not run now is passed over without losing a turn.
    """
    own: defaultdict[str, deque[Row]] = defaultdict(deque)
    for row in rows:
        own[row["person"]].append(row)
    heads = [_head(waiting[0], waiting[0]["turn"]) for waiting in own.values()]
    turns = count(max((turn for _, turn, _, _ in heads), default=0) + 1)
    heapify(heads)
    while heads:
        _, turn, _, person = heappop(heads)
        row = own[person].popleft()
        if may_run(row):
            yield row
            turn = next(turns)
        if own[person]:
            heappush(heads, _head(own[person][0], turn))


def _head(row: Row, turn: int) -> tuple[int, int, int, str]:
    return -row["priority"], turn, row["seq"], row["person"]


def _human(row: Row) -> str:
    human: str = row["linked"] or row["person"]
    return human


def _may_find(connection: Connection, now: int, capacity: Capacity) -> bool:
    """Whether a closer look, for which all others have to wait, may find something to take over or to start."""
    row = connection.row(
        "SELECT count(*) AS flying, min(lease_until) AS oldest,"
        f" EXISTS (SELECT 1 FROM generations g WHERE g.state='queued' AND {_DUE}) AS due"
        f" FROM generations WHERE {_FLYING}",
        now=now,
        never=now + FAR,
    )
    assert row is not None
    left_behind = row["oldest"] is not None and row["oldest"] < now
    return left_behind or (bool(row["due"]) and row["flying"] < capacity.running)


def _in_force(connection: Connection, mine: Admitted) -> bool:
    return (
        connection.row("SELECT 1 FROM generations WHERE id=:id AND attempt=:n", id=mine.id, n=mine.attempt) is not None
    )


def _take_over(
    connection: Connection, owner: str, now: int, until: int, free: int, running: Collection[str], overdue: bool
) -> list[Admitted]:
    """What nobody has started yet keeps its attempt: no runner was broken by it, however long nobody came for it."""
    expired = connection.free_rows(
        f"SELECT id FROM generations WHERE {_FLYING} AND lease_until<:before ORDER BY seq", before=now if overdue else 1
    )
    taken = []
    for row in islice((row for row in expired if row["id"] not in running), free):
        attempt = connection.row(
            "UPDATE generations SET attempt=attempt+CASE WHEN owner='' THEN 0 ELSE 1 END, owner=:owner,"
            f" lease_until=:until WHERE id=:id AND {_FLYING} AND lease_until<:now RETURNING attempt",
            owner=owner,
            until=until,
            id=row["id"],
            now=now,
        )
        if attempt is not None:
            taken.append(Admitted(row["id"], attempt["attempt"]))
    return taken


def _awake(row: Row, resting: Mapping[str, str]) -> tuple[str, ...]:
    """Who may be asked. A key that does not work costs nothing to try, and its person should not wait to be told."""
    providers = tuple(row["providers"].split()) or (row["provider"],)
    awake = tuple(provider for provider in providers if provider not in resting)
    return awake or tuple(provider for provider in providers if resting[provider] == "misconfigured")


def _asked_now(connection: Connection) -> frozenset[str]:
    rows = connection.rows(f"SELECT DISTINCT provider FROM generations WHERE {_FLYING}")
    return frozenset(row["provider"] for row in rows)


def _start(connection: Connection, row: Row, provider: str, owner: str, until: int, at: int) -> Admitted | None:
    """None for one that was cancelled since it was found waiting."""
    # IS TRUE: PostgreSQL would look for it among all that wait instead of by its id, as that index is the smaller one.
    started = connection.row(
        "UPDATE generations SET state=:running, provider=:provider, attempt=attempt+1, owner=:owner,"
        " lease_until=:until, started_at=:at WHERE id=:id AND (state='queued') IS TRUE RETURNING attempt",
        running=State.RUNNING,
        provider=provider,
        owner=owner,
        until=until,
        at=at,
        id=row["id"],
    )
    if started is None:
        return None
    turn = connection.row(
        "UPDATE meta SET value=CAST(CAST(value AS BIGINT)+1 AS TEXT) WHERE name='turn'"
        " RETURNING CAST(value AS BIGINT) AS turn"
    )
    if turn is None:
        raise RuntimeError("the turn counter is missing")
    connection.execute("UPDATE people SET turn=:turn WHERE id=:id", turn=turn["turn"], id=row["person"])
    note(connection, row["id"], "admitted", at)
    return Admitted(row["id"], started["attempt"])


class _Rates:
    """Pictures a minute for each provider: `full_at` is when a bucket that starts empty would be full again."""

    def __init__(self, connection: Connection, now: int, images_per_minute: int) -> None:
        self._connection = connection
        self._now = now
        self._burst = min(BURST, (images_per_minute + 1) // 2)
        # What may come at once and what follows it at this gap stay within the limit together, in every minute.
        self._gap = -(-60_000_000 // (images_per_minute - self._burst + 1))
        # Beyond it the clock was set back, and nothing would run until it has caught up.
        furthest = now + MOST_AT_ONCE * self._gap
        stored = {row["provider"]: int(row["full_at"]) for row in connection.rows("SELECT * FROM rates")}
        self._full = {provider: min(furthest, full_at) for provider, full_at in stored.items()}
        self._changed = {provider for provider, full_at in stored.items() if full_at > furthest}
        self._exhausted: set[str] = set()

    def wait(self, provider: str, images: int) -> int:
        """Micros until it may be asked for so many."""
        ahead = max(0, self._full.get(provider, 0) - self._now)
        # A single request larger than the burst must still be able to pass when nothing else was asked for.
        return max(0, ahead + (images - self._burst) * self._gap) if ahead else 0

    def take(self, providers: Sequence[str], images: int) -> str:
        """The first provider that may be asked for so many now, or "".

        Once none may, nobody behind gets in before at any of them: this one would wait for ever.
        """
        for provider in providers:
            if not self.wait(provider, images) and provider not in self._exhausted:
                self._full[provider] = max(self._full.get(provider, 0), self._now) + images * self._gap
                self._changed.add(provider)
                return provider
        self._exhausted.update(providers)
        return ""

    def store(self) -> None:
        for provider in sorted(self._changed):
            self._connection.execute(
                "INSERT INTO rates (provider, full_at) VALUES (:provider, :full)"
                " ON CONFLICT (provider) DO UPDATE SET full_at=:full",
                provider=provider,
                full=self._full[provider],
            )

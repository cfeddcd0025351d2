"""What a runner writes down: each step one transaction, each fenced by the attempt that makes it.

A function that returns False (or None) tells the runner that the generation is no longer its own: stop, touch nothing.
All but `sending` may be run again although they were done, by a runner that was not told so.
"""

from bot.errors import ProviderError
from bot.generation.accepting import want_post
from bot.generation.outbox import hold_back, want_log
from bot.generation.queue import Admitted, keep_pace
from bot.generation.record import note, write_text
from bot.generation.states import IN_FLIGHT, JobState, State, listed
from bot.i18n import Text, text
from bot.providers.base import Produced
from bot.quota import ledger, usage
from bot.spaces import rules_of
from bot.storage.connection import Connection, Row

MINE = f"id=:id AND attempt=:attempt AND state IN ({listed(IN_FLIGHT)})"


def sending(
    connection: Connection,
    mine: Admitted,
    job: int,
    provider: str,
    at: int,
    now: int | None = None,
    images: int = 1,
    images_per_minute: int | None = None,
) -> bool:
    """Committed before the first byte of a paid request leaves. False: cancelled or taken over, so do not send.

    now: None for the database's own time, by which it is decided for how long it may be sent again. Raises `TooSoon`.
    """
    allowed = connection.execute(
        f"UPDATE generations SET state='sending', provider=:provider WHERE {MINE} AND cancelled=0",
        id=mine.id,
        attempt=mine.attempt,
        provider=provider,
    )
    if not allowed:
        return False
    if images_per_minute is not None:
        now = keep_pace(connection, provider, images, images_per_minute)
    marked = connection.execute(
        "UPDATE jobs SET state='sending', provider=:provider, ticket='', sent_at=:now"
        " WHERE generation=:id AND number=:job AND state='ready'",
        id=mine.id,
        job=job,
        provider=provider,
        now=connection.now() if now is None else now,
    )
    if marked:
        note(connection, mine.id, "sending", at, f"{job} {provider}")
    return bool(marked)


def prepared(connection: Connection, mine: Admitted, job: int, ticket: str) -> bool:
    """What has to be the same if it is sent again is kept before it is sent for the first time. False: do not send."""
    wanted = f"SELECT 1 FROM generations WHERE {MINE} AND cancelled=0"
    if connection.lock_row(wanted, id=mine.id, attempt=mine.attempt) is None:
        return False
    return bool(
        connection.execute(
            "UPDATE jobs SET ticket=:ticket WHERE generation=:id AND number=:job AND state='sending'",
            id=mine.id,
            job=job,
            ticket=ticket,
        )
    )


def submitted(connection: Connection, mine: Admitted, job: int, ticket: str, at: int) -> bool:
    """The provider's ticket is kept before it is asked for the first time."""
    if not connection.execute(
        f"UPDATE generations SET state='submitted' WHERE {MINE}", id=mine.id, attempt=mine.attempt
    ):
        return False
    new = connection.execute(
        "UPDATE jobs SET state='submitted', ticket=:ticket"
        " WHERE generation=:id AND number=:job AND NOT (state='submitted' AND ticket=:ticket)",
        id=mine.id,
        job=job,
        ticket=ticket,
    )
    if new:
        note(connection, mine.id, "submitted", at, str(job))
    return True


def produced(
    connection: Connection,
    mine: Admitted,
    job: int,
    position: int,
    made: Produced,
    blob: str,
    size: int,
    price: int,
    at: int,
) -> bool:
    """A picture is in the blob store."""
    if connection.lock_row(f"SELECT 1 FROM generations WHERE {MINE}", id=mine.id, attempt=mine.attempt) is None:
        return False
    new = connection.execute(
        "INSERT INTO images (generation, position, job, blob, media_type, width, height, size, price, title, state)"
        " VALUES (:id, :position, :job, :blob, :media_type, :width, :height, :size, :price, :title, 'made')"
        " ON CONFLICT (generation, position) DO NOTHING",
        id=mine.id,
        position=position,
        job=job,
        blob=blob,
        media_type=made.media_type,
        width=made.width,
        height=made.height,
        size=size,
        price=price,
        title=made.title,
    )
    keep_blob(connection, blob, size, at)
    if new:
        note(connection, mine.id, "produced", at, str(position))
    return True


def end_job(
    connection: Connection,
    mine: Admitted,
    job: int,
    state: JobState,
    error: ProviderError | None,
    missing: int,
    at: int,
) -> bool:
    """A job has an end, or is READY again because the provider certainly did not take it: its ticket is void then."""
    if connection.lock_row(f"SELECT 1 FROM generations WHERE {MINE}", id=mine.id, attempt=mine.attempt) is None:
        return False
    new = connection.execute(
        "UPDATE jobs SET state=:state, error=:error, failure=:failure, missing=:missing,"
        " ticket=CASE WHEN :state='ready' THEN '' ELSE ticket END"
        " WHERE generation=:id AND number=:job AND NOT (state=:state AND error=:error)",
        state=state,
        error=error.kind if error else "",
        failure=write_text(error.text if error else None),
        missing=missing,
        id=mine.id,
        job=job,
    )
    if new:
        note(connection, mine.id, f"job {state}", at, error.kind if error else "")
    return True


def put_back(connection: Connection, mine: Admitted, wait: int, at: int) -> bool:
    """Into the line again with the same holds, due after so many micros: the provider was busy and took nothing.

    Not if it was cancelled.
    """
    back = connection.execute(
        f"UPDATE generations SET state='queued', tries=tries+1, run_after=:run_after, lease_until=0"
        f" WHERE {MINE} AND cancelled=0",
        id=mine.id,
        attempt=mine.attempt,
        run_after=connection.now() + wait,
    )
    if back:
        note(connection, mine.id, "put back", at)
    return bool(back)


def conclude(connection: Connection, mine: Admitted, at: int, zone: str = "UTC") -> State | None:
    """The end: holds settled to what was made, the posting wanted, all at once. None if it was not ours to end.

    zone: in whose days it is counted.
    """
    row = connection.lock_row(f"SELECT * FROM generations WHERE {MINE}", id=mine.id, attempt=mine.attempt)
    if row is None:
        return None
    connection.execute("UPDATE jobs SET state='dropped' WHERE generation=:id AND state='ready'", id=mine.id)
    jobs = connection.rows("SELECT * FROM jobs WHERE generation=:id ORDER BY number", id=mine.id)
    images = connection.rows("SELECT price FROM images WHERE generation=:id", id=mine.id)
    missing = sum(job["missing"] for job in jobs)
    spent = {"images": len(images), "usd": sum(image["price"] for image in images)}
    # What came after all counts as missing, too, where a later answer about it was lost: never more than was held.
    risk = max(0, min(missing * row["price"] // row["count"], row["price"] - spent["usd"]))
    state = _outcome(row, jobs, len(images))
    connection.execute(
        f"UPDATE generations SET state=:state, made=:made, charged=:made, failure=:failure, finished_at=:at,"
        f" lease_until=0 WHERE {MINE}",
        state=state,
        made=len(images),
        failure="" if images else _failure(jobs),
        at=at,
        id=mine.id,
        attempt=mine.attempt,
    )
    note(connection, mine.id, state, at)
    want_post(connection, mine.id)
    rules = rules_of(connection, row["space"])
    held_back = bool(images) and hold_back(connection, mine.id, rules.review, at)
    if not row["private"] and not held_back:
        want_log(connection, mine.id, rules.log)
    cause = next((job["error"] for job in jobs if job["error"]), "")
    usage.count(connection, row, images=spent["images"], usd=spent["usd"], state=state, cause=cause, at=at, zone=zone)
    # Last: everybody waits for the balances of all, from here to the commit.
    ledger.settle(connection, mine.id, spent, at, possible={"usd": risk})
    return state


def undecided(connection: Connection, before: int) -> list[str]:
    """The generations that were possibly billed long enough ago, the oldest first."""
    rows = connection.rows(
        "SELECT id FROM generations WHERE finished_at<:before"
        " AND id IN (SELECT generation FROM holds WHERE state='possible') ORDER BY seq",
        before=before,
    )
    return [row["id"] for row in rows]


def resolve_one(
    connection: Connection, generation: str, at: int, *, charge: bool, reason: str, zone: str = "UTC"
) -> bool:
    """Decide what one generation was possibly billed; False where there is nothing to decide. One to a transaction:
    for what is counted of a second one it would wait while everybody waits for the balances of all.
    """
    connection.lock("unknown")
    # Locked: were they forgotten meanwhile, it would be counted of whom nobody knows any more.
    row = connection.lock_row("SELECT * FROM generations WHERE id=:id", id=generation)
    owed = connection.row(
        "SELECT amount FROM holds WHERE generation=:id AND account='all' AND unit='usd' AND state='possible'",
        id=generation,
    )
    if row is None or owed is None:
        return False
    note(connection, generation, "charged" if charge else "released", at)
    if charge:
        usage.count(connection, row, images=0, usd=owed["amount"], state=usage.RESOLVED, at=at, zone=zone)
    return ledger.resolve(connection, generation, at, charge=charge, reason=reason)


def keep_blob(connection: Connection, blob: str, size: int, at: int) -> None:
    connection.execute(
        "INSERT INTO blobs (key, size, used_at) VALUES (:key, :size, :at) ON CONFLICT (key) DO UPDATE SET used_at=:at",
        key=blob,
        size=size,
        at=at,
    )


def _outcome(row: Row, jobs: list[Row], made: int) -> State:
    kinds = {job["error"] for job in jobs}
    if made:
        return State.SETTLED
    if any(job["state"] == JobState.UNKNOWN for job in jobs):
        return State.UNKNOWN
    if row["cancelled"]:
        return State.CANCELLED
    return State.REFUSED if "content" in kinds else State.FAILED


def _failure(jobs: list[Row]) -> str:
    return next((str(job["failure"]) for job in jobs if job["failure"]), write_text(_NOTHING_CAME))


_NOTHING_CAME: Text = text("The provider's answer held no picture. Nothing was charged.")

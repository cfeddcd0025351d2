"""What a runner writes down: each step one transaction, each fenced by the attempt that makes it.

A function that returns False (or None) tells the runner that the generation is no longer its own: stop, touch nothing.
"""

import json
from dataclasses import dataclass

from bot.errors import ProviderError
from bot.generation.accepting import want_post
from bot.generation.queue import Admitted
from bot.generation.record import note, write_text
from bot.generation.states import IN_FLIGHT, JobState, State, listed
from bot.i18n import Text, text
from bot.providers.base import Produced
from bot.quota import ledger
from bot.request import ImageRequest
from bot.storage.connection import Connection, Row

# A generation that breaks its runner so often will do so for ever.
MOST_ATTEMPTS = 10
_MINE = f"id=:id AND attempt=:attempt AND state IN ({listed(IN_FLIGHT)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is left to do for an admitted generation: jobs to send (no ticket) or to follow (with one)."""

    request: ImageRequest
    jobs: tuple[tuple[int, str], ...]
    tries: int
    cancelled: bool


def take_up(connection: Connection, mine: Admitted, at: int) -> Work | None:
    """Read what is left; a job that was being sent when its runner died is unknown now, unless its picture is here."""
    row = connection.row(
        f"SELECT request, tries, cancelled FROM generations WHERE {_MINE}", id=mine.id, attempt=mine.attempt
    )
    if row is None:
        return None
    request = ImageRequest.from_json(json.loads(row["request"]))
    for job in connection.rows("SELECT number FROM jobs WHERE generation=:id AND state='sending'", id=mine.id):
        _lost(connection, mine.id, job["number"], request.per_job, at)
    if mine.attempt > MOST_ATTEMPTS + row["tries"]:
        _give_up(connection, mine.id, request.per_job, at)
    left = connection.rows(
        "SELECT number, ticket FROM jobs WHERE generation=:id AND state IN ('ready', 'submitted') ORDER BY number",
        id=mine.id,
    )
    jobs = tuple((job["number"], job["ticket"]) for job in left)
    return Work(request=request, jobs=jobs, tries=row["tries"], cancelled=bool(row["cancelled"]))


def sending(connection: Connection, mine: Admitted, job: int, at: int) -> bool:
    """Committed before the first byte of a paid request leaves. False: cancelled or taken over, so do not send."""
    allowed = connection.execute(
        f"UPDATE generations SET state='sending' WHERE {_MINE} AND cancelled=0", id=mine.id, attempt=mine.attempt
    )
    if not allowed:
        return False
    marked = connection.execute(
        "UPDATE jobs SET state='sending' WHERE generation=:id AND number=:job AND state='ready'", id=mine.id, job=job
    )
    if marked:
        note(connection, mine.id, "sending", at, str(job))
    return bool(marked)


def submitted(connection: Connection, mine: Admitted, job: int, ticket: str, at: int) -> bool:
    """The provider's ticket is kept before it is asked for the first time."""
    if not connection.execute(
        f"UPDATE generations SET state='submitted' WHERE {_MINE}", id=mine.id, attempt=mine.attempt
    ):
        return False
    connection.execute(
        "UPDATE jobs SET state='submitted', ticket=:ticket WHERE generation=:id AND number=:job",
        id=mine.id,
        job=job,
        ticket=ticket,
    )
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
    if connection.row(f"SELECT 1 FROM generations WHERE {_MINE}", id=mine.id, attempt=mine.attempt) is None:
        return False
    connection.execute(
        "INSERT INTO images (generation, position, job, blob, media_type, width, height, size, price, state)"
        " VALUES (:id, :position, :job, :blob, :media_type, :width, :height, :size, :price, 'made')"
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
    )
    keep_blob(connection, blob, size, at)
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
) -> None:
    """A job has an end, or is READY again because the provider certainly did not take it."""
    if connection.row(f"SELECT 1 FROM generations WHERE {_MINE}", id=mine.id, attempt=mine.attempt) is None:
        return
    connection.execute(
        "UPDATE jobs SET state=:state, error=:error, failure=:failure, missing=:missing"
        " WHERE generation=:id AND number=:job",
        state=state,
        error=error.kind if error else "",
        failure=write_text(error.text if error else None),
        missing=missing,
        id=mine.id,
        job=job,
    )
    note(connection, mine.id, f"job {state}", at, error.kind if error else "")


def put_back(connection: Connection, mine: Admitted, run_after: int, at: int) -> bool:
    """Into the line again with the same holds: the provider was busy and took nothing. Not if it was cancelled."""
    back = connection.execute(
        f"UPDATE generations SET state='queued', tries=tries+1, run_after=:run_after, lease_until=0"
        f" WHERE {_MINE} AND cancelled=0",
        id=mine.id,
        attempt=mine.attempt,
        run_after=run_after,
    )
    if back:
        note(connection, mine.id, "put back", at)
    return bool(back)


def conclude(connection: Connection, mine: Admitted, at: int) -> State | None:
    """The end: holds settled to what was made, the posting wanted, all at once. None if it was not ours to end."""
    row = connection.row(f"SELECT * FROM generations WHERE {_MINE}", id=mine.id, attempt=mine.attempt)
    if row is None:
        return None
    connection.execute("UPDATE jobs SET state='dropped' WHERE generation=:id AND state='ready'", id=mine.id)
    jobs = connection.rows("SELECT * FROM jobs WHERE generation=:id ORDER BY number", id=mine.id)
    images = connection.rows("SELECT price FROM images WHERE generation=:id", id=mine.id)
    missing = sum(job["missing"] for job in jobs)
    spent = {"images": len(images), "usd": sum(image["price"] for image in images)}
    ledger.settle(connection, mine.id, spent, at, possible={"usd": missing * row["price"] // row["count"]})
    state = _outcome(row, jobs, len(images))
    connection.execute(
        f"UPDATE generations SET state=:state, made=:made, charged=:made, failure=:failure, finished_at=:at,"
        f" lease_until=0 WHERE {_MINE}",
        state=state,
        made=len(images),
        failure="" if images else _failure(jobs),
        at=at,
        id=mine.id,
        attempt=mine.attempt,
    )
    note(connection, mine.id, state, at)
    want_post(connection, mine.id)
    return state


def resolve_unknown(connection: Connection, before: int, at: int, *, charge: bool) -> list[str]:
    """Decide money that was possibly billed long enough ago."""
    rows = connection.rows(
        "SELECT DISTINCT h.generation AS id FROM holds h JOIN generations g ON g.id=h.generation"
        " WHERE h.state='possible' AND g.finished_at<:before",
        before=before,
    )
    for row in rows:
        ledger.resolve(connection, row["id"], at, charge=charge, reason="no answer in time")
        note(connection, row["id"], "charged" if charge else "released", at)
    return [row["id"] for row in rows]


def keep_blob(connection: Connection, blob: str, size: int, at: int) -> None:
    connection.execute(
        "INSERT INTO blobs (key, size, used_at) VALUES (:key, :size, :at) ON CONFLICT (key) DO UPDATE SET used_at=:at",
        key=blob,
        size=size,
        at=at,
    )


def _lost(connection: Connection, generation: str, job: int, per_job: int, at: int) -> None:
    """A picture that is stored was certainly made; of the rest nobody can say."""
    row = connection.row("SELECT count(*) AS n FROM images WHERE generation=:id AND job=:job", id=generation, job=job)
    stored = int(row["n"]) if row else 0
    whole = stored >= per_job
    words = text(
        "The bot was stopped while the provider drew; nobody knows whether it did. Your quota was given back;"
        " please ask again."
    )
    connection.execute(
        "UPDATE jobs SET state=:state, error=:error, failure=:failure, missing=:missing"
        " WHERE generation=:id AND number=:job",
        state=JobState.DONE if whole else JobState.UNKNOWN,
        error="" if whole else "unknown",
        failure="" if whole else write_text(words),
        missing=per_job - stored,
        id=generation,
        job=job,
    )
    note(connection, generation, "done before the stop" if whole else "lost in the stop", at, str(job))


def _give_up(connection: Connection, generation: str, per_job: int, at: int) -> None:
    """End every job that is left: free where nothing was sent, unknown where a ticket says that something was."""
    words = write_text(text("Something went wrong here again and again, so it was given up. Please ask again."))
    connection.execute(
        "UPDATE jobs SET missing=CASE WHEN state='ready' THEN 0 ELSE :per_job END,"
        " state=CASE WHEN state='ready' THEN 'failed' ELSE 'unknown' END, error='internal', failure=:failure"
        " WHERE generation=:id AND state IN ('ready', 'submitted')",
        per_job=per_job,
        failure=words,
        id=generation,
    )
    note(connection, generation, "given up", at)


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

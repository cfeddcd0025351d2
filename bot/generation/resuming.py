"""What is left to do for a generation that was admitted, or left behind by a runner that is gone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.catalogue import Model
from bot.generation.queue import Admitted
from bot.generation.record import note, write_text
from bot.generation.settling import MINE
from bot.generation.states import JobState
from bot.i18n import text
from bot.providers.base import InputPicture, Job
from bot.request import ImageRequest, Mode
from bot.storage.connection import Connection, Row

# A generation that breaks its runner so often will do so for ever.
MOST_ATTEMPTS = 10
# Several pictures with one seed would be the same picture several times.
MOST_SEED = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One job that is left. Where it was sent before, `provider` is the one to go on with, under `ticket`.

    taken: the provider itself gave the ticket; else it is what has to be the same when it is sent again.
    """

    number: int
    provider: str = ""
    ticket: str = ""
    taken: bool = False

    @property
    def sent(self) -> bool:
        return bool(self.provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is left to do for an admitted generation. provider: the one that it was admitted for; price: what is held
    for all of it, in micro-USD.
    """

    request: ImageRequest
    provider: str
    price: int
    jobs: tuple[Pending, ...]
    tries: int
    cancelled: bool


def take_up(
    connection: Connection, mine: Admitted, at: int, now: int | None, idempotent: Mapping[str, float]
) -> Work | None:
    """Read what is left; a job that was being sent when its runner died is unknown now, unless its picture is here.

    idempotent: how many seconds long a provider takes a repeated request for the same one; until then such a job is
    sent again. One of these that had prepared nothing has sent nothing, and starts anew. now: None for the
    database's own time.
    """
    now = connection.now() if now is None else now
    row = connection.lock_row(
        f"SELECT request, provider, price, tries, cancelled FROM generations WHERE {MINE}",
        id=mine.id,
        attempt=mine.attempt,
    )
    if row is None:
        return None
    request = ImageRequest.from_json(json.loads(row["request"]))
    _close_made(connection, mine.id, request.per_job, at)
    for job in connection.rows("SELECT * FROM jobs WHERE generation=:id AND state='sending'", id=mine.id):
        seconds = idempotent.get(job["provider"], 0.0)
        if seconds and not job["ticket"]:
            _unsent(connection, mine.id, job["number"], at)
        elif not seconds or not job["sent_at"] <= now < job["sent_at"] + seconds * 1_000_000:
            _lost(connection, mine.id, job["number"], request.per_job, at)
    if mine.attempt > MOST_ATTEMPTS + row["tries"]:
        _give_up(connection, mine.id, request.per_job, at)
    left = connection.rows(
        "SELECT * FROM jobs WHERE generation=:id AND state IN ('ready', 'sending', 'submitted') ORDER BY number",
        id=mine.id,
    )
    return Work(
        request=request,
        provider=row["provider"],
        price=row["price"],
        jobs=tuple(_pending(job) for job in left),
        tries=row["tries"],
        cancelled=bool(row["cancelled"]),
    )


def _pending(job: Row) -> Pending:
    if job["state"] == JobState.READY:
        return Pending(number=job["number"])
    taken = job["state"] == JobState.SUBMITTED
    return Pending(number=job["number"], provider=job["provider"], ticket=job["ticket"], taken=taken)


def job_of(
    generation: str, number: int, work: Work, model: Model, references: tuple[InputPicture, ...], folder: Path
) -> Job:
    """The paid request of one job as this provider is asked for it."""
    request = work.request
    return Job(
        id=f"{generation}:{number}",
        model=model,
        prompt=request.prompt,
        size=request.size,
        folder=folder,
        images=request.per_job,
        series=request.mode is Mode.SERIES and request.per_job > 1,
        references=references,
        ratio=request.ratio,
        format=request.format,
        watermark=request.watermark,
        optimize=request.optimize,
        background=request.background,
        search=request.search,
        seed=None if request.seed is None else (request.seed + number) % MOST_SEED,
        guidance=request.guidance,
        layers=request.mode is Mode.LAYERS,
    )


def _close_made(connection: Connection, generation: str, per_job: int, at: int) -> None:
    """Where all pictures of a job are stored, asking on could only bring doubt about what was paid."""
    whole = connection.rows(
        "UPDATE jobs SET state='done', error='', failure='', missing=0"
        " WHERE generation=:id AND state IN ('sending', 'submitted')"
        " AND (SELECT count(*) FROM images i WHERE i.generation=jobs.generation AND i.job=jobs.number)>=:per_job"
        " RETURNING number",
        id=generation,
        per_job=per_job,
    )
    for job in whole:
        note(connection, generation, "done before the stop", at, str(job["number"]))


def _unsent(connection: Connection, generation: str, job: int, at: int) -> None:
    connection.execute("UPDATE jobs SET state='ready' WHERE generation=:id AND number=:job", id=generation, job=job)
    note(connection, generation, "job ready", at)


def _lost(connection: Connection, generation: str, job: int, per_job: int, at: int) -> None:
    """A picture that is stored was certainly made; of the rest nobody can say."""
    row = connection.row("SELECT count(*) AS n FROM images WHERE generation=:id AND job=:job", id=generation, job=job)
    stored = int(row["n"]) if row else 0
    words = text(
        "The bot was stopped while the provider drew; nobody knows whether it did. Your quota was given back;"
        " please ask again."
    )
    connection.execute(
        "UPDATE jobs SET state=:state, error=:error, failure=:failure, missing=:missing"
        " WHERE generation=:id AND number=:job",
        state=JobState.UNKNOWN,
        error="unknown",
        failure=write_text(words),
        missing=per_job - stored,
        id=generation,
        job=job,
    )
    note(connection, generation, "lost in the stop", at, str(job))


def _give_up(connection: Connection, generation: str, per_job: int, at: int) -> None:
    """End every job that is left: free where nothing was sent, unknown where a ticket says that something was."""
    words = write_text(text("Something went wrong here again and again, so it was given up. Please ask again."))
    connection.execute(
        "UPDATE jobs SET missing=CASE WHEN state='ready' THEN 0 ELSE :per_job END,"
        " state=CASE WHEN state='ready' THEN 'failed' ELSE 'unknown' END, error='internal', failure=:failure"
        " WHERE generation=:id AND state IN ('ready', 'sending', 'submitted')",
        per_job=per_job,
        failure=words,
        id=generation,
    )
    note(connection, generation, "given up", at)

"""Taking pictures away: because their maker wants it, or because their time is over."""

from collections.abc import Iterable

from bot.errors import UsageError
from bot.generation.accepting import own, want_post
from bot.generation.record import load, note
from bot.generation.states import IN_FLIGHT, WAITING, listed
from bot.i18n import text
from bot.people import Person
from bot.storage.connection import Connection


def delete(connection: Connection, generation: str, person: Person, at: int) -> list[str]:
    """Mark it deleted and return the blobs that nothing else needs; what was charged stays charged.

    Raises `NotAllowed` for another person's, `UsageError` while it is not finished; deleting twice changes nothing.
    """
    connection.lock("deleting")  # two that share a picture: the second one finds that nobody needs it
    before = load(connection, generation)
    own(before, person)
    if not before.ended:
        raise UsageError(text("{id} is not finished yet; cancel it first.", id=before.id))
    blobs = {image.blob for image in before.images}
    if before.deleted:
        return unneeded(connection, blobs)  # a crash may have come before they were removed
    connection.execute("UPDATE generations SET deleted_at=:at WHERE id=:id", at=at, id=before.id)
    connection.execute("UPDATE images SET state='removed' WHERE generation=:id", id=before.id)
    note(connection, before.id, "deleted", at)
    want_post(connection, before.id)
    return unneeded(connection, blobs)


def clean(connection: Connection, blobs: Iterable[str], at: int) -> list[str]:
    """Retention took these: pictures that were stored in them say so from now on. Returns what may be removed.

    at: when it looked; what somebody has used since is kept.
    """
    gone = []
    for blob in blobs:
        used = connection.lock_row("SELECT used_at FROM blobs WHERE key=:key", key=blob)
        if used and used["used_at"] >= at:
            continue
        gone.append(blob)
        rows = connection.rows(
            "UPDATE images SET state='cleaned' WHERE blob=:blob AND state='made' RETURNING generation", blob=blob
        )
        for row in rows:
            note(connection, row["generation"], "cleaned", at)
            want_post(connection, row["generation"])
        connection.execute("DELETE FROM blobs WHERE key=:key", key=blob)
    return gone


def unneeded(connection: Connection, blobs: set[str]) -> list[str]:
    """Those that neither another picture nor a request that still runs needs."""
    free = []
    for blob in sorted(blobs):
        used = connection.row("SELECT 1 FROM images WHERE blob=:blob AND state='made'", blob=blob)
        wanted = connection.row(
            f"SELECT 1 FROM generations WHERE state IN ({listed((*WAITING, *IN_FLIGHT))}) AND request LIKE :pattern",
            pattern=f"%{blob}%",
        )
        if used is None and wanted is None:
            connection.execute("DELETE FROM blobs WHERE key=:key", key=blob)
            free.append(blob)
    return free

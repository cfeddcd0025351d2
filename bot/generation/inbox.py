"""What was received, from the moment it is acknowledged until it is dealt with.

A row is committed before (or beside) the platform's acknowledgement; a repeat of its id changes nothing. The accepting
transaction closes it, or the answer that was shown does. Until then it is its owner's, the process that answers it;
what is open and nobody's any more is dispatched again.
"""

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Any

from bot.chat import Reply
from bot.i18n import Text, text
from bot.storage.connection import Connection, Row

# No platform repeats an event after so long.
KEEP_DAYS = 7
# An open row older than this is not run after a restart: its asker is told, and may ask again.
TOO_OLD = timedelta(hours=1)

# Stands in place of a generation, in an open row, before the words of what was done.
_BEGUN = "done:"
_BEFORE = text("I was restarted in between; it was done once.")


def receive(
    connection: Connection,
    invocation: str,
    adapter: str,
    raw: Mapping[str, Any],
    at: int,
    owner: str = "",
    lease: int = 0,
) -> bool:
    """Note an event, and who answers it; False if its id is known already."""
    return bool(receive_all(connection, [(invocation, adapter, raw)], at, owner, lease))


def receive_all(
    connection: Connection,
    events: Collection[tuple[str, str, Mapping[str, Any]]],
    at: int,
    owner: str = "",
    lease: int = 0,
) -> set[str]:
    """The same for several, each with its id, adapter and what came; returns the ids that were not known."""
    until = connection.now() + lease if lease else 0
    rows = [
        {
            "id": invocation,
            "adapter": adapter,
            "raw": json.dumps(raw, ensure_ascii=False),
            "at": at,
            "owner": owner,
            "until": until,
        }
        # In one order: two processes that are sent the same events would wait for each other.
        for invocation, adapter, raw in sorted(events, key=itemgetter(0))
    ]
    added = connection.execute_many(
        "INSERT INTO inbox (id, adapter, raw, state, received_at, owner, lease_until)"
        " VALUES (:id, :adapter, :raw, 'received', :at, :owner, :until) ON CONFLICT (id) DO NOTHING",
        rows,
    )
    return {str(row["id"]) for row, count in zip(rows, added, strict=True) if count}


def close(connection: Connection, invocation: str, generation: str = "") -> bool:
    """It is dealt with; False if it was before (or never came), so that nothing is done twice."""
    # IS TRUE, here and below: PostgreSQL would look for it among all that is open instead of by its id.
    closed = connection.execute(
        "UPDATE inbox SET state='done', raw='{}', generation=:generation WHERE id=:id AND (state='received') IS TRUE",
        id=invocation,
        generation=generation,
    )
    return closed == 1


def begin(connection: Connection, invocation: str) -> bool:
    """Whether what it asks for is to be done now; False where that was done before, by whoever answered it then.

    For what changes something by itself and is answered afterwards: it is called first in that very transaction, and
    `say` last. Whoever takes the same row over meanwhile waits here.
    """
    begun = connection.execute(
        "UPDATE inbox SET generation=:begun WHERE id=:id AND (state='received') IS TRUE AND generation=''",
        id=invocation,
        begun=_BEGUN,
    )
    return begun == 1


def say(connection: Connection, invocation: str, words: Text | None) -> None:
    """What is to be answered, for whoever has to answer it after a crash; None where nothing was done."""
    connection.execute(
        "UPDATE inbox SET generation=:said WHERE id=:id AND (state='received') IS TRUE",
        id=invocation,
        said=_BEGUN + json.dumps(words.to_json(), ensure_ascii=False) if words else "",
    )


def said(connection: Connection, invocation: str) -> Reply | None:
    """What was done and never answered, in the same words: whoever reads nothing, or that it was done before, would
    order it a second time. None where it was answered, or nothing was done.
    """
    row = connection.row("SELECT generation FROM inbox WHERE id=:id AND state='received'", id=invocation)
    words = str(row["generation"]).removeprefix(_BEGUN) if row else ""
    return Reply(text=Text.from_json(json.loads(words)), notes=(_BEFORE,), private=True) if words else None


def became(connection: Connection, invocation: str) -> str:
    """The generation that an event came to, "" while it is open or where it came to none."""
    row = connection.row("SELECT generation FROM inbox WHERE id=:id AND state='done'", id=invocation)
    return str(row["generation"]) if row else ""


def still_open(connection: Connection) -> list[Row]:
    return connection.rows("SELECT * FROM inbox WHERE state='received' ORDER BY received_at")


def take_over(
    connection: Connection, owner: str, lease: int, adapters: Collection[str], *, all_of_them: bool = False
) -> list[Row]:
    """Open rows of these platforms that nobody answers any more; they are this owner's now.

    all_of_them: whoever had them is gone for certain.
    """
    now = connection.now()
    left = connection.rows("SELECT id, adapter, lease_until FROM inbox WHERE state='received' ORDER BY received_at")
    taken = (
        connection.row(
            "UPDATE inbox SET owner=:owner, lease_until=:until"
            " WHERE id=:id AND (state='received') IS TRUE AND lease_until=:before RETURNING *",
            owner=owner,
            until=now + lease,
            id=row["id"],
            before=row["lease_until"],
        )
        for row in left
        if row["adapter"] in adapters and (all_of_them or row["lease_until"] < now)
    )
    return [row for row in taken if row is not None]


def renew(connection: Connection, owner: str, lease: int, invocations: Collection[str]) -> None:
    until = connection.now() + lease
    for invocation in sorted(invocations):
        connection.execute(
            "UPDATE inbox SET lease_until=:until WHERE id=:id AND owner=:owner AND (state='received') IS TRUE",
            until=until,
            id=invocation,
            owner=owner,
        )


def forget(connection: Connection, before: int) -> int:
    """Remove what is done and older than any repeat can be."""
    return connection.execute("DELETE FROM inbox WHERE state='done' AND received_at < :before", before=before)

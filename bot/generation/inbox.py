"""What was received, from the moment it is acknowledged until it is dealt with.

A row is committed before (or beside) the platform's acknowledgement; a repeat of its id changes nothing. The accepting
transaction closes it, or the answer that was shown does. What is still open at a start is dispatched again.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.storage.connection import Connection, Row

# No platform repeats an event after so long.
KEEP_DAYS = 7
# An open row older than this is not run after a restart: its asker is told, and may ask again.
TOO_OLD = timedelta(hours=1)


def receive(connection: Connection, invocation: str, adapter: str, raw: Mapping[str, Any], at: int) -> bool:
    """Note an event; False if its id is known already."""
    added = connection.execute(
        "INSERT INTO inbox (id, adapter, raw, state, received_at) VALUES (:id, :adapter, :raw, 'received', :at)"
        " ON CONFLICT (id) DO NOTHING",
        id=invocation,
        adapter=adapter,
        raw=json.dumps(raw, ensure_ascii=False),
        at=at,
    )
    return added == 1


def close(connection: Connection, invocation: str, generation: str = "") -> bool:
    """It is dealt with; False if it was before (or never came), so that nothing is done twice."""
    closed = connection.execute(
        "UPDATE inbox SET state='done', raw='{}', generation=:generation WHERE id=:id AND state='received'",
        id=invocation,
        generation=generation,
    )
    return closed == 1


def still_open(connection: Connection) -> list[Row]:
    return connection.rows("SELECT * FROM inbox WHERE state='received' ORDER BY received_at")


def forget(connection: Connection, before: int) -> int:
    """Remove what is done and older than any repeat can be."""
    return connection.execute("DELETE FROM inbox WHERE state='done' AND received_at < :before", before=before)

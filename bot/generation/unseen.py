"""Pictures that a platform's own filter lets nobody see, where they were asked for: what they took is given back."""

from datetime import timedelta

from bot import audit
from bot.audit import By
from bot.errors import NotThere, UsageError
from bot.generation.outbox import own_key
from bot.generation.record import load
from bot.quota import ledger, standing
from bot.storage.connection import Connection

# A day, for each person. The provider was paid all the same, and nobody shall have it paid without end for what they
# know will not be shown.
MOST = 3
DAY = timedelta(days=1) // timedelta(microseconds=1)
BOT = By("seedream-bot", "seedream-bot")
WHY = "the platform shows it to nobody"


def give_back(connection: Connection, generation: str, key: str, at: int) -> bool:
    """Refund it once, as an admin of its space would: pools stay spent. Returns whether its asker has it back.

    key: the posting that is not taken. Only where it was asked for nobody has seen it, if it stands nowhere else.
    """
    try:
        found = load(connection, generation, locked=True)
    except NotThere:  # it was cleaned away meanwhile
        return False
    if key != own_key(found.id) or found.deleted or found.held_back or _stands_elsewhere(connection, found.id):
        return False
    if found.given_back:
        return True
    connection.lock("unseen")  # several at once would each find that there is one to be had
    if _given(connection, found.id, at - DAY) >= MOST or _is_bound(connection, found.id):
        return False
    try:
        ledger.refund(connection, found.id, at, WHY, by_operator=False)
    except UsageError:  # nothing was charged
        return False
    audit.note(connection, found.space, BOT, f"refund {found.id}", "", WHY, at)
    return True


def _stands_elsewhere(connection: Connection, generation: str) -> bool:
    """Where its asker had it shown once more; not in rooms of others, as those that log and review."""
    rows = connection.rows(
        "SELECT key FROM postings WHERE generation=:id AND state='posted' AND key NOT LIKE :of",
        id=generation,
        of=f"{generation}:%",
    )
    return bool(rows)


def _given(connection: Connection, generation: str, since: int) -> int:
    """By accounts, not by person: those of linked ones, and of who comes back after `/forget me`, are among them.

    By what was held on them, not by what was given back to them: a grant may have paid all of it.
    """
    row = connection.row(
        "SELECT count(DISTINCT e.generation) AS n FROM holds mine JOIN holds theirs ON theirs.account=mine.account"
        " JOIN entries e ON e.generation=theirs.generation"
        " WHERE mine.generation=:id AND mine.account LIKE 'person:%'"
        " AND e.kind='refund' AND e.reason=:why AND e.at>:since",
        id=generation,
        why=WHY,
        since=since,
    )
    return int(row["n"]) if row else 0


def _is_bound(connection: Connection, generation: str) -> bool:
    """The operator has limited this very person, or given them something, so that a part of it would stay spent."""
    rows = connection.rows(
        "SELECT account, unit FROM entries WHERE generation=:id GROUP BY account, unit HAVING sum(spent)<>0",
        id=generation,
    )
    own = {(row["account"], row["unit"]) for row in rows if row["account"].startswith(("person:", "grant:"))}
    return bool(own and own & standing.operators(connection, {account for account, _ in own}))

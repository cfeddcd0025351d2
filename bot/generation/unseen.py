"""Pictures that a platform's own filter lets nobody see, where they were asked for: what they took is given back."""

from datetime import timedelta

from bot import audit
from bot.audit import By
from bot.errors import UsageError
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

    key: the posting that is not taken. Only where it was asked for nobody has seen it.
    """
    found = load(connection, generation, locked=True)
    if key != own_key(found.id) or found.deleted or found.held_back:
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


def _given(connection: Connection, generation: str, since: int) -> int:
    """By accounts, not by person: those of linked ones, and of who comes back after `/forget me`, are among them."""
    row = connection.row(
        "SELECT count(DISTINCT e.generation) AS n FROM holds h JOIN entries e ON e.account=h.account"
        " WHERE h.generation=:id AND h.account LIKE 'person:%' AND e.kind='refund' AND e.reason=:why AND e.at>:since",
        id=generation,
        why=WHY,
        since=since,
    )
    return int(row["n"]) if row else 0


def _is_bound(connection: Connection, generation: str) -> bool:
    """The operator has limited this very person, so that a part of it would stay spent."""
    rows = connection.rows("SELECT DISTINCT account FROM holds WHERE generation=:id", id=generation)
    kept = standing.operators(connection, {row["account"] for row in rows})
    return any(account.startswith("person:") for account, _ in kept)

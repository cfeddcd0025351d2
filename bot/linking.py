"""Accounts of one human on several platforms, joined by a code that one of them gives and another one types.

Nothing of the books moves: what linked accounts use and may use counts together for as long as they are linked.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bot import audit, people
from bot.audit import By
from bot.errors import BotError, NotAllowed, NotThere, UsageError
from bot.i18n import text
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.suggest import same

# No letter or digit that looks like another, in any case.
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
LENGTH = 8
LIVES = timedelta(minutes=10)
MOST_TRIES = 5
MOST_LINKED = 8  # a request draws on every one of them
WRONG = "link refused"

persons_of = people.persons_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What came of a code: everybody who belongs together now, or why it was refused."""

    persons: tuple[str, ...] = ()
    refused: BotError | None = None


def new_code(connection: Connection, person: str, at: int) -> str:
    """A code that links another account with this one, once and for ten minutes. The one before counts no more."""
    connection.lock("linking")
    _check_known(connection, person)
    _check_room(persons_of(connection, person))
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    connection.execute("DELETE FROM link_codes WHERE person=:person OR expires_at<:old", person=person, old=at - _LIVES)
    connection.execute(
        "INSERT INTO link_codes (digest, person, expires_at, used_at) VALUES (:digest, :person, :until, 0)",
        digest=_digest(code),
        person=person,
        until=at + _LIVES,
    )
    return code


def link(connection: Connection, code: str, person: str, at: int, by: By) -> Linked:
    """Join this account, and those that are linked with it, with the one that gave the code, and its.

    A refusal is returned, not raised: wrong tries must be counted, and an exception would take that back.
    """
    connection.lock("linking")  # also from the other side, and whoever leaves
    try:
        _check_known(connection, person)
        _check_tries(connection, person, at)
        return Linked(persons=_link(connection, code, person, at, by))
    except NotThere as wrong:
        audit.note(connection, "", by, WRONG, None, None, at)
        return Linked(refused=wrong)
    except BotError as refused:
        return Linked(refused=refused)


async def use_code(database: Database, code: str, person: str, at: int, by: By) -> tuple[str, ...]:
    """`link` in a transaction of its own; raises the refusal."""
    linked = await database.transaction(link, code, person, at, by)
    if linked.refused:
        raise linked.refused
    return linked.persons


def unlink(connection: Connection, person: str, at: int, by: By) -> tuple[str, ...]:
    """Part this account from all others; returns these. They stay linked with each other. Raises `UsageError`."""
    connection.lock("linking")
    before = persons_of(connection, person)
    others = tuple(each for each in before if each != person)
    if not others:
        raise UsageError(text("This account is not linked with another one. /link begins it."))
    _join(connection, (person,), "")
    if len(others) == 1:
        _join(connection, others, "")
    connection.execute("DELETE FROM link_codes WHERE person=:person", person=person)
    audit.note(connection, "", by, "unlink", list(before), list(others), at)
    return others


def names(connection: Connection, persons: Iterable[str], *, but: str) -> list[str]:
    """What all but one of these accounts are called, each with its platform: whoever was talked into typing a code of
    somebody else's sees whose it was.
    """
    found = []
    for person in sorted(set(persons) - {but}):
        row = connection.row(
            "SELECT p.name, a.adapter FROM people p JOIN actors a ON a.person=p.id WHERE p.id=:id", id=person
        )
        found += [f"{row['name']} ({row['adapter']})"] if row else []
    return found


_LIVES = LIVES // timedelta(microseconds=1)


def _link(connection: Connection, code: str, person: str, at: int, by: By) -> tuple[str, ...]:
    """Raises `NotThere` for what was a wrong try, other `BotError`s for what was none."""
    row = connection.row("SELECT * FROM link_codes WHERE digest=:digest", digest=_digest(code))
    if row is None:
        raise NotThere(text("I do not know this code. Codes work once, for ten minutes: /link gives a new one."))
    if row["used_at"]:
        raise NotThere(text("This code was used already. /link on the other side gives a new one."))
    if row["expires_at"] <= at:
        raise NotThere(text("This code has expired. /link on the other side gives a new one."))
    if row["person"] == person:
        raise UsageError(text("This is your own code: type it on the other platform, as the account to be linked."))
    mine, theirs = persons_of(connection, person), persons_of(connection, row["person"])
    if row["person"] in mine:
        raise UsageError(text("These accounts are linked already."))
    together = tuple(sorted({*mine, *theirs}))
    _check_room(together[:-1])
    connection.execute("UPDATE link_codes SET used_at=:at WHERE digest=:digest", at=at, digest=row["digest"])
    _join(connection, together, secrets.token_hex(6))
    audit.note(connection, "", by, "link", list(mine), list(together), at)
    return together


def _check_known(connection: Connection, person: str) -> None:
    """Whoever was forgotten meanwhile is nobody to be linked with."""
    if connection.row("SELECT 1 AS one FROM people WHERE id=:id", id=person) is None:
        raise UsageError(text("This account was just forgotten. Please ask again."))


def _check_tries(connection: Connection, person: str, at: int) -> None:
    row = connection.row(
        "SELECT count(*) AS n FROM audit WHERE at>:since AND person=:person AND what=:what",
        since=at - _LIVES,
        person=person,
        what=WRONG,
    )
    if row and row["n"] >= MOST_TRIES:
        raise NotAllowed(text("Too many wrong codes. Please wait ten minutes, then take a new code."))


def _check_room(persons: tuple[str, ...]) -> None:
    """Raises where one more account is too many."""
    if len(persons) >= MOST_LINKED:
        raise UsageError(text("No more than {most} accounts can be linked; /unlink parts one.", most=MOST_LINKED))


def _join(connection: Connection, persons: Iterable[str], group: str) -> None:
    for person in sorted(persons):
        connection.execute("UPDATE people SET linked=:linked WHERE id=:id", linked=group, id=person)


def _digest(code: str) -> str:
    """Of the code as it was meant: in any case, with spaces or dashes between its letters."""
    meant = "".join(letter for letter in same(code[:100]) if letter.isalnum())
    return hashlib.sha256(meant.encode()).hexdigest()

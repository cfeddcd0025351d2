"""Accounts of one human on several platforms, joined by a code that one of them gives and another one types, once this
one has read whose they are and said yes.

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
from bot.storage.connection import Connection, Row
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
class Named:
    """An account. name: in quotes, since anybody may be called what would read as a part of the words around it."""

    person: str
    adapter: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What came of typing a code: who would belong together, and until when, or why it was refused.

    seal: by which `join` knows this code and these accounts; the code cannot be read from it.
    """

    seal: str = ""
    persons: tuple[str, ...] = ()
    until: int = 0
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


def type_code(connection: Connection, code: str, person: str, at: int, by: By) -> Typed:
    """Note who has typed a code, and tell whom it would join; nobody is joined before `join`.

    A refusal is returned, not raised: wrong tries must be counted, and an exception would take that back.
    """
    connection.lock("linking")  # also from the other side, and whoever leaves
    try:
        _check_known(connection, person)
        _check_tries(connection, person, at)
        return _typed(connection, code, person, at)
    except NotThere as wrong:
        audit.note(connection, "", by, WRONG, None, None, at)
        return Typed(refused=wrong)
    except BotError as refused:
        return Typed(refused=refused)


def join(connection: Connection, person: str, seal: str, at: int, by: By) -> tuple[str, ...]:
    """Join the accounts that a code was said to join when this person typed it, and no others; returns them all.

    Raises `BotError` where anything has changed since.
    """
    connection.lock("linking")
    _check_known(connection, person)
    mine = persons_of(connection, person)
    typed = connection.rows("SELECT * FROM link_codes WHERE typed_by=:person ORDER BY expires_at", person=person)
    for row in typed:
        together = _together(connection, mine, row)
        if seal == _seal(row, together):
            break
    else:
        raise UsageError(
            text(
                "This no longer holds: you said no, who is linked has changed since, or somebody else has typed the"
                " code, too. /link on the other side gives a new one."
            )
        )
    if row["person"] in mine:
        raise UsageError(text("These accounts are linked already."))
    _check_good(row, at)
    connection.execute("UPDATE link_codes SET used_at=:at WHERE digest=:digest", at=at, digest=row["digest"])
    _join(connection, together, secrets.token_hex(6))
    audit.note(connection, "", by, "link", list(mine), list(together), at)
    return together


def decline(connection: Connection, person: str, seal: str) -> None:
    """Void the code about which this person was asked, if there is one: it joins nobody any more, whoever types it.

    Raises `UsageError` where it has joined them.
    """
    connection.lock("linking")
    row = _asked_about(connection, person, seal)
    if row and row["used_at"] and row["person"] in persons_of(connection, person):
        raise UsageError(text("These accounts are linked already."))
    if row:
        connection.execute("DELETE FROM link_codes WHERE digest=:digest AND used_at=0", digest=row["digest"])


def is_seal(token: str) -> bool:
    """Whether it is that of a question about a code, by its shape."""
    return len(token) == 2 * _SEALED


def giver(connection: Connection, person: str, seal: str) -> str:
    """Who was given the code about which this person was asked, "" where there is none any more."""
    connection.lock("linking")
    row = _asked_about(connection, person, seal)
    return str(row["person"]) if row else ""


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


def names(connection: Connection, persons: Iterable[str], *, but: Iterable[str]) -> list[str]:
    """What all but some of these accounts are called, each with its platform: whoever was talked into typing a code of
    somebody else's sees whose it is.
    """
    return [f"{each.name} ({each.adapter})" for each in named(connection, set(persons) - set(but))]


def named(connection: Connection, persons: Iterable[str]) -> list[Named]:
    """These accounts, but for those that are gone."""
    found = []
    for person in sorted(persons):
        row = connection.row(
            "SELECT p.name, a.adapter FROM people p JOIN actors a ON a.person=p.id WHERE p.id=:id", id=person
        )
        if row:
            name = f"“{row['name'].translate(_NO_QUOTES)}”"
            found.append(Named(person=person, adapter=row["adapter"], name=name))
    return found


_LIVES = LIVES // timedelta(microseconds=1)
_SEALED = 16  # letters of each half of a seal
_NO_QUOTES = dict.fromkeys(map(ord, "“”"))


def _typed(connection: Connection, code: str, person: str, at: int) -> Typed:
    """Raises `NotThere` for what was a wrong try, other `BotError`s for what was none."""
    row = connection.row("SELECT * FROM link_codes WHERE digest=:digest", digest=_digest(code))
    if row is None:
        raise NotThere(text("I do not know this code. Codes work once, for ten minutes: /link gives a new one."))
    _check_good(row, at)
    if row["person"] == person:
        raise UsageError(text("This is your own code: type it on the other platform, as the account to be linked."))
    mine = persons_of(connection, person)
    if row["person"] in mine:
        raise UsageError(text("These accounts are linked already."))
    if row["typed_by"] not in ("", *mine):
        # One of the two is not who it was given to. Which one, nobody can tell, so it is good for neither.
        connection.execute("DELETE FROM link_codes WHERE digest=:digest", digest=row["digest"])
        raise NotThere(
            text("Somebody else has typed this code, too, so it links nobody. /link on the other side gives a new one.")
        )
    together = _together(connection, mine, row)
    _check_room(together[:-1])
    connection.execute(
        "UPDATE link_codes SET typed_by=:person WHERE digest=:digest", person=person, digest=row["digest"]
    )
    return Typed(seal=_seal(row, together), persons=together, until=row["expires_at"])


def _asked_about(connection: Connection, person: str, seal: str) -> Row | None:
    """Also where others were linked meanwhile: if these part again, the question holds as it was put; and where another
    account of the same human has typed the code since.
    """
    for mine in persons_of(connection, person):
        for row in connection.rows("SELECT * FROM link_codes WHERE typed_by=:person", person=mine):
            if seal.startswith(_which(row)):
                return row
    return None


def _check_good(row: Row, at: int) -> None:
    if row["used_at"]:
        raise NotThere(text("This code was used already. /link on the other side gives a new one."))
    if row["expires_at"] <= at:
        raise NotThere(text("This code has expired. /link on the other side gives a new one."))


def _together(connection: Connection, mine: tuple[str, ...], code: Row) -> tuple[str, ...]:
    return tuple(sorted({*mine, *persons_of(connection, code["person"])}))


def _seal(code: Row, together: Iterable[str]) -> str:
    return _which(code) + _short(" ".join(together))


def _which(code: Row) -> str:
    """Nothing of the code is in it: whoever gave it has one at a time, so the end of its time says which it is."""
    return _short(f"{code['person']} {code['expires_at']}")


def _short(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:_SEALED]


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

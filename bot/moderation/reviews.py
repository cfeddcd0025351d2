"""Results that an admin looks at before anybody else does. Functions for transactions.

What is reviewed is made and charged as always. Its pictures are held back from the moment it is accepted (`due`), the
review room is asked once they are there (`waiting`), and whoever presses first decides. Rows are taken in the order
generation, review, postings, as whoever ends a generation takes them.
"""

from dataclasses import dataclass

from bot import audit
from bot.audit import By
from bot.chat import Reply
from bot.errors import NotAllowed, NotThere, UsageError
from bot.generation.accepting import want_post
from bot.generation.outbox import want_log, want_review
from bot.generation.presenting import to_review
from bot.generation.record import Generation, load, note
from bot.i18n import text
from bot.people import Person
from bot.quota import ledger
from bot.rights import Deed, who_is
from bot.spaces import SpaceRules, rules_of
from bot.storage.connection import Connection

WHY = "refused by an admin"  # of a refund; the audit keeps it


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """state: "approved", "refused" or "released". by: the admin's name. first: it is this very press that decided."""

    generation: Generation
    state: str
    by: str
    first: bool


def decide(connection: Connection, generation: str, state: str, person: Person, at: int) -> Decision:
    """Approve or refuse, unless somebody did before. A press that a crash interrupted is told the same again.

    Raises `NotAllowed` for whoever is no admin where it was made, `UsageError` where nobody waits for that.
    """
    found = load(connection, generation, locked=True)
    check_reviewer(found, person)
    row = connection.lock_row("SELECT * FROM reviews WHERE generation=:id", id=found.id)
    if found.deleted:
        raise NotThere(text("{id} was deleted.", id=found.id))
    if row is None or row["state"] == "due":
        raise UsageError(text("{id} waits for no review.", id=found.id))
    if row["state"] != "waiting":
        mine = row["by"] == person.id and row["state"] == state
        return Decision(generation=found, state=row["state"], by=row["by_name"], first=mine)
    connection.execute(
        "UPDATE reviews SET state=:state, by=:by, by_name=:name, at=:at WHERE generation=:id",
        state=state,
        by=person.id,
        name=person.name,
        at=at,
        id=found.id,
    )
    audit.note(connection, found.space, By(person.id, person.name), f"review {found.id}", "waiting", state, at)
    _told(connection, found.id, state, at, log=rules_of(connection, found.space).log)
    return Decision(generation=load(connection, found.id), state=state, by=person.name, first=True)


def give_back(connection: Connection, generation: str, person: Person, at: int, zone: str) -> Generation:
    """Refund what was refused, once; raises `UsageError` for what was not. zone: as `ledger.refund` takes it."""
    found = load(connection, generation, locked=True)
    check_reviewer(found, person)
    if found.given_back:  # pressed twice, or a crash came before its answer
        return found
    if found.review != "refused":
        raise UsageError(text("{id} was not refused, so its quota stays counted.", id=found.id))
    ledger.refund(connection, found.id, at, WHY, zone=zone, by_operator=person.everywhere)
    audit.note(connection, found.space, By(person.id, person.name), f"refund {found.id}", "", WHY, at)
    want_post(connection, found.id)
    return found


def follow(connection: Connection, space: str, before: SpaceRules, after: SpaceRules, by: By, at: int) -> None:
    """What waits goes with the rules: into another room, or to those who asked once nobody reviews any more."""
    if before.review == after.review:
        return
    if after.review:
        _move(connection, space, after.review)
        return
    released = "UPDATE reviews SET state='released', by=:by, by_name=:name, at=:at WHERE space=:space"
    who = {"space": space, "by": by.id, "name": by.name, "at": at}
    connection.execute(f"{released} AND state='due'", **who)  # they have shown nothing that could change
    rows = connection.rows(f"{released} AND state='waiting' RETURNING generation", **who)
    for row in sorted(rows, key=lambda each: str(each["generation"])):
        _told(connection, row["generation"], "released", at, log=after.log)


def reviewed(connection: Connection, generation: str) -> Reply:
    """What stands in the review room."""
    found = load(connection, generation)
    row = connection.row("SELECT by_name FROM reviews WHERE generation=:id", id=found.id)
    language = rules_of(connection, found.space).language or found.language
    return to_review(found, row["by_name"] if row else "", given_back=found.given_back, language=language)


def waiting(connection: Connection, space: str) -> tuple[int, bool]:
    """How many results wait in a space, and whether one of them could not be posted for review."""
    waits = "r.space=:space AND r.state='waiting' AND g.deleted_at=0"
    row = connection.row(
        f"SELECT count(*) AS n FROM reviews r JOIN generations g ON g.id=r.generation WHERE {waits}", space=space
    )
    lost = connection.row(
        "SELECT 1 AS one FROM reviews r JOIN postings p ON p.key=r.generation||':review:'||r.room"
        f" JOIN generations g ON g.id=r.generation WHERE {waits} AND p.state='kept'",
        space=space,
    )
    return (row["n"] if row else 0), lost is not None


def check_reviewer(generation: Generation, person: Person) -> None:
    if not who_is(person).may(Deed.RULES, generation.space):
        raise NotAllowed(text("Only an admin of the space where it was asked for decides that."))


def check_shown(generation: Generation) -> None:
    """Raises `NotAllowed` for what nobody is to see, or not yet."""
    match generation.review:
        case "waiting":
            raise NotAllowed(text("{id} waits until an admin has looked at it.", id=generation.id))
        case "refused":
            raise NotAllowed(text("{id} is not shown: an admin has refused it.", id=generation.id))


def _move(connection: Connection, space: str, room: str) -> None:
    rows = connection.rows(
        "UPDATE reviews SET room=:room WHERE space=:space AND state='waiting' AND room<>:room RETURNING generation",
        space=space,
        room=room,
    )
    for row in sorted(rows, key=lambda each: str(each["generation"])):
        want_review(connection, row["generation"], room)


def _told(connection: Connection, generation: str, state: str, at: int, *, log: str) -> None:
    """Everybody who was shown something of it is shown what it came to."""
    note(connection, generation, f"review {state}", at)
    want_post(connection, generation)
    row = connection.row("SELECT private FROM generations WHERE id=:id", id=generation)
    if row and not row["private"]:
        want_log(connection, generation, log)

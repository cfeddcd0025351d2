"""Taking a request on: what one transaction must do so that it is either kept or never was.

Functions here run inside `Database.transaction`. If any limit is short nothing is written and the refusal names it.
"""

import json
from dataclasses import asdict, dataclass, replace

from bot.chat import Place
from bot.errors import NotAllowed, Unavailable, UsageError
from bot.generation import inbox
from bot.generation.outbox import own_key
from bot.generation.record import Generation, load, new_id, note, write_place
from bot.generation.states import IN_FLIGHT, PostingState, State, listed
from bot.i18n import Text, text
from bot.people import Person
from bot.quota import ledger
from bot.quota.ledger import Rules
from bot.quota.limits import accounts_of
from bot.request import ImageRequest, Reference
from bot.storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid request that waits to be accepted. price: micro-USD that all of it costs at most.

    others: pictures of the quoted message that could have been meant instead; `index` is their place in it.
    """

    invocation: str
    person: Person
    place: Place
    language: str
    request: ImageRequest
    price: int
    ask: bool = False
    parent: str = ""
    parent_index: int = 0
    others: tuple[Reference, ...] = ()
    notes: tuple[Text, ...] = ()
    private: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation stands for the invocation now; its posting says the rest."""

    generation: str
    state: State


def accept(connection: Connection, draft: Draft, rules: Rules, *, most_waiting: int) -> Accepted | None:
    """Close the inbox row, take the holds, store the generation; None if this invocation was dealt with before.

    Raises `QuotaExceeded` and `Unavailable`; then nothing of it happened.
    """
    generation = new_id()
    if not inbox.close(connection, draft.invocation, generation):
        return None
    state = State.ASKED if draft.ask else State.QUEUED
    if state is State.QUEUED:
        _check_room(connection, most_waiting)
        _hold(connection, generation, draft.person.id, draft.person.space, draft.request, draft.price, rules)
    _store(connection, generation, state, draft, rules.at)
    return Accepted(generation, state)


def go(
    connection: Connection, generation: str, invocation: str, person: Person, rules: Rules, *, most_waiting: int
) -> Accepted | None:
    """The asker says yes to the price: the holds are taken now. None for a repeated press."""
    asked = load(connection, generation, locked=True)
    own(asked, person)
    if not inbox.close(connection, invocation, generation):
        return None
    if asked.state is not State.ASKED:
        raise UsageError(text("This question was answered before."))
    _check_room(connection, most_waiting)
    _hold(connection, asked.id, asked.person, asked.space, asked.request, asked.price, rules)
    connection.execute(
        "UPDATE generations SET state='queued', created_at=:at WHERE id=:id AND state='asked'", id=asked.id, at=rules.at
    )
    note(connection, asked.id, "accepted", rules.at)
    want_post(connection, asked.id)
    return Accepted(asked.id, State.QUEUED)


def cancel(connection: Connection, generation: str, person: Person, at: int) -> Generation:
    """Stop it: at once and free while it waits; what runs is marked, and its runner drops what was not yet sent.

    Returns the generation as it was before. Raises `NotAllowed`, `NotThere`, `UsageError` when it has ended.
    What was taken out of the line is so again: an asking that a crash interrupted is told the same the second time.
    """
    before = load(connection, generation, locked=True)
    own(before, person)
    if before.state is State.CANCELLED and not before.started_at:
        return replace(before, state=State.QUEUED)
    waiting = connection.execute(
        "UPDATE generations SET state='cancelled', cancelled=1, finished_at=:at"
        " WHERE id=:id AND state IN ('asked', 'queued')"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE generation=:id AND state<>'ready')",
        id=before.id,
        at=at,
    )
    if waiting:
        ledger.release(connection, before.id, at, reason="cancelled")
        connection.execute("UPDATE jobs SET state='dropped' WHERE generation=:id AND state='ready'", id=before.id)
        note(connection, before.id, "cancelled", at)
        want_post(connection, before.id)
        return before
    # One that waits again although a part of it was paid for is marked, too: its turn settles what came.
    marked = connection.execute(
        f"UPDATE generations SET cancelled=1, run_after=0 WHERE id=:id AND state IN ('queued', {listed(IN_FLIGHT)})",
        id=before.id,
    )
    if not marked:
        raise UsageError(text("{id} has ended already; there is nothing to cancel.", id=before.id))
    note(connection, before.id, "cancel asked", at)
    return replace(before, state=State.RUNNING) if before.state is State.QUEUED else before


def expire_questions(connection: Connection, before: int, at: int) -> list[str]:
    """End price questions that nobody answered; nothing was held for them."""
    rows = connection.rows(
        "UPDATE generations SET state='cancelled', finished_at=:at WHERE state='asked' AND created_at<:before"
        " RETURNING id",
        at=at,
        before=before,
    )
    for row in rows:
        note(connection, row["id"], "cancelled", at)
        want_post(connection, row["id"])
    return [row["id"] for row in rows]


def want_post(connection: Connection, generation: str) -> None:
    """There is something new to show: delivery posts it, once, whatever happens meanwhile."""
    connection.execute(
        "UPDATE postings SET wanted=wanted+1, state='to post', next_at=0, tries=0 WHERE generation=:generation",
        generation=generation,
    )


def own(generation: Generation, person: Person) -> None:
    """Raises `NotAllowed` unless it is this person's, or the person is an admin where it was made."""
    if generation.person != person.id and not person.rules(generation.space):
        raise NotAllowed(
            text(
                "{id} belongs to {name}; only they or an admin may do that.",
                id=generation.id,
                name=generation.person_name,
            )
        )


def _check_room(connection: Connection, most_waiting: int) -> None:
    connection.lock("line")  # who counts at the same time would find the same last place free
    row = connection.row("SELECT count(*) AS n FROM generations WHERE state='queued'")
    if row and row["n"] >= most_waiting:
        raise Unavailable(
            text("{count} requests are waiting already; please try again in a few minutes.", count=row["n"])
        )


def _hold(
    connection: Connection, generation: str, person: str, space: str, request: ImageRequest, price: int, rules: Rules
) -> None:
    ledger.hold(connection, generation, accounts_of(person, space), {"images": request.count, "usd": price}, rules)


def _store(connection: Connection, generation: str, state: State, draft: Draft, at: int) -> None:
    request = draft.request
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " providers, model, count, price, parent, parent_index, others, notes, private, state, priority, created_at)"
        " VALUES (:id, :invocation, :person, :name, :space, :adapter, :language, :request, :provider, :providers,"
        " :model, :count, :price, :parent, :parent_index, :others, :notes, :private, :state, :priority, :at)",
        id=generation,
        invocation=draft.invocation,
        person=draft.person.id,
        name=draft.person.name,
        space=draft.person.space,
        adapter=draft.place.adapter,
        language=draft.language,
        request=json.dumps(request.to_json(), ensure_ascii=False),
        provider=request.provider,
        providers=" ".join(request.providers),
        model=request.model,
        count=request.count,
        price=draft.price,
        parent=draft.parent,
        parent_index=draft.parent_index,
        others=json.dumps([asdict(each) for each in draft.others]),
        notes=json.dumps([each.to_json() for each in draft.notes], ensure_ascii=False),
        private=int(draft.private),
        state=state,
        priority=draft.priority,
        at=at,
    )
    jobs = [{"generation": generation, "number": number} for number in range(request.jobs)]
    connection.execute_many("INSERT INTO jobs (generation, number, state) VALUES (:generation, :number, 'ready')", jobs)
    connection.execute(
        "INSERT INTO postings (key, generation, adapter, place, state, wanted)"
        " VALUES (:key, :generation, :adapter, :place, :state, 1)",
        key=own_key(generation),
        generation=generation,
        adapter=draft.place.adapter,
        place=write_place(draft.place),
        state=PostingState.TO_POST,
    )
    note(connection, generation, "asked" if state is State.ASKED else "accepted", at)

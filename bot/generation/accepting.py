"""Taking a request on: what one transaction must do so that it is either kept or never was.

Functions here run inside `Database.transaction`. If any limit is short nothing is written and the refusal names it.
"""

import json
from dataclasses import asdict, dataclass, replace

from bot import audit
from bot.audit import By
from bot.chat import Place
from bot.errors import NotAllowed, Unavailable, UsageError
from bot.generation import inbox
from bot.generation.outbox import own_key, review_due
from bot.generation.record import Generation, load, new_id, note, write_place
from bot.generation.states import IN_FLIGHT, PostingState, State, listed
from bot.i18n import Text, text
from bot.people import Person
from bot.quota import ledger, standing, tiers
from bot.quota.standing import Payer, Rules, Standing
from bot.quota.tiers import Asked
from bot.request import ImageRequest, Reference
from bot.spaces import SpaceRules, check_same
from bot.storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid request that waits to be accepted. price: micro-USD that all of it costs at most. review: an admin is to
    look at its pictures before they are shown. payer: who pays; None for the person alone, for no team. rules: those of
    the space, by which it was checked; None where nothing was.

    others: pictures of the quoted message that could have been meant instead; `index` is their place in it. top: the
    model's largest size, "" where nobody is to be offered that.
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
    review: bool = False
    payer: Payer | None = None
    rules: SpaceRules | None = None
    top: str = ""

    @property
    def paid_by(self) -> Payer:
        return self.payer or payer_of(self.person)


def payer_of(person: Person, team: str = "") -> Payer:
    """Somebody who asks now, for a team (its id) or for themselves."""
    return Payer(person=person.id, space=person.space, persons=person.persons, team=team, roles=person.roles)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation stands for the invocation now; its posting says the rest."""

    generation: str
    state: State


def accept(connection: Connection, draft: Draft, rules: Rules, *, most_waiting: int) -> Accepted | None:
    """Close the inbox row, take the holds, store the generation; None if this invocation was dealt with before.

    Raises `QuotaExceeded`, `NotAllowed`, `RulesChanged` and `Unavailable`; then nothing of it happened.
    """
    generation = new_id()
    if not inbox.close(connection, draft.invocation, generation):
        return None
    state = State.ASKED if draft.ask else State.QUEUED
    _check_room(connection, draft.person.id, most_waiting if state is State.QUEUED else None)
    payer = _standing(connection, draft.paid_by, draft.request, rules, draft.rules)
    if state is State.QUEUED:
        _hold(connection, generation, payer, draft.request, draft.price, rules)
    _store(connection, generation, state, draft, payer, rules.at)
    return Accepted(generation, state)


def go(
    connection: Connection,
    generation: str,
    invocation: str,
    person: Person,
    rules: Rules,
    *,
    most_waiting: int,
    checked: SpaceRules | None = None,
) -> Accepted | None:
    """The asker says yes to the price: the holds are taken now. None for a repeated press.

    The team that pays is the one of the question; an admin who answers for somebody lends them no roles. checked: the
    rules of its space, by which it was checked once more.
    """
    asked = load(connection, generation, locked=True)
    own(asked, person)
    if not inbox.close(connection, invocation, generation):
        return None
    if asked.state is not State.ASKED:
        raise UsageError(text("This question was answered before."))
    _check_room(connection, asked.person, most_waiting)
    roles = person.roles if person.owns(asked) and person.space == asked.space else ()
    payer = Payer(person=asked.person, space=asked.space, team=asked.team, roles=roles)
    stands = _standing(connection, payer, asked.request, rules, checked)
    _hold(connection, asked.id, stands, asked.request, asked.price, rules)
    connection.execute(
        "UPDATE generations SET state='queued', created_at=:at, in_flight=:in_flight WHERE id=:id AND state='asked'",
        id=asked.id,
        at=rules.at,
        in_flight=stands.in_flight,
    )
    note(connection, asked.id, "accepted", rules.at)
    want_post(connection, asked.id)
    return Accepted(asked.id, State.QUEUED)


def cancel(connection: Connection, generation: str, person: Person, at: int) -> Generation:
    """Stop it: at once and free while it waits; what runs is marked, and its runner drops what was not yet sent.
    Whoever stops what somebody else asked for is on record.

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
        _audit_cancel(connection, before, person, "cancelled", at)
        return before
    # One that waits again although a part of it was paid for is marked, too: its turn settles what came.
    marked = connection.execute(
        f"UPDATE generations SET cancelled=1, run_after=0 WHERE id=:id AND state IN ('queued', {listed(IN_FLIGHT)})",
        id=before.id,
    )
    if not marked:
        raise UsageError(text("{id} has ended already; there is nothing to cancel.", id=before.id))
    note(connection, before.id, "cancel asked", at)
    if not before.cancelled:
        _audit_cancel(connection, before, person, "cancel asked", at)
    return replace(before, state=State.RUNNING) if before.state is State.QUEUED else before


def _audit_cancel(connection: Connection, before: Generation, person: Person, how: str, at: int) -> None:
    if not person.owns(before):
        by = By(person.id, person.name)
        audit.note(connection, before.space, by, f"cancel {before.id}", str(before.state), how, at)


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
    if not person.owns(generation) and not person.rules(generation.space):
        raise NotAllowed(
            text(
                "{id} belongs to {name}; only they or an admin may do that.",
                id=generation.id,
                name=generation.person_name,
            )
        )


def _check_room(connection: Connection, person: str, most_waiting: int | None) -> None:
    """most_waiting: None where it does not wait in the line yet."""
    connection.lock("line")  # who counts at the same time would find the same last place free; nor is anybody forgotten
    row = connection.row(
        "SELECT count(*) AS n, (SELECT count(*) FROM people WHERE id=:person) AS known"
        " FROM generations WHERE state='queued'",
        person=person,
    )
    if row and not row["known"]:
        raise UsageError(text("This account was just forgotten. Please ask again."))
    if row and most_waiting is not None and row["n"] >= most_waiting:
        raise Unavailable(
            text("{count} requests are waiting already; please try again in a few minutes.", count=row["n"])
        )


def _standing(
    connection: Connection, payer: Payer, request: ImageRequest, rules: Rules, checked: SpaceRules | None
) -> Standing:
    """Raises `NotAllowed` for what the payer's tiers do not include, `RulesChanged` where it has to be checked anew."""
    found = standing.of(connection, payer, rules)
    if checked is not None:
        check_same(found.space_rules, checked)
    given = len(request.references)
    asked = Asked(model=request.model, size=request.size, references=given, pictures=request.count)
    standing.check(connection, found, asked, rules)
    return found


def _hold(
    connection: Connection, generation: str, payer: Standing, request: ImageRequest, price: int, rules: Rules
) -> None:
    ledger.take(connection, generation, payer, {"images": request.count, "usd": price}, rules)


def _store(connection: Connection, generation: str, state: State, draft: Draft, payer: Standing, at: int) -> None:
    request = draft.request
    # The roles by which somebody has a tier are known only while they ask.
    grows = tiers.allows(payer.tiers, Asked(model=request.model, size=draft.top, references=1))
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " providers, model, count, price, parent, parent_index, others, notes, private, state, priority, created_at,"
        " team, in_flight, grows)"
        " VALUES (:id, :invocation, :person, :name, :space, :adapter, :language, :request, :provider, :providers,"
        " :model, :count, :price, :parent, :parent_index, :others, :notes, :private, :state, :priority, :at,"
        " :team, :in_flight, :grows)",
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
        priority=max(draft.priority, payer.priority),
        at=at,
        team=payer.payer.team,
        in_flight=payer.in_flight,
        grows=int(grows),
    )
    if draft.review:
        review_due(connection, generation, draft.person.space)
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

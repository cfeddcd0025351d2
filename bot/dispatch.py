"""The one door: every platform's invocation comes through here, and every answer is shown through here.

A person's mistake becomes a private reply in that person's language; anything unforeseen becomes a reference number,
shown to the person and written into the log beside the traceback.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, repeat
from time import monotonic
from typing import Any, Self

import structlog

from bot import people, teams
from bot.asking import PLAIN_PRESSES, Answer, Asking, Presses, Quote
from bot.chat import Actor, Button, Invocation, Post, Reply, Tone
from bot.clock import micros
from bot.command import Command, CommandTable, Option
from bot.errors import BotError
from bot.generation import inbox, outbox, record, unseen
from bot.generation.accepting import Accepted
from bot.generation.delivery import Delivery
from bot.generation.insisting import insist
from bot.generation.queue import LEASE
from bot.i18n import plural, text
from bot.people import Person, Preferences, space_of
from bot.reading import Reading
from bot.spaces import RulesChanged, Spaces
from bot.storage.connection import Connection, Row
from bot.storage.database import Database
from bot.teams import Memberships, Team

log = structlog.get_logger(__name__)

Complete = Callable[[Invocation], Awaitable[Invocation]]

NoAdmin = Callable[[Connection, str, str, int], None]
"""Given a person who is no admin of a space (any more), the space and when: ends what they opened as one."""

# Seconds after which an answer that could not be stored is stored again; the last one for ever.
SHOW_AGAIN = (1.0, 2.0, 5.0, 15.0, 60.0)

# Seconds between two looks at what other processes have left open.
LOOK_AGAIN = 2.0

# Seconds that a database which broke off has to come back and say what it has kept.
TO_KNOW = 10.0

# How often rules may change while one and the same request is checked by them.
CHANGES = 3

# A picture's id, perhaps with the number of one of several, before the words: `k3f9w2ab:1 make it night`.
HANDLE = re.compile(r"#?(?P<id>[0-9a-hjkmnp-tv-z]{8})(?::(?P<index>\d{1,3}))?(?:\s+|$)")
MOST_OFFERED = 5
CROWD = 5  # events in one step of the loop, behind which more are expected
TOGETHER = 0.005  # seconds for which these are then gathered: far less than platforms wait


@dataclass(frozen=True, slots=True)
class _Note:
    """An event on its way into the database. new: what its acceptor waits for."""

    invocation: Invocation
    raw: Mapping[str, Any]
    complete: Complete | None
    new: asyncio.Future[bool]


@dataclass(kw_only=True)
class Dispatcher:
    """Use as an asynchronous context manager: what is being answered is finished before it is left.

    admins: people who are admins in every space, as `adapter/user`. owner: this process, by its id. hears: the
    platforms whose events are answered here, if not all of them.
    """

    database: Database
    table: CommandTable
    presses: Presses
    spaces: Spaces
    preferences: Preferences
    delivery: Delivery
    clock: Callable[[], datetime]
    memberships: Memberships | None = None
    language: str = "en"
    admins: Collection[str] = ()
    owner: str = ""
    lease: int = LEASE
    hears: Collection[str] | None = None
    no_admin: NoAdmin | None = None
    _tasks: dict[str, asyncio.Task[Answer]] = field(default_factory=dict)
    _notes: list[_Note] = field(default_factory=list, init=False)
    _noting: set[asyncio.Task[None]] = field(default_factory=set)
    _crowded_until: float = 0.0
    _keeping: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._memberships = self.memberships or Memberships(self.database)
        self._reading = Reading(
            table=self.table,
            presses=self.presses,
            spaces=self.spaces,
            preferences=self.preferences,
            memberships=self._memberships,
            language=self.language,
        )

    async def __aenter__(self) -> Self:
        if self.database.shared and (self.hears is None or self.hears):
            self._keeping = asyncio.create_task(self._keep_open())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._noting:
            await asyncio.wait(self._noting, timeout=10)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=10)
        left: list[asyncio.Task[Any]] = [*self._tasks.values(), *([self._keeping] if self._keeping else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any], complete: Complete | None = None) -> bool:
        """Note the event durably, then answer it in the background. False if its id is known already.

        Once this returns the platform may be told that the event has arrived.
        complete: puts in what has to be asked for first, as a person's name; it may take its time, and never raises
        but `BotError`.
        """
        note = _Note(invocation, raw, complete, asyncio.get_running_loop().create_future())
        self._notes.append(note)
        if len(self._notes) == 1:
            # It has the notes for itself: whoever gives up waiting must leave none behind without an answer.
            noting = asyncio.create_task(self._note_together(), name="noting")
            self._noting.add(noting)
            noting.add_done_callback(self._noting.discard)
        return await note.new

    async def _note_together(self) -> None:
        """What comes close together is noted in one transaction, which is cheaper than one each.

        Where several came in one step of the loop more are on their way, and the next ones are waited for.
        """
        loop = asyncio.get_running_loop()
        try:
            if self._crowded_until > loop.time():
                await asyncio.sleep(self._crowded_until - loop.time())
        except asyncio.CancelledError:
            for note in self._notes:
                note.new.cancel()
            raise
        finally:  # those who come next find the door open
            notes, self._notes = self._notes, []
        if len(notes) >= CROWD:
            self._crowded_until = loop.time() + TOGETHER
        await self._note(notes)

    async def _note(self, notes: Sequence[_Note]) -> None:
        try:
            new = await self.database.transaction(
                inbox.receive_all,
                [(each.invocation.id, each.invocation.actor.adapter, each.raw) for each in notes],
                micros(self.clock()),
                owner=self.owner,
                lease=self.lease,
            )
        except Exception as error:  # noqa: BLE001 - a door: for those who wait; the platform, told nothing, sends it again
            if len(notes) > 1 and not isinstance(error, self.database.passing):
                for each in notes:  # one that cannot be stored takes no other with it
                    await self._note([each])
                return
            for each in notes:
                if not each.new.done():
                    each.new.set_exception(error)
            return
        for each in notes:
            is_new = each.invocation.id in new
            new.discard(each.invocation.id)  # the same once more, in the same step
            if is_new:
                self.start(each.invocation, each.complete)
            if not each.new.done():
                each.new.set_result(is_new)

    def check(self, invocation: Invocation) -> Reply | None:
        """The refusal that is certain already, from memory alone; None where it must be tried.

        For platforms whose first answer decides who sees it. What is refused here needs no `accept`.
        """
        invocation = self._known(invocation)
        try:
            self._reading.check(invocation)
        except BotError as error:
            log.info("refused", request=invocation.id, kind=type(error).__name__)
            language = self._reading.language_of(invocation.actor)
            return Reply(text=error.text, tone=Tone.REFUSAL, private=True, language=language)
        return None

    def is_private(self, invocation: Invocation) -> bool:
        """Whether the answer will be for the asker alone, as far as that is known from memory."""
        return self._reading.is_private(self._known(invocation), quoted=invocation.quoted is not None)

    def suggest(
        self, actor: Actor, command: Command, option: Option, room: str = "", chosen: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """What this person may choose for an option, the usual first; from memory. room: where, if that is known.

        chosen: the other options, as far as they are chosen.
        """
        return self._reading.suggest(self._as_listed(actor), command, option, room, chosen)

    def language_of(self, actor: Actor) -> str:
        """In which this person is spoken to; from memory."""
        return self._reading.language_of(actor)

    def start(self, invocation: Invocation, complete: Complete | None = None) -> None:
        """Answer an invocation whose event is noted."""
        self._keep(invocation.id, self.dispatch(invocation, complete))

    async def give_back(self, generation: str, key: str) -> bool:
        """What its platform shows to nobody is given back to who asked for it; whether they have it back.

        key: of the post that the platform did not take.
        """
        return await self.database.transaction(unseen.give_back, generation, key, micros(self.clock()))

    async def outcome(self, invocation: str) -> Answer:
        """Wait for what an invocation that was just accepted came to."""
        task = self._tasks.get(invocation)
        return await asyncio.shield(task) if task else None

    async def dispatch(self, invocation: Invocation, complete: Complete | None = None) -> Answer:
        """Answer it, and close its inbox row; never raises for what a person did."""
        with structlog.contextvars.bound_contextvars(request=invocation.id):
            invocation = self._known(invocation)
            language = self._reading.language_of(invocation.actor)
            asking: Asking | None = None
            try:
                if complete is not None:
                    invocation = self._known(await complete(invocation))
                asking = await self._asking(invocation)
                language = asking.language
                answer = await self._answer_by_rules(asking)
            except BotError as error:
                log.info("refused", kind=type(error).__name__)
                answer = Reply(text=error.text, tone=Tone.REFUSAL, private=True)
            except Exception as error:  # a door: the person gets a number, the operator the rest
                answer = await self._kept_after_all(invocation, error)
                if answer is None:
                    reference = secrets.token_hex(4)
                    log.exception("failed", reference=reference)
                    answer = _failed(reference)
            if isinstance(answer, Reply):
                answer = replace(answer, language=answer.language or language)
                await self._show_in_the_end(invocation, answer)
            if asking is not None:
                await self._offer_kept(asking)
            return answer

    async def _kept_after_all(self, invocation: Invocation, error: Exception) -> Accepted | None:
        """What was accepted, where only the answer of its commit was lost: nobody is told then that it failed."""
        if not isinstance(error, self.database.passing):
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(TO_KNOW):
                return await insist(self.database, _accepted, invocation.id)
        return None

    async def _asking(self, invocation: Invocation) -> Asking:
        person, found = await self._person(invocation)
        rules = self.spaces.of(space_of(invocation.actor))
        language = self._reading.language_of(invocation.actor)
        invocation, quote = await self._quote(invocation)
        return Asking(
            invocation=invocation,
            person=person,
            language=language,
            quote=quote,
            rules=rules,
            teams=found,
            allows_model=self._reading.allows_model(invocation.actor, invocation.place.room),
        )

    async def _person(self, invocation: Invocation) -> tuple[Person, tuple[Team, ...]]:
        """Who asks, with their teams. What is known from memory spares most askings the looking."""
        actor, room, at = invocation.actor, invocation.place.room, micros(self.clock())
        person, found, changed = await self.database.transaction(
            _arrive,
            actor,
            room,
            at,
            in_teams=bool(self._memberships.teams_of(actor)),
            fresh=self._memberships.is_fresh(actor, room, at),
            no_admin=self.no_admin,
        )
        if changed:
            await self._memberships.changed()
        # Whom a space has blocked has nothing of its teams elsewhere either.
        mine = tuple(each for each in found if not self._reading.is_blocked(actor, each.space))
        return replace(person, everywhere=self._is_listed(actor)), mine

    async def _quote(self, invocation: Invocation) -> tuple[Invocation, Quote | None]:
        """What is replied to. A line may begin with a picture's `ID:INDEX`, which chooses by itself."""
        if named := HANDLE.match(invocation.line):
            generation = await self.database.read(outbox.existing, named["id"])
            if generation is not None:
                index = int(named["index"]) if named["index"] else None
                line = invocation.line[named.end() :]
                return replace(invocation, line=line), Quote(generation=generation, index=index)
        quoted = invocation.quoted
        if quoted is None:
            return invocation, None
        found: str | None = quoted.generation or None
        if found is None:
            found = await self.database.read(outbox.quoted, invocation.actor.adapter, quoted.message_id)
        loaded = await self.database.read(record.load, found) if found else None
        attachments = quoted.attachments
        if loaded is None and quoted.look is not None:
            # Nobody else's message is opened for who may not ask here, nor for what needs no picture.
            self._reading.check_space(invocation, quoted=True)
            attachments = await quoted.look() if self._reading.takes_pictures(invocation) else ()
            if not attachments:  # it shows nothing that the words could change, so they stand for themselves
                return replace(invocation, quoted=None), None
        return invocation, Quote(generation=loaded, index=quoted.index, attachments=attachments)

    async def _answer_by_rules(self, asking: Asking) -> Answer:
        """By those that hold when it is accepted, whoever changed them meanwhile, and in whichever process."""
        for _ in range(CHANGES):
            try:
                return await self._answer(asking)
            except RulesChanged:
                await self.spaces.load()
                asking = replace(asking, rules=self.spaces.of(asking.person.space))
        return await self._answer(asking)

    async def _answer(self, asking: Asking) -> Answer:
        invocation = asking.invocation
        quoted = asking.quote is not None
        self._reading.check_space(invocation, quoted=quoted)
        if invocation.press:
            press, generation, index = self._reading.pressed(invocation.press)
            if invocation.press.partition(":")[0] in PLAIN_PRESSES:
                return await press(asking, generation, index)
            return await press(asking, await self.database.read(record.load, generation), index)
        command, request = self._reading.bound(invocation, quoted=quoted)
        answer: Answer = await command.handle(request, asking)
        return answer

    def _known(self, invocation: Invocation) -> Invocation:
        return replace(invocation, actor=self._as_listed(invocation.actor))

    def _as_listed(self, actor: Actor) -> Actor:
        return replace(actor, admin=True) if self._is_listed(actor) else actor

    def _is_listed(self, actor: Actor) -> bool:
        return f"{actor.adapter}/{actor.user}" in self.admins

    async def _show_in_the_end(self, invocation: Invocation, reply: Reply) -> None:
        """Its event was acknowledged, so it gets an answer, even if the database fails for a while (a full disk)."""
        for pause in chain(SHOW_AGAIN, repeat(SHOW_AGAIN[-1])):
            try:
                await self._show(invocation, reply)
                return
            except Exception:  # a door: what is not shown before the process ends is answered by the next one
                log.exception("an answer could not be kept")
            await asyncio.sleep(pause)

    async def _show(self, invocation: Invocation, reply: Reply) -> None:
        """Show the reply, and only then close the row: after a crash it is shown again, under the same key."""
        post = Post(key=invocation.id, place=invocation.place, reply=reply)
        message = await self.delivery.answer(post)
        if reply.generation and message:  # it shows a generation: a reply to it means that one
            await self.database.transaction(outbox.add_posted, post, message)
        await self.database.transaction(inbox.close, invocation.id, reply.generation)

    async def _offer_kept(self, asking: Asking) -> None:
        """Tell the person of pictures that could not be posted where they had asked for them."""
        try:
            kept = await self.database.read(outbox.kept, asking.person.id)
            if kept:
                await self._tell_kept(asking, kept)
        except Exception:  # a door: the asking itself is answered; the next one offers them again
            log.exception("what is kept could not be offered")

    async def _tell_kept(self, asking: Asking, kept: list[str]) -> None:
        buttons = tuple(Button(command="show", generation=each, label=text("Show {id}", id=each)) for each in kept)
        words = plural(
            "A picture of yours could not be posted; it is kept here.",
            "{count} pictures of yours could not be posted; they are kept here.",
            len(kept),
        )
        reply = Reply(text=words, buttons=buttons[:MOST_OFFERED], private=True, language=asking.language)
        key = f"{asking.invocation.id}:kept"
        if await self.delivery.answer(Post(key=key, place=asking.invocation.place, reply=reply)):
            await self.database.transaction(outbox.offered, kept)

    async def replay(self) -> int:
        """At a start, before anything new comes: answer what was acknowledged and not dealt with; returns how many.

        Where other processes use the database, too, only what none of them answers any more.
        """
        return await self._take_over(all_of_them=not self.database.shared)

    async def _take_over(self, *, all_of_them: bool = False) -> int:
        hears = self.delivery.adapters if self.hears is None else self.hears
        rows = await self.database.transaction(
            inbox.take_over, self.owner, self.lease, tuple(hears), all_of_them=all_of_them
        )
        for row in rows:
            try:
                await self._replay_one(row)
            except Exception:  # a door: what cannot be taken up stays open, and keeps no bot from starting
                log.exception("a message could not be taken up", request=row["id"])
        return len(rows)

    async def _keep_open(self) -> None:
        """Keep what is being answered here from being taken over, and take over what nobody answers any more.

        After an outage all leases may have run out while their owners are well: these have time to renew them first.
        """
        quarter, away = self.lease / 4_000_000, False
        renew_at = take_over_at = 0.0
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                if away or (self._tasks and monotonic() >= renew_at):
                    await self.database.transaction(inbox.renew, self.owner, self.lease, tuple(self._tasks))
                    renew_at = monotonic() + quarter
                    take_over_at, away = renew_at if away else take_over_at, False
                if monotonic() >= take_over_at:
                    await self._take_over()
            except self.database.passing as error:
                away = True
                log.warning("open messages could not be looked at", reason=type(error).__name__)
            except Exception:  # a door
                log.exception("open messages could not be looked at")

    async def _replay_one(self, row: Row) -> None:
        adapter = self.delivery.adapters.get(row["adapter"])
        if adapter is None or row["id"] in self._tasks:  # switched off since; being answered, after all
            return
        invocation = await adapter.replay(json.loads(row["raw"]))
        if invocation is None:
            await self.database.transaction(inbox.close, row["id"])
        elif done := await self.database.read(inbox.said, invocation.id):  # whoever asked it may be gone by that
            self._keep(invocation.id, self._tell(invocation, done))
        elif micros(self.clock() - inbox.TOO_OLD) > row["received_at"]:
            words = text("The bot was stopped when you asked this, too long ago to answer it now. Please ask again.")
            self._keep(invocation.id, self._tell(invocation, Reply(text=words, tone=Tone.REFUSAL, private=True)))
        else:
            self.start(invocation)

    async def _tell(self, invocation: Invocation, reply: Reply) -> Answer:
        reply = replace(reply, language=self._reading.language_of(invocation.actor))
        await self._show_in_the_end(invocation, reply)
        return reply

    def _keep(self, id: str, work: Coroutine[Any, Any, Answer]) -> None:
        task = asyncio.create_task(work, name=f"invocation {id}")
        self._tasks[id] = task
        task.add_done_callback(lambda _: self._tasks.pop(id, None))


def _arrive(
    connection: Connection,
    actor: Actor,
    room: str,
    at: int,
    *,
    in_teams: bool,
    fresh: bool,
    no_admin: NoAdmin | None = None,
) -> tuple[Person, list[Team], bool]:
    """Who asks, the teams that they are in, and whether their roles have just changed these."""
    person = people.find(connection, actor, at)
    if no_admin and person.keyed and not person.admin:
        no_admin(connection, person.id, person.space, at)
    person = replace(person, roles=teams.roles_in(actor, room))
    changed = not fresh and teams.refresh(connection, person.id, person.space, person.roles, at)
    found = teams.teams_of(connection, person.persons) if in_teams or changed or person.linked else []
    return person, found, changed


def _accepted(connection: Connection, invocation: str) -> Accepted | None:
    generation = inbox.became(connection, invocation)
    return Accepted(generation, record.load(connection, generation).state) if generation else None


def _failed(reference: str) -> Reply:
    words = text("Something went wrong here. If you ask the operator, give this number: {number}.", number=reference)
    return Reply(text=words, tone=Tone.REFUSAL, private=True, state="failed")

"""From an event to the core. What is not noted is not acknowledged, and then comes again.

Nothing that takes its time stands before the durable note: names, kinds of chats and other people's messages are looked
up behind it. A press waits a moment longer, as its answer may be a word over the card.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog

from adapters.feishu import inbound, toasts
from adapters.feishu.event import ChatKind, Event, Meant
from adapters.feishu.files import Files
from adapters.feishu.inbound import Heard, Us, Way
from adapters.feishu.messages import SLASH
from adapters.feishu.pending import Pending, Waiting
from adapters.feishu.people import Known, People
from adapters.feishu.ports import Door
from adapters.feishu.presses import IN_PLACE, asking
from adapters.feishu.standing import Latest
from adapters.feishu.toasts import Toasts
from adapters.feishu.words import ANSWERED_ALONE, NOT_TAKEN, ON_IT, what_to_do
from bot.chat import Attachment, CannotPost, Invocation, Post, Reply, Tone
from bot.command import Command, CommandTable, Kind
from bot.errors import UsageError
from bot.i18n import LANGUAGES, Text

log = structlog.get_logger(__name__)

TOAST_WAIT = 1.5  # seconds; the callback's answer is due after 3 (contract section 3)
MOST_WAITING = 16  # presses that wait at once: far fewer than there is room for, as messages must not wait behind them
PATIENCE = 5.0  # seconds for what is being taken up when the adapter stops
MOST_TO_SAY = 200  # words of our own on their way; a flood gets no more of them
TOLD = 1_000  # events that got words of our own, which a repeat does not get again
TOGETHER = 20_000  # ms between pictures that are sent in one go
PAUSES = (1.0, 3.0, 10.0)  # seconds between the attempts to post words of our own
Json = dict[str, Any]


class Intake:
    """post: shows an answer that is the adapter's own. bot: our open_id. oldest: what is older is not answered.

    language: of those of whom nothing is known. toast_wait: seconds that a press waits for a short answer.
    """

    def __init__(
        self,
        *,
        door: Door,
        files: Files,
        people: People,
        pending: Pending,
        toasts: Toasts,
        post: Callable[[Post], Awaitable[str]],
        bot: Callable[[], str],
        oldest: timedelta,
        language: str,
        clock: Callable[[], datetime],
        toast_wait: float = TOAST_WAIT,
    ) -> None:
        self._door = door
        self._files = files
        self._people = people
        self._pending = pending
        self._toasts = toasts
        self._post = post
        self._bot = bot
        self._oldest = oldest
        self._language = language
        self._clock = clock
        self._toast_wait = toast_wait
        self._asking = asking(door.table)
        self._naming = naming(door.table)
        self._told: OrderedDict[str, None] = OrderedDict()
        self._questions: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._counted: Latest[int] = Latest(TOLD)
        self._open: set[asyncio.Task[Any]] = set()

    async def take(self, payload: Mapping[str, Any]) -> Json | None:
        """What the platform pushed; returns what a press is answered with. Raises where it must come again."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            return await self._take(payload)
        finally:
            self._open.discard(task)

    async def invocation(self, event: Event) -> Invocation:
        """With all that the event itself does not say, as far as it can be found out in a second."""
        where = event.where
        if where.card and where.chat:
            event = _placed(event, kind=await self._people.kind(where))
        return self._made(event, await self._people.find(event.where))

    async def finish(self) -> None:
        """Wait for what is being taken up."""
        if self._open:
            await asyncio.wait(self._open, timeout=PATIENCE)
        for task in [*self._open]:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _take(self, payload: Mapping[str, Any]) -> Json | None:
        heard = inbound.read(payload, Us(bot=self._bot(), asking=self._asking, naming=self._naming))
        if heard is None:
            log.debug("an event is not for us", kind=inbound.kind_of(payload))
            return None
        event = heard.event
        if heard.way is not Way.PRESSES and (age := self._clock() - event.received) > self._oldest:
            # Where all are, this machine's clock is wrong.
            seconds = int(age.total_seconds())
            log.warning("an event is too old to be answered", request=event.invocation_id, seconds=seconds)
            return None
        answer = await self._taken(heard)
        if heard.way is not Way.PRESSES:  # which does not know
            await self._people.saw(event.where)  # only now: what came right behind must not overtake this
        return answer

    async def _taken(self, heard: Heard) -> Json | None:
        event = heard.event
        match heard.way:
            case Way.PRESSES:
                return await self._pressed(event)
            case Way.ASKS:
                await self._asked(event)
            case Way.SHOWS:
                await self._shown(event)
            case Way.IS_TOLD if heard.answer and self._is_first(event):
                self._later(self._say(event, heard.answer))
        return None

    async def _asked(self, event: Event) -> None:
        """Words in the chat of two take the pictures that were sent before them."""
        user = event.where.user
        alone = event.where.kind == "p2p"
        if not alone or self._pending.is_idle(user) or not takes_pictures(event.line, self._door.table):
            await self._accept(event)
            return
        async with self._pending.turn(user):
            waiting = await self._pending.of(event)
            # Once it is noted the pictures are taken; a repeat of the words takes none that came since.
            if waiting and await self._accept(_with(event, waiting)):
                await self._pending.taken(user, waiting)
        if not waiting:  # nobody else waits for the note of it
            await self._accept(event)

    async def _shown(self, event: Event) -> None:
        async with self._pending.turn(event.where.user):
            shown = await self._pending.remember(event)
        if not (shown.asked or shown.taken) and self._is_first(event):
            self._later(self._ask_about(event))

    async def _ask_about(self, event: Event) -> None:
        """One question about what is sent in one go: it counts on. What comes later gets one of its own."""
        user = event.where.user
        async with self._questions.setdefault(user, asyncio.Lock()):
            waiting = await self._pending.of(event, since=event.where.at - TOGETHER)
            if event.id not in {each.message for each in waiting}:  # the words were there before the question
                return
            pictures = sum(len(each.files) for each in await self._pending.of(event, since=0))
            question = next((each.asked for each in reversed(waiting) if each.asked), "")
            if not question or self._counted.get(question) != pictures:
                said = await self._say(event, what_to_do(pictures), Tone.QUESTION, message=question)
                question = said.split()[0] if said else ""
            if question:
                self._counted[question] = pictures
                async with self._pending.turn(user):
                    await self._pending.asked(user, event.id, question)

    async def _pressed(self, event: Event) -> Json | None:
        # A toast after the callback's time is seen by nobody: what was long in being noted waits for none.
        wait = self._toast_wait if self._toasts.waiting < MOST_WAITING else 0.0
        until = asyncio.get_running_loop().time() + wait
        kind = await self._people.kind_at_hand(event.where.chat)
        event = _placed(event, kind) if kind else event
        if kind or event.where.direct:  # of an unknown chat nobody can say yet what its rules are
            refusal = self._door.check(self._made(event, self._people.at_hand(event.where)))
            if refusal:
                return self._toasts.refusal(refusal)
        with self._toasts.opened(event.invocation_id) as answer:
            try:
                new = await self._accept(event)
            except Exception:  # a door: a press does not come again, so the person must
                log.exception("a press could not be noted", request=event.invocation_id)
                return self._word(event, NOT_TAKEN, "error")
            return await self._first_word(event, answer, until) if new else None

    async def _first_word(self, event: Event, answer: "asyncio.Future[Json]", until: float) -> Json | None:
        """The answer itself where it is short; else a word where nothing else shows yet that the press was felt."""
        came: object = None
        late = False
        try:
            async with asyncio.timeout_at(until):
                came = await self._door.outcome(event.invocation_id)
        except TimeoutError:
            late = True
        if answer.done():
            return answer.result()
        if late:
            return self._word(event, ON_IT)
        match came:
            case Reply(private=True) if await self._people.kind_at_hand(event.where.chat) != "p2p":
                return self._word(event, ANSWERED_ALONE)
            case Reply() | None:
                return None
        return None if event.press.partition(":")[0] in IN_PLACE else self._word(event, ON_IT)

    def _word(self, event: Event, words: Text, kind: str = "info") -> Json:
        """A word of our own over the card; who has chosen a language gets it in that, whatever their client speaks."""
        usual = self._door.language_of(event.actor(language=self._language))
        chosen = all(self._door.language_of(event.actor(language=each)) == usual for each in LANGUAGES)
        return toasts.toast(words, kind, language=usual, chosen=chosen)

    async def _accept(self, event: Event) -> bool:
        async def complete(_: Invocation) -> Invocation:
            return await self.invocation(event)

        invocation = self._made(event, self._people.at_hand(event.where))
        return await self._door.accept(invocation, event.model_dump(mode="json", exclude_defaults=True), complete)

    def _made(self, event: Event, known: Known) -> Invocation:
        async def look(message: str) -> tuple[Attachment, ...]:
            return await self._files.look(event.where, message)

        actor = event.actor(known.name, self._language, admin=known.admin, roles=known.roles)
        return event.invocation(actor, self._files.attach, look)

    async def _say(self, event: Event, words: Text, tone: Tone = Tone.ANSWER, *, message: str = "") -> str:
        """Words of our own; returns the message that shows them, "" where there is none.

        message: the one that they are put into, if one stands already.
        """
        language = self._door.language_of(event.actor(language=self._language))
        reply = Reply(text=words, tone=tone, language=language)
        post = Post(key=event.invocation_id, place=event.place, reply=reply, message=message)
        for pause in (*PAUSES, None):
            try:
                return await self._post(post)
            except CannotPost as problem:
                if problem.final or pause is None:
                    log.warning("a word of our own could not be posted", problem=str(problem))
                    break
                await asyncio.sleep(max(pause, min(problem.retry_after or 0, PAUSES[-1])))
        return ""

    def _is_first(self, event: Event) -> bool:
        """Whether it was not told anything yet."""
        if event.id in self._told:
            return False
        self._told[event.id] = None
        while len(self._told) > TOLD:
            self._told.popitem(last=False)
        return True

    def _later(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._open) >= MOST_TO_SAY:
            work.close()
            log.warning("a word of our own is left out", under_way=len(self._open))
            return

        async def done() -> None:
            try:
                await work
            except Exception:  # a door: nobody waits for it
                log.exception("a word of our own could not be said")

        task = asyncio.create_task(done())
        self._open.add(task)
        task.add_done_callback(self._open.discard)


def takes_pictures(line: str, table: CommandTable) -> bool:
    """Whether pictures that were sent before belong to this line: to plain words, and to commands that take some."""
    words = line.strip()
    if not words.startswith(SLASH):
        return bool(words)
    command = _command(words[1:].split(maxsplit=1)[:1], table)
    return command is not None and any(option.kind is Kind.IMAGES for option in command.options)


def naming(table: CommandTable) -> frozenset[str]:
    """All names of the commands that are about a person."""
    about = [each for each in table.commands if any(option.kind is Kind.PERSON for option in each.options)]
    return frozenset(name.lower() for each in about for name in (each.name, *each.aliases))


def _command(name: list[str], table: CommandTable) -> Command | None:
    """Chinese names need no space behind them: `/画一只狐狸`."""
    written = "".join(name)
    try:
        return table.find(written)
    except UsageError:
        aliases = [alias for each in table.listed for alias in each.aliases if not alias.isascii()]
        found = max((alias for alias in aliases if written.startswith(alias)), key=len, default="")
        return table.find(found) if found else None


def _with(event: Event, shown: tuple[Waiting, ...]) -> Event:
    """The same about these pictures too. A reply to one of them, or to the question about them, means just that."""
    about = {id for each in shown for id in (each.message, each.asked) if id}
    meant: Meant | None = None if event.meant and event.meant.message in about else event.meant
    files = tuple(file for each in shown for file in each.files) + event.files
    return event.model_copy(update={"files": files, "meant": meant})


def _placed(event: Event, kind: ChatKind) -> Event:
    """The same where it is known of what kind its chat is."""
    return event.model_copy(update={"where": event.where.model_copy(update={"kind": kind})})

"""Brings a post to people, down a ladder of ways: what Feishu refuses on one step is tried on the next.

A card that stands is changed. A new one answers the message that asked, or the card whose button was pressed; where
that is gone it stands in the chat by itself, and where the bot may not write there it goes to the person. What only one
person may see never goes into a group. Where nothing is left there is `CannotPost`, and the core keeps the picture for
`/show`.

The same key makes no second card: changing one is safe to repeat, and a new one carries a uuid that follows from its
key. After the hour for which Feishu knows a uuid, a card that may stand already is not sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

import structlog
from pydantic import ValidationError

from adapters.feishu import keys
from adapters.feishu.codes import Kind, Refused, Unreachable, advice
from adapters.feishu.doubts import Doubts
from adapters.feishu.elements import Json
from adapters.feishu.fitting import Fitting, Ready, bare, unwanted, without_pictures, without_uploads, without_words
from adapters.feishu.originals import Originals
from adapters.feishu.outbound import MOST_PICTURES, Aside, card
from adapters.feishu.pace import Pace
from adapters.feishu.rest import Rest, Sent
from adapters.feishu.standing import Card, Latest, Standing, digest, pages, read_message
from adapters.feishu.target import Job, Target, target
from bot.chat import CannotPost, Post, Reply, Tone
from bot.errors import BotError
from bot.i18n import text

log = structlog.get_logger(__name__)

KNOWN_KEYS = 2_000
WAIT = 1.0  # seconds, where Feishu does not say how long: its limits are counted by the second
DISK_PAUSE = 30.0
OPERATORS_PAUSE = 300.0  # nothing changes until somebody has seen to it
SAY_AGAIN = timedelta(minutes=5)
SENDS = 5  # a second to one chat (contract section 3)
PROGRESS = 10  # changes a second of all cards; Feishu takes 1000 calls a minute, and the answers are among them
CLOCKS_DIFFER = timedelta(seconds=2)
CARD = "interactive"

ELSEWHERE = text("I could not show this where you asked for it, so it comes here.")
PRIVATELY = text("This is for you alone, so it comes here.")
FOR_YOU_ALONE = text(
    "I have an answer for you alone, but may not write to you. Ask an admin of your organisation to make me available "
    "to you."
)
NOTHING_HERE = text("There is nothing here any more.")

# Another way may lead on from these; whatever else is refused would be refused there too.
PASSABLE = frozenset({Kind.GONE, Kind.FORBIDDEN})
OPERATORS = frozenset({Kind.CREDENTIALS, Kind.SCOPE, Kind.CAPABILITY})
PASSING = frozenset({Kind.WAIT, Kind.TOKEN, Kind.OTHER})
UNKNOWN = 230001  # a parameter is wrong: of a reply it may be the message, which was deleted for good


class Toasts(Protocol):
    def show(self, post: Post) -> bool:
        """Whether it became the short answer of the press whose key it has, so that nothing is posted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """here: it ends in the chat where it was asked for."""

    name: str
    go: Callable[[], Awaitable[Card]]
    here: bool = True


@dataclass(kw_only=True)
class Ladder:
    """Rest must be entered. models: what an edit can be drawn with. rooms: the name of a chat, by its id.

    give_back: gives back what a generation took, of which Feishu shows nothing in the post with this key; whether its
    asker has it back.
    zone: in which times are written.
    """

    rest: Rest
    fitting: Fitting
    toasts: Toasts
    models: Callable[[], Sequence[str]]
    give_back: Callable[[str, str], Awaitable[bool]]
    clock: Callable[[], datetime]
    rooms: Callable[[str], str] = str
    zone: str = "UTC"
    _standing: Latest[Standing] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _toasted: Latest[bool] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _unwanted: Latest[int] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _seen: Latest[bool] = field(default_factory=lambda: Latest(KNOWN_KEYS))  # posts of which pictures stood there
    _told: Latest[bool] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _advised: Latest[datetime] = field(default_factory=lambda: Latest(100))
    _sends: Pace = field(default_factory=lambda: Pace(SENDS))
    _progress: Pace = field(default_factory=lambda: Pace(PROGRESS))
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)

    def __post_init__(self) -> None:
        self._doubts = Doubts(self.clock)
        self._originals = Originals(rest=self.rest, fitting=self.fitting, sends=self._sends, doubts=self._doubts)

    async def post(self, post: Post) -> str:
        """Show it; returns the ids of its messages with a space between two. Raises `CannotPost`."""
        if post.key in self._toasted or self.toasts.show(post):
            self._toasted[post.key] = True  # the core may ask again, where it could not note that this was shown
            return ""
        async with self._locks.setdefault(post.key, asyncio.Lock()):
            if post.elsewhere:
                self._standing.pop(post.key, None)
                self._doubts.settled(post.key)
            with self._doubts.about(post):
                return await self._posted(post)

    async def _posted(self, post: Post) -> str:
        try:
            return await self._simplified(post)
        except Unreachable as error:
            unknown = self._unknown(post)
            raise CannotPost("Feishu cannot be reached", retry_after=error.retry_after, unknown=unknown) from error
        except Refused as error:
            problem = self._cannot(post, error)
            if problem.final:
                await self._leave_word(post)
            raise problem from error
        except (BotError, OSError) as error:  # a full disk above all; nothing of it has anything to do with Feishu
            log.warning("a post could not be made ready", problem=type(error).__name__)
            raise CannotPost("not ready", retry_after=DISK_PAUSE, unknown=self._unknown(post)) from error
        except ValidationError as error:
            raise CannotPost("its place was written by another version", final=True) from error

    async def _simplified(self, post: Post) -> str:
        """The whole reply, else what is left of it where Feishu does not take its words, or the card."""
        if post.message and post.key not in self._standing:
            self._seen[post.key] = True  # another process has shown something there
        reply = await self._wanted(post)
        met: set[Kind] = set()
        while True:
            try:
                return await self._show(post, reply)
            except Refused as error:
                if error.kind in met:
                    raise
                if error.kind is not Kind.SENSITIVE:
                    met.add(error.kind)
                match error.kind:
                    case Kind.NOT_OURS:
                        self.fitting.forget(reply.pictures)
                    case Kind.SENSITIVE if post.key not in self._unwanted or reply.pictures:
                        self._unwanted[post.key] = self._unwanted.get(post.key, 0) + 1
                        reply = await self._wanted(post)
                    case Kind.OURS | Kind.TOO_LARGE:
                        log.error("a card was refused", code=error.code, status=error.status, log_id=error.log_id)
                        reply = bare(reply)
                    case _:
                        raise

    async def _wanted(self, post: Post) -> Reply:
        """What is left of a reply, by how often Feishu took offence at it."""
        match self._unwanted.get(post.key, 0):
            case 0:
                return post.reply
            case 1:
                return without_words(post.reply)
            case _:
                return without_pictures(post.reply, given_back=await self._given_back(post))

    async def _given_back(self, post: Post) -> bool:
        reply = post.reply
        ended = reply.generation and reply.pictures and reply.tone is not Tone.PROGRESS
        if not ended or post.key in self._seen:
            return False
        try:
            return await self.give_back(reply.generation, post.key)
        except Exception as error:  # a door: it is said only once it is true
            log.warning("what nobody can see could not be given back yet", problem=type(error).__name__)
            raise CannotPost("not given back yet", retry_after=DISK_PAUSE, unknown=self._unknown(post)) from error

    async def _show(self, post: Post, reply: Reply) -> str:
        to = target(post.place)
        if to.log and reply.private:
            raise CannotPost("a log room is not told what is private", final=True)
        ready = await self.fitting.ready(reply.pictures)
        if reply.tone is not Tone.PROGRESS and unwanted(ready):
            reply, ready = without_uploads(reply, given_back=await self._given_back(post)), []
        wanted = pages([each for each in ready if each.key], MOST_PICTURES)
        standing = self._known(post, reply, len(wanted))
        asides = self.fitting.asides(ready, files=self._originals.come(post.key))
        for number, pictures in enumerate(wanted):
            before = standing.cards[number] if number < len(standing.cards) else None
            astray = number > 0 and standing.cards[0].elsewhere
            job = Job(
                post=post,
                reply=reply,
                target=to,
                number=number,
                pictures=pictures,
                asides=asides,
                before=before,
                elsewhere=astray,
            )
            shown = await self._bring_unseen(job) if pictures and post.key not in self._seen else await self._bring(job)
            cards = (*standing.cards[:number], shown, *standing.cards[number + 1 :])
            standing = self._note(post, replace(standing, cards=cards))
        standing = await self._tidied(post, reply, standing, len(wanted))
        if reply.generation and reply.tone is not Tone.PROGRESS and self._originals.come(post.key):
            whole = await self._with_originals(post, to, standing, [each for each in ready if each.original])
            if whole is None:  # the card has promised what does not come
                return await self._show(post, reply)
            standing = whole
        self._doubts.settled(post.key)
        return standing.message

    async def _with_originals(
        self, post: Post, to: Target, standing: Standing, wanted: Sequence[Ready]
    ) -> Standing | None:
        """None where they do not come after all."""
        for number in range(len(standing.files), len(wanted)):
            first = standing.cards[0].id
            file = await self._originals.send(post.key, to.paced, first, wanted[number], number)
            if file is None:
                return None
            standing = self._note(post, replace(standing, files=(*standing.files, file)))
        return standing

    def _known(self, post: Post, reply: Reply, cards: int) -> Standing:
        # Originals are sent at the end only, so before it, and once all pictures are gone, there are cards alone; of
        # files it then makes no difference, since what is too much is taken away in the same manner.
        known = self._standing.get(post.key)
        if known is not None:
            return known
        ended = reply.pictures and reply.tone is not Tone.PROGRESS
        return read_message(post.message, cards=cards if ended else len(post.message.split()))

    def _note(self, post: Post, standing: Standing) -> Standing:
        self._standing[post.key] = standing
        return standing

    async def _bring_unseen(self, job: Job) -> Card:
        """Its pictures count as seen from here on, unless it is certain that none stands."""
        key = job.post.key
        self._seen[key] = True
        try:
            return await self._bring(job)
        except (Refused, Unreachable) as error:
            if not error.sent:
                self._seen.pop(key, None)
            raise
        except CannotPost:  # nothing was sent now
            if self._doubts.since(key) is None:
                self._seen.pop(key, None)
            raise

    async def _bring(self, job: Job) -> Card:
        before = job.before
        if before and before.digest == digest(self._card(job, elsewhere=before.elsewhere)):
            return before
        lost = False
        for way in self._ways(job):
            if lost and way.here:
                continue
            try:
                brought = await way.go()
            except Refused as error:
                if error.kind not in PASSABLE and not (way.name == "reply" and error.code == UNKNOWN):
                    raise
                lost = lost or error.kind is Kind.FORBIDDEN
                log.info("a way to post was refused", way=way.name, code=error.code, log_id=error.log_id)
            else:
                return brought
        raise CannotPost("there is no way to show it", final=True)

    def _ways(self, job: Job) -> Iterator[Way]:
        """The steps for one card, the best first."""
        to, before = job.target, job.before
        if before:
            yield Way(name="change", go=partial(self._change, job, before), here=not before.elsewhere)
        if not (job.hidden or job.elsewhere):
            if to.anchor:
                yield Way(name="reply", go=partial(self._reply, job))
            if to.chat:
                yield Way(name="chat", go=partial(self._send, job))
        if to.user:
            yield Way(name="person", go=partial(self._send_directly, job), here=False)

    async def _change(self, job: Job, before: Card) -> Card:
        drawn = self._card(job, elsewhere=before.elsewhere)
        if job.reply.tone is Tone.PROGRESS and not self._progress.take("all"):
            raise CannotPost("many cards change just now", retry_after=WAIT, unknown=self._unknown(job.post))
        self._doubt(job, before)
        await self.rest.change(before.id, drawn)
        return replace(before, digest=digest(drawn))

    def _doubt(self, job: Job, card: Card) -> None:
        """What is changed shows either, until Feishu has answered."""
        if standing := self._standing.get(job.post.key):
            cards = tuple(replace(each, digest="") if each.id == card.id else each for each in standing.cards)
            self._note(job.post, replace(standing, cards=cards))

    async def _reply(self, job: Job) -> Card:
        to = job.target

        async def send(drawn: Json, uuid: str) -> Sent:
            return await self.rest.reply(to.anchor, CARD, drawn, uuid=uuid, thread=to.thread)

        return await self._new(job, send)

    async def _send(self, job: Job) -> Card:
        async def send(drawn: Json, uuid: str) -> Sent:
            return await self.rest.send(job.target.chat, CARD, drawn, uuid=uuid, by="chat_id")

        return await self._new(job, send)

    async def _send_directly(self, job: Job) -> Card:
        async def send(drawn: Json, uuid: str) -> Sent:
            return await self.rest.send(job.target.user, CARD, drawn, uuid=uuid, by="open_id")

        try:
            return await self._new(job, send, here=job.target.direct)
        except Refused as error:
            if job.hidden and error.kind in (Kind.OUT_OF_RANGE, Kind.FORBIDDEN):
                await self._say_so(job)
            raise

    async def _new(self, job: Job, send: Callable[[Json, str], Awaitable[Sent]], *, here: bool = True) -> Card:
        """A card that does not stand yet, or perhaps does: then what its uuid brings back is changed."""
        key, since = job.post.key, self._doubts.since(job.post.key)
        elsewhere = not here and not job.hidden
        drawn = self._card(job, elsewhere=elsewhere)
        replaced = job.before.id if job.before else ""
        uuid = keys.uuid(key, "card" if here else "card for the person", job.number, replaced)
        await self._sends.turn(job.target.paced if here else job.target.user)
        begun = self.clock()
        with self._doubts.sending(key):
            sent = await send(drawn, uuid)
        if not since and sent.made >= begun - CLOCKS_DIFFER:
            return Card(id=sent.message, digest=digest(drawn), elsewhere=elsewhere)
        return await self._bring(replace(job, before=Card(id=sent.message, elsewhere=elsewhere)))

    async def _say_so(self, job: Job) -> None:
        """A word to the group, and nothing of what the answer says."""
        to, key = job.target, job.post.key
        if job.number or not to.anchor or key in self._told:
            return
        drawn = card(Reply(text=FOR_YOU_ALONE, tone=Tone.REFUSAL, language=job.reply.language))
        await self._sends.turn(to.paced)
        try:
            await self.rest.reply(to.anchor, CARD, drawn, uuid=keys.uuid(key, "word"), thread=to.thread)
        except (Refused, Unreachable) as error:
            log.info("nobody could be told of a private answer", problem=str(error))
        else:
            self._told[key] = True

    async def _leave_word(self, post: Post) -> None:
        """A card that stands says where its pictures are, instead of promising them for ever."""
        reply, standing = post.reply, self._known(post, post.reply, 1)
        if not (reply.pictures and standing.cards) or reply.tone is Tone.PROGRESS:
            return
        words = text("This could not be shown here. It is kept: /show {id} brings it.", id=reply.generation)
        drawn = card(Reply(text=words, tone=Tone.REFUSAL, language=reply.language))
        first, *others = standing.cards
        try:
            await self.rest.change(first.id, drawn)
        except (Refused, Unreachable) as error:
            log.info("a word could not be left", problem=str(error))
        else:
            self._note(post, replace(standing, cards=(replace(first, digest=digest(drawn)), *others)))

    async def _tidied(self, post: Post, reply: Reply, standing: Standing, cards: int) -> Standing:
        """Without the cards, and in the end the files, that have nothing to show any more."""
        for surplus in standing.cards[cards:]:
            await self._remove(surplus.id, reply.language)
        for file in () if reply.pictures else standing.files:
            await self._remove(file, reply.language)
        files = standing.files if reply.pictures else ()
        return self._note(post, Standing(cards=standing.cards[:cards], files=files))

    async def _remove(self, message: str, language: str) -> None:
        """Take it back, which Feishu allows for a day; after that a card is left with a word."""
        empty = card(Reply(text=NOTHING_HERE, language=language))
        for way in (partial(self.rest.recall, message), partial(self.rest.change, message, empty)):
            try:
                await way()
            except Refused as error:
                if error.kind is Kind.WAIT:
                    raise
                log.info("a message could not be removed", code=error.code, log_id=error.log_id)
            else:
                return

    def _card(self, job: Job, *, elsewhere: bool) -> Json:
        line = ELSEWHERE if elsewhere else PRIVATELY if job.hidden else None
        asides = [*job.asides, *([Aside(words=line)] if line else [])]
        return card(
            job.reply,
            [each.shown for each in job.pictures],
            asides=asides,
            models=self.models(),
            rooms=self.rooms,
            zone=self.zone,
            further=job.number > 0,
        )

    def _unknown(self, post: Post) -> bool:
        """Whether more may stand than the core knows of."""
        standing = self._standing.get(post.key)
        return self._doubts.since(post.key) is not None or (standing is not None and standing.message != post.message)

    def _cannot(self, post: Post, error: Refused) -> CannotPost:
        unknown = self._unknown(post)
        if error.kind is Kind.WAIT:
            return CannotPost("Feishu asks to wait", retry_after=error.retry_after or WAIT, unknown=unknown)
        if error.kind in OPERATORS:
            self._advise(error)
            return CannotPost("the operator has to see to it", retry_after=OPERATORS_PAUSE, unknown=unknown)
        final = error.kind not in PASSING
        log.warning("Feishu refused a post", kind=error.kind.name, code=error.code, log_id=error.log_id, final=final)
        return CannotPost("Feishu refuses it", final=final, unknown=unknown)

    def _advise(self, error: Refused) -> None:
        """Tell the operator, and not with every post that waits for it."""
        code, now = str(error.code), self.clock()
        if code not in self._advised or now - self._advised[code] >= SAY_AGAIN:
            self._advised[code] = now
            log.error("Feishu refuses the bot", code=error.code, log_id=error.log_id, advice=str(advice(error) or ""))

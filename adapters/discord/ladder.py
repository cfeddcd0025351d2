"""Brings a post to people, down a ladder of ways: what Discord refuses on one step is tried on the next.

A message that stands is changed by the interaction's token while that lives, then by the bot itself. A new one is the
deferred answer, else a message in the channel, else a follow-up, else a direct message; where nothing is left there is
`CannotPost`, and the core keeps the picture for `/show`. What only one person may see never goes into a channel.

The same key makes no second message: changing one is safe to repeat, a new one in a channel carries a nonce that
follows from its key, and after the few minutes for which Discord knows a nonce our own message is looked for first.
Only a follow-up has no nonce, so a private answer may stand there twice if Discord's word that it came was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from weakref import WeakValueDictionary

import structlog

from adapters.discord.buttons import Json
from adapters.discord.fitting import MOST_FILES, Fitting, Ready, pages
from adapters.discord.job import FilesNeeded, Job
from adapters.discord.lacks import Lacks
from adapters.discord.limits import Limits
from adapters.discord.originals import Originals
from adapters.discord.outbound import COMPONENTS_V2, TEXT, Aside, message
from adapters.discord.rest import Refused, Rest, Token, Unreachable
from adapters.discord.standing import Latest, Page, names, nonce, read_message, says_the_same, shows, write_message
from adapters.discord.target import Target, target
from adapters.discord.threads import EXISTS, MOST_BESIDE, NoThread, is_series, name_of
from adapters.discord.words import NOT_HERE, lacks
from bot.chat import CannotPost, Post, Reply, Tone

log = structlog.get_logger(__name__)

MOST_STEPS = 8  # of the size ladder; from 100 MiB that many lead to half a MiB
KNOWN_KEYS = 2_000
NONCE_IS_SURE = timedelta(minutes=3)  # Discord checks one for "the past few minutes"
BOT_TOKEN_REFUSED, FORBIDDEN = 401, 403
ORIGINAL = "@original"
PLACEHOLDER = {"flags": COMPONENTS_V2, "components": [{"type": TEXT, "content": "…"}]}
CANNOT_REPLY = 160002  # without the permission to read what was said before
NOT_PERMITTED = (50001, 50013)
CHANGES = ("token", "bot")  # the ways that keep the message, and with it the files that stand in it
MEANINGS = {
    10003: "the channel is gone",
    10008: "the message is gone",
    10015: "the token is no longer good",
    30046: "too many changes of old messages",
    40094: "no follow-ups left",
    50001: "may not see the channel",
    50005: "the message is another's",
    50007: "takes no direct messages",
    50013: "lacks a permission in the channel",
    50027: "the token is no longer good",
    50035: "the message is malformed",
    50083: "the thread is closed",
}

Way = Callable[[], Awaitable[Json]]


class _TooLarge(Exception):
    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = sizes


@dataclass(kw_only=True)
class Ladder:
    """Rest must be logged in; no gateway is needed. threads: whether a series goes on in a thread."""

    rest: Rest
    fitting: Fitting
    clock: Callable[[], datetime]
    threads: bool = False
    limits: Limits = field(default_factory=Limits)
    _standing: Latest[list[Page]] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _originals: Originals = field(default_factory=lambda: Originals(KNOWN_KEYS))
    _unthreaded: Latest[bool] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    _lacks: Lacks = field(init=False)

    def __post_init__(self) -> None:
        self._lacks = Lacks(self.clock)

    async def post(self, post: Post) -> str:
        """Show it; returns `channel/message`, and with a space before it each further one. Raises `CannotPost`."""
        async with self._locks.setdefault(post.key, asyncio.Lock()):
            if post.elsewhere:
                self._standing.pop(post.key, None)
            try:
                to = target(post.place)
                if to.log and not await self.rest.has_channel(to.guild, to.channel):  # it was typed by somebody
                    raise CannotPost("the server has no such channel, or the bot may not see it", final=True)
                return await self._fitted(post, to)
            except Unreachable as error:
                raise CannotPost("Discord cannot be reached", retry_after=error.retry_after) from error

    async def _fitted(self, post: Post, to: Target) -> str:
        """Walk down the ladder of sizes until one is taken."""
        told = to.limit or self.rest.guild_limit(to.guild)
        for _ in range(MOST_STEPS):
            limit = self.limits.of(to.scope, told)
            try:
                with self.fitting.room() as folder:
                    standing = {key: each for page in self._known(post) for key, each in page.files.items()}
                    ready = await self.fitting.ready(post.reply.pictures, standing, most=limit.file, folder=folder)
                    threaded = self.threads and is_series(post, to) and post.key not in self._unthreaded
                    wanted = pages(ready, limit, first=MOST_BESIDE if threaded else MOST_FILES)
                    return await self._show(post, to, ready, wanted, threaded=threaded)
            except FilesNeeded:
                self._standing[post.key] = [Page(channel=page.channel, id=page.id) for page in self._known(post)]
            except NoThread:
                self._unthreaded[post.key] = True
            except _TooLarge as refused:
                log.info("files were too large", count=len(refused.sizes), bytes=sum(refused.sizes))
                if not self.limits.refused(to.scope, refused.sizes, limit):
                    break
        raise CannotPost("the pictures are too large", final=True)

    def _known(self, post: Post) -> list[Page]:
        return self._standing.get(post.key) or read_message(post.message)

    async def _show(
        self, post: Post, to: Target, ready: Sequence[Ready], wanted: Sequence[Sequence[Ready]], *, threaded: bool
    ) -> str:
        known = self._known(post)
        asides = self.fitting.asides(ready)
        shown: list[Page] = []
        astray: list[Page] = []
        for number, files in enumerate(wanted):
            before = known[number] if number < len(known) else None
            home, there = shown[0].channel if shown else "", to
            if threaded and shown:
                home = await self._thread(post, to, shown[0], known)
                there = to.inside(home)
            # What another process found of a thread may no longer be so.
            moved = before if before and home and before.channel != home else None
            if moved:
                before = None
            job = Job(
                post=post,
                target=there,
                number=number,
                files=files,
                asides=asides,
                before=before,
                moved=moved,
                home=home,
                lacking=partial(self._lacks.asides, post.key),
            )
            job.check_files(before)
            try:
                shown.append(await self._bring(job))
            except CannotPost as problem:
                if there is not to and problem.final:
                    raise NoThread from problem
                raise
            astray += [moved] if moved else []
            self._standing[post.key] = [*shown, *known[len(shown) :], *astray]
        for page in (*known[len(shown) :], *astray):
            await self._remove(to, page)
        self._standing[post.key] = shown
        return write_message(shown)

    async def _thread(self, post: Post, to: Target, first: Page, known: Sequence[Page]) -> str:
        """The thread of the first message, begun if there is none. Raises `NoThread`."""
        if first.channel != to.channel:
            raise NoThread
        if not any(page.channel == first.id for page in known):
            try:
                await self.rest.start_thread(first.channel, first.id, name_of(post))
            except Refused as error:
                if error.code != EXISTS:
                    self._note_lack(post, to, error, "create_public_threads", "send_messages_in_threads")
                    log.info("a thread was refused", status=error.status, code=error.code)
                    raise NoThread from error
        return first.id

    async def _bring(self, job: Job) -> Page:
        if job.before and job.stands():
            return job.before
        self._doubt(job)
        refused: Refused | None = None
        for name, way in self._ways(job):
            if name not in CHANGES:
                job.check_files(None)
            try:
                answer = await way()
            except Refused as error:
                if error.too_large and job.uploads:
                    raise _TooLarge([each.size for each in job.files if each.file]) from error
                refused = error
                if name in ("bot", "channel"):
                    self._note_lack(job.post, job.target, error, *(["attach_files"] if job.uploads else []))
                tell = log.warning if error.status == FORBIDDEN else log.info
                tell(
                    "a way to post was refused",
                    way=name,
                    status=error.status,
                    code=error.code,
                    meaning=MEANINGS.get(error.code, ""),
                )
                continue
            page = job.page(answer)
            if job.before and page.channel != job.before.channel:
                await self._leave_word(job, job.before)
            return page
        if refused and refused.status == BOT_TOKEN_REFUSED and refused.code == 0:
            raise CannotPost("Discord does not know the bot's own token")  # until its operator has mended that
        if job.before:
            await self._leave_word(job, job.before)
        raise CannotPost("there is no way to show it", final=True)

    def _doubt(self, job: Job) -> None:
        """What is changed shows either, until Discord has answered."""
        if job.before:
            known = self._known(job.post)
            self._standing[job.post.key] = [replace(page, digest="") if page == job.before else page for page in known]

    def _note_lack(self, post: Post, to: Target, refused: Refused, *flags: str) -> None:
        if refused.code in (*NOT_PERMITTED, CANNOT_REPLY):
            self._lacks.note(post.key, to.channel, self.rest.lacking(to.guild, to.channel, *flags))

    async def _leave_word(self, job: Job, before: Page) -> None:
        """What stands in the channel and may not become the answer there says why, instead of waiting for ever."""
        if job.hidden or before.channel != job.target.channel:
            return
        missing = self._lacks.of(job.post.key)  # a process without the gateway does not know
        words = Reply(text=NOT_HERE, tone=Tone.REFUSAL, language=job.post.reply.language)
        body = message(words, asides=[Aside(words=lacks(missing))] if missing else [])
        try:
            await self.rest.edit(before.channel, before.id, {**body, "attachments": []})
        except Refused as error:
            log.info("a word could not be left", code=error.code)

    def _ways(self, job: Job) -> Iterator[tuple[str, Way]]:
        """The steps for one message, the best first."""
        to, before = job.target, job.before
        alive = to.alive(self._now())
        if before:
            here = before.channel == to.channel
            if alive and here:
                yield "token", partial(self._change_by_token, job, before)
            if not here or to.direct or not job.hidden:
                yield "bot", partial(self._change, job, before)
        if job.home in ("", to.channel):
            if (
                alive
                and not before
                and job.number == 0
                and self._originals.open_to(job.post.key, to, private=job.hidden)
            ):
                yield "deferred answer", partial(self._fill, job)
            if to.member and (to.direct or not job.hidden):
                yield "channel", partial(self._send, job, to.channel)
            if alive:
                yield "follow-up", partial(self._follow_up, job)
        if to.user and not to.log and not to.direct and job.home != to.channel:
            yield "direct message", partial(self._send_directly, job)

    async def _change_by_token(self, job: Job, before: Page) -> Json:
        return await self.rest.edit_by_token(job.token, before.id, job.body(before.channel), job.uploads)

    async def _change(self, job: Job, before: Page) -> Json:
        return await self.rest.edit(before.channel, before.id, job.body(before.channel), job.uploads)

    async def _fill(self, job: Job) -> Json:
        answer = await self.rest.edit_by_token(job.token, ORIGINAL, job.body(job.target.channel), job.uploads)
        self._originals.filled(job.token.token, job.post.key)
        return answer

    async def _follow_up(self, job: Job) -> Json:
        """The first follow-up would become the deferred answer, and as public or private as that: see `Originals`."""
        to, key = job.target, job.post.key
        if to.waiting and self._originals.filled_by(to.token) is None:
            if self._originals.beside(key):
                if not await self.rest.is_filled(job.token):  # another process may have done it
                    raise CannotPost("the answer itself comes first", retry_after=1.0)
            elif not to.keeps(private=job.hidden):
                await self.rest.edit_by_token(job.token, ORIGINAL, PLACEHOLDER)
                self._originals.filled(to.token, key)
        answer = await self.rest.follow_up(job.token, job.body(to.channel, private=job.hidden), job.uploads)
        if job.number == 0 and not to.keeps(private=job.hidden) and self._originals.filled_by(to.token) == key:
            await self._remove(to, Page(channel=to.channel, id=ORIGINAL))
        return answer

    async def _send(self, job: Job, channel: str) -> Json:
        found = await self._lost(job, channel)
        if found:
            return await self.rest.edit(channel, found, job.body(channel), job.uploads)
        once = {"nonce": nonce(job.post.key, job.number, job.replaced), "enforce_nonce": True}
        body = {**job.body(channel), **once}
        if job.target.reply_to and job.number == 0 and channel == job.target.channel:
            body["message_reference"] = {"message_id": job.target.reply_to, "fail_if_not_exists": False}
        answer = await self._send_or_without_reply(job, channel, body)
        if says_the_same(answer, body):
            return answer
        return await self.rest.edit(channel, answer["id"], job.body(channel), job.uploads)

    async def _send_or_without_reply(self, job: Job, channel: str, body: Json) -> Json:
        try:
            return await self.rest.send(channel, body, job.uploads)
        except Refused as error:
            if error.code != CANNOT_REPLY or "message_reference" not in body:
                raise
            self._note_lack(job.post, job.target, error, "read_message_history")
            del body["message_reference"]
            body |= job.body(channel)
            return await self.rest.send(channel, body, job.uploads)

    async def _send_directly(self, job: Job) -> Json:
        channel = job.home or await self.rest.direct(job.target.user)
        return await self._send(job, channel)

    async def _lost(self, job: Job, channel: str) -> str:
        """Our message for this generation that a crash kept us from noting, where a nonce is too old to tell."""
        to, generation = job.target, job.post.reply.generation
        tried = _micros(job.post.tried) if job.post.tried else 0
        since = tried if job.number else to.asked or tried
        fresh = self._now() - since < NONCE_IS_SURE // timedelta(microseconds=1)
        if job.before or not generation or not since or fresh or channel != to.channel:
            return ""
        try:
            recent = await self.rest.recent(channel)
        except Refused:
            return ""
        own = (one for one in recent if one["author"]["id"] == self.rest.own_id)
        if job.number:  # it came right after the first one; those that come later show the same for somebody else
            first = int(self._known(job.post)[0].id)
            later = [one for one in own if int(one["id"]) > first and shows(one, [each.name for each in job.files])]
            return str(later[-1]["id"]) if later else ""
        for one in own:
            answers = (one.get("message_reference") or {}).get("message_id", "")
            if answers in ("", to.reply_to) and names(one, generation):
                return str(one["id"])
        return ""

    async def _remove(self, to: Target, page: Page) -> None:
        """Take a message away that has nothing to show any more."""
        ways: list[Callable[[], Awaitable[None]]] = []
        if to.alive(self._now()) and page.channel == to.channel:
            ways.append(partial(self.rest.remove_by_token, Token(to.application, to.token), page.id))
        if page.id != ORIGINAL:
            ways.append(partial(self.rest.remove, page.channel, page.id))
        for way in ways:
            try:
                await way()
            except Refused as error:
                log.info("a message could not be removed", code=error.code)
            else:
                return

    def _now(self) -> int:
        return _micros(self.clock())


def _micros(moment: datetime) -> int:
    """Since 1970, as a place tells when it was asked for."""
    return round(moment.timestamp() * 1_000_000)

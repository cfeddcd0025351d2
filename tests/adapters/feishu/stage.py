"""What comes in from the fake Feishu, before a core that only notes it and answers as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from adapters.feishu.connection import Connection
from adapters.feishu.files import Files
from adapters.feishu.intake import Intake
from adapters.feishu.pending import Pending
from adapters.feishu.people import People
from adapters.feishu.ports import Complete
from adapters.feishu.rest import Rest
from adapters.feishu.toasts import Toasts
from bot.catalogue import load
from bot.catalogue.router import Router
from bot.chat import Actor, Attachment, Invocation, Post, Reply
from bot.command import Command, CommandTable, Kind, Option, option
from bot.commands import making
from bot.errors import BotError
from bot.i18n import text
from tests.simulators.feishu.fake import FakeFeishu

DONE = Reply(text=text("Done."), language="en")
LARGEST = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An option of a kind that the drawing commands have not."""

    member: str = option(Kind.PERSON, text("Who is meant"), default="")


async def _unused(request: Any, asking: Any) -> None:
    raise AssertionError("the fake door answers by itself")


def drawing_table() -> CommandTable:
    """The drawing commands as they are, and one without pictures."""
    router = Router(load(), ("sandbox",))
    made = making.commands(cast(Any, SimpleNamespace(router=router)))
    quota = Command(name="quota", summary=text("What is left"), request=Asked, handle=_unused, aliases=("额度",))
    return CommandTable((*made, quota))


@dataclass
class FakeDoor:
    """refuses: what `check` says. problem: raised by the next `accept`. answers: what each asking comes to.

    accepted: what came, as it came, with what replays it. completed: the same when all was found out. pictures: the
    bytes of each one's pictures, quoted ones first, or what was wrong with them. waits: no answer before. language:
    what everybody has chosen.
    """

    table: CommandTable = field(default_factory=drawing_table)
    refuses: Callable[[Invocation], Reply | None] = lambda invocation: None
    answers: Callable[[Invocation], object] = lambda invocation: DONE
    problem: Exception | None = None
    language: str = ""
    accepted: list[tuple[Invocation, Mapping[str, Any]]] = field(default_factory=list)
    completed: list[Invocation] = field(default_factory=list)
    pictures: list[bytes | str] = field(default_factory=list)
    waits: asyncio.Event | None = None
    post: Callable[[Post], Any] | None = None
    _tasks: dict[str, asyncio.Task[object]] = field(default_factory=dict)

    def check(self, invocation: Invocation) -> Reply | None:
        return self.refuses(invocation)

    def language_of(self, actor: Actor) -> str:
        return self.language or actor.language

    def suggest(self, actor: Actor, command: Command, option: Option) -> Sequence[str]:
        return option.choices or option.suggestions

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any], complete: Complete | None = None) -> bool:
        if self.problem:
            problem, self.problem = self.problem, None
            raise problem
        if any(each.id == invocation.id for each, _ in self.accepted):
            return False
        self.accepted.append((invocation, raw))
        self._tasks[invocation.id] = asyncio.create_task(self._answer(invocation, complete))
        return True

    async def outcome(self, invocation: str) -> object:
        return await asyncio.shield(self._tasks[invocation])

    async def give_back(self, generation: str, key: str) -> bool:
        return False

    async def answered(self) -> Invocation:
        """The last one, once it is completed and answered."""
        await self.outcome(self.accepted[-1][0].id)
        return self.completed[-1]

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    @property
    def first(self) -> Invocation:
        return self.accepted[0][0]

    @property
    def last(self) -> Invocation:
        return self.accepted[-1][0]

    async def _answer(self, invocation: Invocation, complete: Complete | None) -> object:
        if self.waits:
            await self.waits.wait()
        if complete is not None:
            invocation = await complete(invocation)
        self.completed.append(invocation)
        quoted: tuple[Attachment, ...] = ()
        if invocation.quoted and invocation.quoted.look:
            try:
                quoted = await invocation.quoted.look()
            except BotError as error:
                self.pictures.append(str(error.text))
        for attachment in (*quoted, *invocation.attachments):
            try:
                self.pictures.append(b"".join([chunk async for chunk in attachment.read()]))
            except BotError as error:
                self.pictures.append(str(error.text))
        answer = self.answers(invocation)
        if isinstance(answer, Reply) and self.post:
            await self.post(Post(key=invocation.id, place=invocation.place, reply=answer))
        return answer


@dataclass
class Stage:
    """The intake at the fake, with its clock. posts: all that was to be posted. problems: raised by the next posts."""

    fake: FakeFeishu
    door: FakeDoor
    rest: Rest
    intake: Intake
    people: People
    files: Files
    posts: list[Post] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)
    toasts: Toasts = field(default_factory=Toasts)

    @property
    def said(self) -> list[str]:
        """The words of what the adapter posted by itself."""
        return [str(post.reply.text) for post in self.posts if post.reply != DONE]

    async def post(self, post: Post) -> str:
        if self.problems:
            raise self.problems.pop(0)
        if self.toasts.show(post):
            return ""
        self.posts.append(post)
        self.fake.signal.touch()
        return f"om_{len(self.posts)}"

    async def until_accepted(self, count: int = 1) -> Invocation:
        """Wait until so many have come, and the last of them is answered."""
        await self.fake.until(lambda: len(self.door.accepted) >= count, what=f"{count} invocations")
        return await self.door.answered()


def told_by(fake: FakeFeishu) -> Callable[[], datetime]:
    return lambda: datetime.fromtimestamp(fake.clock(), UTC)


@asynccontextmanager
async def set_up(fake: FakeFeishu, door: FakeDoor, folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """Everything but the way by which events come: `intake.take` gets them by hand."""
    clock = told_by(fake)
    toasts = Toasts()
    async with Rest(domain=fake.url, app_id=fake.app_id, app_secret=fake.app_secret, pauses=()) as rest:
        people = People(
            rest=rest,
            folder=folder,
            clock=clock,
            group_owners=options.pop("group_owners", False),
            budget=options.pop("budget", 1.0),
        )
        files = Files(rest=rest, max_bytes=LARGEST, app_id=fake.app_id)
        stage = Stage(
            fake=fake, door=door, rest=rest, intake=cast(Any, None), people=people, files=files, toasts=toasts
        )
        known: dict[str, Any] = {
            "door": door,
            "files": files,
            "people": people,
            "pending": Pending(folder=folder / "pending", clock=clock),
            "toasts": toasts,
            "post": stage.post,
            "bot": lambda: fake.bot.open_id,
            "oldest": timedelta(hours=1),
            "language": "en",
            "clock": clock,
        }
        stage.intake = Intake(**{**known, **options})
        door.post = stage.post
        try:
            yield stage
        finally:
            await stage.intake.finish()
            await door.close()


@asynccontextmanager
async def listening(fake: FakeFeishu, door: FakeDoor, folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """The same at the end of a long connection."""
    async with set_up(fake, door, folder, **options) as stage:
        connection = Connection(domain=fake.url, app_id=fake.app_id, app_secret=fake.app_secret, take=stage.intake.take)
        running = asyncio.create_task(connection.run())
        try:
            await fake.ready()
            yield stage
        finally:
            await connection.close()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

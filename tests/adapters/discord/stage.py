"""The adapter on the fake Discord, before a core that only notes what comes and answers in one sentence."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from adapters.discord.adapter import DiscordAdapter
from adapters.discord.connect import connect
from bot.catalogue import load
from bot.catalogue.router import Router
from bot.chat import Actor, Attachment, Invocation, Post, Reply
from bot.command import Command, CommandTable, Kind, Option, option
from bot.commands import making
from bot.errors import BotError
from bot.i18n import text
from bot.media.fetch import GuardedFetcher
from bot.media.fit import Fitter
from tests.fakes import FakeBlobs
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.messages import Part, post
from tests.simulators.discord.model import Message

DONE = text("Done.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One option of every kind that the drawing commands have not."""

    area: str = option(Kind.CHOICE, text("What to look at"), default="", choices=("space", "audit"))
    value: str = option(Kind.WORDS, text("What to set it to"), default="", suggestions=("all",))
    id: str = option(Kind.ID, text("The short id that stands under a picture"), default="")
    member: str = option(Kind.PERSON, text("Who is meant"), default="")
    channel: str = option(Kind.ROOM, text("Which channel is meant"), default="")
    role: str = option(Kind.ROLE, text("Which role is meant"), default="")


async def _unused(request: Any, asking: Any) -> None:
    raise AssertionError("the fake door answers by itself")


def drawing_table() -> CommandTable:
    """The drawing commands as they are, and one for admins."""
    router = Router(load(), ("sandbox",))
    made = making.commands(cast(Any, SimpleNamespace(router=router)))
    managing = Command(
        name="admin",
        summary=text("Look at the rules of this server"),
        request=Managed,
        handle=_unused,
        aliases=("管理",),
        admins_only=True,
    )
    return CommandTable((*made, managing))


@dataclass
class FakeDoor:
    """refuses, private, suggests: what `check`, `is_private` and `suggest` say. problem: raised by the next `accept`.

    accepted: what came, with what replays it. pictures: the bytes of each invocation's pictures, or what was wrong.
    answers: whether it answers by itself.
    """

    table: CommandTable
    refuses: Callable[[Invocation], Reply | None] = lambda invocation: None
    private: Callable[[Invocation], bool] = lambda invocation: False
    suggests: Callable[[Actor, Command, Option], Sequence[str]] = lambda actor, command, option: (
        option.choices or option.suggestions
    )
    problem: Exception | None = None
    answers: bool = True
    accepted: list[tuple[Invocation, Mapping[str, Any]]] = field(default_factory=list)
    pictures: list[bytes | str] = field(default_factory=list)
    adapter: DiscordAdapter | None = None
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def check(self, invocation: Invocation) -> Reply | None:
        return self.refuses(invocation)

    def is_private(self, invocation: Invocation) -> bool:
        return self.private(invocation)

    def suggest(
        self, actor: Actor, command: Command, option: Option, room: str = "", chosen: Mapping[str, str] | None = None
    ) -> Sequence[str]:
        return self.suggests(actor, command, option)

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any]) -> bool:
        if self.problem:
            raise self.problem
        if any(each.id == invocation.id for each, _ in self.accepted):
            return False
        self.accepted.append((invocation, raw))
        self._tasks[invocation.id] = asyncio.create_task(self._answer(invocation))
        return True

    async def outcome(self, invocation: str) -> object:
        await self._tasks[invocation]
        return None

    @property
    def last(self) -> Invocation:
        return self.accepted[-1][0]

    async def _answer(self, invocation: Invocation) -> None:
        quoted = invocation.quoted.attachments if invocation.quoted else ()
        named = [value for value in invocation.values.values() if isinstance(value, Attachment)]
        for attachment in (*quoted, *named, *invocation.attachments):
            try:
                self.pictures.append(b"".join([chunk async for chunk in attachment.read()]))
            except BotError as error:
                self.pictures.append(str(error.text))
        if self.answers and self.adapter:
            reply = Reply(text=DONE, language="en", private=self.is_private(invocation))
            await self.adapter.post(Post(key=invocation.id, place=invocation.place, reply=reply))


def own(fake: FakeDiscord, *ids: str, picture: bytes = b"") -> Message:
    """A message of the bot with these buttons, as the adapter posts one."""
    media = [{"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}] if picture else []
    buttons = [{"type": 2, "style": 2, "label": id.partition(":")[0].title(), "custom_id": id} for id in ids]
    row = [{"type": 1, "components": buttons}] if buttons else []
    text = [{"type": 10, "content": "Drawn"}]
    body = {
        "flags": 1 << 15,
        "components": [{"type": 17, "components": [*text, *media, *row]}],
        "attachments": [{"id": 0, "filename": "a.png"}] if picture else [],
    }
    parts = [Part("0", "a.png", picture)] if picture else []
    return post(fake, fake.channel, fake.bot, body, parts, limit=2**20)


async def nobody() -> int:
    return 0


@asynccontextmanager
async def entered(fake: FakeDiscord, door: FakeDoor, folder: Path, **options: Any) -> AsyncIterator[DiscordAdapter]:
    """Logged in, and not connected to the gateway."""
    async with GuardedFetcher(options.pop("allow", ())) as fetcher:
        known: dict[str, Any] = {
            "token": fake.token,
            "door": door,
            "blobs": FakeBlobs(),
            "fitter": Fitter(),
            "fetcher": fetcher,
            "clock": fake.clock,
            "folder": folder,
            "max_bytes": 2**20,
            "model": "seedream-4.5",
            "waiting": nobody,
            "connector": fake.connector,
            "settle": 0.01,
        }
        async with connect(**{**known, **options}) as adapter:
            door.adapter = adapter
            yield adapter


@asynccontextmanager
async def connected(fake: FakeDiscord, door: FakeDoor, folder: Path, **options: Any) -> AsyncIterator[DiscordAdapter]:
    """Logged in, connected to the gateway, and with its commands in place."""
    syncs = fake.commands.syncs
    async with entered(fake, door, folder, **options) as adapter, adapter.listening():
        await fake.ready()
        if not syncs and 0 in options.get("shard_ids", (0,)):  # the first shard puts them
            await fake.until(lambda: fake.commands.syncs, what="the commands")
        yield adapter

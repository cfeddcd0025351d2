"""Small working stand-ins: a clock that is set by hand, a platform, a provider that plays a script, a blob store."""

import asyncio
import struct
import zlib
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from bot.catalogue import InputLimits
from bot.chat import Attachment, Invocation, Post, Reply
from bot.errors import NotThere, ProviderError
from bot.i18n import text
from bot.media.normalise import Normalised
from bot.providers.base import Event, Finished, Job, Prepared, Probed, Produced, Rejected, Submitted

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Tells the time that it was set to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class FakeAdapter:
    """A platform that keeps one message for each key. `problems` are raised by the next posts, one each.

    Every call of `post` is kept in `calls`, refused ones included; `shown` has what stood there, in order.
    """

    name: str = "fake"
    pace: float = 0.0
    problems: deque[Exception] = field(default_factory=deque)
    calls: list[Post] = field(default_factory=list)
    shown: list[Post] = field(default_factory=list)
    messages: dict[str, str] = field(default_factory=dict)
    events: dict[str, Invocation] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: Callable[[Post], Exception | None] = lambda post: None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def post(self, post: Post) -> str:
        self.calls.append(post)
        self._news.set()
        await self.open.wait()
        problem = self.problems.popleft() if self.problems else self.refuses(post)
        if problem is not None:
            raise problem
        self.shown.append(post)
        self._news.set()
        return self.messages.setdefault(post.key, f"message-{len(self.messages)}")

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        return self.events.get(raw["event"])

    def replies(self, generation: str) -> list[Reply]:
        """What was shown of a generation, in order."""
        return [post.reply for post in self.shown if post.reply.generation == generation]

    async def until(self, true: Callable[[], Any], *, seconds: float = 5.0) -> None:
        """Wait until something about the posts is true."""
        async with asyncio.timeout(seconds):
            while not true():
                self._news.clear()
                await self._news.wait()


@dataclass(frozen=True, slots=True)
class Make:
    """A step of a script: a picture comes. cost: what the provider says it charged."""

    index: int = 0
    title: str = ""
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A step of a script: one picture of several does not come."""

    index: int
    error: ProviderError


@dataclass(frozen=True, slots=True)
class Ticket:
    ticket: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A step of a script: nothing comes until somebody says so."""

    event: asyncio.Event


DONE = Finished()
Step = Make | Reject | Ticket | Prepared | Wait | Finished | BaseException | Callable[[Job], Awaitable[None]]
MADE: tuple[Step, ...] = (Make(), DONE)


@dataclass
class FakeProvider:
    """Plays one script for each request: the next of `scripts`, by job number, else a picture for each one asked for.

    Every request is kept in `asked` with the ticket that it came with. Like a real one it leaves whole files.
    """

    name: str = "sandbox"
    scripts: deque[Iterable[Step]] = field(default_factory=deque)
    by_number: dict[int, deque[Iterable[Step]]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[Job, str]] = field(default_factory=list)
    side: int = 2048
    idempotent: float = 0.0

    async def probe(self) -> Probed:
        return Probed(well=True, told="a fake")

    async def generate(self, job: Job, ticket: str = "") -> AsyncGenerator[Event, None]:
        self.asked.append((job, ticket))
        for step in self._script(job):
            match step:
                case Make():
                    yield await self._draw(job, step)
                case Reject(index, error):
                    yield Rejected(index, error)
                case Ticket(given):
                    yield Submitted(given)
                case Prepared():
                    yield step
                case Wait(event):
                    await event.wait()
                case Finished():
                    yield step
                case BaseException():
                    raise step
                case _:
                    await step(job)

    @property
    def paid(self) -> int:
        """How many paid requests were sent."""
        return sum(not ticket for _, ticket in self.asked)

    def _script(self, job: Job) -> Iterable[Step]:
        if mine := self.by_number[int(job.id.rpartition(":")[2])]:
            return mine.popleft()
        if self.scripts:
            return self.scripts.popleft()
        return (*(Make(index) for index in range(job.images)), DONE)

    async def _draw(self, job: Job, make: Make) -> Produced:
        file = job.folder / f"picture-{make.index}"
        file.write_bytes(painted(f"{job.id}:{make.index}:{len(self.asked)}"))
        return Produced(make.index, file, "image/png", self.side, self.side, title=make.title, cost=make.cost)


@dataclass
class FakeBlobs:
    """Blobs in memory. `problems` are raised by the next `put`s, one each; None lets one pass."""

    stored: dict[str, bytes] = field(default_factory=dict)
    problems: deque[Exception | None] = field(default_factory=deque)

    async def put(self, file: Path) -> str:
        problem = self.problems.popleft() if self.problems else None
        if problem is not None:
            raise problem
        data = await asyncio.to_thread(file.read_bytes)
        key = sha256(data).hexdigest()
        self.stored[key] = data
        return key

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        if key not in self.stored:
            raise NotThere(text("This picture is no longer kept."))
        yield self.stored[key]

    async def copy_to(self, key: str, file: Path) -> None:
        await asyncio.to_thread(file.write_bytes, b"".join([chunk async for chunk in self.read(key)]))

    async def delete(self, key: str) -> None:
        self.stored.pop(key, None)


@dataclass
class FakeNormaliser:
    """Takes every picture as it is and says that it has these sides; the real one has tests of its own.

    The limits of each asking are kept in `asked`.
    """

    width: int = 24
    height: int = 16
    alpha: bool = False
    asked: list[InputLimits] = field(default_factory=list)

    async def __aenter__(self) -> "FakeNormaliser":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def normalise(self, chunks: AsyncIterator[bytes], *, inputs: InputLimits, folder: Path) -> Normalised:
        self.asked.append(inputs)
        data = b"".join([chunk async for chunk in chunks])
        file = folder / f"normalised-{sha256(data).hexdigest()[:8]}-{id(chunks)}"
        await asyncio.to_thread(file.write_bytes, data)
        return Normalised(
            file=file,
            media_type="image/png",
            width=self.width,
            height=self.height,
            size=len(data),
            alpha=self.alpha,
        )


def attached(data: bytes, name: str = "picture.png") -> Attachment:
    """A file that somebody sent."""

    async def read() -> AsyncIterator[bytes]:
        yield data

    return Attachment(name=name, read=read, size=len(data))


def painted(seed: str, width: int = 24, height: int = 16) -> bytes:
    """A small PNG of one colour that follows from the seed."""
    colour = sha256(seed.encode()).digest()[:3]
    rows = zlib.compress((b"\0" + colour * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", rows), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

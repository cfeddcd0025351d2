"""A small core for the page's tests: it understands a few commands, draws at once or when it is told to, and says
what a real one would say. It keeps the door's promise: one id is run once.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image, ImageDraw

from adapters.web.adapter import WebAdapter
from adapters.web.people import Persona
from bot import grammar
from bot.chat import AccountLine, Actor, Attachment, Button, Invocation, Picture, Post, Reply, Tone
from bot.command import Command, CommandTable, Kind, option
from bot.errors import BotError, NotThere, UsageError
from bot.i18n import Text, text, verbatim
from bot.media.store import Blobs
from bot.storage.database import Database, SQLiteDatabase
from bot.storage.schema import migrate

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SIDES = {"16:9": (1344, 756), "9:16": (756, 1344), "3:2": (1248, 832)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    prompt: str = option(Kind.WORDS, text("What to draw"))
    model: str | None = option(Kind.CHOICE, text("The model"), default=None, choices=("seedream-4", "seedream-4.5"))
    size: str | None = option(Kind.CHOICE, text("How large"), default=None, suggestions=("1K", "2K", "4K"))
    ratio: str | None = option(Kind.CHOICE, text("Width to height"), default=None, suggestions=("1:1", "16:9", "9:16"))
    count: int = option(Kind.INTEGER, text("How many pictures"), default=1, low=1, high=4)
    private: bool = option(Kind.SWITCH, text("Only for me"), default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Draw):
    images: tuple[Attachment, ...] = option(Kind.IMAGES, text("The pictures"), low=1, high=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    command: str | None = option(Kind.CHOICE, text("A command"), default=None, choices=("imagine", "edit", "quota"))


async def _never(request: object, context: object) -> None:
    raise AssertionError("the fake core answers by itself")


def table() -> CommandTable:
    kinds: list[tuple[str, str, type, tuple[str, ...]]] = [
        ("imagine", "Draw pictures from words", Draw, ("画",)),
        ("edit", "Change a picture, or fuse several", Edit, ("改图",)),
        ("blend", "Blend two or more pictures into one", Edit, ("融合",)),
        ("series", "A series of pictures that belong together", Draw, ("组图",)),
        ("quota", "What is left for you", Nothing, ("额度",)),
        ("help", "What I can do", Help, ("帮助",)),
        *(
            (name, f"Something about {name}", Nothing, ())
            for name in ("history", "show", "cancel", "models", "settings")
        ),
    ]
    return CommandTable(
        Command(name=name, summary=text(words), request=request, handle=_never, aliases=aliases)
        for name, words, request, aliases in kinds
    )


@dataclass
class Controls:
    fault: str = "none"
    offset: timedelta = timedelta()

    async def shift_clock(self, to: str) -> None:
        self.offset = {"day": timedelta(days=1), "month": timedelta(days=30), "now": timedelta()}[to]

    def now(self) -> datetime:
        return NOW + self.offset


def paint(width: int, height: int, seed: int) -> bytes:
    """Hills under a sky, different for every seed."""
    sky = [(244, 196, 156), (150, 188, 226), (212, 190, 232), (182, 222, 208)][seed % 4]
    image = Image.new("RGB", (width, height), sky)
    draw = ImageDraw.Draw(image)
    sun = width * (3 + seed % 5) // 10
    draw.ellipse((sun, height // 6, sun + width // 8, height // 6 + width // 8), fill=(255, 240, 200))
    for layer in range(4):
        top = height * (5 + layer) // 10
        shade = tuple(channel * (7 - layer) // 9 for channel in sky)
        points = [(x, top + ((x // 9 * (seed + 3 + layer)) % (height // 7))) for x in range(0, width + 200, 190)]
        draw.polygon([(0, height), *points, (width, height)], fill=shade)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass
class FakeCore:
    """The door, and everything else the page is given. `steps` is taken from before every step of a drawing."""

    folder: Path
    database: Database
    blobs: Blobs
    steps: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1_000_000))
    table: CommandTable = field(default_factory=table)
    controls: Controls = field(default_factory=Controls)
    accepted: list[Invocation] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=lambda: {"alice": 12, "bob": 44, "carol": 50})
    refuse_all: BotError | None = None

    def __post_init__(self) -> None:
        self._known: dict[str, Mapping[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.chat: WebAdapter

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any]) -> bool:
        if self.refuse_all:
            raise self.refuse_all
        if invocation.id in self._known:
            return False
        self._known[invocation.id] = raw
        self.accepted.append(invocation)
        task = asyncio.create_task(self._run(invocation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accounts(self, actor: Actor) -> tuple[AccountLine, ...]:
        def line(name: str, unit: str, window: str, used: int, limit: int | None) -> AccountLine:
            resets = self.controls.now() + timedelta(hours=14)
            return AccountLine(name=text(name), unit=unit, window=window, used=used, held=0, limit=limit, resets=resets)

        used = self.used[actor.user]
        return (
            line("You", "images", "day", used, 50),
            line("You", "images", "month", used + 60, 500),
            line("This space", "images", "month", 812, 5000),
            line("This space", "usd", "month", 41_250_000, 200_000_000),
        )

    async def happened(self, generation: str, actor: Actor) -> Sequence[tuple[datetime, Text, Text]]:
        steps = ("Accepted", "Held 1 picture", "Sent to the provider", "Picture 1 arrived", "Settled")
        return [(NOW + timedelta(milliseconds=430 * n), text(what), verbatim("")) for n, what in enumerate(steps)]

    async def line(self, generation: str, actor: Actor) -> str:
        return f"/imagine {self.replies[generation].prompt} --model seedream-4.5 --size 2K"

    async def thumbnails(self, blob: str, longest: int) -> bytes:
        data = b"".join([chunk async for chunk in self.blobs.read(blob)])
        file = io.BytesIO()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image.thumbnail((longest, longest))
        image.save(file, "JPEG", quality=85)
        return file.getvalue()

    async def _run(self, invocation: Invocation) -> None:
        try:
            await self._answer(invocation)
        except BotError as error:
            await self._post(invocation, Reply(text=error.text, tone=Tone.REFUSAL, private=True))

    async def _answer(self, invocation: Invocation) -> None:
        if invocation.press:
            command, prompt = invocation.press.partition(":")[0], str(invocation.values.get("prompt", ""))
            if command == "delete":
                return await self._post(invocation, Reply(text=text("The picture was deleted.")))
            before = self.replies.get(invocation.press.split(":")[1])
            if before is None:
                raise NotThere(text("There is no such picture."))
            return await self._draw(invocation, prompt or before.prompt, {"ratio": ""}, before)
        parsed = grammar.parse(invocation.line, self.table)
        if parsed is None:
            if not invocation.line.strip():
                raise UsageError(text("Say what to do with the picture."))
            return await self._draw(invocation, invocation.line, {})
        command = self.table.find(parsed.command)
        command.bind(parsed.values, invocation.attachments, pictures_coming=int(invocation.quoted is not None))
        if command.name == "quota":
            lines = await self.accounts(invocation.actor)
            reply = Reply(text=text("This is what is left."), accounts=lines, private=True)
            return await self._post(invocation, reply)
        if command.name == "help":
            rows = tuple((verbatim(f"/{each.name}"), each.summary) for each in self.table.listed)
            return await self._post(invocation, Reply(text=text("What I can do:"), rows=rows))
        return await self._draw(invocation, parsed.values["prompt"], parsed.values)

    async def _draw(
        self, invocation: Invocation, prompt: str, values: Mapping[str, str], before: Reply | None = None
    ) -> None:
        if self.used[invocation.actor.user] >= 50:
            raise BotError(text("You: the limit is 50 pictures a day; none is left. It starts anew at midnight."))
        generation = f"k{len(self.replies):07}"
        working = Reply(
            text=text("In line: 2nd"), tone=Tone.PROGRESS, state="queued", generation=generation, prompt=prompt,
            private=values.get("private") == "yes",
            buttons=(Button(command="cancel", generation=generation, label=text("Cancel")),),
        )  # fmt: skip
        await self._post(invocation, working)
        pictures: tuple[Picture, ...] = ()
        for index in range(int(values.get("count", 1))):
            await self.steps.acquire()
            working = replace(working, text=text("Drawing…"), state="running", pictures=pictures)
            self.replies[generation] = working
            await self._post(invocation, working)
            await self.steps.acquire()
            pictures += (await self._picture(generation, index, prompt, values),)
        self.used[invocation.actor.user] += len(pictures)
        await self._post(invocation, self._result(working, pictures))

    async def _picture(self, generation: str, index: int, prompt: str, values: Mapping[str, str]) -> Picture:
        width, height = SIDES.get(values.get("ratio", ""), (1024, 1024))
        file = self.folder / f"{generation}-{index}.png"
        seed = sum(prompt.encode()) + 7 * index
        await asyncio.to_thread(lambda: file.write_bytes(paint(width, height, seed)))
        return Picture(
            generation=generation, index=index, blob=await self.blobs.put(file), media_type="image/png",
            width=width, height=height, size=file.stat().st_size, alt=prompt,
        )  # fmt: skip

    def _result(self, working: Reply, pictures: tuple[Picture, ...]) -> Reply:
        generation = working.generation

        def button(command: str, label: Text, **more: Any) -> Button:
            return Button(command=command, generation=generation, label=label, **more)

        self.replies[generation] = replace(
            working, text=verbatim(""), tone=Tone.ANSWER, state="settled", pictures=pictures,
            notes=(verbatim("seedream-4.5"), verbatim(f"{pictures[0].width}×{pictures[0].height}"),
                   text("{money} USD", money="0.04"), text("2.1 s")),
            buttons=(
                button("again", text("Again")),
                button("vary", text("Vary"), picks=True),
                button("edit", text("Edit"), picks=True, asks=text("What should change?")),
                button("4k", text("4K"), picks=True),
                button("details", text("Details")),
                button("delete", text("Delete"), danger=True),
            ),
        )  # fmt: skip
        return self.replies[generation]

    async def _post(self, invocation: Invocation, reply: Reply) -> None:
        await self.chat.post(Post(key=f"answer:{invocation.id}", place=invocation.place, reply=reply))


PEOPLE = (
    Persona(name="alice", admin=True, note=text("admin")),
    Persona(name="bob", note=text("member")),
    Persona(name="carol", note=text("nothing left")),
)


@asynccontextmanager
async def core_with_page(folder: Path, *, port: int = 8765, **options: Any) -> AsyncIterator[FakeCore]:
    """A core and its chat page over a database and a folder, which may be those of an earlier one."""
    migrate(folder / "chat.db")
    blobs = Blobs((folder / "blobs").as_uri())
    async with SQLiteDatabase(folder / "chat.db") as database:
        core = FakeCore(folder, database, blobs)
        core.chat = WebAdapter(
            **{
                "database": database, "door": core, "blobs": blobs, "thumbnails": core.thumbnails, "people": PEOPLE,
                "accounts": core.accounts, "happened": core.happened, "controls": core.controls, "line": core.line,
                "clock": core.controls.now, "host": "127.0.0.1", "port": port, "language": "en", **options,
            }
        )  # fmt: skip
        try:
            yield core
        finally:
            await core.close()


@asynccontextmanager
async def serving(chat: WebAdapter, *, port: int = 0) -> AsyncIterator[str]:
    """The page on a real socket; gives its address."""
    application = web.Application()
    chat.routes(application)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def blob_of(core: FakeCore, data: bytes) -> str:
    file = core.folder / "given"
    await asyncio.to_thread(file.write_bytes, data)
    return await core.blobs.put(file)


async def missing(key: str) -> AsyncIterator[bytes]:
    raise NotThere(text("gone"))
    yield b""

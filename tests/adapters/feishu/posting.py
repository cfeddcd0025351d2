"""What posting needs in a test: the real REST at the fake, a ladder over it, and places as they are stored."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.feishu.event import NAME, Where
from adapters.feishu.fitting import Fitting
from adapters.feishu.ladder import Ladder
from adapters.feishu.rest import Rest
from bot.chat import Button, Picture, Place, Post, Reply, Tone
from bot.i18n import text, verbatim
from bot.media.fit import Fitter
from tests.fakes import FakeBlobs, painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.people import Person

GENERATION = "k3f9w2ab"
KEY = f"{GENERATION}:0"
AGAIN = Button(command="again", generation=GENERATION, label=text("Again"))


@dataclass
class Toasts:
    """The presses, by key, whose short answer is shown at once."""

    open: set[str] = field(default_factory=set)
    shown: list[Post] = field(default_factory=list)

    def show(self, post: Post) -> bool:
        if post.key not in self.open:
            return False
        self.shown.append(post)
        return True


@dataclass
class Desk:
    """Posts, and how people came to ask for them."""

    fake: FakeFeishu
    rest: Rest
    folder: Path
    fitter: Fitter
    blobs: FakeBlobs = field(default_factory=FakeBlobs)
    toasts: Toasts = field(default_factory=Toasts)
    link: Callable[[Picture], str | None] | None = None
    gives_back: bool = True
    given_back: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process takes over: it knows nothing but what the core stored."""
        fitting = Fitting(rest=self.rest, blobs=self.blobs, fitter=self.fitter, folder=self.folder, link=self.link)
        self.ladder = Ladder(
            rest=self.rest,
            fitting=fitting,
            toasts=self.toasts,
            models=lambda: ("seedream-4.5",),
            give_back=self.give_back,
            clock=self.now,
        )

    async def give_back(self, generation: str, key: str) -> bool:
        self.given_back.append((generation, key))
        return self.gives_back

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.fake.clock(), UTC)

    async def asked(self, person: Person, to: Chat | None = None, words: str = "a fox") -> tuple[Message, Place]:
        """Somebody asks for something, in a group with a mention of the bot."""
        mentioned = f"{{bot}} {words}" if to else words
        message = await person.says(mentioned, to=to, mentions=(self.fake.bot,) if to else (), wait=False)
        return message, self.place(person, message.chat, message=message.id, thread=message.in_thread)

    def pressed(self, person: Person, card: Message) -> Place:
        """The place of a press on a card of ours."""
        return self.place(person, card.chat, card=card.id)

    def place(self, person: Person, chat: Chat | None = None, **more: Any) -> Place:
        """Without a chat: that of the bot's menu."""
        where = Where(
            tenant=self.fake.tenant,
            user=person.open_id,
            chat=chat.id if chat else "",
            kind=chat.kind if chat else "",
            at=round(self.fake.clock() * 1000),
            **more,
        )
        room = "" if where.direct else where.chat
        return Place(adapter=NAME, data=where.model_dump(), private=where.direct, room=room)

    def in_room(self, place: Place, chat: Chat) -> Place:
        """Another chat, which the core chose."""
        return replace(place, room=chat.id, private=False)

    def picture(self, index: int = 0, data: bytes | None = None, *, generation: str = GENERATION) -> Picture:
        content = data or painted(f"{generation}{index}")
        blob = sha256(content).hexdigest()
        self.blobs.stored[blob] = content
        return Picture(
            generation=generation,
            index=index,
            blob=blob,
            media_type="image/png",
            width=24,
            height=16,
            size=len(content),
            alt="a fox",
        )

    def pictures(self, count: int) -> tuple[Picture, ...]:
        return tuple(self.picture(index) for index in range(count))

    async def post(self, place: Place, reply: Reply, *, key: str = KEY, message: str = "", **more: Any) -> str:
        return await self.ladder.post(Post(key=key, place=place, reply=reply, message=message, **more))

    def bots(self, chat: Chat) -> list[Message]:
        """What the bot has there, oldest first."""
        return [each for each in self.fake.messages(chat) if each.sender is self.fake.bot]

    def only(self, chat: Chat) -> Message:
        """The one message of the bot there."""
        (found,) = self.bots(chat)
        return found


def reply(words: str = "Drawn", **more: Any) -> Reply:
    more = {"buttons": (AGAIN,), "generation": GENERATION, "language": "en", **more}
    return Reply(text=verbatim(words), **more)


def progress(words: str = "In line", **more: Any) -> Reply:
    return reply(words, tone=Tone.PROGRESS, **more)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with FakeFeishu() as fake, Fitter() as fitter:
        connection = {"domain": fake.url, "app_id": fake.app_id, "app_secret": fake.app_secret}
        async with Rest(**connection, pauses=(), longest_wait=0.0, clock=fake.clock) as rest:
            yield Desk(fake, rest, folder, fitter)
            assert fake.complaints == []

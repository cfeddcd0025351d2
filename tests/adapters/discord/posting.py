"""What posting needs in a test: the real discord.py logged in at the fake, without a gateway, and a ladder over it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import discord
from discord.webhook.async_ import async_context, interaction_response_params

from adapters.discord.event import Where, useless_from
from adapters.discord.fitting import Fitting
from adapters.discord.ladder import Ladder
from adapters.discord.rest import Rest
from bot.chat import Button, Picture, Place, Post, Reply, Tone
from bot.i18n import text, verbatim
from bot.media.fit import Fitter
from tests.fakes import FakeBlobs, painted
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.interactions import Asked
from tests.simulators.discord.model import Channel, Message
from tests.simulators.discord.people import Person

COMMAND = {
    "name": "imagine",
    "description": "Draw",
    "type": 1,
    "contexts": [0, 1, 2],
    "integration_types": [0, 1],
    "options": [{"type": 3, "name": "prompt", "description": "What to draw", "required": True}],
}
GENERATION = "k3f9w2ab"
AGAIN = Button(command="again", generation=GENERATION, label=text("Again"))
VARY = Button(command="vary", generation=GENERATION, label=text("Vary"), picks=True)


@dataclass
class Desk:
    """Posts, and how people came to ask for them."""

    fake: FakeDiscord
    client: discord.Client
    folder: Path
    fitter: Fitter
    blobs: FakeBlobs = field(default_factory=FakeBlobs)
    link: Callable[[Picture], str | None] | None = None

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process takes over: it knows nothing but what the core stored."""
        rest = Rest(self.client, pauses=(0.0, 0.0))
        fitting = Fitting(blobs=self.blobs, fitter=self.fitter, folder=self.folder, link=self.link)
        self.ladder = Ladder(rest=rest, fitting=fitting, clock=self.fake.clock)

    async def asked(self, person: Person, *, private: bool = False, in_: Channel | None = None) -> tuple[Asked, Place]:
        """A slash command whose answer is deferred, and its place as it is stored."""
        asked = await person.slash("imagine", prompt="a fox", in_=in_)
        await self._acknowledge(asked, 5, flags=64 if private else 0)
        return asked, self.place(asked, deferred=True, ephemeral=private)

    async def pressed(self, person: Person, message: Message, which: str) -> tuple[Asked, Place]:
        """A press whose own message is to change."""
        asked = await person.press(message, which)
        await self._acknowledge(asked, 6)
        return asked, self.place(asked, deferred=True, update=True)

    async def _acknowledge(self, asked: Asked, type: int, **data: Any) -> None:
        webhook = discord.Webhook.partial(int(asked.id), asked.token, client=self.client)
        with interaction_response_params(type=type, data=data) as params:
            await async_context.get().create_interaction_response(
                int(asked.id), asked.token, session=webhook.session, params=params
            )

    def place(self, asked: Asked, **more: Any) -> Place:
        data = Where(
            application=self.fake.bot.id,
            token=asked.token,
            expires=useless_from(asked.id),
            channel=asked.channel.id,
            guild=asked.channel.guild.id if asked.channel.guild else "",
            user=asked.person.id,
            limit=asked.limit,
            member=asked.member,
            **more,
        )
        return Place(adapter="discord", data=data.model_dump(), private=data.ephemeral, room=data.channel)

    def said(self, message: Message) -> Place:
        """The place of a message that somebody wrote."""
        channel = message.channel
        data = Where(
            application=self.fake.bot.id,
            channel=channel.id,
            guild=channel.guild.id if channel.guild else "",
            user=message.author.id,
            reply_to=message.id,
            member=True,
        )
        return Place(adapter="discord", data=data.model_dump(), room=channel.id)

    def in_room(self, place: Place, channel: Channel) -> Place:
        """Another channel, which the core chose."""
        return replace(place, room=channel.id)

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

    async def post(self, place: Place, reply: Reply, *, key: str = f"{GENERATION}:0", message: str = "") -> str:
        return await self.ladder.post(Post(key=key, place=place, reply=reply, message=message))


def reply(words: str = "Drawn", **more: Any) -> Reply:
    more = {"buttons": (AGAIN,), "generation": GENERATION, "language": "en", **more}
    return Reply(text=verbatim(words), **more)


def progress(words: str = "In line") -> Reply:
    return reply(words, tone=Tone.PROGRESS)


@asynccontextmanager
async def desk(fake: FakeDiscord, folder: Path) -> AsyncIterator[Desk]:
    fake.commands.put(None, [COMMAND])
    client = discord.Client(intents=discord.Intents.none(), connector=fake.connector())
    async with client, Fitter() as fitter:
        await client.login(fake.token)
        yield Desk(fake, client, folder, fitter)

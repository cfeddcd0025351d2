"""The stage of Discord: the adapter with the real discord.py, connected to our own Discord over real sockets.

People speak in the server's channel and mention the bot. What it says to one of them alone is a direct message.
"""

import re
import warnings
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

with warnings.catch_warnings():
    # discord.py itself imports what Python 3.13 drops.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord  # noqa: F401

from adapters.discord.adapter import DiscordAdapter
from bot.chat import Invocation
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.contract.seen import Seen
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.model import Message
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.people import Person

ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")


@dataclass
class DiscordStage:
    folder: Path
    adapter: DiscordAdapter = field(init=False)

    async def __aenter__(self) -> Self:
        self.fake = FakeDiscord(openapi=at_hand())
        self.door = FakeDoor(drawing_table(), answers=False)
        self._stack, self._process = AsyncExitStack(), AsyncExitStack()
        await self._stack.enter_async_context(self.fake)
        self._people = {name: self.fake.person(name) for name in ("ann", "ben")}
        artists = self.fake.new_role(self.fake.guild, "artists")
        self.fake.guild.members[self._people["ann"].user.id].roles.append(artists)
        self.roles: tuple[str, ...] = (self.fake.guild.id, artists.id)
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.aclose()
        await self._stack.aclose()
        assert self.fake.complaints == []

    async def _start(self) -> None:
        self.adapter = await self._process.enter_async_context(connected(self.fake, self.door, self.folder))

    async def restarts(self) -> None:
        await self._process.aclose()
        await self._start()

    @property
    def events(self) -> list[tuple[Invocation, Mapping[str, Any]]]:
        return self.door.accepted

    async def says(self, person: str, words: str, *, reply_to: str = "", picture: bytes = b"") -> None:
        before = len(self.events)
        await self._people[person].say(
            words,
            mentions=[self.fake.bot],
            attachments=[Upload("said.png", picture)] if picture else [],
            reply_to=self._found(reply_to) if reply_to else None,
        )
        await self.fake.signal.until(lambda: len(self.events) > before, what="the event", look=0.01)

    async def sees(self, person: str) -> list[Seen]:
        one = self._people[person]
        channels = [self.fake.channel, one.direct]
        messages = [each for channel in channels for each in channel.messages if self._is_seen(each, one)]
        return [
            Seen(id=f"{each.channel.id}/{each.id}", words=_words(each))
            for each in sorted(messages, key=lambda each: int(each.id))
        ]

    def _is_seen(self, message: Message, person: Person) -> bool:
        return message.author is self.fake.bot and message.only_for in (None, person.user)

    def _found(self, id: str) -> Message:
        return self.fake.channel.posts[id.partition("/")[2]]


def _words(message: Message) -> str:
    """The first text of a message, as Discord shows it."""
    written = next(part["content"] for part in message.parts if part["type"] == 10)
    return ESCAPED.sub(r"\1", written)

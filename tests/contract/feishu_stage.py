"""The stage of Feishu: the adapter with lark-oapi's frames, connected to our own Feishu over real sockets.

People speak in one group and mention the bot. What it says to one of them alone stands in their chat with it.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from adapters.feishu.adapter import FeishuAdapter
from adapters.feishu.connect import connect
from bot.chat import Invocation
from bot.media.fit import Fitter
from tests.adapters.feishu.stage import LARGEST, FakeDoor
from tests.contract.seen import Seen
from tests.fakes import FakeBlobs
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message
from tests.simulators.feishu.wire import Json

SET_APART = {"text_color", "text_size"}  # what has these is not what an answer says


@dataclass
class FeishuStage:
    folder: Path
    adapter: FeishuAdapter = field(init=False)

    async def __aenter__(self) -> Self:
        self.fake = FakeFeishu(typed=True)
        self.door = FakeDoor()
        self._stack, self._process = AsyncExitStack(), AsyncExitStack()
        await self._stack.enter_async_context(self.fake)
        self.fitter = await self._stack.enter_async_context(Fitter())
        self._people = {name: self.fake.person(name) for name in ("ann", "ben")}
        self._people["ann"].user.departments = ("od-design",)
        self.roles: tuple[str, ...] = ("department:od-design",)
        self._room = self.fake.group("studio", *self._people.values())
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.aclose()
        await self.door.close()
        await self._stack.aclose()
        assert self.fake.complaints == []

    async def _start(self) -> None:
        self.adapter = await self._process.enter_async_context(self._connected())
        await self._process.enter_async_context(self.adapter.listening())
        await self.fake.ready()

    def _connected(self) -> FeishuAdapter:
        return connect(
            app_id=self.fake.app_id,
            app_secret=self.fake.app_secret,
            domain=self.fake.url,
            door=self.door,
            blobs=FakeBlobs(),
            fitter=self.fitter,
            clock=lambda: datetime.now(UTC),
            folder=self.folder / "feishu",
            max_bytes=LARGEST,
            oldest=timedelta(hours=1),
            zone="UTC",
        )

    async def restarts(self) -> None:
        await self._process.aclose()
        await self.fake.until(lambda: not len(self.fake.connections), what="the end of the connection")
        await self._start()

    @property
    def events(self) -> list[tuple[Invocation, Mapping[str, Any]]]:
        """As they are once it is known who asks; that is looked up behind the note."""
        known = {invocation.id: invocation for invocation in self.door.completed}
        return [(known[invocation.id], raw) for invocation, raw in self.door.accepted if invocation.id in known]

    async def says(self, person: str, words: str, *, reply_to: str = "", picture: bytes = b"") -> None:
        before, one = len(self.events), self._people[person]
        quoted = self.fake.all_messages[reply_to] if reply_to else None
        mentioned = f"{{bot}} {words}"
        if picture:
            await one.posts(mentioned, picture, to=self._room, reply_to=quoted)
        else:
            await one.says(mentioned, to=self._room, reply_to=quoted)
        await self.fake.until(lambda: len(self.events) > before, what="the event")

    async def sees(self, person: str) -> list[Seen]:
        one = self._people[person]
        messages = [each for chat in (self._room, one.direct) for each in chat.messages if each.sender is self.fake.bot]
        return [Seen(id=each.id, words=_words(each)) for each in sorted(messages, key=lambda message: message.sent_at)]


def _words(message: Message) -> str:
    """What the card says: its header, and the words that stand below it as they are."""
    header: Json = message.card.get("header", {})
    first: Json = message.card["body"]["elements"][0]
    title = header.get("title", {}).get("content", "")
    rest = first.get("text", {}) if first["tag"] == "div" else {}
    said = rest.get("content", "") if not rest.keys() & SET_APART else ""
    return "\n".join(filter(None, (title, said)))

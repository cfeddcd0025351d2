"""People who ask, on the fake Feishu and on the page, at their own pace and whatever becomes of the bot meanwhile.

Feishu pushes an event again until it is acknowledged, and the page sends a message again whose arrival nobody has told.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

import aiohttp

from bot.generation.states import ENDED
from tests.crash.home import PEOPLE, Bot, Said
from tests.scale.team import PATIENCE, Team, gone, until
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message, Push
from tests.simulators.feishu.people import Person

SIZE = "--size 1280x720"
BUSY = ("Drawing", "In line")
REPUSH = (3.0,) * 60
MOST_WAITING = 12  # askings at a time that have no end yet: a busy machine is not asked for more than it can do


@dataclass(repr=False)
class Crowd:
    """asked: on Feishu. lost: messages to the page that nobody said had arrived."""

    team: Team
    fake: FakeFeishu
    random: Random
    people: list[Person]
    asked: list[Message] = field(default_factory=list)
    lost: list[Said] = field(default_factory=list)
    count: int = 0
    _open: list[Message] = field(default_factory=list)
    _prompts: dict[str, str] = field(default_factory=dict)

    async def ask(self, words: str = "", options: str = SIZE, *, person: Person | None = None) -> Message:
        """Somebody asks on Feishu for a picture; returns at once."""
        self.count += 1
        prompt = self.team.home.prompt(f"{words} {self.count}".strip())
        message = await (person or self.random.choice(self.people)).says(f"/imagine {prompt} {options}", wait=False)
        self._note(message)
        self._prompts[message.id] = prompt
        return message

    async def something(self) -> None:
        match self.random.randrange(8):
            case 0:
                self._note(await self.random.choice(self.people).says("/quota", wait=False))
            case 1 | 2 if self.team.all("web"):
                await self.on_page()
            case _:
                await self.ask(options=f"{SIZE} --count {self.random.choice((1, 1, 2))}")

    async def on_page(self) -> None:
        self.count += 1
        async with self._page() as page:
            said = await page.draw(f"a page {self.count}", person=self.random.choice(PEOPLE))
        if not said.acknowledged:
            self.lost.append(said)

    @asynccontextmanager
    async def asking(self, *, every: float = 0.3) -> AsyncIterator[None]:
        """For as long as the block lasts; every: the mean time between two askings."""
        task = asyncio.create_task(self._ask_on(every))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _ask_on(self, every: float) -> None:
        while True:
            self._open = [asked for asked in self._open if self._waits(asked)]
            if len(self._open) < MOST_WAITING:
                await self.something()
            await asyncio.sleep(self.random.uniform(0, 2 * every))  # a crowd's own pace

    async def quiet(self) -> None:
        """Until whatever was asked has arrived, and has come to its end."""
        await until(lambda: all(seat.url for seat in self.team.all("web")), "the page listens")
        async with self._page() as page:
            while self.lost:
                said = await page.repeat(self.lost.pop())
                if not said.acknowledged:
                    self.lost.append(said)
                    await asyncio.sleep(0.2)  # as the page does
        for left in (self._unheard, self.team.stored.unfinished, self.stale):
            await gone(left)

    def stale(self) -> list[str]:
        """Cards that still tell of what has ended long ago."""
        return [card.text for asked in self.asked for card in self.cards(asked) if is_busy(card.text)]

    def cards(self, asked: Message) -> list[Message]:
        """What the bot has written in answer."""
        return [one for one in asked.chat.messages if one.sender is self.fake.bot and one.reply_to is asked]

    def noted_as(self, asked: Message) -> str:
        return f"feishu:{asked.id}"

    def state(self, asked: Message) -> str:
        found = self.team.stored.generation(self.noted_as(asked))
        return str(found["state"]) if found else ""

    def paid(self, asked: Message) -> int:
        """How many paid requests with these words the provider has taken."""
        return self.team.home.provider.paid(self._prompts[asked.id])

    async def ends(self, asked: Message, *, within: float = PATIENCE) -> str:
        """Until its card shows how it ended; which state that is."""

        def shown() -> bool:
            cards = self.cards(asked)
            return self.state(asked) in ENDED and bool(cards) and not is_busy(cards[0].text)

        def seen() -> str:
            return f"an end: {self.state(asked)}, {[card.text for card in self.cards(asked)]}"

        await until(shown, seen, seconds=within)
        return self.state(asked)

    def _note(self, asked: Message) -> None:
        self.asked.append(asked)
        self._open.append(asked)

    def _waits(self, asked: Message) -> bool:
        cards = self.cards(asked)
        return not cards or is_busy(cards[0].text)

    def _unheard(self) -> list[Push]:
        asked = {one.id for one in self.asked}
        return [push for push in self.fake.pushes if push.message_id in asked and not push.done]

    @asynccontextmanager
    async def _page(self) -> AsyncIterator[Bot]:
        """The page as its browser sees it: nobody listens there now and then."""
        seat = next(iter(self.team.all("web")))
        assert seat.process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
            yield Bot(seat.process, self.team.home, http, url=seat.url or "http://127.0.0.1:1")


def is_busy(words: str) -> bool:
    return words.startswith(BUSY)

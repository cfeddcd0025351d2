"""`seedream-bot run` with Feishu on: a process of its own that finds the fake Feishu at its domain.

Stories of one module share one process: each has people and groups of its own.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.bot_process import PATIENCE, BotProcess, is_telling
from tests.postgres import ENGINE, settings_of
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Call, Chat, Message, Push
from tests.simulators.feishu.people import Person
from tests.simulators.feishu.wire import Json

__all__ = ["PATIENCE", "Bot", "by_bot", "drawn", "feishu", "on_feishu", "settled", "shared"]

COMMAND = re.compile(r"(@\S+\s+)*([/／]\S+\s*)?")
BUSY = ("Drawing", "In line", "正在画", "排队中")


@dataclass
class Bot(BotProcess):
    """boss: somebody who is an admin everywhere."""

    fake: FakeFeishu

    def __post_init__(self) -> None:
        self.boss = self.fake.person("Boss")

    @property
    def platform(self) -> FakeFeishu:
        return self.fake

    def platform_settings(self) -> dict[str, str]:
        return {
            "BOT_FEISHU__APP_ID": self.fake.app_id,
            "BOT_FEISHU__APP_SECRET": self.fake.app_secret,
            "BOT_FEISHU__DOMAIN": self.fake.url,
            "BOT_MODEL": "seedream-4",
            "BOT_ADMINS": json.dumps([f"feishu/{self.boss.open_id}"]),
        }

    def hears(self) -> bool:
        return bool(self.hangs_on() and self.fake.commands)

    def hangs_on(self) -> bool:
        return len(self.fake.connections) > 0

    def secrets(self) -> Iterator[str]:
        return secrets(self.fake)

    async def says(self, found: Message | Chat | Person, words: str, *, pictures: int = 0) -> Message:
        """The message of the bot that says this and shows so many pictures; in a chat, the newest one.

        One with pictures has come to its end: they may stand there a moment before.
        """

        def look() -> list[Message]:
            return [one for one in by_bot(self.fake, found) if not (pictures and one.text.startswith(BUSY))]

        return await self.shown(look, words, pictures=pictures)

    async def toast(self, person: Person, message: Message, label: str, **fields: str) -> str:
        """What a press is answered with at once."""
        toast = await person.presses(message, label, **fields)
        assert toast is not None, f"{label} is not answered"
        return toast.content


@asynccontextmanager
async def on_feishu(
    folder: Path, *, fake: FakeFeishu | None = None, engine: str = ENGINE, **settings: str
) -> AsyncIterator[Bot]:
    """A bot that hears. One that ends well leaves no breach of Feishu's rules, and no slips in its log."""
    with settings_of(engine) as database:
        async with fake or FakeFeishu(typed=True) as fake:
            bot = Bot(folder / "data", {**database, **settings}, fake)
            async with bot.hearing():
                yield bot
            bot.check(fake.complaints)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One process for the stories of a module."""
    async with on_feishu(tmp_path_factory.mktemp("feishu")) as bot:
        yield bot


@pytest.fixture
def feishu(shared: Bot) -> Iterator[Bot]:
    """The same, held to Feishu's rules after each of them."""
    yield shared
    shared.check(shared.fake.complaints)


async def drawn(
    bot: Bot, person: Person, line: str, *, to: Chat | None = None, pictures: int = 1, says: str = ""
) -> Message:
    """What became of a line, once the pictures are there. says: words of the answer, else those that were asked for."""
    await person.says(f"{{bot}} {line}" if to else line, to=to)
    return await bot.says(to or person, says or _prompt(line), pictures=pictures)


async def settled(bot: Bot, found: Chat | Person, count: int) -> list[Message]:
    """All that the bot wrote there, once there is so much of it and none of it is on its way to something else."""

    def done() -> bool:
        there = by_bot(bot.fake, found)
        return len(there) >= count and not any(one.text.startswith(BUSY) for one in there)

    await bot.until(done, f"{count} messages")
    return by_bot(bot.fake, found)


def by_bot(fake: FakeFeishu, found: Message | Chat | Person) -> Sequence[Message]:
    if isinstance(found, Message):
        return [found]
    chat = found if isinstance(found, Chat) else found.direct
    return [one for one in chat.messages if one.sender is fake.bot]


def secrets(fake: FakeFeishu) -> Iterator[str]:
    """The app's keys, its tokens, the addresses of its connections, and all longer words that a person gave."""
    yield from (fake.app_secret, fake.verification_token)
    yield from filter(None, [fake.encrypt_key])
    yield from {found for call in fake.calls if (found := _bearer(call))}
    yield from ("access_key", "ticket=", "device_id", "/ws/v2")
    for push in fake.pushes:
        yield from _told(push)
    for message in fake.all_messages.values():
        if message.sender is not fake.bot:
            for words in filter(_is_telling, map(_prompt, message.text.splitlines())):
                yield from (words, json.dumps(words)[1:-1])  # as they are, and as a log of ASCII alone has them


def _prompt(line: str) -> str:
    """The words of a line, without whom it mentions first, its command and its options."""
    return COMMAND.sub("", line, count=1).partition(" --")[0]


def _bearer(call: Call) -> str:
    header = {name.lower(): value for name, value in call.headers.items()}.get("authorization", "")
    return header.removeprefix("Bearer ")


def _told(push: Push) -> Iterator[str]:
    """What a card's press brings: its token, and what was written in a form."""
    event: Json = push.body["event"]
    if token := event.get("token"):
        yield token
    entered: dict[str, Any] = event.get("action", {}).get("form_value") or {}
    yield from (value for value in entered.values() if isinstance(value, str) and _is_telling(value))


def _is_telling(words: str) -> bool:
    """Chinese has no spaces."""
    return is_telling(words) or (len(words) > 3 and not words.isascii())

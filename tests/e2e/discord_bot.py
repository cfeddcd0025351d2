"""`seedream-bot run` with Discord on: a process of its own that finds the fake Discord behind its proxy setting.

It knows Discord's real host names only, and trusts the fake's authority by SSL_CERT_FILE; the sandbox draws.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.bot_process import PATIENCE, BotProcess, is_telling
from tests.postgres import ENGINE, settings_of
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.model import Channel, Message, walk
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.people import Person

__all__ = ["PATIENCE", "Bot", "drawn", "on_discord"]


@dataclass
class Bot(BotProcess):
    fake: FakeDiscord

    @property
    def platform(self) -> FakeDiscord:
        return self.fake

    def platform_settings(self) -> dict[str, str]:
        return {
            **self.fake.environment(),
            "BOT_DISCORD__TOKEN": self.fake.token,
            "BOT_DISCORD__PROXY": self.fake.proxy.url,
            "BOT_DISCORD__MESSAGE_CONTENT": "true",
        }

    def hears(self) -> bool:
        return bool(self.fake.gateway.connected and self.fake.commands.syncs)

    def hangs_on(self) -> bool:
        return bool(self.fake.gateway.connected)

    def secrets(self) -> Iterator[str]:
        return secrets(self.fake)

    async def says(self, found: Message | Channel, words: str, *, pictures: int = 0) -> Message:
        """The message that says this and shows so many pictures; in a channel, the newest one."""
        return await self.shown(
            lambda: found.messages if isinstance(found, Channel) else [found], words, pictures=pictures
        )


@asynccontextmanager
async def on_discord(folder: Path, *, engine: str = ENGINE, **settings: str) -> AsyncIterator[Bot]:
    """A bot that hears. One that ends well leaves no breach of Discord's rules, and no slips in its log."""
    with settings_of(engine) as database:
        async with FakeDiscord(openapi=at_hand()) as fake:
            bot = Bot(folder / "data", {**database, **settings}, fake)
            async with bot.hearing():
                yield bot
            bot.check(fake.complaints)
            assert fake.proxy.refused == []


async def drawn(bot: Bot, person: Person, prompt: str, *, pictures: int = 1, **options: Any) -> Message:
    """What became of `/imagine`, once the pictures are there."""
    asked = await person.slash("imagine", prompt=prompt, **options)
    return await bot.says(await asked.answered(within=PATIENCE), prompt, pictures=pictures)


def secrets(fake: FakeDiscord) -> Iterator[str]:
    """The bot's token, every interaction's, and all longer words that a person gave."""
    yield fake.token
    for asked in fake.interactions.asked:
        yield asked.token
        yield from filter(is_telling, _entered(asked.payload["data"]))
    for channel in fake.channels.values():
        yield from (one.content for one in channel.messages if one.author is not fake.bot and is_telling(one.content))


def _entered(data: dict[str, Any]) -> Iterator[str]:
    fields = [*data.get("options", ()), *walk(data.get("components", []))]
    yield from (value for one in fields if isinstance(value := one.get("value"), str))

"""One `seedream-bot run` with Discord and Feishu on, and the fakes of both; the sandbox draws."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import discord_bot, feishu_bot
from tests.e2e.bot_process import PATIENCE, BotProcess
from tests.postgres import ENGINE, settings_of
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.openapi import at_hand
from tests.simulators.feishu.fake import FakeFeishu


@dataclass
class Both(BotProcess):
    """Each fake is waited for through its own bot: `discord.says`, `feishu.says`."""

    discord: discord_bot.Bot
    feishu: feishu_bot.Bot

    @property
    def platform(self) -> FakeDiscord:
        return self.discord.fake

    def platform_settings(self) -> dict[str, str]:
        return {**self.discord.platform_settings(), **self.feishu.platform_settings()}

    def hears(self) -> bool:
        return self.discord.hears() and self.feishu.hears()

    def hangs_on(self) -> bool:
        return self.discord.hangs_on() or self.feishu.hangs_on()

    def secrets(self) -> Iterator[str]:
        yield from self.discord.secrets()
        yield from self.feishu.secrets()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await self.platform.until(condition, within=PATIENCE, what=what)


@asynccontextmanager
async def on_both(folder: Path, *, engine: str = ENGINE, **settings: str) -> AsyncIterator[Both]:
    """A bot that hears on both. One that ends well leaves no breach of the platforms' rules, no slips in its log."""
    with settings_of(engine) as database:
        async with FakeDiscord(openapi=at_hand()) as discord, FakeFeishu(typed=True) as feishu:
            place, kept = folder / "data", {**database, **settings}
            bot = Both(place, kept, discord_bot.Bot(place, kept, discord), feishu_bot.Bot(place, kept, feishu))
            async with bot.hearing():
                yield bot
            bot.check([*discord.complaints, *feishu.complaints])
            assert discord.proxy.refused == []

"""The demo bot in this process, connected to a fake and stopped again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.simulators.discord.demo_bot import DemoBot
from tests.simulators.discord.fake import FakeDiscord


@asynccontextmanager
async def running(fake: FakeDiscord, **options: Any) -> AsyncIterator[DemoBot]:
    """Ready to be used: its commands are put and it hears. What ends it early comes out here."""
    bot = DemoBot(connector=fake.connector(), **options)
    async with asyncio.TaskGroup() as tasks, bot:
        running = tasks.create_task(bot.start(fake.token))
        ready = tasks.create_task(bot.wait_until_ready())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.done():
            running.result()
        yield bot
        await bot.close()

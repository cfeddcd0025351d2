"""The product's way to a long connection: the adapter imported in a thread, the key, who the bot is, and connected."""

import asyncio
import importlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import bot.app  # noqa: F401 - what the product has already when it starts a platform
from bench.runs.feishu_start_lag import lag_of
from bench.runs.meter import main

LOOK = 0.002  # s


async def take(_: Mapping[str, Any]) -> None:
    return None


async def work(*, url: str, app_id: str, app_secret: str) -> dict[str, Any]:
    app = {"domain": url, "app_id": app_id, "app_secret": app_secret}
    async with AsyncExitStack() as stack:

        async def start() -> None:
            made = await asyncio.to_thread(importlib.import_module, "adapters.feishu.connect")
            rest = await stack.enter_async_context(made.Rest(**app))
            await rest.bot()
            connection = made.Connection(**app, take=take)
            running = asyncio.create_task(connection.run())
            stack.push_async_callback(asyncio.wait, [running])
            stack.push_async_callback(connection.close)
            while not connection.connected:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(LOOK)

        return await lag_of(start())


if __name__ == "__main__":
    main(work)

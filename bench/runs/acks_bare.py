"""A bare discord.py handler: it defers, and then answers with one sentence."""

import asyncio
import json
import sys
from typing import Any

import discord
from discord import app_commands

from bench.runs.acks_beside import fitting, report


class Bare(discord.Client):
    def __init__(self, proxy: str) -> None:
        super().__init__(intents=discord.Intents(guilds=True), proxy=proxy, guild_ready_timeout=0.1)
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        self.tree.command(name="imagine", description="Draw a picture")(imagine)
        await self.tree.sync()


async def imagine(interaction: discord.Interaction[Any], prompt: str) -> None:
    await interaction.response.defer(thinking=True)
    await interaction.edit_original_response(content=f"In line: {prompt}")


async def work(*, token: str, proxy: str, beside: dict[str, Any], provider: str) -> None:
    async with Bare(proxy) as client, fitting(**beside) as work:
        running = asyncio.create_task(client.start(token))
        await report(work)
        await running


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

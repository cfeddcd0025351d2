"""What `doctor --probe` finds at the chat platforms that are on: each platform's own `checks`, told as findings."""

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.command import CommandTable
from bot.ops.finding import Finding
from bot.settings import Settings

Table = Callable[[], Awaitable[CommandTable]]


async def probed(settings: Settings, table: Table | None, rooms: Mapping[str, Sequence[str]]) -> list[Finding]:
    """table: builds the commands that people ought to have there; left out, they are not compared. rooms: those of
    each platform that the rules of its spaces name.
    """
    if not settings.platforms:
        return []
    commands = await table() if table else None
    found = []
    for name, values in settings.platforms.items():
        module = importlib.import_module(f"adapters.{name}.checks")
        given = {**values, "public_url": settings.web.public_url}
        for check in await module.checks(given, table=commands, channels=rooms.get(name, ())):
            cure = str(check.cure) if check.cure else ""
            found.append(
                Finding(name=check.name, told=str(check.told), well=check.well, warning=check.warning, cure=cure)
            )
    return found

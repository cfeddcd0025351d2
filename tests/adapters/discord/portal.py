"""What the tests of setting up need: the settings of a bot and a small command table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.command import Command, CommandTable, Kind, option
from bot.i18n import text
from tests.simulators.discord.fake import FakeDiscord


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    prompt: str = option(Kind.WORDS, text("What to draw"))


async def draw(request: Draw, asking: object) -> None:
    """Nobody runs it here."""


async def table() -> CommandTable:
    return CommandTable((Command(name="imagine", summary=text("Draw pictures from words"), request=Draw, handle=draw),))


def values(fake: FakeDiscord, **more: Any) -> Mapping[str, Any]:
    """As the settings have them by default, with the fake's token."""
    return {"token": fake.token, "proxy": None, "guilds": (), "message_content": False, **more}

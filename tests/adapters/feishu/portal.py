"""What the tests of setting up need: the settings of a bot and a small command table."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from adapters.feishu import scopes
from bot.command import Command, CommandTable, Kind, option
from bot.i18n import text
from tests.simulators.feishu.fake import FakeFeishu


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    prompt: str = option(Kind.WORDS, text("What to draw"))


async def draw(request: Draw, asking: object) -> None:
    """Nobody runs it here."""


async def table() -> CommandTable:
    return CommandTable((Command(name="imagine", summary=text("Draw pictures from words"), request=Draw, handle=draw),))


def values(fake: FakeFeishu, **more: Any) -> Mapping[str, Any]:
    """As the settings have them by default, with the fake's app."""
    app = {"app_id": fake.app_id, "app_secret": fake.app_secret, "domain": fake.url}
    rest = {"encrypt_key": None, "verification_token": None, "group_owners": False, "public_url": None}
    return {**app, **rest, **more}


@asynccontextmanager
async def well_set_up(*granted: str) -> AsyncIterator[FakeFeishu]:
    """A Feishu with an app in which nothing is left to do."""
    async with FakeFeishu(scopes=[*scopes.asked(), *granted]) as fake:
        fake.subscribed = {each.name for each in (*scopes.EVENTS, *scopes.CALLBACKS)}
        yield fake

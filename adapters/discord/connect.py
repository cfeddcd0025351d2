"""Builds the adapter for the composition root. discord.py is imported here and below, so only where Discord is on."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import discord

from adapters.discord.adapter import DiscordAdapter
from adapters.discord.fitting import Blobs, Fitting, Link
from adapters.discord.ladder import Ladder
from adapters.discord.rest import Rest
from adapters.discord.words import presence
from bot.i18n import say
from bot.media.fit import Fitter


def connect(
    *,
    blobs: Blobs,
    fitter: Fitter,
    clock: Callable[[], datetime],
    folder: Path,
    model: str,
    waiting: Callable[[], Awaitable[int]],
    language: str = "en",
    link: Link | None = None,
    guilds: Sequence[str] = (),
    threads: bool = False,
    shards: str = "",
    zone: str = "",
    language_is_set: bool = False,
    **services: Any,
) -> DiscordAdapter:
    """folder: of its own, for uploads and for files on their way. link: a public address of a picture, if there is one.

    model: what is drawn with by default; waiting: counts the requests in line; threads: whether a series goes on in a
    thread; shards: `first-last/count`, "" for all. Everything else is `DiscordAdapter`'s.
    zone, language_is_set: of no use here, since Discord tells everybody's language, and shows times by their clocks.
    A wrong token is found when the adapter is entered.
    """
    # At DEBUG discord.py writes addresses that hold interaction tokens.
    library = logging.getLogger("discord")
    library.setLevel(max(library.getEffectiveLevel(), logging.INFO))
    fitting = Fitting(blobs=blobs, fitter=fitter, folder=folder / "outgoing", link=link)

    def ladder(client: discord.Client) -> Ladder:
        return Ladder(rest=Rest(client), fitting=fitting, clock=clock, threads=threads)

    async def status() -> str:
        return say(presence(model, await waiting()), language)

    return DiscordAdapter(
        ladder=ladder,
        folder=folder / "uploads",
        status=status,
        language=language,
        guilds=[int(guild) for guild in guilds],
        **_part(shards),
        **services,
    )


def _part(shards: str) -> dict[str, Any]:
    """The shards of this process, as the settings have checked them."""
    if not shards:
        return {}
    own, _, count = shards.partition("/")
    first, _, last = own.partition("-")
    return {"shard_ids": range(int(first), int(last or first) + 1), "shard_count": int(count)}

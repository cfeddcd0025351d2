"""Feeds Discord's own JSON to discord.py's parser, without a connection, and hands on what it makes of it."""

from typing import Any

import discord

from adapters.discord.client import Client
from adapters.discord.inbound import Interaction
from adapters.discord.invalid import InvalidRequests

Json = dict[str, Any]


class Parser(Client):
    """Knows itself and one server; `got` is what was dispatched last."""

    def __init__(self, me: Json, guild: Json) -> None:
        self.got: Any = None
        super().__init__(
            self,
            reads_all=False,
            connector=discord.utils.MISSING,
            proxy=None,
            invalid=InvalidRequests(),
            status="",
            shard_count=1,
        )
        state = self._connection
        state.user = discord.ClientUser(state=state, data=me)  # type: ignore[arg-type]
        state.shard_ids = [0]
        self.http._HTTPClient__session = None  # type: ignore[attr-defined]  # every Interaction asks for it
        state._add_guild_from_data(guild)  # type: ignore[arg-type]

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.got = args[0]

    def parse(self, name: str, data: Json) -> Any:
        self._connection.parsers[name](data)
        return self.got

    async def interaction(self, interaction: Interaction) -> None:
        raise AssertionError("nothing is dispatched here")

    async def message(self, message: discord.Message, me: discord.ClientUser) -> None:
        raise AssertionError("nothing is dispatched here")

    async def joined(self, guild: discord.Guild, client: discord.Client) -> None:
        raise AssertionError("nothing is dispatched here")

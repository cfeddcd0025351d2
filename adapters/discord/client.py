"""The connection to Discord's gateway: which events are wanted, what is kept in memory, and who is told of them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import discord
import structlog

from adapters.discord.invalid import InvalidRequests
from adapters.discord.proxy import through
from adapters.discord.turns import paced

log = structlog.get_logger(__name__)


class Events(Protocol):
    """Who is told of what happens."""

    async def interaction(self, interaction: discord.Interaction[Any]) -> None: ...
    async def message(self, message: discord.Message, me: discord.ClientUser) -> None: ...
    async def joined(self, guild: discord.Guild, client: discord.Client) -> None: ...


class Client(discord.AutoShardedClient):
    """reads_all: with the intent to see the content of messages that do not mention the bot.

    shard_ids, shard_count: this process's part of all servers; by default as many shards as Discord recommends.
    settle: seconds after connecting in which Discord may still be telling of servers.
    """

    def __init__(
        self,
        events: Events,
        *,
        reads_all: bool,
        connector: aiohttp.BaseConnector,
        proxy: str | None,
        invalid: InvalidRequests,
        status: str,
        shard_ids: Sequence[int] | None = None,
        shard_count: int | None = None,
        settle: float = 2.0,
    ) -> None:
        self._events = events
        shards: dict[str, Any] = {"shard_count": shard_count}
        if shard_ids is not None:
            shards["shard_ids"] = list(shard_ids)
        super().__init__(
            intents=intents(reads_all=reads_all),
            connector=connector,
            **through(proxy),
            http_trace=invalid.trace(),
            activity=discord.CustomActivity(status) if status else None,
            **shards,
            guild_ready_timeout=settle,
            # What is not needed to answer is not kept: neither messages nor members.
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            # discord.py would otherwise wait as long as Discord says, which may be hours.
            max_ratelimit_timeout=60.0,
        )

        # Of all that discord.py has, the one place where a socket of the gateway can be had.
        self.http.ws_connect = paced(self.http.ws_connect)  # type: ignore[method-assign, assignment]

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        await self._events.interaction(interaction)

    async def on_message(self, message: discord.Message) -> None:
        if self.user is not None:
            await self._events.message(message, self.user)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self._events.joined(guild, self)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        log.exception("an event could not be dealt with", happened=event_method)

    async def on_shard_ready(self, shard_id: int) -> None:
        # discord.py introduces itself with the presence in a field that Discord's documents no longer have.
        if isinstance(self.activity, discord.CustomActivity):
            # Discord may have ended the connection since, or we; the next one is ready anew.
            with suppress(aiohttp.ClientError, discord.ConnectionClosed):
                await self.change_presence(activity=self.activity, shard_id=shard_id)

    async def on_shard_disconnect(self, shard_id: int) -> None:
        log.info("a shard lost its connection", shard=shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        log.info("a shard goes on where it was", shard=shard_id)

    async def hang_up(self) -> None:
        """Leave the gateway and go on being able to post."""
        for shard in self.shards.values():
            with suppress(aiohttp.ClientError, OSError):  # it is broken already
                await shard.disconnect()


def intents(*, reads_all: bool) -> discord.Intents:
    """The least that is needed: servers for names, boosts and permissions, and messages, which may be meant for us."""
    return discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=reads_all)


def may_read_all(client: discord.Client) -> bool:
    """Whether the message-content intent is switched on in the developer portal; asking without it ends the session."""
    flags = client.application.flags if client.application else discord.ApplicationFlags()
    return flags.gateway_message_content or flags.gateway_message_content_limited

"""Discord as the core sees it: answers go down the ladder, events come in through the intake.

Entering the adapter logs in, so that posts can be made; `listening` connects to the gateway, which must not begin
before what was left open is taken up again, and ends before posting does.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Protocol, Self

import aiohttp
import discord
import structlog
from pydantic import ValidationError

from adapters.discord import tree
from adapters.discord.callbacks import Callbacks
from adapters.discord.client import Client, may_read_all
from adapters.discord.event import NAME, Event
from adapters.discord.files import Files
from adapters.discord.intake import Intake
from adapters.discord.invalid import InvalidRequests
from adapters.discord.ports import Door, Fetcher
from adapters.discord.turns import Turns
from bot.chat import CannotPost, Invocation, Post
from bot.errors import CannotStart

log = structlog.get_logger(__name__)

PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
LONGEST_PAUSE = 300.0
FIRST_LOGIN = 20.0  # seconds that a start waits for Discord, before it goes on without
POSTS_AT_ONCE = 10  # begun in one step of the loop; each takes 1 ms until its request is on the way
SHOW_AGAIN = 30.0  # Discord takes five changes of presence in 20 s
NOT_NOW = (aiohttp.ClientError, OSError, TimeoutError, discord.HTTPException, discord.GatewayNotFound)
FOR_GOOD = (discord.LoginFailure, discord.ConnectionClosed, discord.PrivilegedIntentsRequired)


def connections() -> aiohttp.BaseConnector:
    """As many at once as begin quickly: with each more the loop is longer at it before it looks at anything else."""
    return aiohttp.TCPConnector(limit=50)


def _alone(token: str, shard_ids: Sequence[int] | None, shard_count: int | None) -> dict[str, bool]:
    """All of it, or each shard; whoever has all keeps out those who have a part."""
    bot = f"discord {sha256(token.encode()).hexdigest()[:16]}"
    if shard_ids is None:
        return {bot: False}
    return {bot: True, **{f"{bot} shard {shard} of {shard_count}": False for shard in shard_ids}}


class Poster(Protocol):
    async def post(self, post: Post) -> str: ...


class DiscordAdapter:
    """The port `bot.chat.Adapter`.

    ladder: built anew for each client that is logged in. status: what the bot shows beside its name, asked for now and
    then. guilds: servers that get the commands instead of everybody. message_content: read every message, if the
    developer portal allows it. shard_ids, shard_count: this process's part of all servers; the commands are put by the
    one that has the first shard. connector: makes the connections of every session to Discord.
    """

    name = NAME
    pace = 3.0
    hook = None

    def __init__(
        self,
        *,
        token: str,
        door: Door,
        ladder: Callable[[discord.Client], Poster],
        fetcher: Fetcher,
        folder: Path,
        max_bytes: int,
        status: Callable[[], Awaitable[str]],
        language: str = "en",
        proxy: str | None = None,
        guilds: Sequence[int] = (),
        message_content: bool = False,
        shard_ids: Sequence[int] | None = None,
        shard_count: int | None = None,
        connector: Callable[[], aiohttp.BaseConnector] = connections,
        settle: float = 2.0,
    ) -> None:
        self.invalid = InvalidRequests()
        self._token = token
        self._door = door
        self._ladder = ladder
        self._status = status
        self._proxy = proxy
        self._guilds = tuple(guilds)
        self._message_content = message_content
        self._shard_ids, self._shard_count = shard_ids, shard_count
        self._leads = shard_ids is None or 0 in shard_ids
        self.alone = _alone(token, shard_ids, shard_count)
        self._logging_in: asyncio.Task[None] | None = None
        self._connector = connector
        self._settle = settle
        self._callbacks = Callbacks(connector=connector, proxy=proxy, invalid=self.invalid)
        self._files = Files(folder=folder, fetcher=fetcher, max_bytes=max_bytes, connector=connector, proxy=proxy)
        self._intake = Intake(
            door=door,
            callbacks=self._callbacks,
            files=self._files,
            invalid=self.invalid,
            post=self.post,
            language=language,
        )
        self._client: Client | None = None
        self._trouble = ""
        self._poster: Poster | None = None
        self._shown = ""
        self._turns = Turns(POSTS_AT_ONCE)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises `CannotStart` where Discord does not know the token; where it cannot be reached, it goes on trying."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._callbacks)
            await stack.enter_async_context(self._files)
            stack.push_async_callback(self._log_out)
            stack.push_async_callback(self._leave_logging_in)
            self._shown = await self._status()
            try:
                async with asyncio.timeout(FIRST_LOGIN):
                    await self._log_in()
            except discord.LoginFailure as error:
                raise CannotStart("Discord does not accept the token in BOT_DISCORD__TOKEN") from error
            except NOT_NOW as problem:
                log.warning("Discord is not to be reached yet", problem=type(problem).__name__)
                self._logging_in = asyncio.create_task(self._log_in_later())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Connected to the gateway, again and again; leaving it waits for what is just being taken up."""
        await self._leave_logging_in()
        tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._show_status())]
        try:
            yield self
        finally:
            if self._client is not None:
                await self._client.hang_up()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._trouble = ""
            if self._client is None:  # posting goes on
                self._logging_in = asyncio.create_task(self._log_in_later())
            await self._intake.finish()

    async def post(self, post: Post) -> str:
        await self._turns.come()
        if self._poster is None:
            raise CannotPost("not logged in at Discord")  # another process may be, and takes it up soon
        return await self._poster.post(post)

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        try:
            event = Event.model_validate(raw)
        except ValidationError:
            return None
        return event.invocation(self._files.attach)

    def trouble(self) -> str:
        heard = self._client is not None and self._client.is_ready()
        return "" if heard else self._trouble

    async def _log_in(self) -> Client:
        """A client that can post; the intent that the developer portal does not allow is done without."""
        client = self._new_client(reads_all=self._message_content)
        try:
            await client.login(self._token)
            if self._message_content and not may_read_all(client):
                log.warning("the message-content intent is not switched on in Discord's developer portal")
                await client.close()
                client = self._new_client(reads_all=False)
                await client.login(self._token)
        except BaseException:
            await client.close()
            raise
        self._intake.reads_all = client.intents.message_content
        self._client, self._poster = client, self._ladder(client)
        return client

    async def _log_in_later(self) -> None:
        """For a process that only posts; one that listens tries again by that."""
        for pause in chain(PAUSES, repeat(LONGEST_PAUSE)):
            await asyncio.sleep(pause)
            try:
                await self._log_in()
                return
            except (*NOT_NOW, discord.LoginFailure) as problem:
                log.warning("Discord is not to be reached", problem=type(problem).__name__)

    async def _leave_logging_in(self) -> None:
        if self._logging_in is not None:
            self._logging_in.cancel()
            await asyncio.gather(self._logging_in, return_exceptions=True)
            self._logging_in = None

    def _new_client(self, *, reads_all: bool) -> Client:
        return Client(
            self._intake,
            reads_all=reads_all,
            connector=self._connector(),
            proxy=self._proxy,
            invalid=self.invalid,
            status=self._shown,
            shard_ids=self._shard_ids,
            shard_count=self._shard_count,
            settle=self._settle,
        )

    async def _log_out(self) -> None:
        client, self._client, self._poster = self._client, None, None
        if client is not None:
            await client.close()

    async def _stay_connected(self) -> None:
        """discord.py resumes by itself; what it gives up is begun anew here."""
        for pause in chain(PAUSES, repeat(LONGEST_PAUSE)):
            try:
                client = self._client or await self._log_in()
                await asyncio.gather(client.connect(), self._sync(client))
            except FOR_GOOD as problem:
                log.error("Discord ended the connection for good", problem=str(problem))
                self._trouble = f"Discord ended the connection: {problem}"
                pause = LONGEST_PAUSE
            except NOT_NOW as problem:
                log.warning("Discord is not to be reached", problem=type(problem).__name__)
            if self._client is not None and self._client.is_closed():
                await self._log_out()
            await asyncio.sleep(pause)

    async def _sync(self, client: Client) -> None:
        """Put the commands where they have changed. Without it the bot still hears what is there already."""
        if not self._leads or not self.invalid.spare or client.application_id is None:
            return
        try:
            changed = await tree.sync(client.http, client.application_id, self._door.table, self._guilds)
        except NOT_NOW as problem:
            log.warning("the commands could not be put at Discord", problem=str(problem))
        else:
            log.info("the commands stand at Discord", changed=len(changed))

    async def _show_status(self) -> None:
        while True:
            await asyncio.sleep(SHOW_AGAIN)
            with suppress(*NOT_NOW):
                await self._show(await self._status())

    async def _show(self, words: str) -> None:
        client = self._client
        if words == self._shown or client is None or not client.is_ready():
            return
        self._shown = words
        client.activity = discord.CustomActivity(words)  # for the next time that it has to introduce itself
        await client.change_presence(activity=client.activity)

"""The few REST calls that posting needs, over discord.py's own clients: no gateway has to be connected.

What Discord refuses is `Refused` with its code; what may work a little later is `Unreachable`. A call is repeated by
itself only after a failure that says nothing about what was done, so each one must be safe to repeat.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import discord
import structlog
from discord.http import Route
from discord.webhook.async_ import async_context

from adapters.discord.permissions import lacking_in
from bot.i18n import Text

Json = dict[str, Any]
log = structlog.get_logger(__name__)

PAUSES = (0.5, 2.0, 5.0)
PATIENCE = 120.0  # seconds for one call with all of its files; discord.py itself would wait for hours if told so
WAIT_WHEN_BLOCKED = 60.0
UNKNOWN_MESSAGE, TOO_LARGE, TOO_MANY_OLD_EDITS = 10008, 40005, 30046
LOADING = 1 << 7  # a message's flag: "is thinking"


class Refused(Exception):
    """Discord's own code says why; 0 where there is only the status."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"{status}, code {code}")
        self.status = status
        self.code = code

    @property
    def too_large(self) -> bool:
        return self.code == TOO_LARGE or self.status == 413


class Unreachable(Exception):
    """Discord is not to be reached, fails, or is busy. retry_after: seconds, where it said so."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("Discord cannot be reached")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    file: Path


@dataclass(frozen=True, slots=True)
class Token:
    """An interaction's own key, which needs no permission while it lives."""

    application: str
    token: str


class Rest:
    """client: logged in. pauses: seconds between the attempts of one call."""

    def __init__(self, client: discord.Client, *, pauses: Sequence[float] = PAUSES, patience: float = PATIENCE) -> None:
        self._client = client
        self._pauses = pauses
        self._patience = patience

    @property
    def own_id(self) -> str:
        return str(self._client.user.id) if self._client.user else ""

    def guild_limit(self, guild: str) -> int:
        """Bytes that one file may have in a server, by its boosts; 0 where this process does not know the server."""
        known = self._client.get_guild(int(guild)) if guild else None
        return known.filesize_limit if known else 0

    def lacking(self, guild: str, channel: str, *flags: str) -> tuple[Text, ...]:
        """What the bot lacks to write there and to do this, by name, as far as this process knows the server."""
        server = self._client.get_guild(int(guild)) if guild else None
        place = server.get_channel_or_thread(int(channel)) if server else None
        try:
            return lacking_in(place, *flags) if place else ()
        except discord.ClientException:  # a thread of a channel that it was not told of
            return ()

    async def has_channel(self, guild: str, channel: str) -> bool:
        """Whether a channel or thread belongs to this server; False where the bot may not see it."""
        if not (guild and channel.isdecimal()):
            return False
        known = self._client.get_guild(int(guild))
        if known and known.get_channel_or_thread(int(channel)):
            return True
        try:
            found = _message(await self._as_bot(Route("GET", "/channels/{channel_id}", channel_id=channel)))
        except Refused:
            return False
        return found.get("guild_id") == guild

    async def edit_by_token(self, token: Token, message: str, body: Json, files: Sequence[Upload] = ()) -> Json:
        """message: an id, or "@original" for the answer to the interaction itself."""
        return _message(await self._by_token("PATCH", token, f"/messages/{message}", body, files))

    async def is_filled(self, token: Token) -> bool:
        """Whether the answer to the interaction is one by now, and not the word that it comes; whoever wrote it."""
        try:
            found = _message(await self._by_token("GET", token, "/messages/@original"))
        except Refused as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            return True  # it was filled, and taken away
        return not int(found.get("flags", 0)) & LOADING

    async def follow_up(self, token: Token, body: Json, files: Sequence[Upload] = ()) -> Json:
        """One more message. Discord takes no nonce here, so after a lost answer there may be two."""
        return _message(await self._by_token("POST", token, "", body, files, wait="true"))

    async def remove_by_token(self, token: Token, message: str) -> None:
        await self._by_token("DELETE", token, f"/messages/{message}")

    async def send(self, channel: str, body: Json, files: Sequence[Upload] = ()) -> Json:
        """body holds a nonce that is enforced, so a repeated call makes no second message."""
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel)
        return _message(await self._as_bot(route, body, files))

    async def edit(self, channel: str, message: str, body: Json, files: Sequence[Upload] = ()) -> Json:
        route = Route("PATCH", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message)
        return _message(await self._as_bot(route, body, files))

    async def remove(self, channel: str, message: str) -> None:
        route = Route("DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message)
        await self._as_bot(route)

    async def start_thread(self, channel: str, message: str, name: str) -> None:
        """Its id is the message's. Where there is one already, that is `Refused` with a code of its own."""
        route = Route(
            "POST", "/channels/{channel_id}/messages/{message_id}/threads", channel_id=channel, message_id=message
        )
        await self._as_bot(route, {"name": name})

    async def recent(self, channel: str, most: int = 50) -> list[Json]:
        """The last messages of a channel, the newest first."""
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel)
        found: list[Json] = await self._asked(lambda _: self._client.http.request(route, params={"limit": most}), ())
        return found

    async def direct(self, user: str) -> str:
        """The id of the conversation with this person."""
        route = Route("POST", "/users/@me/channels")
        return str((await self._as_bot(route, {"recipient_id": user}))["id"])

    async def _as_bot(self, route: Route, body: Json | None = None, files: Sequence[Upload] = ()) -> Any:
        def request(opened: Sequence[discord.File]) -> Awaitable[Any]:
            if opened:
                return self._client.http.request(route, files=opened, form=_form(body, opened))
            if body is None:
                return self._client.http.request(route)
            return self._client.http.request(route, json=body)

        return await self._asked(request, files)

    async def _by_token(
        self, method: str, token: Token, rest: str, body: Json | None = None, files: Sequence[Upload] = (), **query: str
    ) -> Any:
        # discord.py's other client writes the address, and with it the token, into its warnings.
        webhook = discord.Webhook.partial(int(token.application), token.token, client=self._client)
        path = "/webhooks/{webhook_id}/{webhook_token}" + quote(rest, safe="/@")
        route = Route(method, path, webhook_id=webhook.id, webhook_token=token.token)

        def request(opened: Sequence[discord.File]) -> Awaitable[Any]:
            return async_context.get().request(
                route,
                session=webhook.session,
                payload=None if opened else body,
                multipart=_form(body, opened) if opened else None,
                files=opened,
                proxy=self._client.http.proxy,
                proxy_auth=self._client.http.proxy_auth,
                params=query or None,
            )

        return await self._asked(request, files)

    async def _asked(self, request: Callable[[Sequence[discord.File]], Awaitable[Any]], files: Sequence[Upload]) -> Any:
        for pause in (*self._pauses, None):
            try:
                with ExitStack() as stack:
                    opened = [await asyncio.to_thread(discord.File, each.file, each.name) for each in files]
                    for each in opened:
                        stack.callback(each.close)
                    async with asyncio.timeout(self._patience):
                        return await request(opened)
            except discord.RateLimited as error:
                raise Unreachable(error.retry_after) from error
            except discord.HTTPException as error:
                _raise_for(error)
                problem: Exception = error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                problem = error
            if pause is None:
                raise Unreachable from problem
            log.info("discord is asked again", problem=type(problem).__name__)
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


def _raise_for(error: discord.HTTPException) -> None:
    """Raise what repeating the call at once cannot change."""
    if error.status == 429 and error.code != TOO_MANY_OLD_EDITS:
        told = error.response.headers.get("Retry-After", "")
        raise Unreachable(float(told) if told.replace(".", "", 1).isdigit() else WAIT_WHEN_BLOCKED) from error
    if error.status < 500:
        raise Refused(error.status, error.code) from error


def _message(answer: Any) -> Json:
    """Anything else than an object is not Discord's answer but that of something between."""
    if not isinstance(answer, dict):
        raise Unreachable
    return answer


def _form(body: Json | None, opened: Sequence[discord.File]) -> list[Json]:
    parts: list[Json] = [{"name": "payload_json", "value": json.dumps(body)}]
    for index, each in enumerate(opened):
        parts.append(
            {
                "name": f"files[{index}]",
                "value": each.fp,
                "filename": each.filename,
                "content_type": "application/octet-stream",
            }
        )
    return parts

"""The one HTTP session that all providers share, for requests that cost money.

It knows exactly one thing better than an HTTP client: whether a failed request can have been accepted.
Nothing is ever sent again from here, no redirect is followed, and no key, prompt or link's query is logged.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any, Self

import aiohttp

from bot.errors import AnswerBroken, OutcomeUnknown, ProviderBusy

CHUNK = 256 * 1024
MOST_ERROR = 256 * 1024  # bytes that are read of an error
UPLOAD_RATE = 500_000  # bytes a second that a slow line should reach; its time is added to the model's
_ID_TAIL = re.compile(r"[\s(]*request[ _]id\s*[:：]\s*([\w-]+)\)?\s*$", re.IGNORECASE)
_NOT_OF_AN_ID = re.compile(r"[^\w.-]", re.ASCII)


def split_request_id(message: str) -> tuple[str, str]:
    """Split "… Request id: 0217…" or "… (request id: 2024…)" into the message and the id."""
    found = _ID_TAIL.search(message)
    return (message[: found.start()].rstrip(" ."), tidy_id(found[1])) if found else (message.strip(), "")


def tidy_id(said: str) -> str:
    """A request id as logs may have it: a server can put anything there."""
    return _NOT_OF_AN_ID.sub("", said[:160])[:80]


class Answer:
    """An answer whose head has arrived."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.media_type = response.content_type[:80]
        self.request_id = tidy_id(response.headers.get("x-request-id", ""))

    def header(self, name: str) -> str:
        return self._response.headers.get(name, "")

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises `OutcomeUnknown` where it is cut or too late."""
        if self.header("Content-Encoding") not in ("", "identity"):
            raise AnswerBroken(detail=f"compressed without being asked, request {self.request_id}")
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise OutcomeUnknown(detail=f"{type(error).__name__} in the answer, request {self.request_id}") from error

    async def read(self, most: int) -> bytes:
        """At most that many bytes of the body, as far as it came: for error bodies, where the status says enough."""
        body = bytearray()
        try:
            async with aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) >= most:
                        break
        except (OutcomeUnknown, AnswerBroken):
            pass
        return bytes(body[:most])


class Transport:
    """Enter it once per process; every provider gets the same one."""

    def __init__(self, *, connections: int = 200, connect_seconds: float = 10.0) -> None:
        self._connections = connections
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Each paid request gets a connection of its own: on a kept one that the server just closed nobody
            # could tell whether the request was read. A handshake is nothing beside seconds of drawing.
            connector=aiohttp.TCPConnector(limit=self._connections, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_connection_noted()],
            headers={"Accept-Encoding": "identity", "User-Agent": "seedream-bot"},
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def post(
        self, url: str, *, headers: Mapping[str, str], body: AsyncIterator[bytes], size: int, seconds: float
    ) -> AsyncIterator[Answer]:
        """Send one paid request and give its answer as soon as the head is there; `seconds` count to the last byte.

        Raises `ProviderBusy` where the request certainly never left, `OutcomeUnknown` where it may have been read.
        """
        sized = {**headers, "Content-Length": str(size)}
        async with self._request("POST", url, headers=sized, data=body, seconds=seconds) as answer:
            yield answer

    @asynccontextmanager
    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, seconds: float = 30.0
    ) -> AsyncIterator[Answer]:
        """A request that costs nothing: a poll, an upload (an `aiohttp.FormData`), a probe. Raises as `post` does."""
        async with self._request(method, url, headers=headers, data=data, seconds=seconds) as answer:
            yield answer

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any, seconds: float
    ) -> AsyncIterator[Answer]:
        if not self._session:
            raise RuntimeError("the transport is not open")
        left = SimpleNamespace(connected=False)
        try:
            response = await self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds, connect=self._connect_seconds),
                allow_redirects=False,
                trace_request_ctx=left,
            )
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if left.connected:
                raise OutcomeUnknown(detail=f"{type(error).__name__} after connecting") from error
            raise ProviderBusy(detail=f"no connection: {type(error).__name__}", unreachable=True) from error
        try:
            yield Answer(response)
        finally:
            response.close()


def _connection_noted() -> aiohttp.TraceConfig:
    """Marks the request's own context once it has a connection, TLS included: from there on bytes may have left."""

    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note)
    trace.on_connection_reuseconn.append(note)
    return trace

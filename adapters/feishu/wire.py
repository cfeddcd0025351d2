"""How a request goes to the open platform and what its answer says, over one pool of connections.

A code other than 0 is `Refused`; what says nothing about the request, as a failure of Feishu's own, is `Unreachable`,
which tells whether it may have been done. Both name the log_id. Bodies are never logged, and no text of an error holds
a token.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import aiohttp
import structlog

from adapters.feishu.codes import Kind, Refused, Unreachable
from adapters.feishu.token import Fresh, Token

Json = dict[str, Any]
T = TypeVar("T")
log = structlog.get_logger(__name__)

PAUSES = (0.5, 2.0)  # seconds between the attempts of a call that may be repeated
LONGEST_WAIT = 3.0  # seconds; what Feishu asks to wait longer for, somebody else has to wait for
LONGEST_TOLD = 300.0  # seconds; what is told may be a moment in place of a distance, which is decades
WAIT = 1.0  # seconds, where it does not say: the limits of a chat and of a message are counted by the second
PATIENCE = 30.0  # seconds for a call
PATIENCE_WITH_FILES = 120.0
CONNECT = 10.0
LARGEST_ANSWER = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. repeatable: doing it twice does no harm, because it reads, sets, or has a uuid.

    form: makes the parts of a form anew for each attempt, from the open file. brings: a file is the answer.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    file: Path | None = None
    form: Callable[[IO[bytes]], aiohttp.FormData] | None = None
    brings: bool = False
    repeatable: bool = True

    @property
    def has_file(self) -> bool:
        return self.brings or self.file is not None


class Wire:
    """Asks, as often as does no harm. Its arguments are those of `Rest`."""

    def __init__(
        self,
        *,
        domain: str,
        app_id: str,
        app_secret: str,
        connector: Callable[[], aiohttp.BaseConnector],
        clock: Callable[[], float],
        pauses: Sequence[float],
        longest_wait: float,
        patience: float,
        jitter: Callable[[], float],
    ) -> None:
        self._root = domain.rstrip("/") + "/open-apis"
        self._credentials = {"app_id": app_id, "app_secret": app_secret}
        self._connector = connector
        self._pauses = pauses
        self._longest_wait = longest_wait
        self._patience = patience
        self._jitter = jitter
        self._token = Token(self._fresh_token, clock=clock)
        self._session: aiohttp.ClientSession | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            session = aiohttp.ClientSession(connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar())
            self._session = await stack.enter_async_context(session)
            await stack.enter_async_context(self._token)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._session = None

    async def ask(self, request: Request, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]) -> T:
        """What `read` makes of the answer, after as many attempts as are harmless."""
        sent = False
        for pause in (*self._pauses, None):
            try:
                return await self._authorized(request, read)
            except Refused as refused:
                wait = WAIT if refused.retry_after is None else refused.retry_after
                if refused.kind is Kind.WAIT and sent:
                    raise Unreachable(str(refused), sent=True, retry_after=refused.retry_after) from refused
                if refused.kind is not Kind.WAIT or pause is None or wait > self._longest_wait:
                    refused.sent = sent
                    raise
                problem, pause = str(refused), wait * (1 + self._jitter() / 2)
            except Unreachable as error:
                sent = sent or error.sent
                if pause is None or (error.sent and not request.repeatable):
                    raise Unreachable(error.why, sent=sent, retry_after=error.retry_after) from error
                problem = error.why
            log.info("feishu is asked again", call=f"{request.method} {request.path}", problem=problem)
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _authorized(self, request: Request, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]) -> T:
        token = await self._token.get()
        try:
            return await self._attempt(request, read, token)
        except Refused as refused:
            if refused.kind is not Kind.TOKEN:
                raise
        # Nothing was done, so whatever it is may be asked again.
        self._token.spoiled(token)
        return await self._attempt(request, read, await self._token.get())

    async def _attempt(
        self, request: Request, read: Callable[[aiohttp.ClientResponse], Awaitable[T]], token: str = ""
    ) -> T:
        async with AsyncExitStack() as stack:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            data: bytes | aiohttp.FormData | None = None
            if request.file is not None and request.form is not None:
                opened = await asyncio.to_thread(request.file.open, "rb")
                stack.callback(opened.close)
                data = request.form(opened)
            elif request.body is not None:
                headers["Content-Type"] = "application/json; charset=utf-8"
                data = written(request.body).encode("utf-8", "replace")
            return await read(await self._sent(request, headers, data))

    async def _sent(
        self, request: Request, headers: Mapping[str, str], data: bytes | aiohttp.FormData | None
    ) -> aiohttp.ClientResponse:
        assert self._session is not None, "it has to be entered first"
        try:
            return await self._session.request(
                request.method,
                self._root + request.path,
                params=request.query,
                headers=headers,
                data=data,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=PATIENCE_WITH_FILES if request.has_file else self._patience,
                    sock_connect=CONNECT,
                    sock_read=self._patience,
                ),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(type(error).__name__, sent=True) from error

    async def _fresh_token(self) -> Fresh:
        path = "/auth/v3/tenant_access_token/internal"
        try:
            found = await self._attempt(Request(method="POST", path=path, body=self._credentials), answer)
        except Unreachable as error:  # what the token is for was not begun
            raise Unreachable(error.why, retry_after=error.retry_after) from error
        lasts = found.get("expire")
        return Fresh(
            value=a_word(found, "tenant_access_token"), lasts=float(lasts) if isinstance(lasts, int | float) else 0.0
        )


async def answer(response: aiohttp.ClientResponse) -> Json:
    """The JSON of an answer that says 0."""
    async with response:
        try:
            raw = await _whole(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(type(error).__name__, sent=True) from error
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    problem = f"HTTP {response.status}"
    match found:
        case {"code": 0} if response.status < 400:
            return an_object(found)
        case {"code": int(code)} if code:
            refused = Refused(
                status=response.status,
                code=code,
                msg=str(found.get("msg", "")),
                log_id=log_id(response, found),
                retry_after=_retry_after(response),
            )
            if response.status < 500 or refused.kind is not Kind.OTHER:
                raise refused
            problem = str(refused)
        case _ if response.status in (413, 429):
            raise Refused(status=response.status, code=0, log_id=log_id(response), retry_after=_retry_after(response))
    # A gateway that finds fault with a request has not handed it on.
    sent = not 400 <= response.status < 500
    raise Unreachable(problem, sent=sent, retry_after=_retry_after(response))


async def content(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """The same, still to be read, if it is a file: errors are JSON, also under status 200."""
    named = "Content-Disposition" in response.headers
    if response.status == 200 and (named or response.content_type != "application/json"):
        return response
    raise Unreachable(f"{len(await answer(response))} fields in place of a file")


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for piece in response.content.iter_any():
        raw += piece
        if len(raw) > LARGEST_ANSWER:
            raise Unreachable("an answer that does not end", sent=True)
    return bytes(raw)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    told = response.headers.get("x-ogw-ratelimit-reset") or response.headers.get("Retry-After") or ""
    seconds = float(told) if told.replace(".", "", 1).isdecimal() else 0.0
    return min(seconds, LONGEST_TOLD) or None  # 0 is what is left of a second, rounded down: at once is too soon


def log_id(response: aiohttp.ClientResponse, found: Json | None = None) -> str:
    match found:
        case {"error": {"log_id": str(named)}}:
            return named
    return response.headers.get("X-Tt-Logid", "")


def written(content: Json) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def an_object(found: Any) -> Json:
    """Anything else is not Feishu's answer."""
    if not isinstance(found, dict):
        raise Unreachable("an answer without what it is about", sent=True)
    return found


def a_word(found: Json, name: str) -> str:
    value = found.get(name)
    if not (isinstance(value, str) and value):
        raise Unreachable(f"an answer without {name}", sent=True)
    return value

"""What every simulator of an image API shares: a real socket on this machine, a script, and a record of all requests.

A simulator does what its vendor's documents say, strictly; a test makes it misbehave with `goes_wrong`, for the next
request or for all that follow. Requests are kept as they came, so that "exactly one paid request" can be asserted.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from aiohttp import web

MOST_BODY = 512 * 2**20


class Fault(StrEnum):
    """What can go wrong at every provider; each simulator shows it in its own vendor's way."""

    BUSY = "busy"  # a rate code, nothing taken
    OVERLOADED = "overloaded"  # 503, nothing taken
    REFUSE_WORDS = "refuse words"
    REFUSE_REFERENCE = "refuse reference"
    REFUSE_RESULT = "refuse result"
    BAD_REQUEST = "bad request"  # a parameter that the model does not take
    BAD_KEY = "bad key"
    NO_BALANCE = "no balance"  # the operator's account is exhausted
    FAILED = "failed"  # 500 of the service itself, after it was taken
    GATEWAY_PAGE = "gateway page"  # 502 with an HTML page
    CUT = "cut"  # the answer breaks off in the middle; the request is billed
    RESET = "reset"  # the connection is reset before any answer; the request is billed
    SILENT = "silent"  # taken, billed, and never answered
    LATE = "late"  # taken and billed, answered only after `late` seconds
    FEWER = "fewer"  # one picture fewer than asked for
    REJECT_ONE = "reject one"  # the second picture is held back by the filter
    NOT_JSON = "not JSON"
    EMPTY = "empty"  # 200 without a body
    NO_PICTURE = "no picture"  # 200 and a list without an entry
    NOT_A_PICTURE = "not a picture"  # what stands behind the link is an HTML page
    CUT_PICTURE = "cut picture"  # what stands behind the link breaks off
    WRONG_TYPE = "wrong type"  # a good picture with a wrong content type and extension
    HUGE = "huge"  # a good picture of 30 MB
    INWARD = "inward"  # the link redirects to an address of this machine that nobody allowed
    GONE = "gone"  # the link has expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request as it came. `paid` where it asks for pictures, whatever became of it."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    paid: bool


class Simulator:
    """Enter it to start it on a free port of 127.0.0.1. `clock` moves what expires; subclasses add routes.

    billed: how many requests the other side took and would bill. late: seconds that `Fault.LATE` waits.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), late: float = 5.0) -> None:
        self.clock = clock
        self.late = late
        self.requests: list[Recorded] = []
        self.billed = 0
        self.always: Fault | None = None
        self.retry_after = ""  # the header of `BUSY`: seconds or an HTTP date
        self.host = "127.0.0.1"
        self.port = 0
        self._next: deque[Fault | None] = deque()
        self._came: list[asyncio.Future[None]] = []
        self._stack = AsyncExitStack()

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def paid(self) -> list[Recorded]:
        return [one for one in self.requests if one.paid]

    def goes_wrong(self, *faults: Fault | None, always: bool = False) -> None:
        """Script the next paid requests, one fault each (None: all well), or all of them from now on."""
        if always:
            (self.always,) = faults
        else:
            self._next.extend(faults)

    def next_fault(self) -> Fault | None:
        """To be asked once for each paid request."""
        return self._next.popleft() if self._next else self.always

    async def taken(self) -> None:
        """Wait until the next paid request has been taken, and nothing of it answered yet."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._came.append(future)
        await future

    def take(self) -> None:
        """A paid request was accepted: from here on it is billed."""
        self.billed += 1
        for future in self._came:
            if not future.done():
                future.set_result(None)
        self._came.clear()

    async def record(self, request: web.Request, *, paid: bool = False) -> bytes:
        body = await request.read()
        self.note(request, body, paid=paid)
        return body

    def note(self, request: web.Request, body: bytes, *, paid: bool) -> None:
        """Record it with as much of its body as is known."""
        self.requests.append(
            Recorded(
                at=self.clock(),
                method=request.method,
                path=request.path_qs,
                headers=dict(request.headers),
                body=body,
                paid=paid,
            )
        )

    def routes(self, application: web.Application) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            application = web.Application(client_max_size=MOST_BODY)
            self.routes(application)
            runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, self.host, self.port).start()
            self.port = runner.addresses[0][1]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def reset(request: web.Request) -> web.Response:
    """Cut the connection under whoever asked."""
    if request.transport:
        request.transport.abort()
    return web.Response()

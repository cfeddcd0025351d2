"""The long connection over which Feishu pushes events: kept up, watched, and every event acknowledged in time.

It runs in whoever's loop runs it, never blocks it, and never dies silently: what keeps it from hearing is told in
`problem`, and tried again. An event is acknowledged only when it was taken; what is not is pushed again by Feishu.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import structlog

from adapters.feishu import endpoint, frames
from adapters.feishu.endpoint import Address, NoConnection, NotAllowed, Orders
from adapters.feishu.frames import CONTROL, Arrived, Codec
from adapters.feishu.parts import Parts
from adapters.feishu.payload import parsed
from bot.i18n import Text, say, text

log = structlog.get_logger(__name__)
Json = Mapping[str, Any]
Take = Callable[[Json], Awaitable[Json | None]]

ACK_IN = 2.5  # seconds since it was read; Feishu waits 3 (contract section 0)
SOON = 2  # times that a connection may be lost without a word before the operator is told
GIVE_UP = 30.0  # seconds since it was read, after which what cannot be taken is left
GRACE = 5.0  # seconds at the end for what is being taken
AGAIN = 300.0  # seconds between attempts of which only an operator can change the outcome
AT_ONCE = 64  # events that are being taken, late ones too: more would only wait for the same database
MOST_UNANSWERED = 512  # events that were read; the rest waits in the socket. 200 a second, if none can be taken


class Connection:
    """problem: what keeps it from hearing, for the operator, "" where nothing does.

    take: gets each event; what it returns is the answer to a press. Where it raises, or is not done `ack_in` seconds
    after the event was read, that is answered with 500, and Feishu pushes it again. It is not stopped then: what was
    noted but not begun would lie there until the next start. at_once: so many are taken at the same time; what finds no
    room in time is not begun. silence: seconds without a word, beyond two pings, after which the connection is taken
    for dead. again: seconds between attempts where only the operator can help.
    """

    def __init__(
        self,
        *,
        domain: str,
        app_id: str,
        app_secret: str,
        take: Take,
        connector: Callable[[], aiohttp.BaseConnector] = aiohttp.TCPConnector,
        silence: float = 10.0,
        again: float = AGAIN,
        ack_in: float = ACK_IN,
        at_once: int = AT_ONCE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.connected = False
        self.problem = ""
        self._domain = domain.rstrip("/")
        self._credentials = {"AppID": app_id, "AppSecret": app_secret}
        self._take = take
        self._connector = connector
        self._silence = silence
        self._again = again
        self._ack_in = ack_in
        self._room = asyncio.Semaphore(at_once)
        self._unanswered = asyncio.Semaphore(MOST_UNANSWERED)
        self._jitter = jitter
        self._orders = Orders()
        self._failures = 0
        self._taking: set[asyncio.Task[None]] = set()
        self._leash: asyncio.Timeout | None = None
        self._closing = False
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Until `close` is called."""
        self._ended.clear()
        try:
            codec = await frames.load()
            async with aiohttp.ClientSession(connector=self._connector()) as session, asyncio.timeout(None) as leash:
                self._leash = leash
                if not self._closing:
                    await self._keep_up(session, codec)
        except TimeoutError:
            if not self._closing:
                raise
        finally:
            self._leash = None
            await self._finish(0)
            self._ended.set()

    async def close(self) -> None:
        """Take nothing more, finish and acknowledge what is being taken, and hang up."""
        if self._leash is not None and not self._closing:
            self._leash.reschedule(asyncio.get_running_loop().time())
        self._closing = True
        await self._ended.wait()

    async def _keep_up(self, session: aiohttp.ClientSession, codec: Codec) -> None:
        while True:
            try:
                address, self._orders = await endpoint.asked(session, self._domain, self._credentials, self._orders)
                pause = await self._held(session, codec, address)
            except NotAllowed as refusal:
                self._note(endpoint.words(refusal.code, self._domain), fatal=True, code=refusal.code)
                pause = self._again
            except NoConnection as error:
                self._failures += 1
                self._note(text("Feishu cannot be reached ({problem}). It is tried again.", problem=str(error)))
                pause = self._pause()
            except Exception as error:  # whatever it was, whoever only waits would hear nothing for ever
                log.exception("the long connection to feishu broke")
                words = text("The connection broke ({problem}); the log says where.", problem=type(error).__name__)
                self._note(words, fatal=True)
                pause = self._orders.interval
            await asyncio.sleep(pause)

    async def _held(self, session: aiohttp.ClientSession, codec: Codec, address: Address) -> float:
        """Connect, and hear until it ends; returns how long to wait then."""
        lost = ""
        socket = await endpoint.connected(session, address)
        async with socket:
            self.connected = True
            if self._failures <= SOON:  # else it must first be heard that this one is better than those before
                self.problem = ""
            log.info("the long connection to feishu stands")
            pinging = asyncio.create_task(self._ping(socket, codec, address.service), name="feishu pings")
            try:
                await self._hear(socket, codec)
            except NoConnection as error:
                log.warning("the long connection to feishu is lost", problem=str(error))
                lost = str(error)
            finally:
                self.connected = False
                pinging.cancel()
                await asyncio.wait([pinging])
                if self._closing:
                    await self._finish(GRACE)
        self._failures += 1
        if self._failures > SOON:
            self._note(text("Feishu cannot be reached ({problem}). It is tried again.", problem=lost))
        return max(self._orders.nonce * self._jitter(), self._pause() if self._failures > 1 else 0.0)

    def _pause(self) -> float:
        """Half a second and then ever more, up to what Feishu says, and never all at the same time."""
        return min(self._orders.interval, 2.0 ** min(self._failures, 10) / 2) * (1 + self._jitter()) / 2

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, codec: Codec) -> None:
        parts = Parts(asyncio.get_running_loop().time)
        while True:
            try:
                async with asyncio.timeout(2 * self._orders.ping + self._silence):
                    message = await socket.receive()
            except TimeoutError:
                raise NoConnection("silence") from None
            if message.type is not aiohttp.WSMsgType.BINARY:
                raise NoConnection(f"closed with {socket.close_code}")
            try:
                arrived = codec.read(message.data)
            except frames.NotAFrame:
                log.warning("what came from feishu is no frame", bytes=len(message.data))
                continue
            self._failures, self.problem = 0, ""
            if arrived.method == CONTROL:
                self._obey(arrived)
            elif (payload := parts.whole(arrived)) is not None:
                # Its time runs from here on, also while it waits for room; only reading on has to wait.
                self._begin(self._deal_with(socket, codec, arrived, payload, asyncio.get_running_loop().time()))
                await self._unanswered.acquire()

    def _obey(self, arrived: Arrived) -> None:
        """A pong may bring new orders."""
        if arrived.headers.get("type") == "pong" and arrived.payload:
            try:
                self._orders = self._orders.after(parsed(arrived.payload))
            except ValueError:
                log.warning("a pong of feishu cannot be read")

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse, codec: Codec, service: int) -> None:
        while True:
            try:
                await socket.send_bytes(codec.ping(service))
            except (aiohttp.ClientError, ConnectionError):
                return  # who hears notices it too
            await asyncio.sleep(self._orders.ping)

    async def _deal_with(
        self, socket: aiohttp.ClientWebSocketResponse, codec: Codec, arrived: Arrived, payload: bytes, read: float
    ) -> None:
        """Take an event and acknowledge it. One that is late is sent back meanwhile, and taken all the same if it was
        begun. read: when, by the loop's clock.
        """
        loop = asyncio.get_running_loop()
        due = read + self._ack_in
        is_late = False

        async def answer(code: int, data: Json | None) -> None:
            try:
                await socket.send_bytes(codec.answer(arrived, code, data, took=loop.time() - read))
            except (aiohttp.ClientError, ConnectionError):
                log.info("an event could not be acknowledged; it comes again")
            finally:
                self._unanswered.release()

        def send_back() -> None:
            nonlocal is_late
            is_late = True
            log.warning("an event took too long to be taken")
            self._begin(answer(500, None))
            patience.reschedule(read + GIVE_UP)

        if not await self._has_room(due):
            log.warning("there was no room for an event in time")
            await answer(500, None)
            return
        patience = asyncio.timeout(None)
        watch = loop.call_at(due, send_back)
        try:
            code, data = await self._taken(payload, patience)
        finally:
            watch.cancel()
            self._room.release()
        if not is_late:
            await answer(code, data)

    async def _has_room(self, until: float) -> bool:
        """Whether there came to be room by then; whoever got it gives it back."""
        if not self._room.locked():  # as nearly always: a time-out is a good part of what an event costs
            return await self._room.acquire()
        try:
            async with asyncio.timeout_at(until):
                return await self._room.acquire()
        except TimeoutError:
            return False

    async def _taken(self, payload: bytes, patience: asyncio.Timeout) -> tuple[int, Json | None]:
        try:
            event = parsed(payload)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            log.warning("an event of feishu cannot be read", bytes=len(payload))
            return 200, None  # it would be the same if it came again
        try:
            async with patience:
                return 200, await self._take(event)
        except Exception:  # the door to all that is done with events
            log.exception("an event could not be taken")
            return 500, None

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="feishu event")
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _finish(self, grace: float) -> None:
        """Wait so long for what is being taken, and leave the rest: it is pushed again."""
        if self._taking and grace:
            await asyncio.wait(self._taking, timeout=grace)
        left = tuple(self._taking)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _note(self, words: Text, *, fatal: bool = False, **fields: object) -> None:
        """Once for each problem, however often it is met. fatal: only an operator can mend it."""
        problem = say(words, "en")
        if problem != self.problem:
            self.problem = problem
            tell = log.error if fatal else log.warning
            tell("no long connection to feishu", problem=problem, **fields)

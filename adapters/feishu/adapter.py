"""Feishu as the core sees it: answers go down the ladder, events come in through the intake.

Entering the adapter makes the app known to the platform, so that posts can be made; `listening` opens the long
connection, or the door for webhooks, which must not begin before what was left open is taken up again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, repeat
from typing import Any, Protocol, Self

import structlog
from pydantic import ValidationError

from adapters.feishu import slash
from adapters.feishu.codes import Kind, advice
from adapters.feishu.event import NAME, Event
from adapters.feishu.intake import Intake
from adapters.feishu.ports import Door
from adapters.feishu.rest import Refused, Rest, Unreachable
from bot.chat import Hook, Invocation, Post
from bot.errors import CannotStart
from bot.i18n import say, text

log = structlog.get_logger(__name__)

PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
FIRST_CALL = 10.0  # seconds that a start waits for the platform, before it goes on without
Json = dict[str, Any]


class Poster(Protocol):
    async def post(self, post: Post) -> str: ...


class Line(Protocol):
    """The long connection. problem: what keeps it from hearing until somebody mends it, "" for nothing."""

    problem: str

    async def run(self) -> None: ...

    async def close(self) -> None: ...


class FeishuAdapter:
    """The port `bot.chat.Adapter`.

    line: makes the long connection; None where the platform calls `webhook` instead. own_id: where the bot's open_id
    is put as soon as it is known. pauses: seconds between attempts to get as far as that, the last one for ever.
    """

    name = NAME
    pace = 1.5

    def __init__(
        self,
        *,
        rest: Rest,
        door: Door,
        intake: Intake,
        ladder: Poster,
        line: Callable[[], Line] | None,
        webhook: Hook | None,
        own_id: "OwnId",
        app_id: str = "",
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._rest = rest
        self._door = door
        self._intake = intake
        self._ladder = ladder
        self._new_line = line
        self._webhook = webhook
        self._own_id = own_id
        self._pauses = pauses
        self._line: Line | None = None
        self._trouble = ""
        self._hears = False
        self._stack = AsyncExitStack()
        self.hook: Hook | None = self._called if webhook else None
        self.alone = {} if webhook else {f"feishu {app_id}": False}  # of several lines any one is sent an event

    async def __aenter__(self) -> Self:
        """Raises `CannotStart` where the app and its secret are not known; what is not to be reached is tried again."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._rest)
            try:
                async with asyncio.timeout(FIRST_CALL):
                    await self._introduce()
            except Refused as error:
                if error.kind is Kind.CREDENTIALS:
                    raise CannotStart(
                        "Feishu does not accept BOT_FEISHU__APP_ID with BOT_FEISHU__APP_SECRET at BOT_FEISHU__DOMAIN"
                    ) from error
                self._note(error)
            except (Unreachable, TimeoutError) as problem:
                self._note_unreached(problem)
            self._introducing = asyncio.create_task(self._introduce_in_the_end())
            stack.push_async_callback(_ended, self._introducing)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Connected, again and again; leaving it waits for what is just being taken up."""
        task = asyncio.create_task(self._listen())
        self._hears = True
        try:
            yield self
        finally:
            self._hears = False
            if self._line is not None:
                await self._line.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._line = None  # whatever was wrong with it
            await self._intake.finish()

    async def post(self, post: Post) -> str:
        return await self._ladder.post(post)

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        try:
            event = Event.model_validate(raw)
        except ValidationError:
            return None
        return await self._intake.invocation(event)

    def trouble(self) -> str:
        return self._trouble or (self._line.problem if self._line else "")

    async def _introduce(self) -> None:
        """Learn who the bot is: in a group only what mentions it is meant for it."""
        self._own_id.value = (await self._rest.bot()).open_id
        self._trouble = ""

    async def _introduce_in_the_end(self) -> None:
        for pause in self._for_ever():
            if self._own_id.value:
                return
            await asyncio.sleep(pause)
            try:
                await self._introduce()
            except Refused as error:
                self._note(error)
            except Unreachable as problem:
                self._note_unreached(problem)

    async def _listen(self) -> None:
        await asyncio.shield(self._introducing)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._put_commands())
            if self._new_line is not None:
                tasks.create_task(self._hear(self._new_line))

    async def _hear(self, new_line: Callable[[], Line]) -> None:
        """A line ends when it is closed. One that ends otherwise is told of, and another one tried."""
        for pause in self._for_ever():
            self._line = new_line()
            try:
                await self._line.run()
                return
            except Exception as error:  # a door: nobody looks at this task, and nothing would be heard for ever
                log.exception("the long connection to feishu ended")
                words = text("The connection broke ({problem}); the log says where.", problem=type(error).__name__)
                self._trouble = say(words, "en")
            await asyncio.sleep(pause)
            self._trouble = ""

    def _for_ever(self) -> Iterator[float]:
        return chain(self._pauses, repeat(self._pauses[-1]))

    async def _put_commands(self) -> None:
        """Put the commands where they have changed. Without it the bot still understands them."""
        try:
            changed = await slash.reconcile(self._rest, self._door.table)
        except (Refused, Unreachable) as problem:
            log.warning("the slash commands could not be put at Feishu", **_told(problem))
        except Exception:  # a door: whatever came as an answer, it must not end what listens beside this
            log.exception("the slash commands could not be put at Feishu")
        else:
            log.info("the slash commands stand at Feishu", changed=len(changed))

    async def _called(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, Any]]:
        if not self._hears or not self._own_id.value or self._webhook is None:
            return 503, {}  # it is sent again
        return await self._webhook(headers, body)

    def _note(self, error: Refused) -> None:
        cure = advice(error)
        self._trouble = say(cure, "en") if cure else f"Feishu answers with code {error.code}"
        log.error("Feishu refuses the bot", **_told(error))

    def _note_unreached(self, problem: Exception) -> None:
        words = text("Feishu cannot be reached ({problem}). It is tried again.", problem=type(problem).__name__)
        self._trouble = say(words, "en")
        log.warning("Feishu is not to be reached yet", problem=type(problem).__name__)


class OwnId:
    """The bot's open_id, "" until the platform has told it."""

    def __init__(self) -> None:
        self.value = ""

    def __call__(self) -> str:
        return self.value


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _told(problem: Refused | Unreachable) -> Json:
    if isinstance(problem, Refused):
        cure = advice(problem)
        told = {"code": problem.code, "status": problem.status, "log_id": problem.log_id}
        return {**told, "cure": say(cure, "en")} if cure else told
    return {"problem": type(problem).__name__}

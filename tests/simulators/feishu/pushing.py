"""Events on their way to the app: who is told what, the answers, and the ladder of repeats without a good answer."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.simulators.feishu.model import ACK_WITHIN, Ack, Message, Push
from tests.simulators.feishu.render import message_event
from tests.simulators.feishu.scopes import DIRECT, GROUP_MESSAGES, MENTIONED
from tests.simulators.feishu.wire import Json

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu

MESSAGE, CARD_ACTION = "im.message.receive_v1", "card.action.trigger"
LADDER = (15.0, 300.0, 3600.0, 21600.0)
Carrier = Callable[[Push], Any]


class Pushing:
    """pushes: every event of this world that the app subscribed to. acks: the app's answers, in order."""

    def __init__(self, fake: "FakeFeishu") -> None:
        self.fake = fake
        self.pushes: list[Push] = []
        self.acks: list[Ack] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def hears(self, message: Message) -> bool:
        """Whether the app is told of a message: its scopes, its membership and a mention of the bot decide."""
        chat, scopes = message.chat, self.fake.scopes
        if not chat.with_bot:
            return False
        if chat.p2p:
            return bool(DIRECT & scopes) and message.sender.reachable
        named = any(one["id"]["open_id"] == self.fake.bot.open_id for one in message.mentions)
        return GROUP_MESSAGES in scopes or (named and bool(MENTIONED & scopes))

    def tell_message(self, message: Message) -> Push | None:
        if not self.hears(message):
            return None
        return self.tell(MESSAGE, message_event(self.fake, message), message_id=message.id)

    def tell(self, kind: str, event: Json, *, message_id: str = "", anyway: bool = False) -> Push | None:
        """None where the app did not subscribe to it."""
        if kind not in self.fake.subscribed and not anyway:
            return None
        push = self.new(kind, event, message_id)
        self._spawn(self._ladder(push))
        return push

    def new(self, kind: str, event: Json, message_id: str = "") -> Push:
        fake = self.fake
        event_id = secrets.token_hex(16)
        header = {
            "event_id": event_id,
            "event_type": kind,
            "create_time": fake.milliseconds(),
            "token": fake.verification_token,
            "app_id": fake.app_id,
            "tenant_key": fake.tenant,
        }
        push = Push(event_id, kind, {"schema": "2.0", "header": header, "event": event}, message_id)
        self.pushes.append(push)
        return push

    def send(self, push: Push) -> None:
        """Once, now."""
        push.sent.append(self.fake.clock())
        self.fake.signal.touch()
        if self.fake.webhook:
            self._spawn(self.fake.hook.deliver(push, len(push.sent) - 1))
        else:
            self.fake.connections.deliver(push, len(push.sent) - 1)

    def again(self, message: Message) -> None:
        found = [one for one in self.pushes if one.message_id == message.id]
        if not found:
            raise LookupError("the app was never told of this message")
        self.send(found[-1])

    def acked(self, push: Push, code: int, after: float, attempt: int, data: Any) -> None:
        ack = Ack(event_id=push.event_id, kind=push.kind, code=code, after=after, attempt=attempt, data=data)
        push.acks.append(ack)
        self.acks.append(ack)
        self.fake.signal.touch()

    async def answered(self, push: Push | None, *, within: float = ACK_WITHIN) -> Ack | None:
        """The first answer to an event; None where none came in time."""
        if push is None:
            return None
        try:
            await self.fake.signal.until(lambda: push.acks, within=within, what=f"the answer to {push.kind}")
        except TimeoutError:
            return None
        return push.acks[0]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ladder(self, push: Push) -> None:
        self.send(push)
        for rung in self.fake.repush:
            await self.fake.clock.sleep(rung)
            if push.done:
                return
            self.send(push)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

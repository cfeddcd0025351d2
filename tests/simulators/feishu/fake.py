"""Our own Feishu on this machine: REST, long connection and webhooks on real sockets, for the unmodified lark-oapi.

    async with FakeFeishu() as feishu:
        ...                                     # the bot, with feishu.url, feishu.app_id and feishu.app_secret
        await feishu.ready()                    # its long connection stands
        ann = feishu.person("Ann")
        await ann.says("/imagine a fox")
        await feishu.until(lambda: ann.sees()[-1].pictures)
        toast = await ann.presses(ann.sees()[-1], "Again")

`faults.add("im.message.reply", code=230020)` scripts what goes wrong, `clock.advance(seconds)` moves time, and
`complaints` holds every breach of the platform's rules; a test that ends well leaves it empty.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from typing import Any, Self

from aiohttp import web

from tests.simulators.feishu import rest_app, rest_media, rest_messages, rest_people
from tests.simulators.feishu.connections import Connections
from tests.simulators.feishu.faults import Faults
from tests.simulators.feishu.hook import Hook
from tests.simulators.feishu.limits import Limits
from tests.simulators.feishu.model import Ack, Call, Chat, Message, Push, User
from tests.simulators.feishu.people import Person
from tests.simulators.feishu.presses import Presses
from tests.simulators.feishu.pushing import CARD_ACTION, LADDER, MESSAGE, Pushing
from tests.simulators.feishu.render import bot_event
from tests.simulators.feishu.rest import MOST_REQUEST, Rest
from tests.simulators.feishu.rest_messages import Sent
from tests.simulators.feishu.scopes import ALL_SCOPES
from tests.simulators.feishu.tokens import Tokens
from tests.simulators.feishu.typed import Typed
from tests.simulators.feishu.wire import Json
from tests.simulators.feishu.world import World


class FakeFeishu(World):
    """Enter it to start it, in the running loop.

    scopes: what the app was granted; by default all but GROUP_MESSAGES. webhook: an address to which events are POSTed
    instead of the long connection, encrypted and signed if there is an `encrypt_key`. expire: seconds a token lasts.
    typed: check requests against the typed models of lark-oapi (2 s, once in a process).

    app_id, app_secret, tenant: of the app and of the one tenant there is. bot: the app's own user.
    subscribed: the events and callbacks that the app gets. commands: the registered slash commands.
    published, bot_enabled, activate_status, tells_subscribed, language, app_owner: what calls about the app tell.
    sensitive: words that the platform's filter refuses.
    calls: every request; pushes, acks: every event and every answer; pings: when the app pinged (the fake's clock).
    repush: seconds after which an event without a good answer is pushed again, rung by rung.
    split: parts into which each event is cut; split_reversed: the last part first.
    as_card_frames: card actions come in frames of type "card".
    config: the ClientConfig that the app is told.
    """

    def __init__(
        self,
        *,
        scopes: Collection[str] = ALL_SCOPES,
        webhook: str = "",
        encrypt_key: str = "",
        verification_token: str = "",
        expire: float = 7200,
        typed: bool = False,
        name: str = "Seedream",
    ) -> None:
        super().__init__(name=name)
        self.url = ""
        self.scopes = set(scopes)
        self.webhook = webhook
        self.encrypt_key = encrypt_key
        self.verification_token = verification_token or secrets.token_urlsafe(24)
        self.subscribed = {MESSAGE, CARD_ACTION, "application.bot.menu_v6"}
        self.published = True
        self.bot_enabled = True
        self.activate_status = 2
        self.tells_subscribed = True
        self.language = "zh_cn"
        self.app_owner: User | None = None
        self.commands: list[Json] = []
        self.sent: dict[str, Sent] = {}  # by uuid
        self.calls: list[Call] = []
        self.repush: tuple[float, ...] = LADDER
        self.split = 1
        self.split_reversed = False
        self.as_card_frames = False
        self.config = {"PingInterval": 0.2, "ReconnectInterval": 0.1, "ReconnectNonce": 0, "ReconnectCount": -1}
        self.faults = Faults()
        self.limits = Limits(self.clock, self.complaints)
        self.tokens = Tokens(self.clock, expire)
        self.pushing = Pushing(self)
        self.connections = Connections(self)
        self.hook = Hook(self)
        self.presses = Presses(self)
        self.typed = Typed() if typed else None
        routes = [rest_app.ROUTES, rest_people.ROUTES, rest_messages.ROUTES, rest_media.ROUTES]
        self.rest = Rest(
            self, {api: route for one in (*routes, self.connections.routes()) for api, route in one.items()}
        )
        self._stack = AsyncExitStack()

    @property
    def pushes(self) -> list[Push]:
        return self.pushing.pushes

    @property
    def acks(self) -> list[Ack]:
        return self.pushing.acks

    @property
    def pings(self) -> list[float]:
        return self.connections.pings

    def person(self, name: str, *, in_range: bool = True, reachable: bool = True) -> Person:
        """Somebody of the tenant. in_range: the app may read the name. reachable: the app is available to them."""
        return Person(self, self.new_user(name, in_range=in_range, reachable=reachable))

    def group(
        self,
        name: str,
        *members: Person,
        owner: Person | None = None,
        topics: bool = False,
        speaks: bool = True,
        with_bot: bool = True,
    ) -> Chat:
        """A group. speaks: False where its settings forbid the bot to write (230018)."""
        users = [one.user for one in members]
        if owner and owner.user not in users:
            users.append(owner.user)
        kind = "topic_group" if topics else "group"
        host = owner.user if owner else users[0] if users else None
        chat = self.new_chat(kind, name, users, owner=host, speaks=speaks, with_bot=with_bot)
        if with_bot and host:
            self.pushing.tell("im.chat.member.bot.added_v1", bot_event(self, chat, host))
        return chat

    def add_bot(self, chat: Chat, by: Person) -> None:
        """Take the bot into a group that was made without it."""
        chat.with_bot = True
        self.pushing.tell("im.chat.member.bot.added_v1", bot_event(self, chat, by.user))

    def remove_bot(self, chat: Chat, by: Person) -> None:
        """Take it out: from now on it neither hears nor writes there (230002)."""
        chat.with_bot = False
        self.pushing.tell("im.chat.member.bot.deleted_v1", bot_event(self, chat, by.user))

    def messages(self, chat: Chat) -> list[Message]:
        """All that stand in it, the oldest first; recalled ones do not."""
        return [*chat.messages]

    def called(self, api: str) -> list[Call]:
        """The calls of this name, such as "im.message.reply"."""
        if api not in self.faults.known:
            raise ValueError(f"this Feishu has no {api}; there are {sorted(self.faults.known)}")
        return [one for one in self.calls if one.api == api]

    async def until(self, condition: Callable[[], object], *, within: float = 5.0, what: str = "it") -> None:
        """Wait for something to become true, here or in a bot of this process."""
        await self.signal.until(condition, within=within, what=what, look=0.02)

    async def ready(self, connections: int = 1) -> None:
        """Wait until so many long connections stand."""
        await self.until(lambda: len(self.connections) >= connections, within=15, what="the long connection")

    def push(self, kind: str, event: dict[str, Any]) -> Push:
        """Push any event to the app, subscribed or not."""
        push = self.pushing.tell(kind, event, anyway=True)
        assert push is not None
        return push

    def push_again(self, message: Message) -> None:
        """Push the event of this message once more: same event id, same message id."""
        self.pushing.again(message)

    def push_unknown(self) -> Push:
        """Push an event of a type that nobody has heard of."""
        return self.push("im.weather.changed_v9", {"weather": "rain"})

    async def forge(self, message: Message, how: str = "signature") -> int:
        """Webhook mode: POST a message's event wrongly, and return the HTTP status.

        how: "signature" (a wrong one), "old" (rightly signed an hour ago), "unsigned" (no signature headers), "token"
        (a wrong verification token), "replay" (exactly the bytes and headers that came before).
        """
        pushed = [one for one in self.pushes if one.message_id == message.id]
        return await self.hook.forge(pushed[-1], how)

    async def challenge(self) -> str:
        """Webhook mode: what the app answers to url_verification; the right answer is the challenge itself."""
        return await self.hook.challenge()

    def show_card(self, message: Message, card: Json) -> None:
        """The message shows another card from now on."""
        message.content, message.updated_at = card, self.clock()
        message.edits.append((self.clock(), card))
        self.signal.touch()

    def token(self, prefix: str) -> str:
        return f"{prefix}_{secrets.token_hex(16)}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self.typed:
                await asyncio.to_thread(self.typed.load)
            application = web.Application(client_max_size=MOST_REQUEST)
            application.router.add_get("/ws/v2", self.connections.serve)
            self.rest.add_to(application)
            runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pushing.close()
        self.connections.cut()
        await self._stack.aclose()

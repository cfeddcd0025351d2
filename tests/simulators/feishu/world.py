"""Everything that exists in this Feishu: people, chats, messages and uploads of one tenant and one app."""

import base64
import secrets
import uuid
from collections.abc import Iterable

from tests.simulators.discord.clock import Signal
from tests.simulators.feishu.clock import Clock
from tests.simulators.feishu.model import Chat, Media, Message, User
from tests.simulators.feishu.wire import Json, Refused

WITHDRAWN = Refused(230011, "The message was withdrawn.")


class World:
    """sensitive: words that the platform's filter refuses wherever a message shows them (230022).

    complaints: breaches of the platform's rules by the app.
    """

    def __init__(self, *, name: str) -> None:
        self.clock = Clock()
        self.signal = Signal()
        self.complaints: list[str] = []
        self.sensitive: set[str] = {"敏感词"}
        self.app_id = f"cli_{secrets.token_hex(8)}"
        self.app_secret = secrets.token_urlsafe(24)
        self.tenant = secrets.token_hex(8)
        self.users: dict[str, User] = {}
        self.chats: dict[str, Chat] = {}
        self.all_messages: dict[str, Message] = {}
        self.media: dict[str, Media] = {}
        self.bot = self.new_user(name, bot=True)

    def new_user(self, name: str, *, in_range: bool = True, reachable: bool = True, bot: bool = False) -> User:
        user = User(
            open_id=f"ou_{secrets.token_hex(16)}",
            union_id=f"on_{secrets.token_hex(16)}",
            name=name,
            in_range=in_range,
            reachable=reachable,
            bot=bot,
        )
        self.users[user.open_id] = user
        return user

    def new_chat(self, kind: str, name: str, members: Iterable[User], **more: object) -> Chat:
        chat = Chat(f"oc_{secrets.token_hex(16)}", kind, name, [*members])
        for field, value in more.items():
            setattr(chat, field, value)
        self.chats[chat.id] = chat
        return chat

    def direct_chat(self, user: User) -> Chat:
        """The one chat between somebody and the bot."""
        for chat in self.chats.values():
            if chat.p2p and chat.members == [user]:
                return chat
        return self.new_chat("p2p", "", [user])

    def upload(self, data: bytes, kind: str, *, mine: bool, filename: str = "", content_type: str = "") -> Media:
        serial = f"{secrets.token_hex(2)}_{uuid.uuid4()}"
        key = f"img_v3_{serial}g" if kind == "image" else f"file_v3_{serial}g"
        media = Media(key, data, kind, filename, content_type or "application/octet-stream", mine)
        self.media[key] = media
        return media

    def post(
        self,
        chat: Chat,
        sender: User,
        kind: str,
        content: Json,
        *,
        reply_to: Message | None = None,
        thread: bool = False,
        mentions: Iterable[Json] = (),
        uuid: str = "",
    ) -> Message:
        """A message now stands in a chat. thread: it is to stand in a topic, a new one if need be."""
        message = Message(
            id=f"om_{secrets.token_hex(16)}",
            chat=chat,
            sender=sender,
            kind=kind,
            content=content,
            sent_at=self.clock(),
            updated_at=self.clock(),
            media=self.media,
            reply_to=reply_to,
            root=(reply_to.root or reply_to) if reply_to else None,
            mentions=[*mentions],
            uuid=uuid,
        )
        if reply_to and (thread or reply_to.thread):
            head = message.root or reply_to
            head.thread = message.thread = head.thread or reply_to.thread or self._thread()
            message.reply_to = head if chat.topics else reply_to  # in topics both ids are those of the head
        elif chat.topics:
            message.thread = self._thread()
        chat.messages.append(message)
        self.all_messages[message.id] = message
        self.signal.touch()
        return message

    def find_message(self, id: str, *, missing: int = 231003) -> Message:
        """A message that still stands."""
        message = self.all_messages.get(id)
        if message is None:
            raise Refused(missing, "The message is not found.")
        return message

    def chat_of_bot(self, id: str, code: int, msg: str) -> Chat:
        chat = self.chats.get(id)
        if chat is None or not chat.with_bot:
            raise Refused(code, msg)
        return chat

    def recall(self, message: Message) -> None:
        message.gone = True
        message.chat.messages.remove(message)
        self.signal.touch()

    def milliseconds(self, at: float | None = None) -> str:
        return str(round((self.clock() if at is None else at) * 1000))

    def _thread(self) -> str:
        return f"omt_{base64.b16encode(secrets.token_bytes(8)).decode().lower()}"

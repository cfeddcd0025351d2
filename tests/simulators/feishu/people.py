"""People who use this Feishu: they write, send pictures, press, choose, fill in, and see what comes of it.

What Feishu's client would not let them do raises LookupError or ValueError, so a test cannot do it by mistake.
"""

import mimetypes
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.simulators.feishu.model import Chat, Message, Push, Toast, User
from tests.simulators.feishu.presses import USABLE, callback, filled, find, form_around, option_value
from tests.simulators.feishu.render import mention, user_ids
from tests.simulators.feishu.wire import Json

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu


class Person:
    """`user` is what others see of them. Everything happens in their chat with the bot unless `to` says where.

    `wait`: return only when the app has answered the pushed event, or 3 s have passed.
    """

    def __init__(self, fake: "FakeFeishu", user: User) -> None:
        self._fake = fake
        self.user = user

    @property
    def open_id(self) -> str:
        return self.user.open_id

    @property
    def union_id(self) -> str:
        return self.user.union_id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def direct(self) -> Chat:
        """Their chat with the bot."""
        return self._fake.direct_chat(self.user)

    async def says(
        self,
        words: str,
        *,
        to: Chat | None = None,
        mentions: "Sequence[Person | User]" = (),
        reply_to: Message | None = None,
        wait: bool = True,
    ) -> Message:
        """Write a text. In it `{bot}`, `{all}` and the `{NAME}` of a mentioned one are mentions.

        Those of `mentions` that the words do not place stand before them.
        """
        text, named = self._mentioned(words, mentions)
        return await self._post("text", {"text": text}, to, reply_to, wait, named)

    async def posts(
        self,
        *parts: str | bytes,
        title: str = "",
        to: Chat | None = None,
        mentions: "Sequence[Person | User]" = (),
        reply_to: Message | None = None,
        wait: bool = True,
    ) -> Message:
        """Write rich text: each str is a line (with mentions as in `says`), each bytes a picture."""
        written = "\n".join(part for part in parts if isinstance(part, str))
        text, named = self._mentioned(written, mentions)
        names = {one["key"]: one["name"] for one in named}
        lines = iter(text.split("\n") if written or named else [])
        content: list[list[Json]] = []
        for part in parts:
            if isinstance(part, bytes):
                key = self._fake.upload(part, "image", mine=False, content_type="image/png").key
                content.append([{"tag": "img", "image_key": key, "width": 1024, "height": 1024}])
            else:
                content.extend(_line(next(lines), names) for _ in part.split("\n"))
        content.extend(_line(rest, names) for rest in lines)
        return await self._post("post", {"title": title, "content": content}, to, reply_to, wait, named)

    async def sends_picture(
        self, data: bytes, *, to: Chat | None = None, reply_to: Message | None = None, wait: bool = True
    ) -> Message:
        """Send a picture alone. In a group the bot hears of it only with the scope im:message.group_msg."""
        media = self._fake.upload(data, "image", mine=False, content_type="image/png")
        return await self._post("image", {"image_key": media.key}, to, reply_to, wait)

    async def sends_file(
        self,
        data: bytes,
        filename: str = "picture.png",
        *,
        to: Chat | None = None,
        reply_to: Message | None = None,
        wait: bool = True,
    ) -> Message:
        """Send a file, heard as a picture is."""
        kind = mimetypes.guess_type(filename)[0] or ""
        media = self._fake.upload(data, "file", mine=False, filename=filename, content_type=kind)
        return await self._post("file", {"file_key": media.key, "file_name": filename}, to, reply_to, wait)

    async def forwards(self, *messages: Message, to: Chat | None = None, wait: bool = True) -> Message:
        """Forward several messages as one; what is in them the bot may not read (234043)."""
        return await self._post("merge_forward", {"messages": [one.id for one in messages]}, to, None, wait)

    async def recalls(self, message: Message, *, wait: bool = True) -> None:
        """Take an own message back; the app is told where it subscribed to that."""
        if message.sender is not self.user:
            raise LookupError("one's own messages only")
        fake = self._fake
        fake.recall(message)
        at = {"message_id": message.id, "chat_id": message.chat.id, "recall_time": fake.milliseconds()}
        push = fake.pushing.tell("im.message.recalled_v1", {**at, "recall_type": "message_owner"})
        await self._answered(push, wait)

    async def presses(
        self, message: Message, label: str, *, values: Mapping[str, Any] | None = None, **fields: Any
    ) -> Toast | None:
        """Press the button with this label (or name). In a form its inputs are filled by `name` first.

        Returns the toast of the callback's answer; a card in the answer has then replaced the message's.
        """
        entered = {**(values or {}), **fields}
        self._uses(message)
        button = find(message, label, tags=("button",))
        form = form_around(message, button)
        action: Json = {"tag": "button"} | ({"name": button["name"]} if "name" in button else {})
        value = callback(button)
        if value is not None:
            action["value"] = value
        match button.get("form_action_type"):
            case "submit" if form:
                action["form_value"] = filled(form, entered)
            case "reset":
                return None
            case _ if entered:
                raise LookupError(f"{label!r} submits no form")
            case _ if value is None:
                return None  # it only opens a link
        return await self._fake.presses.tell(self.user, message, action)

    async def chooses(self, message: Message, placeholder: str, option: str) -> Toast | None:
        """Choose an option, by its words or value, of the select with this placeholder or name, outside of a form."""
        self._uses(message)
        select = find(message, placeholder, tags=("select_static",))
        if form_around(message, select):
            raise LookupError(f"{placeholder!r} stands in a form: press its button")
        action: Json = {"tag": "select_static", "option": option_value(select, option)}
        action |= {"name": select["name"]} if "name" in select else {}
        value = callback(select)
        return await self._fake.presses.tell(self.user, message, action | ({"value": value} if value else {}))

    async def taps_menu(self, event_key: str, *, wait: bool = True) -> None:
        """Tap an entry of the bot's menu (application.bot.menu_v6)."""
        operator = {"operator_name": self.name, "operator_id": user_ids(self.user)}
        event = {"operator": operator, "event_key": event_key, "timestamp": int(self._fake.clock())}
        await self._answered(self._fake.pushing.tell("application.bot.menu_v6", event), wait)

    async def opens(self, *, wait: bool = True) -> None:
        """Look into the chat with the bot; the app is told of it where it subscribed to that."""
        event = {"chat_id": self.direct.id, "operator_id": user_ids(self.user)}
        push = self._fake.pushing.tell("im.chat.access_event.bot_p2p_chat_entered_v1", event)
        await self._answered(push, wait)

    def sees(self, chat: Chat | None = None) -> list[Message]:
        """What stands in their chat with the bot, or in a group of theirs; recalled messages are not seen."""
        return [*self._place(chat).messages]

    def _place(self, chat: Chat | None) -> Chat:
        place = chat or self.direct
        if self.user not in place.members:
            raise LookupError(f"{self.name} is not in {place.name or 'that chat'}")
        return place

    def _uses(self, message: Message) -> None:
        self._place(message.chat)
        if self._fake.clock() - message.sent_at > USABLE:
            raise LookupError("the card is too old to be used")

    async def _post(
        self,
        kind: str,
        content: Json,
        to: Chat | None,
        reply_to: Message | None,
        wait: bool,
        mentions: Sequence[Json] = (),
    ) -> Message:
        if reply_to and reply_to.gone:
            raise LookupError("the message is gone")
        chat = self._place(to or (reply_to.chat if reply_to else None))
        message = self._fake.post(chat, self.user, kind, content, reply_to=reply_to, mentions=mentions)
        await self._answered(self._fake.pushing.tell_message(message), wait)
        return message

    async def _answered(self, push: Push | None, wait: bool) -> None:
        fake = self._fake
        if wait and (fake.webhook or len(fake.connections)):  # else nobody is there who could answer
            await fake.pushing.answered(push)

    def _mentioned(self, words: str, mentions: "Sequence[Person | User]") -> tuple[str, list[Json]]:
        """The words with keys in place of mentions, and the entries that tell whom they mean; @_all has none."""
        named = [one.user if isinstance(one, Person) else one for one in mentions]
        if "{bot}" in words and self._fake.bot not in named:
            named.append(self._fake.bot)
        text = words.replace("{all}", "@_all")
        first, entries = [], []
        for number, user in enumerate(named, 1):
            entries.append(mention(number, user, self._fake.tenant))
            place = "{bot}" if user.bot else f"{{{user.name}}}"
            if place in text:
                text = text.replace(place, f"@_user_{number}")
            else:
                first.append(f"@_user_{number}")
        return " ".join([*first, text]).strip(), entries


def _line(words: str, names: Mapping[str, str]) -> list[Json]:
    """A line of rich text: its mentions are parts of their own."""
    parts: list[Json] = []
    for piece in re.split(r"(@_user_\d+|@_all)", words):
        if piece in names or piece == "@_all":
            parts.append({"tag": "at", "user_id": piece, "user_name": names.get(piece, "所有人"), "style": []})
        elif piece:
            parts.append({"tag": "text", "text": piece, "style": []})
    return parts

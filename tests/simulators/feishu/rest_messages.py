"""Calls that send, change, read and take back messages."""

from dataclasses import dataclass

from tests.simulators.feishu.contents import judge_card, judged
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.render import message_item
from tests.simulators.feishu.rest import Asked, Routes, invalid_field
from tests.simulators.feishu.scopes import GROUP_MESSAGES
from tests.simulators.feishu.wire import Json, Refused
from tests.simulators.feishu.world import WITHDRAWN

UUID_LASTS = 3600.0
MOST_UUID = 50
CHANGEABLE = 14 * 86_400.0  # a card of JSON 2.0
RECALLABLE = 86_400.0
OUTSIDE = "Bot/User can NOT be out of the chat."


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent under a uuid, so that a repeat is answered with the same message."""

    at: float
    asked: tuple[str, ...]
    message: Message


async def create(asked: Asked) -> Json:
    kind, content = asked.text("msg_type"), asked.text("content")
    chat = _receiver(asked)
    return _send(asked, chat, kind, content)


async def reply(asked: Asked) -> Json:
    kind, content = asked.text("msg_type"), asked.text("content")
    quoted = asked.fake.find_message(asked.param("message_id"), missing=230001)
    thread = asked.body.get("reply_in_thread", False)
    if not isinstance(thread, bool):
        raise invalid_field("reply_in_thread")
    return _send(asked, quoted.chat, kind, content, quoted=quoted, thread=thread)


async def patch(asked: Asked) -> Json:
    """Only cards, only own ones, for 14 days."""
    fake, raw = asked.fake, asked.text("content")
    message = _own(asked)
    if message.kind != "interactive":
        raise Refused(230001, "Your request contains an invalid request parameter, ext=This message is NOT a card.")
    fake.limits.change(message.id)
    if fake.clock() - message.sent_at > CHANGEABLE:
        raise Refused(230031, "The card was sent more than 14 days ago and cannot be updated.")
    fake.show_card(message, judged(fake, "interactive", raw))
    return {}


async def update(asked: Asked) -> Json:
    """Texts and posts; cards are not changed this way."""
    fake, kind, raw = asked.fake, asked.text("msg_type"), asked.text("content")
    message = _own(asked)
    if message.kind not in ("text", "post") or kind not in ("text", "post"):
        raise Refused(230001, "Your request contains an invalid request parameter, ext=Only text and post.")
    fake.limits.change(message.id)
    message.kind, message.content, message.updated_at = kind, judged(fake, kind, raw), fake.clock()
    message.edits.append((fake.clock(), message.content))
    return message_item(fake, message)


async def delete(asked: Asked) -> Json:
    fake = asked.fake
    message = fake.find_message(asked.param("message_id"), missing=230001)
    if message.gone:
        raise WITHDRAWN
    if message.sender is not fake.bot or fake.clock() - message.sent_at > RECALLABLE:
        raise Refused(230026, "No permission to recall this message.")
    fake.recall(message)
    return {}


async def get(asked: Asked) -> Json:
    """A withdrawn message is still found, with `deleted`; in a group reading needs a scope of its own."""
    fake = asked.fake
    message = fake.find_message(asked.param("message_id"), missing=230001)
    _may_read(asked, message.chat)
    raw = asked.call.query.get("card_msg_content_type") in ("raw_card_content", "user_card_content")
    return {"items": [message_item(fake, message, raw_card=raw)]}


async def list_messages(asked: Asked) -> Json:
    query = asked.call.query
    if query.get("container_id_type") != "chat":
        raise invalid_field("container_id_type", "only chat here")
    fake = asked.fake
    chat = fake.chat_of_bot(query.get("container_id", ""), 230002, OUTSIDE)
    _may_read(asked, chat)
    start, size = int(query.get("page_token") or 0), int(query.get("page_size", "20"))
    if not 1 <= size <= 50:
        raise invalid_field("page_size", "1 to 50")
    found = [one for one in chat.messages if _between(one, query)]
    if query.get("sort_type") == "ByCreateTimeDesc":
        found.reverse()
    items = [message_item(fake, one) for one in found[start : start + size]]
    more = start + size < len(found)
    return {"items": items, "has_more": more, "page_token": str(start + size) if more else ""}


async def react(asked: Asked) -> Json:
    fake = asked.fake
    message = _standing(asked)
    match asked.body:
        case {"reaction_type": {"emoji_type": str() as emoji}} if emoji.isidentifier():
            pass
        case _:
            raise Refused(231001, "reaction type is invalid.")
    reaction_id = fake.token("reaction")
    message.reaction_ids[reaction_id] = (emoji, fake.bot.open_id)
    message.reactions.append((emoji, fake.bot.open_id))
    operator = {"operator_id": fake.app_id, "operator_type": "app"}
    shown = {"reaction_id": reaction_id, "operator": operator, "action_time": fake.milliseconds()}
    return {**shown, "reaction_type": {"emoji_type": emoji}}


async def unreact(asked: Asked) -> Json:
    message = _standing(asked)
    reaction = message.reaction_ids.pop(asked.param("reaction_id"), None)
    if reaction is None:
        raise Refused(231003, "The reaction is not found.")
    message.reactions.remove(reaction)
    return {}


async def update_card(asked: Asked) -> Json:
    """The delayed update after a press: its token lasts 30 minutes and for two changes, once the press is answered."""
    fake = asked.fake
    card = asked.body.get("card")
    if not isinstance(card, dict):
        raise invalid_field("card")
    message = fake.presses.spend(asked.text("token"))
    judge_card(fake, card)
    fake.show_card(message, card)
    return {}


def _send(
    asked: Asked,
    chat: Chat,
    kind: str,
    raw: str,
    *,
    quoted: Message | None = None,
    thread: bool = False,
) -> Json:
    fake, uuid = asked.fake, asked.text("uuid", needed=False)
    if len(uuid) > MOST_UUID:
        fake.complaints.append(f"a uuid of {len(uuid)} characters")
        raise invalid_field("uuid", f"at most {MOST_UUID} characters")
    fake.limits.send(chat.id)
    request = (chat.id, kind)  # a retry may have newer words, and puts them into the message that comes back
    before = fake.sent.get(uuid) if uuid else None
    if before and fake.clock() - before.at < UUID_LASTS:
        if before.asked != request:
            fake.complaints.append(f"the uuid {uuid} was used again for something else")
        return message_item(fake, before.message)
    if quoted and quoted.gone:
        raise WITHDRAWN
    if quoted and quoted.thread and quoted.root and quoted.root.gone:
        raise Refused(230019, "The topic does NOT exist.")
    _may_write(asked, chat)
    content = judged(fake, kind, raw)
    message = fake.post(chat, fake.bot, kind, content, reply_to=quoted, thread=thread, uuid=uuid)
    if uuid:
        fake.sent[uuid] = Sent(fake.clock(), request, message)
    return message_item(fake, message)


def _receiver(asked: Asked) -> Chat:
    fake, id = asked.fake, asked.text("receive_id")
    match asked.call.query.get("receive_id_type"):
        case "chat_id":
            if id not in fake.chats:
                raise Refused(230001, "Your request contains an invalid request parameter, ext=invalid receive_id")
            return fake.chats[id]
        case "open_id" | "union_id" as kind:
            for user in fake.users.values():
                if getattr(user, kind) == id and not user.bot:
                    return fake.direct_chat(user)
            raise Refused(230001, "Your request contains an invalid request parameter, ext=invalid receive_id")
    raise invalid_field("receive_id_type")


def _may_write(asked: Asked, chat: Chat) -> None:
    if not asked.fake.bot_enabled:
        raise Refused(230006, "Bot ability is not activated.")
    if not chat.with_bot:
        raise Refused(230002, OUTSIDE)
    if chat.p2p and not chat.members[0].reachable:
        raise Refused(230013, "Bot has NO availability to this user.")
    if not chat.speaks:
        raise Refused(230018, "These operations are NOT allowed at current group settings.")


def _may_read(asked: Asked, chat: Chat) -> None:
    if not chat.with_bot:
        raise Refused(230002, OUTSIDE)
    if not chat.p2p and GROUP_MESSAGES not in asked.fake.scopes:
        raise Refused(230027, f"Lack of necessary permissions, ext=need scope: {GROUP_MESSAGES}")


def _standing(asked: Asked) -> Message:
    message = asked.fake.find_message(asked.param("message_id"))
    if message.gone:
        raise Refused(231003, "The message is not found.")
    if not message.chat.with_bot:
        raise Refused(231002, OUTSIDE)
    return message


def _own(asked: Asked) -> Message:
    message = asked.fake.find_message(asked.param("message_id"))
    if message.gone:
        raise Refused(231003, "The message is not found.")
    if not message.chat.with_bot:
        raise Refused(230002, OUTSIDE)
    if message.sender is not asked.fake.bot:
        asked.fake.complaints.append(f"{asked.call.api}: the message is not the bot's")
        raise Refused(230001, "Your request contains an invalid request parameter, ext=not the sender of the message")
    return message


def _between(message: Message, query: dict[str, str]) -> bool:
    """start_time and end_time are in seconds."""
    start, end = float(query.get("start_time") or 0), float(query.get("end_time") or "inf")
    return start <= message.sent_at <= end


_MESSAGE = "/im/v1/messages/{message_id}"
ROUTES: Routes = {
    "im.message.create": ("POST", "/im/v1/messages", create),
    "im.message.list": ("GET", "/im/v1/messages", list_messages),
    "im.message.reply": ("POST", f"{_MESSAGE}/reply", reply),
    "im.message.patch": ("PATCH", _MESSAGE, patch),
    "im.message.update": ("PUT", _MESSAGE, update),
    "im.message.delete": ("DELETE", _MESSAGE, delete),
    "im.message.get": ("GET", _MESSAGE, get),
    "im.message.reaction.create": ("POST", f"{_MESSAGE}/reactions", react),
    "im.message.reaction.delete": ("DELETE", f"{_MESSAGE}/reactions/{{reaction_id}}", unreact),
    "interactive.card.update": ("POST", "/interactive/v1/card/update", update_card),
}

"""Things of this world as the open platform's JSON shows them, in answers and in events."""

import json

from tests.simulators.feishu.model import Chat, Message, User
from tests.simulators.feishu.wire import Json
from tests.simulators.feishu.world import World

UPGRADE = "请升级至最新版本客户端，以查看内容"  # what reading a JSON 2.0 card back gives, not the card itself


def dumped(content: Json) -> str:
    return json.dumps(content, ensure_ascii=False)


def user_ids(user: User) -> Json:
    return {"open_id": user.open_id, "union_id": user.union_id, "user_id": None}


def ids(message: Message) -> Json:
    """Where a message stands: only those ids that it has."""
    root, parent = message.root, message.reply_to
    found = {"root_id": root.id if root else "", "parent_id": parent.id if parent else "", "thread_id": message.thread}
    return {name: id for name, id in found.items() if id}


def message_item(world: World, message: Message, *, raw_card: bool = False) -> Json:
    """As `im.message.get` and the answers of sending show it."""
    content = dumped(message.content)
    if message.gone:
        content = "This message was recalled"
    elif message.kind == "interactive" and not raw_card:
        content = dumped({"title": None, "elements": [[{"tag": "text", "text": UPGRADE}]]})
    elif message.kind == "merge_forward":
        content = "Merged and Forwarded Message"
    sender = message.sender
    who = {"id": world.app_id, "id_type": "app_id", "sender_type": "app"}
    if not sender.bot:
        who = {"id": sender.open_id, "id_type": "open_id", "sender_type": "user"}
    item: Json = {
        "message_id": message.id,
        **ids(message),
        "msg_type": message.kind,
        "create_time": world.milliseconds(message.sent_at),
        "update_time": world.milliseconds(message.updated_at),
        "deleted": message.gone,
        "updated": bool(message.edits),
        "chat_id": message.chat.id,
        "sender": {**who, "tenant_key": world.tenant},
        "body": {"content": content},
    }
    if message.mentions:
        # An object of ids in events, one plain open_id here (contract, section 3).
        item["mentions"] = [
            {**one, "id": one["id"]["open_id"], "id_type": "open_id"} for one in message.mentions if "id" in one
        ]
    return item


def message_event(world: World, message: Message) -> Json:
    """The event of im.message.receive_v1."""
    content = "Merged and Forwarded Message" if message.kind == "merge_forward" else dumped(message.content)
    shown: Json = {
        "message_id": message.id,
        **ids(message),
        "create_time": world.milliseconds(message.sent_at),
        "update_time": world.milliseconds(message.updated_at),
        "chat_id": message.chat.id,
        "chat_type": message.chat.kind,
        "message_type": message.kind,
        "content": content,
        "user_agent": "Mozilla/5.0 (Macintosh) Lark/7.70.9",
    }
    if message.mentions:
        shown["mentions"] = message.mentions
    sender = {"sender_id": user_ids(message.sender), "sender_type": "user", "tenant_key": world.tenant}
    return {"sender": sender, "message": shown}


def bot_event(world: World, chat: Chat, by: User) -> Json:
    """The event of the bot being added to a group or taken out of it."""
    who = {"operator_id": user_ids(by), "operator_tenant_key": world.tenant}
    return {"chat_id": chat.id, **who, "external": False, "name": chat.name, "i18n_names": {"zh_cn": chat.name}}


def mention(number: int, user: User, tenant: str) -> Json:
    return {
        "key": f"@_user_{number}",
        "id": user_ids(user),
        "mentioned_type": "bot" if user.bot else "user",
        "name": user.name,
        "tenant_key": tenant,
    }


def chat_info(world: World, chat: Chat) -> Json:
    owner = chat.owner.open_id if chat.owner else ""
    modes = {"p2p": "p2p", "group": "group", "topic_group": "topic"}
    return {
        "name": chat.name,
        "description": "",
        "owner_id": owner,
        "owner_id_type": "open_id",
        "chat_mode": modes[chat.kind],
        "chat_type": "private",
        "chat_tag": "inner",
        "external": False,
        "tenant_key": world.tenant,
        "user_count": str(len(chat.members)),
        "bot_count": "1" if chat.with_bot else "0",
        "chat_status": "normal",
    }


def user_info(user: User, *, named: bool, placed: bool) -> Json:
    shown: Json = {"open_id": user.open_id, "union_id": user.union_id}
    shown |= {"department_ids": [*user.departments]} if placed else {}
    return {**shown, "name": user.name, "en_name": user.en_name} if named else shown

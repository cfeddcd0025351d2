"""Calls about people and chats, as far as the app's contact range and membership let it look."""

from tests.simulators.feishu.model import Chat, User
from tests.simulators.feishu.render import chat_info, user_info
from tests.simulators.feishu.rest import Asked, Routes, invalid_field
from tests.simulators.feishu.wire import Json, Refused

MOST_USERS = 50
_NAMES, _DEPARTMENTS = "contact:user.base:readonly", "contact:user.department:readonly"


async def get_user(asked: Asked) -> Json:
    user = _user(asked, asked.param("user_id"))
    if not user.in_range:
        raise Refused(41050, "no user authority error")
    return {"user": _shown(asked, user)}


async def batch_users(asked: Asked) -> Json:
    """Those outside of the app's range are left out."""
    wanted = asked.query_list("user_ids")
    if not 1 <= len(wanted) <= MOST_USERS:
        raise invalid_field("user_ids", f"1 to {MOST_USERS}")
    _id_type(asked)
    found = [asked.fake.users[id] for id in wanted if id in asked.fake.users]
    return {"items": [_shown(asked, one) for one in found if one.in_range]}


async def get_chat(asked: Asked) -> Json:
    return chat_info(asked.fake, _chat(asked))


async def members(asked: Asked) -> Json:
    """People only: bots are left out."""
    chat = _chat(asked)
    if asked.call.query.get("member_id_type", "open_id") != "open_id":
        raise invalid_field("member_id_type", "only open_id here")
    size = int(asked.call.query.get("page_size", "20"))
    if not 1 <= size <= 100:
        raise invalid_field("page_size", "1 to 100")
    start = int(asked.call.query.get("page_token") or 0)
    page = chat.members[start : start + size]
    more = start + size < len(chat.members)
    named = _NAMES in asked.fake.scopes
    items = [
        {"member_id_type": "open_id", "member_id": one.open_id, "tenant_key": asked.fake.tenant}
        | ({"name": one.name} if named else {})
        for one in page
    ]
    token = {"page_token": str(start + size)} if more else {"page_token": ""}
    return {"items": items, "has_more": more, "member_total": len(chat.members), **token}


def _id_type(asked: Asked) -> None:
    if asked.call.query.get("user_id_type", "open_id") != "open_id":
        raise invalid_field("user_id_type", "only open_id here")


def _user(asked: Asked, id: str) -> User:
    _id_type(asked)
    if id not in asked.fake.users:
        raise Refused(99992351, "The open_id is not exist.")
    return asked.fake.users[id]


def _shown(asked: Asked, user: User) -> Json:
    """Each field only with the scope of its own."""
    if asked.call.query.get("department_id_type", "open_department_id") != "open_department_id":
        raise invalid_field("department_id_type", "only open_department_id here")
    scopes = asked.fake.scopes
    return user_info(user, named=_NAMES in scopes, placed=_DEPARTMENTS in scopes)


def _chat(asked: Asked) -> Chat:
    return asked.fake.chat_of_bot(asked.param("chat_id"), 232011, "Operator can NOT be out of the chat.")


ROUTES: Routes = {
    "contact.user.batch": ("GET", "/contact/v3/users/batch", batch_users),
    "contact.user.get": ("GET", "/contact/v3/users/{user_id}", get_user),
    "im.chat.get": ("GET", "/im/v1/chats/{chat_id}", get_chat),
    "im.chat.members.get": ("GET", "/im/v1/chats/{chat_id}/members", members),
}

"""What an app may be granted, and which of it each call needs (any one of the names is enough)."""

GROUP_MESSAGES = "im:message.group_msg"  # sensitive: every message of a group, and reading what stands there

DIRECT = frozenset(("im:message.p2p_msg:readonly", "im:message.p2p_msg"))
MENTIONED = frozenset(("im:message.group_at_msg:readonly", "im:message.group_at_msg"))

ALL_SCOPES: frozenset[str] = frozenset(
    (
        "im:message",
        "im:message:readonly",
        "im:message:send_as_bot",
        "im:message:update",
        "im:message.p2p_msg:readonly",
        "im:message.group_at_msg:readonly",
        "im:message.reactions:write_only",
        "im:resource",
        "im:chat:readonly",
        "im:chat.members:read",
        "im:chat.members:bot_access",
        "im:chat.access_event.bot_p2p_chat:read",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "contact:user.department:readonly",
        "application:app_slash_command:read",
        "application:app_slash_command:write",
        "application:application:self_manage",
        "tenant:tenant:readonly",
    )
)

_MESSAGE = ("im:message",)
_READ = (*_MESSAGE, "im:message:readonly")
_SEND = (*_MESSAGE, "im:message:send_as_bot")
_CHAT = ("im:chat", "im:chat:readonly", "im:chat:read")
_SELF = ("application:application:self_manage", "admin:app.info:readonly")

NEEDED: dict[str, tuple[str, ...]] = {
    "im.message.create": _SEND,
    "im.message.reply": _SEND,
    "im.message.patch": (*_SEND, "im:message:update"),
    "im.message.update": (*_SEND, "im:message:update"),
    "im.message.delete": (*_SEND, "im:message:recall"),
    "im.message.get": _READ,
    "im.message.list": _READ,
    "im.message.reaction.create": (*_MESSAGE, "im:message.reactions:write_only"),
    "im.message.reaction.delete": (*_MESSAGE, "im:message.reactions:write_only"),
    "im.message.resource.get": _READ,
    "im.image.create": ("im:resource", "im:resource:upload"),
    "im.image.get": ("im:resource",),
    "im.file.create": ("im:resource", "im:resource:upload"),
    "im.chat.get": _CHAT,
    "im.chat.members.get": (*_CHAT, "im:chat.members:read"),
    "contact.user.get": ("contact:contact.base:readonly", "contact:user.base:readonly"),
    "contact.user.batch": ("contact:contact.base:readonly", "contact:user.base:readonly"),
    "application.app_slash_command.list": ("application:app_slash_command:read", "application:app_slash_command:write"),
    "application.app_slash_command.create": ("application:app_slash_command:write",),
    "application.app_slash_command.patch": ("application:app_slash_command:write",),
    "application.app_slash_command.delete": ("application:app_slash_command:write",),
    "application.application.get": _SELF,
    "application.application.app_version.get": _SELF,
    "tenant.tenant.query": ("tenant:tenant:readonly", "tenant:tenant.product_assign_info:read"),
}

"""What the app has to be granted and subscribed to in the platform's console, and what each is for.

The one table that `setup`, `doctor` and the manual share. Names are the platform's:
https://open.feishu.cn/document/server-docs/application-scope/scope-list
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from bot.i18n import Text, text

FEISHU, LARK = "https://open.feishu.cn", "https://open.larksuite.com"
HOOK = "/hooks/feishu"
FEATURES, EVENT_TAB, CALLBACK_TAB = "capability", "event?tab=event", "event?tab=callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """instead: wider ones, each of which is as good."""

    name: str
    why: Text
    needed: bool = False
    instead: tuple[str, ...] = ()

    def granted(self, names: Collection[str]) -> bool:
        return any(name in names for name in (self.name, *self.instead))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """An event or a callback."""

    name: str
    why: Text
    needed: bool = False


SCOPES = (
    Scope(
        name="im:message.p2p_msg:readonly",
        why=text("It reads what people write to it directly."),
        needed=True,
        instead=("im:message.p2p_msg",),
    ),
    Scope(
        name="im:message.group_at_msg:readonly",
        why=text("It reads the messages in groups that mention it, and no others."),
        needed=True,
        instead=("im:message.group_at_msg", "im:message.group_msg"),
    ),
    Scope(
        name="im:message:send_as_bot",
        why=text("It answers."),
        needed=True,
        instead=("im:message",),
    ),
    Scope(
        name="im:message:update",
        why=text("It changes its answer from the place in line to the pictures."),
        needed=True,
        instead=("im:message", "im:message:send_as_bot"),
    ),
    Scope(
        name="im:message:readonly",
        why=text("It opens the pictures that people send, and the message that somebody replies to."),
        needed=True,
        instead=("im:message",),
    ),
    Scope(
        name="im:resource",
        why=text("It uploads its pictures."),
        needed=True,
    ),
    Scope(
        name="im:chat:readonly",
        why=text("It knows what kind of chat a button was pressed in, and who owns a group."),
        instead=("im:chat", "im:chat:read"),
    ),
    Scope(
        name="im:chat.members:read",
        why=text("It knows the names of those in a group, also of people whom it may not look up."),
        instead=("im:chat", "im:chat:readonly"),
    ),
    Scope(
        name="im:chat.members:bot_access",
        why=text("It says a few words when it is added to a group."),
        instead=("im:chat", "im:chat:readonly"),
    ),
    Scope(
        name="im:chat.access_event.bot_p2p_chat:read",
        why=text("It hears when somebody opens the chat with it, and so knows that it is one of two."),
    ),
    Scope(
        name="contact:contact.base:readonly",
        why=text("It may look people up at all, within the range that the app is given."),
    ),
    Scope(
        name="contact:user.base:readonly",
        why=text("It knows the names of people, for the log and for admins."),
    ),
    Scope(
        name="contact:user.department:readonly",
        why=text("It knows the departments of people, where admins give a team or a tier to a department."),
    ),
    Scope(
        name="application:app_slash_command:read",
        why=text("It sees which slash commands stand there."),
    ),
    Scope(
        name="application:app_slash_command:write",
        why=text("It puts its slash commands there, so that people find them by typing /."),
    ),
    Scope(
        name="application:application:self_manage",
        why=text("`doctor` reads whether a version is published and what is subscribed."),
        instead=("admin:app.info:readonly",),
    ),
    Scope(
        name="im:message.group_msg",
        why=text(
            "In groups it can open another person's picture that somebody replies to. It then reads every message of "
            "its groups, so admins must agree; without it, people send the picture and the words in one message."
        ),
    ),
)
# Not asked for by itself: it lets the bot read all of a group, which most teams would rather not.
SENSITIVE = frozenset({"im:message.group_msg"})

EVENTS = (
    Subscribed(name="im.message.receive_v1", why=text("Everything that people write to the bot."), needed=True),
    Subscribed(name="application.bot.menu_v6", why=text("The bot's menu.")),
    Subscribed(name="im.chat.member.bot.added_v1", why=text("The words when it is added to a group.")),
    Subscribed(
        name="im.chat.access_event.bot_p2p_chat_entered_v1",
        why=text("Which chats are direct ones, before anything is written there."),
    ),
)
CALLBACKS = (Subscribed(name="card.action.trigger", why=text("Every button, form and select."), needed=True),)


def asked(*, sensitive: bool = False) -> list[str]:
    """The names of all that the app should be granted."""
    return [scope.name for scope in SCOPES if sensitive or scope.name not in SENSITIVE]


def lacking(granted: Collection[str], *, needed: bool) -> list[Scope]:
    """What is not granted, of that without which nothing works or of the rest."""
    return [scope for scope in SCOPES if scope.needed is needed and not scope.granted(granted)]


def importable(names: Iterable[str]) -> dict[str, Any]:
    """As the console takes it: Permissions & Scopes, Batch import/export scopes, Import."""
    return {"scopes": {"tenant": list(names), "user": []}}


def addons() -> dict[str, Any]:
    """The same, with events and callbacks, as a new app can be given it when it is made by a link."""
    return {
        "preset": False,
        "scopes": {"tenant": asked()},
        "events": {"items": {"tenant": [event.name for event in EVENTS]}},
        "callbacks": {"items": [callback.name for callback in CALLBACKS]},
    }


def grant_link(domain: str, app_id: str, names: Iterable[str]) -> str:
    """Where the app's developer adds these scopes at once."""
    wanted = quote(",".join(names), safe=":,.")
    return f"{console(domain, app_id, 'auth')}?q={wanted}&op_from=openapi&token_type=tenant"


def console(domain: str, app_id: str, page: str) -> str:
    """A page of the app in the developer console: auth, version, baseinfo, or one of those above."""
    return f"{domain.rstrip('/')}/app/{quote(app_id, safe='')}/{page}"


def twin(domain: str) -> str:
    """The other of the two platforms: an app of one is unknown to the other. "" for an address of neither."""
    hosts = {"open.feishu.cn": LARK, "open.larksuite.com": FEISHU}
    return hosts.get(urlsplit(domain).hostname or "", "")


def accounts(domain: str) -> dict[str, str]:
    """Where apps are made by a link, for the platform at this address; of another than the two, at itself."""
    here = domain.replace("://open.", "://accounts.")
    return {
        "domain": here,
        "lark_domain": LARK.replace("://open.", "://accounts.") if domain in (FEISHU, LARK) else here,
    }


def place(domain: str, brand: str) -> str:
    """The platform on which an app of this brand is, which may be the other than the one that was asked."""
    if domain not in (FEISHU, LARK):
        return domain
    return {"feishu": FEISHU, "lark": LARK}.get(brand, domain)

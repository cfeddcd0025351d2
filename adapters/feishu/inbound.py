"""What the platform pushes, made into what a person did. Pure: nothing is asked of anybody here.

Shapes are those of the contract's section 3. Whatever does not have them is no event for us, and never an error.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from adapters.feishu.event import ChatKind, Event, Meant, Where
from adapters.feishu.messages import Said, said
from adapters.feishu.presses import pressed
from adapters.feishu.words import FORWARDED, TAKEN, WELCOME
from bot.i18n import Text

Json = Mapping[str, Any]
KINDS: dict[str, ChatKind] = {"p2p": "p2p", "group": "group", "topic_group": "topic_group"}


class Way(Enum):
    """What is to be done about an event."""

    ASKS = auto()  # it is for the core
    PRESSES = auto()  # it is for the core, and the presser waits for the first answer
    SHOWS = auto()  # pictures without a word about them
    IS_TOLD = auto()  # it gets the words in `answer`, and nothing else
    ENTERS = auto()  # somebody opened their chat with the bot


@dataclass(frozen=True, slots=True)
class Heard:
    event: Event
    way: Way = Way.ASKS
    answer: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Us:
    """bot: our own open_id. asking: the commands that cannot do without words. naming: those about a person."""

    bot: str
    asking: Collection[str] = ()
    naming: Collection[str] = ()


def read(payload: Json, us: Us) -> Heard | None:
    """None where it is not for us."""
    match payload:
        case {"header": {"event_type": str(kind), "event_id": str()} as header, "event": dict(event)} if kind in _READ:
            try:
                heard = _READ[kind](header, event, us)
            except (ValueError, RecursionError):  # an id that is none, a time that is none
                return None
            return heard if heard and heard.event.where.user else None
    return None


def kind_of(payload: Json) -> str:
    """The event's type, for the log."""
    match payload:
        case {"header": {"event_type": str(kind)}}:
            return kind[:100]
    return ""


def _message(header: Json, event: Json, us: Us) -> Heard | None:
    match event:
        case {
            "sender": {"sender_type": "user", "sender_id": {"open_id": str(user)}} as sender,
            "message": {
                "message_id": str(id),
                "chat_id": str(chat),
                "chat_type": str(place),
                "message_type": str(kind),
                "content": str(content),
            } as message,
        }:
            found = said(id, kind, content, message.get("mentions"), us.bot, us.naming)
            where = Where(
                tenant=str(header.get("tenant_key") or sender.get("tenant_key") or ""),
                user=user,
                chat=chat,
                kind=KINDS.get(place, "group"),
                message=id,
                thread=bool(message.get("thread_id")) or place == "topic_group",
                at=_milliseconds(message.get("create_time")),
            )
            return _heard(where, found, kind, str(message.get("parent_id") or ""))
    return None


def _heard(where: Where, found: Said, kind: str, parent: str) -> Heard | None:
    """In a group only what mentions the bot is meant for it; without that it does not even hear of most messages."""
    if kind == "system" or not (where.direct or found.named):
        return None
    meant = Meant(message=parent) if parent else None
    event = Event(
        id=where.message, where=where, line=found.words, files=found.files, meant=meant, names=dict(found.names)
    )
    if found.other:
        return Heard(event, Way.IS_TOLD, FORWARDED if kind == "merge_forward" else TAKEN)
    if where.direct and found.files and not found.words:
        return Heard(event, Way.SHOWS)
    return Heard(event)


def _press(header: Json, event: Json, us: Us) -> Heard | None:
    match event:
        case {"operator": {"open_id": str(user)} as operator, "action": dict(action), "context": dict(context)}:
            found = pressed(action, us.asking)
            if found is None:
                return None
            chat = str(context.get("open_chat_id") or "")
            where = Where(
                tenant=str(header.get("tenant_key") or operator.get("tenant_key") or ""),
                user=user,
                chat=chat,
                kind="group" if chat else "",  # nobody says it: what the rules forbid in groups is not to be evaded
                card=str(context.get("open_message_id") or ""),
                at=_milliseconds(header.get("create_time")),
            )
            meant = Meant(generation=found.generation, index=found.index) if found.command else None
            return Heard(
                Event(
                    id=header["event_id"],
                    where=where,
                    press=found.press,
                    command=found.command,
                    values=dict(found.values),
                    meant=meant,
                ),
                Way.PRESSES,
            )
    return None


def _menu(header: Json, event: Json, us: Us) -> Heard | None:
    """An entry of the bot's menu is the command that it is named after; the platform does not say in which chat."""
    match event:
        case {"operator": {"operator_id": {"open_id": str(user)}}, "event_key": str(key)}:
            command = key.strip().removeprefix("/").lower()
            if not re.fullmatch(r"[\w-]{1,30}", command):
                return None
            where = Where(tenant=_tenant(header), user=user, at=_milliseconds(header.get("create_time")))
            return Heard(Event(id=header["event_id"], where=where, command=command))
    return None


def _added(header: Json, event: Json, us: Us) -> Heard | None:
    return _in_chat(header, event, "group", Way.IS_TOLD, WELCOME)


def _entered(header: Json, event: Json, us: Us) -> Heard | None:
    return _in_chat(header, event, "p2p", Way.ENTERS)


def _in_chat(header: Json, event: Json, kind: ChatKind, way: Way, answer: Text | None = None) -> Heard | None:
    match event:
        case {"chat_id": str(chat), "operator_id": {"open_id": str(user)}}:
            at = _milliseconds(header.get("create_time"))
            where = Where(tenant=_tenant(header), user=user, chat=chat, kind=kind, at=at)
            return Heard(Event(id=header["event_id"], where=where), way, answer)
    return None


def _tenant(header: Json) -> str:
    return str(header.get("tenant_key") or "")


def _milliseconds(written: object) -> int:
    """Since 1970. Messages are told in milliseconds, presses in microseconds, old events in seconds."""
    number = int(str(written)[:20])
    if number < 0:
        raise ValueError("before 1970")
    while number > 10**14:
        number //= 1000
    return number if number > 10**11 else number * 1000


_READ: dict[str, Callable[[Json, Json, Us], Heard | None]] = {
    "im.message.receive_v1": _message,
    "card.action.trigger": _press,
    "application.bot.menu_v6": _menu,
    "im.chat.member.bot.added_v1": _added,
    "im.chat.access_event.bot_p2p_chat_entered_v1": _entered,
}

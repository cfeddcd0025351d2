"""Who somebody is, where they belong, and what kind of chat they are in: what events do not say, as far as the app may
find it out.

Nothing here is waited for before an event is noted, and an answer waits a second at most: a person without a name is
their open_id. What the app may not ask is not asked again for a while.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import structlog

from adapters.feishu.codes import Kind, Refused, Unreachable, advice
from adapters.feishu.event import ChatKind, Where, storable
from adapters.feishu.rest import Rest

log = structlog.get_logger(__name__)

BUDGET = 1.0  # seconds that an answer waits for a name
KNOWN = 5_000
NAMED_FOR = timedelta(days=1)
NAMELESS_FOR = timedelta(minutes=10)
OWNED_FOR = timedelta(minutes=5)
SHUT_FOR = timedelta(minutes=10)  # what the app may not ask; a scope that is granted counts soon
RESTING_FOR = timedelta(seconds=10)  # what did not answer in time
LONGEST_NAME = 100  # characters
DEPARTMENTS_FOR = timedelta(hours=1)  # then it is asked whether they are still so; what is not answered stays so
MOST_DEPARTMENTS = 50  # of one person
DEPARTMENT = re.compile(r"[\w@.-]{1,64}", re.ASCII)
_LIKE_A_ROOM = re.compile(r"<(?=\W*#)")  # signs that nobody sees may stand between, and be taken out later
MOST_MEMBERS = 1_000  # of a group, among whom a name is looked for
MODES: dict[str, ChatKind] = {"p2p": "p2p", "group": "group", "topic": "topic_group"}
NOT_GRANTED = (Kind.SCOPE, Kind.CREDENTIALS, Kind.CAPABILITY)
ONLY_THIS = (Kind.OUT_OF_RANGE, Kind.FORBIDDEN, Kind.GONE)  # of this person, or this chat
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """name: "" where nobody tells. admin: of the space in which they ask. roles: `department:<id>` each."""

    name: str = ""
    admin: bool = False
    roles: tuple[str, ...] = ()


def usual_language(domain: str) -> str:
    """Of most people there: Feishu is China's, Lark everybody else's."""
    host = urlsplit(domain).hostname or ""
    return "zh-CN" if host == "feishu.cn" or host.endswith(".feishu.cn") else "en"


class People:
    """folder: remembers which chats are those of one person with the bot. group_owners: they are admins in there."""

    def __init__(
        self,
        *,
        rest: Rest,
        folder: Path,
        clock: Callable[[], datetime],
        group_owners: bool = False,
        budget: float = BUDGET,
    ) -> None:
        self._rest = rest
        self._file = folder / "direct.txt"
        self._clock = clock
        self._group_owners = group_owners
        self._budget = budget
        self._names: _Kept[str] = _Kept()
        self._departments: _Kept[tuple[str, ...]] = _Kept()
        self._looked_up: _Kept[bool] = _Kept()
        self._owners: _Kept[str] = _Kept()
        self._kinds: _Kept[ChatKind] = _Kept()
        self._chats: _Kept[str] = _Kept()
        self._shut: dict[str, datetime] = {}
        self._direct: set[str] | None = None
        self._writing = asyncio.Lock()

    async def saw(self, where: Where) -> None:
        """A message told of what kind its chat is; a button that is pressed there later does not."""
        if where.kind == "p2p":
            await self._note_direct(where.chat)
        elif where.kind:
            self._kinds.put(where.chat, where.kind, self._clock() + NAMED_FOR)

    async def kind_at_hand(self, chat: str) -> ChatKind:
        """The kind of a chat as far as it is known here, else ""."""
        return "p2p" if chat in await self._directs() else self._kinds.get(chat, self._clock()) or ""

    async def kind(self, where: Where) -> ChatKind:
        """The kind of a chat; a group where it is not to be found out, so that no rule of groups is evaded."""
        if known := await self.kind_at_hand(where.chat):
            return known
        await self._ask("chat", self._ask_chat, where, self._late())
        return await self.kind_at_hand(where.chat) or "group"

    def at_hand(self, where: Where) -> Known:
        """What is known of somebody without asking."""
        now = self._clock()
        owner = self._owners.get(where.chat, now) if self._has_owner(where) else None
        return Known(
            name=self._names.get(where.user, now) or "",
            admin=bool(owner) and owner == where.user,
            roles=self._departments.get(where.user, now) or (),
        )

    async def find(self, where: Where) -> Known:
        """The same after asking for what is not known."""
        now, late = self._clock(), self._late()
        asks_person = self._lacks(self._names, where) or self._lacks(self._looked_up, where)
        asks_owner = self._has_owner(where) and self._owners.get(where.chat, now) is None
        asks_chat = bool(where.chat) and not where.direct and self._chats.get(where.chat, now) is None
        if asks_person or asks_owner or asks_chat:
            async with asyncio.TaskGroup() as tasks:
                if asks_person:
                    tasks.create_task(self._find_person(where, late))
                if asks_owner or asks_chat:
                    tasks.create_task(self._ask("chat", self._ask_chat, where, late))
        return self.at_hand(where)

    def room(self, chat: str) -> str:
        """A group's name, where the bot was asked for something there; else its id."""
        return self._chats.get(chat, self._clock()) or chat

    def _has_owner(self, where: Where) -> bool:
        return self._group_owners and bool(where.chat) and not where.direct

    def _late(self) -> float:
        return asyncio.get_running_loop().time() + self._budget

    def _lacks(self, kept: "_Kept[Any]", where: Where) -> bool:
        return kept.get(where.user, self._clock()) is None

    async def _find_person(self, where: Where, late: float) -> None:
        await self._ask("contact", self._ask_contact, where, late)
        if self._lacks(self._names, where) and where.chat and not where.direct:
            await self._ask("members", self._ask_members, where, late)
        if self._lacks(self._names, where):
            self._names.put(where.user, "", self._clock() + NAMELESS_FOR)

    async def _ask(self, what: str, ask: Callable[[Where], Awaitable[None]], where: Where, late: float) -> None:
        """What fails is left alone for a while; it is nobody's fault who asks for a picture."""
        now = self._clock()
        if now < self._shut.get(what, now) or asyncio.get_running_loop().time() >= late:
            return
        try:
            async with asyncio.timeout_at(late):
                await ask(where)
        except Refused as refused:
            cure = str(advice(refused) or "")
            log.info("Feishu does not tell", about=what, code=refused.code, log_id=refused.log_id, advice=cure)
            if refused.kind not in ONLY_THIS:
                self._shut[what] = now + (SHUT_FOR if refused.kind in NOT_GRANTED else RESTING_FOR)
        except (Unreachable, TimeoutError) as problem:
            log.info("Feishu does not tell in time", about=what, problem=str(problem) or "TimeoutError")
            self._shut[what] = now + RESTING_FOR

    async def _ask_contact(self, where: Where) -> None:
        try:
            user = await self._rest.user(where.user)
        except Refused as refused:
            if refused.kind in ONLY_THIS:
                self._looked_up.put(where.user, True, self._clock() + NAMED_FOR)
            raise
        now, told = self._clock(), "department_ids" in user
        self._named(where.user, user.get("name"))
        self._departments.put(where.user, _departments(user.get("department_ids")), now + NAMED_FOR)
        self._looked_up.put(where.user, True, now + (DEPARTMENTS_FOR if told else NAMED_FOR))

    async def _ask_members(self, where: Where) -> None:
        """Everybody's name is kept: who speaks in a group is seldom the only one."""
        seen = 0
        async for member in self._rest.members(where.chat):
            self._named(str(member.get("member_id", "")), member.get("name"))
            seen += 1
            if member.get("member_id") == where.user or seen >= MOST_MEMBERS:
                return

    async def _ask_chat(self, where: Where) -> None:
        found = await self._rest.chat(where.chat)
        now = self._clock()
        kind = MODES.get(str(found.get("chat_mode")), "")
        # Nobody rules anything by being half of a conversation.
        owner = str(found.get("owner_id") or "") if kind in ("group", "topic_group") else ""
        self._owners.put(where.chat, owner, now + OWNED_FOR)
        self._chats.put(where.chat, _readable(found.get("name")), now + NAMED_FOR)
        if kind == "p2p":
            await self._note_direct(where.chat)
        elif kind:
            self._kinds.put(where.chat, kind, now + NAMED_FOR)

    def _named(self, user: str, name: object) -> None:
        if told := _readable(name):
            # Whoever is called `<#id>` would be taken for the room, and told by its name.
            self._names.put(user, _LIKE_A_ROOM.sub("＜", told), self._clock() + NAMED_FOR)

    async def _directs(self) -> set[str]:
        if self._direct is None:
            async with self._writing:
                if self._direct is None:
                    try:
                        self._direct = await asyncio.to_thread(_lines, self._file)
                    except OSError as problem:  # they can be asked for, and buttons must go on working
                        log.warning("the kinds of chats could not be read", problem=type(problem).__name__)
                        self._direct = set()
        return self._direct

    async def _note_direct(self, chat: str) -> None:
        directs = await self._directs()
        if chat in directs:
            return
        directs.add(chat)
        try:
            async with self._writing:
                await asyncio.to_thread(_append, self._file, chat)
        except OSError as problem:  # it is known until the end of the process
            log.warning("the kind of a chat could not be noted", problem=type(problem).__name__)


class _Kept(Generic[Value]):
    """What was found out, each for a while, and the newest of it only."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, tuple[datetime, Value]] = OrderedDict()

    def get(self, key: str, now: datetime) -> Value | None:
        until, value = self._all.get(key, (now, None))
        return value if now < until else None

    def put(self, key: str, value: Value, until: datetime) -> None:
        self._all[key] = (until, value)
        self._all.move_to_end(key)
        while len(self._all) > KNOWN:
            self._all.popitem(last=False)


def _departments(ids: object) -> tuple[str, ...]:
    """As roles. The platform names only the departments that somebody is in directly, not those above them."""
    known = [id for id in ids if isinstance(id, str) and DEPARTMENT.fullmatch(id)] if isinstance(ids, list) else []
    return tuple(dict.fromkeys(f"department:{id}" for id in known[:MOST_DEPARTMENTS]))


def _readable(name: object) -> str:
    return str(storable(name if isinstance(name, str) else "")).strip()[:LONGEST_NAME]


def _lines(file: Path) -> set[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    # A line that was broken off, or filled with zeros by a crash, is no chat's id.
    return set(file.read_text("utf-8", "replace").split()) if file.exists() else set()


def _append(file: Path, line: str) -> None:
    """After a line break, so that a line which a crash cut off does not swallow this one."""
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"\n{line}")

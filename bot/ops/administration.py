"""What the operator orders on the command line: the words of /admin, with the operator's rights, in the running bot.

Also what leads into the dashboard: the address of a link that works once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot import grammar
from bot.chat import Reply, Tone
from bot.command import CommandTable, Kind, mention
from bot.commands.admin import Admin, Rule
from bot.commands.admin_words import Marked, grant, wrong
from bot.commands.orders import Orders
from bot.errors import BotError, UsageError
from bot.i18n import text
from bot.ops import keys, sending
from bot.people import persons_of
from bot.rights import COMMAND_LINE, Who, found
from bot.storage.connection import Connection
from bot.suggest import fold

ENTER = "/dashboard/enter#"

Mine = Callable[[Connection, tuple[str, ...]], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """base: the address at which this server is reached from a platform; "" where it is not."""

    base: Callable[[str], str]

    def link(self, connection: Connection, who: Who, at: int) -> str:
        """A link to the dashboard for somebody; "" where they could not follow it."""
        base = self.base(who.space.partition("/")[0])
        if not base:
            return ""
        return base.rstrip("/") + ENTER + keys.new_link(connection, keys.holder_of(connection, who), at)


@dataclass(frozen=True, kw_only=True)
class Administration:
    """mine: everything that is kept of a person's accounts."""

    admin: Admin
    table: CommandTable
    mine: Mine
    language: str
    zone: str

    async def order(self, words: Sequence[str], space: str = "") -> dict[str, Any]:
        """Do it, and return what `seedream-bot admin` prints. space: whose admin the operator is to be like."""
        who = replace(COMMAND_LINE, space=space)
        try:
            if space and "/" not in space:
                raise UsageError(text("A space is written as platform/id."))
            if list(words[:1]) == ["data"]:
                return await self._data(who, words[1:])
            reply = await (self._grant(who, words[1:]) if list(words[:1]) == ["grant"] else self._obey(who, words))
        except BotError as error:
            reply = Reply(text=error.text, tone=Tone.REFUSAL)
        accounts = [sending.account_of(line, self.language, self.zone) for line in reply.accounts]
        return {**sending.outcome_of(replace(reply, language=self.language), self.zone), "accounts": accounts}

    async def on_behalf(self, asked: dict[str, Any], files: tuple[Path, ...]) -> dict[str, Any]:
        """The same for another process, over the control door."""
        return await self.order([str(word) for word in asked["words"]], str(asked["space"]))

    async def _obey(self, who: Who, words: Sequence[str]) -> Reply:
        command = self.table.find("admin")
        parsed = grammar.parse(f"/admin {line(words)}".rstrip(), self.table)
        assert parsed is not None
        rule: Rule = command.bind(parsed.values)
        if rule.area == "space":
            raise UsageError(text("The rules of a space are changed in that space: /admin space."))
        marked = Marked(member=rule.member, channel=rule.channel, role=rule.role)
        reply = await self.admin.obey(rule.area, f"{rule.rule} {rule.value}".strip(), marked, who, {})
        assert reply is not None  # only of a chat's askings is remembered which were answered
        return reply

    async def _grant(self, who: Who, words: Sequence[str]) -> Reply:
        users = [user for word in words if (user := mention(Kind.PERSON, fold(word)))]
        if len(users) != 1:
            raise wrong(text("Say whom."), "grant")
        rules = self.admin.rules()
        order = grant(line([word for word in words if not mention(Kind.PERSON, fold(word))]), rules.now, rules.zone)
        orders = Orders(who=who, marked=Marked(member=users[0]), rules=rules, router=self.admin.router)
        return await self.admin.database.transaction(orders.grant, order)

    async def _data(self, who: Who, words: Sequence[str]) -> dict[str, Any]:
        if len(words) != 1:
            raise UsageError(text("Say whose: seedream-bot admin data @name"))
        data = await self.admin.database.read(self._kept, who, mention(Kind.PERSON, fold(words[0])) or words[0])
        return {**sending.outcome_of(Reply(text=text("Everything that is kept of you")), self.zone), "data": data}

    def _kept(self, connection: Connection, who: Who, user: str) -> Mapping[str, Any]:
        person, _ = found(connection, who, user)
        return self.mine(connection, persons_of(connection, person))


def line(words: Sequence[str]) -> str:
    """What a shell has taken apart, as it would be typed in a chat."""
    return " ".join(f'"{word}"' if any(map(str.isspace, word)) and not word.startswith('"') else word for word in words)

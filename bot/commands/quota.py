"""/quota: what somebody may still use, account by account, and who can give more."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.asking import Answer, Asking
from bot.chat import AccountLine, Reply
from bot.command import Command
from bot.commands.looking import Nothing
from bot.generation.service import GenerationService
from bot.i18n import Text, text
from bot.quota import ledger
from bot.quota.standing import Payer
from bot.storage.connection import Connection
from bot.storage.database import Database

SHORT = 4  # less than this part of a limit is left: whoever can give more is named
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Quota:
    service: GenerationService
    database: Database

    async def quota(self, request: Nothing, asking: Asking) -> Answer:
        person = asking.person
        teams = ("", *(team.id for team in asking.teams))
        payers = [
            Payer(person=person.id, persons=person.persons, space=person.space, team=team, roles=person.roles)
            for team in teams
        ]
        lines = as_one(await self.database.read(_lines, payers, self.service.rules()))
        words = text("What you may still use, and what is used:")
        return Reply(text=words, accounts=lines, notes=(*_details(lines), *_givers(lines)), private=True)


def commands(quota: Quota) -> tuple[Command, ...]:
    return (
        Command(
            name="quota",
            summary=text("What you may still use"),
            request=Nothing,
            handle=quota.quota,
            private=True,
            aliases=("额度",),
        ),
    )


def as_one(lines: Iterable[AccountLine]) -> tuple[AccountLine, ...]:
    """Of an account that stands there twice the tightest line; linked accounts of one human are one."""
    found: dict[tuple[str, str, str], AccountLine] = {}
    for line in lines:
        mine = line.account.startswith("person:")
        key = ("person" if mine else line.account, line.unit, line.window)
        if key not in found or _room(line) < _room(found[key]):
            found[key] = line
    return tuple(found.values())


def _room(line: AccountLine) -> float:
    return float("inf") if line.left is None else line.left


def _is_grant(line: AccountLine) -> bool:
    return line.account.startswith("grant:")


def _details(lines: Iterable[AccountLine]) -> tuple[Text, ...]:
    """What a bar does not show: what is held, and when each limit begins anew."""
    held = [line for line in lines if line.held and not _is_grant(line)]
    notes = []
    if held:
        notes.append(text("What is being drawn is held until it is done."))
    times = {line.window: line.resets for line in lines if line.resets and line.limit is not None}
    windows = {"day": text("day"), "week": text("week"), "month": text("month")}
    resets = tuple(
        text("{window} at {time}", window=name, time=times[window])
        for window, name in windows.items()
        if window in times
    )
    if resets:
        notes.append(text("Begins anew: {resets}.", resets=resets))
    return tuple(notes)


def _givers(lines: Iterable[AccountLine]) -> tuple[Text, ...]:
    found: dict[str, Text] = {}
    for line in lines:
        if line.limit is None or line.who is None or _is_grant(line) or (line.left or 0) * SHORT >= line.limit > 0:
            continue
        words = text("{account}: {who} can give more.", account=line.name, who=line.who)
        found.setdefault(str(words), words)
    return tuple(found.values())[:MOST_NAMED]


def _lines(connection: Connection, payers: Iterable[Payer], rules: ledger.Rules) -> tuple[AccountLine, ...]:
    return tuple(line for payer in payers for line in ledger.lines(connection, payer, rules))

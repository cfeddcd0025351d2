"""/quota: what somebody may still use, account by account, and who can give more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot import linking
from bot.asking import Answer, Asking
from bot.chat import AccountLine, Reply
from bot.command import Command
from bot.commands.looking import Nothing
from bot.generation.service import GenerationService
from bot.i18n import Text, text
from bot.quota import ledger
from bot.quota.limits import of_person
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
        lines = ledger.as_one(await self.database.read(_lines, payers, self.service.rules()))
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


def _lines(connection: Connection, payers: Sequence[Payer], rules: ledger.Rules) -> tuple[AccountLine, ...]:
    titles = _titles(connection, linking.persons_of(connection, payers[0].person))
    found = (line for payer in payers for line in ledger.lines(connection, payer, rules))
    return tuple(replace(line, name=titles.get(line.account, line.name)) for line in found)


def _titles(connection: Connection, persons: Sequence[str]) -> dict[str, Text]:
    """What linked accounts are called, by their names in the books: nobody is told but who they belong to."""
    if len(persons) == 1:
        return {}
    return {
        of_person(each.person).name: text(
            "You on {platform} ({name})", platform=each.adapter.capitalize(), name=each.name
        )
        for each in linking.named(connection, persons)
    }

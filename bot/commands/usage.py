"""/usage: what was used, by oneself, a team, a space or everybody, as a table and a chart.

Members see themselves, owners their team, admins their space, the operator everything.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot import reports
from bot.asking import Answer, Asking
from bot.command import Command, Kind, option
from bot.errors import NotAllowed, UsageError
from bot.i18n import Text, text, verbatim
from bot.quota.usage import Scope
from bot.reports import Charts, Period
from bot.storage.database import Database
from bot.suggest import same, shortened
from bot.teams import by_name, teams_in

BY = {"model": "model", "person": "person", "platform": "adapter", "team": "team", "provider": "provider", "day": ""}
WRITTEN = {"模型": "model", "成员": "person", "平台": "platform", "团队": "team", "供应商": "provider", "每天": "day"}
WHOSE = {"me": "me", "mine": "me", "我": "me", "我的": "me", "space": "space", "本空间": "space"}
WHOSE |= {"all": "all", "everybody": "all", "全部": "all", "所有人": "all"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    by: str = option(
        Kind.CHOICE,
        text("What to sum it by: model, person, team, platform, provider or day"),
        default="",
        suggestions=tuple(BY),
    )
    period: str = option(
        Kind.CHOICE,
        text("Which time: today, week, month, year, or one such as 2026-11"),
        default="",
        suggestions=reports.PERIODS,
    )
    of: str = option(
        Kind.CHOICE,
        text("Whose: me, a team by its name, space, all; only what you may see"),
        default="",
        suggestions=("me", "space", "all"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the words of an asking mean, in whatever order they came."""

    by: str | None = None
    period: Period | None = None
    whose: str = ""


@dataclass(frozen=True, kw_only=True)
class Using:
    """zone: the bot's own, in which its days begin; asked for each time."""

    database: Database
    charts: Charts
    clock: Callable[[], datetime]
    zone: Callable[[], str]

    async def usage(self, request: Wanted, asking: Asking) -> Answer:
        now, zone = self.clock(), self.zone()
        teams = await self._teams(asking)
        read = _read((request.by, request.period, request.of), request.of, teams, now, zone)
        period = read.period or reports.period_of("month", now, zone)
        assert period is not None
        scope, whose = await self._scope(read.whose, asking)
        found = await self.database.read(reports.report, read.by or "", scope, whose, period)
        reply = reports.table(found)
        drawn = reports.chart(found, asking.language)
        own = asking.person.id if scope.person else ""
        picture = await self.charts.picture(*drawn, person=own) if drawn else None
        notes = (text("Days begin at midnight in {zone}.", zone=zone),) if reply.rows else ()
        return replace(reply, pictures=(picture,) if picture else (), notes=notes)

    async def _teams(self, asking: Asking) -> frozenset[str]:
        """What teams are called that may be meant without saying that it is a team."""
        person, found = asking.person, list(asking.teams)
        if person.rules(person.space):
            found += await self.database.read(teams_in, "" if person.everywhere else person.space)
        return frozenset(same(team.name) for team in found)

    async def _scope(self, whose: str, asking: Asking) -> tuple[Scope, Text]:
        """What is looked at, and what it is called. Raises `NotAllowed`."""
        person = asking.person
        owned = [each for each in asking.teams if each.owned]
        match whose or _widest(asking, bool(owned)):
            case "me":
                return Scope(person=person.persons), text("You")
            case "all" if person.everywhere:
                return Scope(), text("Everyone")
            case "space" if person.rules(person.space):
                return Scope(space=person.space), text("This space")
            case "all":
                raise NotAllowed(text("Only the operator of this bot may see what everybody used."))
            case "space":
                raise NotAllowed(text("Only an admin may see what this space used. /usage me shows what you did."))
            case "" | "team":
                usual = asking.team_for()
                team = next((each for each in owned if each.id == usual), owned[0])
            case name:
                mine = [each for each in asking.teams if name == each.id or same(name) == same(each.name)]
                near = mine[0] if mine else None
                if near is None:
                    space = "" if person.everywhere else person.space
                    near = await self.database.read(by_name, space, name)
                if not near.owned and not person.rules(near.space):
                    raise NotAllowed(text("Only an owner of this team, or an admin, may do that."))
                team = near
        return Scope(team=team.id), text("Team {name}", name=verbatim(team.name))


def commands(using: Using) -> tuple[Command, ...]:
    return (
        Command(
            name="usage",
            summary=text("What was used, as a table and a chart"),
            request=Wanted,
            handle=using.usage,
            private=True,
            aliases=("用量",),
            examples=("/usage model month", "/usage person 2026-11"),
        ),
    )


def _widest(asking: Asking, owns: bool) -> str:
    if asking.person.everywhere:
        return "all"
    if asking.person.rules(asking.person.space):
        return "space"
    return "team" if owns else "me"


def _read(words: Iterable[str], whose: str, teams: Container[str], now: datetime, zone: str) -> Read:
    """The words in any order. whose: the one that must say whose; teams: names that do so, too. Raises `UsageError`."""
    found = Read()
    for word in filter(None, words):
        by = WRITTEN.get(same(word), same(word))
        if by in BY and found.by is None:
            found = replace(found, by=BY[by])
        elif period := reports.period_of(word, now, zone):
            if found.period:
                raise UsageError(text("{option} is given twice.", option="period"))
            found = replace(found, period=period)
        elif not found.whose and (same(word) in WHOSE or same(word) in teams or word == whose):
            found = replace(found, whose=WHOSE.get(same(word), word))
        else:
            raise UsageError(
                text(
                    "“{word}” is neither a way to sum it up ({ways}) nor a time ({times}).",
                    word=shortened(word),
                    ways=tuple(BY),
                    times=(*reports.PERIODS, "2026-11"),
                )
            )
    return found

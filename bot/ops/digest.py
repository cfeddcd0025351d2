"""The weekly digest of a space, for those that switched it on: what was made in the last week, by whom and with what.

It is due on Mondays at nine, in the space's own zone, and is posted into its alert room, else its log room.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot import reports
from bot.chat import Reply
from bot.generation import notices
from bot.i18n import Text, text
from bot.ops.rounds import Rounds
from bot.quota.usage import Scope, Spent, spent_by
from bot.reports import Charts, Period, Report
from bot.spaces import SpaceRules, Spaces
from bot.storage.connection import Connection
from bot.storage.database import Database

KIND, WEEKLY = "digest", "weekly"
HOUR = 9
LATE = timedelta(days=1)  # later nobody wants it any more, as when the bot stood still
MOST = 5


@dataclass(kw_only=True)
class Digest(Rounds):
    """Use as an asynchronous context manager. zone: the bot's own, for spaces without one, and in whose days is summed.

    told: called when there is something to post.
    """

    every = 60.0

    database: Database
    spaces: Spaces
    clock: Callable[[], datetime]
    zone: str
    language: str = "en"
    told: Callable[[], object] = lambda: None
    _known: set[tuple[str, str]] = field(default_factory=set)

    async def round(self) -> None:
        now = self.clock()
        for row in await self.database.fetch("SELECT id FROM spaces"):
            space = str(row["id"])
            rules = self.spaces.of(space)
            week = due(now, rules.zone or self.zone)
            if rules.digest != WEEKLY or week is None or (space, week.isoformat()) in self._known:
                continue
            wanted = await self.database.transaction(self._want, space, rules, week)
            if wanted is not None:
                self._known.add((space, week.isoformat()))
            if wanted:
                self.told()

    def _want(self, connection: Connection, space: str, rules: SpaceRules, week: date) -> bool | None:
        """Whether it is to be posted now; None where there is nothing to tell, or no way to do it."""
        to = notices.room_in(connection, space, rules.alerts or rules.log, rules.language or self.language)
        total = spent_by(connection, "", *_week(week).days, Scope(space=space))
        if to is None or not total or not total[0].requests:
            return None
        # Whatever else has changed since, a room, a language: once a week.
        to = replace(to, who=space)
        return notices.want(connection, to, KIND, {"space": space, "week": week.isoformat()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What a digest tells. before: what the week before came to."""

    days: Report
    people: tuple[Spent, ...]
    models: tuple[Spent, ...]
    before: Spent


def due(now: datetime, zone: str) -> date | None:
    """The Monday of the week to be told of, where it is time for that."""
    local = now.astimezone(ZoneInfo(zone))
    monday = local.date() - timedelta(days=local.weekday())
    nine = datetime(monday.year, monday.month, monday.day, HOUR, tzinfo=ZoneInfo(zone))
    return monday - timedelta(days=7) if nine <= local < nine + LATE else None


def kinds(database: Database, charts: Charts) -> dict[str, notices.Words]:
    """What puts it into words."""

    async def digest(said: Mapping[str, Any]) -> Reply:
        week = await database.read(read, said["space"], date.fromisoformat(said["week"]))
        drawn = reports.chart(week.days, said["language"])
        picture = await charts.picture(*drawn) if drawn else None
        return replace(told(week), pictures=(picture,) if picture else ())

    return {KIND: digest}


def read(connection: Connection, space: str, monday: date) -> Week:
    scope, period = Scope(space=space), _week(monday)
    before = spent_by(connection, "", *_week(monday - timedelta(days=7)).days, scope)
    return Week(
        days=reports.report(connection, "", scope, text("This space"), period),
        people=spent_by(connection, "person", *period.days, scope),
        models=spent_by(connection, "model", *period.days, scope),
        before=before[0] if before else Spent(key=""),
    )


def told(week: Week) -> Reply:
    rows: list[tuple[Text, Text]] = []
    for by, found in (("person", week.people), ("model", week.models)):
        rows += [(reports.label(by, each), reports.used(each)) for each in found[:MOST] if each.images]
    first = week.days.period.since.isoformat()
    words = text("The week from {day}: {used}.", day=first, used=reports.used(week.days.total))
    notes = [text("The week before: {used}.", used=reports.used(week.before))] if week.before.requests else []
    return Reply(text=words, rows=tuple(rows), notes=(*notes, text("/admin space digest off ends these messages.")))


def _week(monday: date) -> Period:
    return Period(since=monday, until=monday + timedelta(days=6), name=text("last week"))

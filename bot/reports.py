"""What was used, as people read it: a table, and the same as a chart. For /usage and for the weekly digest.

Whoever asks for a report has decided whose use may be seen (the `Scope`); nothing is decided here.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from bot.chat import Picture, Reply
from bot.clock import micros
from bot.errors import BotError, UsageError
from bot.i18n import Money, Text, plural, say, text, verbatim
from bot.media.charts import Bar, Chart, Course, Panel, Ranking, draw
from bot.quota.usage import Latency, Scope, Spent, added, percentiles, spent_by
from bot.storage.connection import Connection
from bot.storage.database import Database
from bot.suggest import same, shortened

log = structlog.get_logger(__name__)

MOST_ROWS, MOST_BARS = 12, 8
PERIODS = ("today", "week", "month", "year")
# Other words for the same.
WRITTEN = {"今天": "today", "今日": "today", "day": "today", "本周": "week", "这周": "week", "本月": "month"}
WRITTEN |= {"这个月": "month", "今年": "year", "this-week": "week", "this-month": "month", "this-year": "year"}
MARKED = "chart:"
KEPT_MARKS = timedelta(days=400) // timedelta(microseconds=1)  # longer than retention keeps most pictures


class Blobs(Protocol):
    async def put(self, file: Path) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days, both included. step: what one bar stands for, `day` or `month`."""

    since: date
    until: date
    name: Text
    step: str = "day"

    @property
    def days(self) -> tuple[str, str]:
        return self.since.isoformat(), self.until.isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """by: "" for the course of time, else what is ranked. rows: the sums of each day, model, person ..."""

    by: str
    whose: Text
    period: Period
    total: Spent
    rows: tuple[Spent, ...]
    latency: Latency | None = None


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Draws charts and keeps them with the pictures, for as long as retention keeps those."""

    blobs: Blobs
    database: Database
    clock: Callable[[], datetime]
    folder: Path

    async def picture(self, chart: Chart, alt: str, *, person: str = "") -> Picture | None:
        """As a Reply shows it; None where it cannot be drawn or kept just now: its numbers are in the words, too.

        person: for whom it is drawn, "" for many.
        """
        try:
            drawn = await asyncio.to_thread(draw, chart)
            blob = await self._keep(drawn.png, person)
        except (BotError, OSError, ValueError) as error:
            log.warning("a chart could not be made", problem=type(error).__name__)
            return None
        return Picture(
            generation="usage",
            index=0,
            blob=blob,
            media_type="image/png",
            width=drawn.width,
            height=drawn.height,
            size=len(drawn.png),
            alt=alt,
        )

    async def _keep(self, png: bytes, person: str) -> str:
        with TemporaryDirectory(dir=self.folder, prefix="chart-") as folder:
            file = Path(folder, "chart.png")
            await asyncio.to_thread(file.write_bytes, png)
            blob = await self.blobs.put(file)
        await self.database.transaction(_mark, blob, len(png), micros(self.clock()), person)
        return blob


async def is_chart(database: Database, blob: str) -> bool:
    """It was drawn here, and not sent by anybody: it may be made small without a care."""
    return bool(await database.fetch("SELECT 1 FROM meta WHERE name=:name", name=MARKED + blob))


def period_of(words: str, now: datetime, zone: str) -> Period | None:
    """`today`, `week`, `month`, `year`, `2026`, `2026-11` or `2026-11-21`, up to today; None for other words.

    Raises `UsageError` for a date that there is not, or that is still to come.
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    said = WRITTEN.get(same(words), same(words))
    match said:
        case "today":
            return Period(since=today, until=today, name=text("today"))
        case "week":
            return Period(since=today - timedelta(days=today.weekday()), until=today, name=text("this week"))
        case "month":
            return Period(since=today.replace(day=1), until=today, name=text("this month"))
        case "year":
            return Period(since=today.replace(month=1, day=1), until=today, name=text("this year"), step="month")
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{1,2}){0,2}", said):
        return None
    found = _written(said)
    if found is None:
        raise UsageError(text("There is no such time as “{period}”. Write it as 2026-11.", period=shortened(words)))
    if found.since > today:
        raise UsageError(text("There is nothing of “{period}” to look at.", period=shortened(words)))
    return replace(found, until=min(found.until, today))


def last_week(now: datetime, zone: str) -> Period:
    """The week that ended with the last Sunday."""
    monday = now.astimezone(ZoneInfo(zone)).date()
    monday -= timedelta(days=monday.weekday() + 7)
    return Period(since=monday, until=monday + timedelta(days=6), name=text("last week"))


def report(connection: Connection, by: str, scope: Scope, whose: Text, period: Period) -> Report:
    days = period.days
    (total,) = spent_by(connection, "", *days, scope) or (Spent(key=""),)
    rows = spent_by(connection, by or period.step, *days, scope)
    if not by:
        rows = tuple(_course(rows, period))
    latency = None
    if not (by or scope.person):
        latency = next(iter(percentiles(connection, *days, scope)), None)
    return Report(by=by, whose=whose, period=period, total=total, rows=rows, latency=latency)


def table(found: Report) -> Reply:
    """The words of a report, for the asker alone; without its chart."""
    said = _said(found)
    if not found.total.requests and not found.total.images:
        return Reply(text=text("{whose}, {period}: nothing was used.", **said), private=True)
    words = text("{whose}, {period}: {used}.", **said, used=used(found.total))
    return Reply(text=words, rows=tuple(_rows(found)), private=True)


def chart(found: Report, language: str) -> tuple[Chart, str] | None:
    """The drawing and its alternative text, in one language; None where there is nothing to draw."""

    def in_words(words: Text) -> str:
        return say(words, language)

    subtitle = in_words(text("{whose}, {period}", **_said(found)))
    if not found.total.images and not found.total.usd:
        return None
    if not found.by and len(found.rows) > 1:
        return _over_time(found, subtitle, in_words)
    if found.by:
        return _ranked(found, subtitle, in_words)
    return None  # one day by itself is said in words


def used(spent: Spent) -> Text:
    """Pictures, and money where any was spent."""
    pictures = plural("{number} picture", "{number} pictures", spent.images, number=f"{spent.images:,}")
    return text("{pictures}, {money}", pictures=pictures, money=Money(spent.usd)) if spent.usd else pictures


def label(by: str, spent: Spent) -> Text:
    match by:
        case "person":
            return verbatim(shortened(spent.name)) if spent.name else text("somebody who is gone")
        case "team" if not spent.key:
            return text("for no team")
        case "team":
            return verbatim(spent.name or spent.key)
        case "adapter":
            return verbatim(spent.key.capitalize())
        case "day":
            return day_name(spent.key)
    return verbatim(spent.key)


def day_name(key: str) -> Text:
    """`2026-11-21` as `11-21`; a month by its name."""
    return verbatim(key[5:]) if len(key) > 7 else MONTHS[int(key[5:7]) - 1]


def _rows(found: Report) -> Iterator[tuple[Text, Text]]:
    if found.by:
        rows, others = _most(found.rows, MOST_ROWS)
        for each in rows:
            yield label(found.by, each), used(each)
        if others:
            yield text("All others"), used(others)
        return
    some = [each for each in found.rows if each.images or each.usd]
    if 1 < len(some) <= MOST_ROWS:
        for each in some:
            yield label("day", each), used(each)
    yield text("Requests"), verbatim(f"{found.total.requests:,}")
    if found.total.failed:
        yield text("Not made"), verbatim(f"{found.total.failed:,}")
    if found.latency:
        yield text("How long it took"), _took(found.latency)


def _took(latency: Latency) -> Text:
    usual, long = f"{latency.p50:.0f}", f"{latency.p95:.0f}"
    if latency.p95 < 1:
        return text("less than a second")
    if latency.p50 < 1:
        return text("mostly less than a second, at worst about {long} s", long=long)
    return text("mostly {usual} s, at worst about {long} s", usual=usual, long=long)


def _over_time(found: Report, subtitle: str, in_words: Callable[[Text], str]) -> tuple[Chart, str]:
    names = {"day": text("Use by day"), "month": text("Use by month")}
    title = in_words(names[found.period.step])
    panels = [
        Panel(
            name=in_words(text("Pictures")),
            summary=f"{found.total.images:,}",
            values=tuple(each.images for each in found.rows),
            told=lambda value: f"{value:,}",
        )
    ]
    if any(each.usd > 0 for each in found.rows):
        panels.append(
            Panel(
                name=in_words(text("Money (USD)")),
                summary=f"{found.total.usd / 1_000_000:,.2f}",
                values=tuple(each.usd for each in found.rows),
                told=_short_money,
                line=True,
            )
        )
    labels = tuple(in_words(_tick(each.key, len(found.rows))) for each in found.rows)
    drawn = Course(title=title, subtitle=subtitle, labels=labels, panels=tuple(panels))
    most = max(found.rows, key=lambda each: each.images)
    alt = text(
        "A chart, {whose}, {period}: {title}. {used} together; the most: {day}, {most}.",
        **_said(found),
        title=names[found.period.step],
        used=used(found.total),
        day=day_name(most.key),
        most=used(most),
    )
    return drawn, in_words(alt)


def _ranked(found: Report, subtitle: str, in_words: Callable[[Text], str]) -> tuple[Chart, str]:
    titles = {
        "model": text("Pictures by model"),
        "person": text("Pictures by person"),
        "team": text("Pictures by team"),
        "adapter": text("Pictures by platform"),
        "provider": text("Pictures by provider"),
    }
    rows, others = _most(sorted(found.rows, key=lambda each: (-each.images, -each.usd, each.key)), MOST_BARS)
    named = [(label(found.by, each), each) for each in rows] + ([(text("All others"), others)] if others else [])
    bars = tuple(Bar(label=in_words(name), value=each.images, told=in_words(used(each))) for name, each in named)
    title = in_words(titles[found.by])
    rows_said = tuple(text("{name} {used}", name=name, used=used(each)) for name, each in named)
    alt = text("A chart, {whose}, {period}: {title}. {rows}.", **_said(found), title=titles[found.by], rows=rows_said)
    return Ranking(title=title, subtitle=subtitle, bars=bars), in_words(alt)


def _said(found: Report) -> dict[str, Text]:
    return {"whose": found.whose, "period": found.period.name}


def _short_money(value: int) -> str:
    return f"{value / 1_000_000:,.2f}".rstrip("0").rstrip(".") if value >= 10_000 or not value else f"{value / 1e6:.3f}"


def _tick(key: str, count: int) -> Text:
    if len(key) == 7:
        return MONTHS[int(key[5:]) - 1]
    if count <= 7:
        return WEEKDAYS[date.fromisoformat(key).weekday()]
    return verbatim(str(int(key[8:])))


def _course(rows: Sequence[Spent], period: Period) -> Iterator[Spent]:
    """One for each day or month, also where nothing was used."""
    length = 7 if period.step == "month" else 10
    known = {each.key: each for each in rows}
    for key in dict.fromkeys(day[:length] for day in _all_days(period)):
        yield known.get(key, Spent(key=key))


def _all_days(period: Period) -> Iterator[str]:
    day = period.since
    while day <= period.until:
        yield day.isoformat()
        day += timedelta(days=1)


def _most(rows: Sequence[Spent], most: int) -> tuple[Sequence[Spent], Spent | None]:
    """The first so many, and the rest as one; a rest of one stands for itself."""
    if len(rows) <= most + 1:
        return rows, None
    others = Spent(key="")
    for each in rows[most:]:
        others = added(others, each)
    return rows[:most], others


def _written(said: str) -> Period | None:
    try:
        year, month, day = (*map(int, said.split("-")), 0, 0)[:3]
        since = date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day:
        return Period(since=since, until=since, name=verbatim(since.isoformat()))
    if month:
        end = (since + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        return Period(since=since, until=end, name=verbatim(f"{since:%Y-%m}"))
    return Period(since=since, until=date(year, 12, 31), name=verbatim(str(year)), step="month")


def _mark(connection: Connection, blob: str, size: int, at: int, person: str) -> None:
    """The same chart that several people saw is nobody's own."""
    connection.execute(
        "INSERT INTO blobs (key, size, used_at) VALUES (:key, :size, :at) ON CONFLICT (key) DO UPDATE SET used_at=:at",
        key=blob,
        size=size,
        at=at,
    )
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (:name, :own) ON CONFLICT (name) DO UPDATE SET"
        " value=CASE WHEN substr(meta.value, 22)=:person THEN :own ELSE :shared END",
        name=MARKED + blob,
        own=f"{at:020} {person}",
        shared=f"{at:020} ",
        person=person,
    )
    connection.execute(
        "DELETE FROM meta WHERE name LIKE :charts AND value<:before",
        charts=MARKED + "%",
        before=f"{max(0, at - KEPT_MARKS):020}",
    )


WEEKDAYS = (text("Mon"), text("Tue"), text("Wed"), text("Thu"), text("Fri"), text("Sat"), text("Sun"))
MONTHS = (
    *(text("Jan"), text("Feb"), text("Mar"), text("Apr"), text("May"), text("Jun")),
    *(text("Jul"), text("Aug"), text("Sep"), text("Oct"), text("Nov"), text("Dec")),
)

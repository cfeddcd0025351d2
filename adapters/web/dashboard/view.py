"""The dashboard's pages as HTML, for one reader."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from adapters.web.dashboard import charts, words
from adapters.web.dashboard.words import BY, CAUSES, PAGES, SURE, WORDS, ZONE
from adapters.web.ports import Session
from adapters.web.words import alternative
from bot.chat import AccountLine, worth_showing
from bot.i18n import LANGUAGES, Money, Text, say, text, verbatim

TEMPLATES = Path(__file__).parent / "templates"
SHARED = Path(__file__).parents[1] / "templates"
OF_ADMINS = frozenset({"audit"})
LONGEST = 610  # seconds; longer times are counted together
_TIME = Markup('<time datetime="{}" title="{}">{}</time>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads, in which language, time zone and colours. session: None for one who is not let in."""

    session: Session | None
    language: str
    zone: str
    theme: str

    def say(self, words: Text) -> str:
        return say(words, self.language, self.zone)

    @property
    def scope(self) -> str:
        """Of what the figures are, in a sentence."""
        return self.say(words.SCOPES[self.session.rights.kind]) if self.session else ""

    @property
    def many(self) -> bool:
        """Whether they look at more than themselves: times and causes are not counted for each person."""
        return self.session is not None and self.session.rights.kind != "person"

    @property
    def pages(self) -> Mapping[str, str]:
        """Those that they can open, by their path."""
        if self.session is None:
            return {}
        kind = self.session.rights.kind
        hidden = OF_ADMINS if kind in ("team", "person") else frozenset()
        return {name: self.say(words) for name, words in PAGES.items() if name not in hidden}


def draw(template: str, reader: Reader, **values: Any) -> str:
    """A template's HTML. Everything that comes from people or the core is escaped by the templates' engine."""

    def when(at: datetime | None) -> Markup | str:
        if at is None:
            return "–"
        there = at.astimezone(ZoneInfo(reader.zone))
        return _TIME.format(at.isoformat(), there.strftime("%Y-%m-%d %H:%M:%S %Z"), there.strftime("%Y-%m-%d %H:%M"))

    return (
        _environment()
        .get_template(template)
        .render(
            reader=reader,
            say=reader.say,
            when=when,
            w={name: reader.say(words) for name, words in WORDS.items()},
            sure=reader.say(SURE),
            zone_note=reader.say(Text(ZONE.message, {"zone": reader.zone})),
            **values,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, SHARED]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(money=money, number=number, amount=amount, shown=shown, within=within)
    environment.globals.update(
        languages=LANGUAGES,
        by_words=BY,
        bars=charts.bars,
        share=charts.share,
        booked=booked,
        cause=cause,
        home=home,
        limits=limits,
        window=window,
        **{each.__name__: each for each in (words.members, words.tries, words.credits, words.state)},
        **{each.__name__: each for each in (words.cancel_this, words.charge_this, words.release_this)},
        worth_showing=worth_showing,
        alternative=alternative,
        written_money=money,
        written_number=number,
        query=query,
    )
    return environment


def money(micro_usd: int) -> str:
    return str(Money(micro_usd))


def number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def amount(value: int | None, unit: str) -> str:
    return money(value) if unit == "usd" and value is not None else number(value)


def within(bound: float | None) -> str:
    """The upper bound of a time; None stands for one beyond all that are counted."""
    return f">{LONGEST} s" if bound is None else f"{bound:.3g} s"


def shown(value: Any) -> str:
    """A value of the audit log, without the signs of how it was stored."""
    match value:
        case None | "" | []:
            return "–"
        case str():
            return value
        case list():
            return ", ".join(map(shown, value))
        case dict():
            return ", ".join(f"{name}: {shown(each)}" for name, each in value.items()) or "–"
        case _:
            return json.dumps(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What happened on one account at one moment, pictures and money together."""

    at: datetime
    what: Text
    name: Text
    held: tuple[str, ...]
    spent: tuple[str, ...]
    reason: str


def booked(entries: Iterable[Any]) -> Iterator[Booked]:
    """The books' entries, which come in order; one for each unit of an account would be the same twice."""
    for _, group in groupby(entries, key=lambda each: (each.at, each.kind, each.account, each.reason)):
        units = list(group)
        yield Booked(
            at=units[0].at,
            what=words.booking(units[0].kind, spends=any(each.spent for each in units)),
            name=units[0].name,
            held=tuple(amount(each.held, each.unit) for each in units if each.held),
            spent=tuple(amount(each.spent, each.unit) for each in units if each.spent),
            reason=units[0].reason,
        )


def limits(accounts: Iterable[AccountLine]) -> Iterator[tuple[AccountLine, ...]]:
    """A row for each limit, and for what an account used without one; what is neither limited nor used is left out."""
    for _, group in groupby(accounts, key=lambda each: (each.account, each.name)):
        lines = list(group)
        yield from ((line,) for line in lines if line.limit is not None)
        if used := tuple(line for line in lines if line.limit is None and (line.used or line.held)):
            yield used


def home(account: AccountLine) -> str:
    """The space that a share is of: one person may have many, all called the same."""
    return account.account.removeprefix("share:space:").rpartition("/")[0] if "share:space:" in account.account else ""


def cause(name: str) -> Text:
    return CAUSES.get(name, verbatim(name))


def window(account: AccountLine) -> Text:
    named = {"day": text("today"), "week": text("this week"), "month": text("this month"), "total": text("in all")}
    return named.get(account.window, verbatim(account.window))


def query(**values: Any) -> str:
    """The values that are set, as the end of an address."""
    kept = {name: value for name, value in values.items() if value not in ("", None, False)}
    return f"?{urlencode(kept)}" if kept else "?"

"""Messages and panels as HTML, for one viewer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape

from adapters.web.messages import Message, Quote
from adapters.web.people import Persona
from adapters.web.rooms import SHARED
from adapters.web.shape import shape
from adapters.web.words import FAULTS, alternative, page_words
from bot.chat import AccountLine, Tone
from bot.i18n import LANGUAGES, Link, Text, say

TEMPLATES = Path(__file__).parent / "templates"
ICONS = frozenset({"again", "vary", "edit", "details", "delete", "cancel", "upscale", "show", "go"})
ICON_OF = {"4k": "upscale", "confirm": "go", "stop": "cancel"}
# What people send is shown as they sent it: nothing of ours decodes it outside the guarded place for that.
SHOWN_BY_BROWSERS = frozenset(f"image/{kind}" for kind in ("png", "jpeg", "webp", "gif", "bmp", "avif"))
EXCERPT = 140
_LINK = Markup('<a href="{}" target="_blank" rel="noopener">{}</a>')
_TIME = Markup('<time datetime="{}" data-precise>{}</time>')
_MARK = re.compile("\0(\\d+)\0")
# An option must not be torn behind its dashes, nor a number from its unit; a long word must, or it leaves the page.
UNBROKEN = re.compile(r"(?<!\S)(\[?--\S{1,18}(?: (?:…|\d+-\d+))?\]?(?!\S)|[\d.,]+ (?:s|USD|[KM]iB)\b)")

_ROOM = re.compile(r"<#([^\s<>@#]{1,100})>")  # how the core writes a room


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, at which room (as shown and as stored), in which language, time zone and colours."""

    persona: Persona
    room: str
    stored_room: str
    language: str
    zone: str
    theme: str

    @property
    def name(self) -> str:
        return self.persona.name

    def say(self, words: Text) -> str:
        return _ROOM.sub(r"#\1", say(words, self.language, self.zone))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["said"] = lambda words, viewer: viewer.say(words)
    environment.globals.update(
        Tone=Tone,
        shared_rooms=SHARED,
        languages=LANGUAGES,
        faults=FAULTS,
        shape=shape,
        alternative=alternative,
        worth_showing=worth_showing,
        are_sentences=are_sentences,
        unbroken=unbroken,
        icon_of=icon_of,
        excerpt=excerpt,
        split_command=split_command,
        hue=hue,
        shown_by_browsers=SHOWN_BY_BROWSERS,
    )
    return environment


def draw(template: str, viewer: Viewer, **values: Any) -> str:
    """A template's HTML. Everything that comes from people or the core is escaped by the templates' engine."""
    return (
        _environment()
        .get_template(template)
        .render(
            viewer=viewer, say=viewer.say, drawn=partial(drawn, viewer=viewer), w=page_words(viewer.language), **values
        )
    )


def draw_message(message: Message, viewer: Viewer, *, has_line: bool) -> str:
    return draw("message.html", viewer, message=message, has_line=has_line)


def tightest(accounts: Sequence[AccountLine]) -> AccountLine | None:
    """The account that the meter shows: the limited one of pictures with the least left; else any."""
    limited = [account for account in accounts if account.limit is not None]
    limited.sort(key=lambda account: (account.unit != "images", account.left))
    return next(iter(limited or accounts), None)


def worth_showing(accounts: Sequence[AccountLine]) -> Sequence[AccountLine]:
    """Those with a limit; one without only where nothing is limited at all."""
    return [account for account in accounts if account.limit is not None] or accounts[:1]


def are_sentences(notes: Sequence[str]) -> bool:
    """Whole sentences stand below each other, particulars in one line."""
    return any(len(note) > 40 or note.endswith((".", "。", "!", "?", "！", "？")) for note in notes)


def unbroken(words: str) -> Markup:
    """The words as HTML, in which an option (`--count 1-4`) or an amount (`0.6 s`) stays in one line."""
    return Markup(UNBROKEN.sub(r'<span class="unbroken">\1</span>', str(escape(words))))


def drawn(words: Text, viewer: Viewer, *, clock: bool = False) -> Markup:
    """The sentence as HTML, with links to follow. clock: times of today, as the browser's own clock shows them."""
    marked: list[Markup] = []

    def mark(value: Any) -> Any:
        match value:
            case Link(name, address):
                marked.append(_LINK.format(address, name))
            case datetime() if clock:
                there = value.astimezone(ZoneInfo(viewer.zone))
                marked.append(_TIME.format(value.isoformat(), there.strftime("%H:%M:%S")))
            case tuple() | list():
                return tuple(map(mark, value))
            case _:
                return value
        return f"\0{len(marked) - 1}\0"  # what is stored holds no NUL, so nobody's words look like this

    values = {name: mark(value) for name, value in words.values.items()}
    said = str(unbroken(viewer.say(replace(words, values=values))))
    return Markup(_MARK.sub(lambda match: marked[int(match[1])], said))


def icon_of(command: str) -> str:
    name = ICON_OF.get(command, command)
    return name if name in ICONS else ""


def excerpt(quote: Quote, viewer: Viewer) -> str:
    """The quoted message in a few words."""
    if quote.press:
        words = f"{viewer.say(quote.press.label)} {quote.press.prompt}"
    elif quote.reply:
        words = quote.reply.prompt or viewer.say(quote.reply.text)
    else:
        words = quote.words
    words = " ".join(words.split())
    return words if len(words) <= EXCERPT else words[: EXCERPT - 1] + "…"


def split_command(words: str) -> tuple[str, str]:
    """The command at the beginning of a line, and the rest of it verbatim."""
    if not words.startswith(("/", "／")):
        return "", words
    command = words.split(maxsplit=1)[0]
    return command, words[len(command) :]


def hue(name: str) -> int:
    """One of the six colours of people, by the initial that stands on it."""
    return ord(name[:1] or "?") % 6


def zone_or_utc(name: str) -> str:
    """The browser's time zone, if it is one."""
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (LookupError, ValueError, OSError):
        return "UTC"


def events_for_viewing(events: Sequence[tuple[datetime, Text, Text]]) -> Sequence[Mapping[str, Any]]:
    """Each event with the seconds since the first, which tell more than the time of day."""
    return [
        {"at": at, "what": what, "detail": detail, "after": (at - events[0][0]).total_seconds()}
        for at, what, detail in events
    ]

"""A Reply as the JSON of a card (JSON 2.0), the same card in every state of a generation. No I/O.

Everything that people wrote stands in `plain_text`, addresses in `open_url` alone, and nothing in Markdown. A card is
the same for all who see it: times are written in the zone of the bot, with their distance from UTC.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.feishu.accounts import meter
from adapters.feishu.buttons import controls
from adapters.feishu.elements import (
    Json,
    Room,
    count,
    flowing,
    grey,
    line,
    link,
    pair,
    plain,
    quoted,
    side_by_side,
    small,
)
from adapters.feishu.escape import ELLIPSIS, clamp, clean, columns, weight, with_rooms
from bot.chat import Picture, Reply, Tone
from bot.i18n import Link, Text, say, text, verbatim

MOST_PICTURES = 9
TITLE_COLUMNS = 120  # a header shows four lines at most, which is about this much on a phone
SUMMARY, ALT, VALUE = 200, 240, 900
MOST_WORDS, MOST_NOTES = 4500, 2400
PROMPT_BESIDE_PICTURES = 1800  # about 600 Chinese characters; Details shows all of it
PROMPT_AT_LEAST = 900
LINKS_PER_ROW = 5
TALL = 16 / 9  # pictures that are taller get half of the width, or nothing else would be in sight
TEMPLATES = {Tone.ANSWER: "green", Tone.PROGRESS: "blue", Tone.QUESTION: "yellow", Tone.REFUSAL: "red"}
LONG = {Tone.QUESTION: text("One question"), Tone.REFUSAL: text("Sorry")}

Says = Callable[[Text], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture, the image key that shows it, and its number, from 1, among all pictures of the reply."""

    picture: Picture
    key: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Small print that the adapter adds. link: where the words lead to; about: what stands before them."""

    words: Text
    about: str = ""
    link: str = ""


def card(
    reply: Reply,
    shown: Sequence[Shown] = (),
    *,
    asides: Sequence[Aside] = (),
    models: Sequence[str] = (),
    rooms: Callable[[str], str] = str,
    zone: str = "UTC",
    further: bool = False,
) -> Json:
    """The content of an interactive message.

    shown: the pictures of this card, at most MOST_PICTURES. asides: small print about them. models: what may be
    chosen for an edit, the usual first. rooms: a chat's name by its id. zone: in which times are written.
    further: it goes on with the pictures of the card before it.
    """

    def says(words: Text) -> str:
        return said(words, reply.language, rooms=rooms, zone=zone)

    words = _numbers(reply, shown, says) if further else says(reply.text).strip()
    title, more = _parted(words, reply.tone, says)
    drawn = _frame(reply, words, title)
    room = Room(drawn)
    # What can be done comes first where there is no room for all; what people read can be looked up with Details.
    numbered = {each.number: each.picture for each in shown}
    below = room.fill(controls(reply, numbered, models=models, says=says, further=further))
    pictures = room.fill(_pictures(shown))
    above, notes = ([], []) if further else _words(reply, more, asides, says, room)
    drawn["body"]["elements"] = above + pictures + notes + below
    if not drawn["body"]["elements"]:  # a header alone says too little of itself
        drawn = _frame(reply, words, _beside_long(reply.tone, says))
        drawn["body"]["elements"] = [line(words or ELLIPSIS)]
    return drawn


def said(words: Text, language: str, *, rooms: Callable[[str], str] = str, zone: str = "UTC") -> str:
    """The sentence as a card shows it: rooms by their names, links by theirs, times in the zone."""
    return clean(say(_drawn(words, rooms, zone), language))


def stamp(moment: datetime, zone: str) -> str:
    """A time that everybody reads the same: `2026-11-21 14:05 UTC+8`."""
    local = moment.astimezone(ZoneInfo(zone))
    minutes = int((local.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    ahead = f"{'+' if minutes > 0 else '-'}{hours}{f':{rest:02}' if rest else ''}" if minutes else ""
    return f"{local:%Y-%m-%d %H:%M} UTC{ahead}"


def _frame(reply: Reply, summary: str, title: str) -> Json:
    """summary: what the list of chats shows of the card."""
    config = {"update_multi": True, "summary": {"content": clamp(" ".join(summary.split()).rstrip(":："), SUMMARY)}}
    header = {"header": {"title": plain(title), "template": _template(reply)}} if title else {}
    return {"schema": "2.0", "config": config, **header, "body": {"elements": []}}


def _template(reply: Reply) -> str:
    """The header's colour: green is for pictures, so that a glance over a chat finds them."""
    if reply.tone is Tone.ANSWER and not reply.pictures:
        return "grey" if reply.generation else "wathet"
    return TEMPLATES[reply.tone]


def _numbers(reply: Reply, shown: Sequence[Shown], says: Says) -> str:
    numbers = {"first": shown[0].number, "last": shown[-1].number, "count": len(reply.pictures)}
    return says(text("Pictures {first} to {last} of {count}", **numbers))


def _words(reply: Reply, more: str, asides: Sequence[Aside], says: Says, room: Room) -> tuple[list[Json], list[Json]]:
    """What stands above the pictures, and what stands below them. more: what the header does not say."""
    words = room.fill([line(clamp(more, MOST_WORDS))] if more else [])
    notes = room.fill(_small_print(reply, asides, says))
    left = room.fill(pair(clamp(name, VALUE), amount) for name, amount in meter(reply.accounts, says))
    table = _table(reply, says, room)
    return words + table + room.fill(_prompt(reply, room)) + left, notes


def _parted(words: str, tone: Tone, says: Says) -> tuple[str, str]:
    """What stands in the header, which is for few words, and what is left for the body."""
    first, _, rest = words.partition("\n")
    if columns(first) <= TITLE_COLUMNS:
        return first.strip().rstrip(":："), rest.strip()
    return _beside_long(tone, says), words


def _beside_long(tone: Tone, says: Says) -> str:
    """The header of words that are too many for one."""
    return says(LONG[tone]) if tone in LONG else ""


def _pictures(shown: Sequence[Shown]) -> Iterator[Json]:
    """One as wide as the card; several as a grid, each whole and with its alt text, which Feishu's own grids lack."""
    tall = any(each.picture.height > TALL * each.picture.width for each in shown)
    places = 1 if len(shown) == 1 and not tall else 2 if len(shown) <= 4 else 3
    drawn = [_picture(each) for each in shown[:MOST_PICTURES]]
    for start in range(0, len(drawn), places):
        row = drawn[start : start + places]
        yield row[0] if places == 1 else side_by_side(row, places=places)


def _picture(shown: Shown) -> Json:
    alt = clamp(clean(shown.picture.alt).strip(), ALT)
    return {"tag": "img", "img_key": shown.key, "alt": plain(alt), "scale_type": "fit_horizontal"}


def _small_print(reply: Reply, asides: Sequence[Aside], says: Says) -> Iterator[Json]:
    lines = [says(note) for note in reply.notes]
    lines += [clean(aside.about) + says(aside.words) for aside in asides if not _safe(aside.link)]
    if words := "\n".join(filter(None, (" ".join(each.split()) for each in lines))):
        yield small(clamp(words, MOST_NOTES))
    links = [link(clean(aside.about) + says(aside.words), aside.link) for aside in asides if _safe(aside.link)]
    yield from _rows_of(links)


def _table(reply: Reply, says: Says, room: Room) -> list[Json]:
    """Rows that fit, and a line with an ellipsis for those that do not; some room is left for the prompt."""
    more = line(ELLIPSIS)
    drawn: list[Json] = []
    prompt = clamp(clean(reply.prompt), PROMPT_AT_LEAST)
    with room.keeping([more, quoted(prompt)] if prompt else [more]):
        lines = len(reply.rows) * count(pair("", "")) > room.elements  # they take fewer elements than columns
        for label, value in reply.rows:
            parts = _row(label, value, says, lines=lines)
            fitting = room.fill(parts)
            drawn += fitting
            if len(fitting) < len(parts):
                break
        else:
            return drawn
    return drawn + room.fill([more])


def _row(label: Text, value: Text, says: Says, *, lines: bool) -> list[Json]:
    name, told = clamp(says(label).strip(), VALUE), clamp(says(value).strip(), VALUE)
    if links := [link(clean(each.name), each.address) for each in _links(value) if _safe(each.address)]:
        return [grey(name), *_rows_of(links)]
    return [line(f"{name} · {told}") if lines else pair(name, told)]


def _prompt(reply: Reply, room: Room) -> Iterator[Json]:
    beside = bool(reply.pictures) or reply.tone is Tone.PROGRESS
    most = room.bytes - weight(quoted("")) - len(",")
    words = clamp(clean(reply.prompt).strip(), min(most, PROMPT_BESIDE_PICTURES) if beside else most)
    if words:
        yield quoted(words)


def _rows_of(links: Sequence[Json]) -> Iterator[Json]:
    for start in range(0, len(links), LINKS_PER_ROW):
        yield flowing(links[start : start + LINKS_PER_ROW])


def _links(value: Any) -> Iterator[Link]:
    match value:
        case Link():
            yield value
        case Text():
            yield from _links(list(value.values.values()))
        case tuple() | list():
            for each in value:
                yield from _links(each)


def _safe(address: str) -> bool:
    """Only pages are opened: a client would hand other addresses to other apps."""
    return address.startswith(("https://", "http://"))


def _drawn(value: Any, rooms: Callable[[str], str], zone: str) -> Any:
    """With everything in it as it is written here.

    Rooms are named where the core says them, which is in a `verbatim` of their own, and as what has a `role`. All other
    words may be somebody's, who must not learn from us what a room is called that they are not in.
    """
    match value:
        case Text(message="{words}", values={"words": str(words)}):
            return verbatim(with_rooms(words, rooms))
        case Text():
            values = {name: _drawn(each, rooms, zone) for name, each in value.values.items()}
            if isinstance(role := value.values.get("role"), str):
                values["role"] = with_rooms(role, rooms)
            return Text(value.message, values, value.plural, value.count)
        case datetime():
            return stamp(value, zone)
        case Link():
            return value.name
        case tuple() | list():
            return tuple(_drawn(each, rooms, zone) for each in value)
        case _:
            return value

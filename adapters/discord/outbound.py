"""A Reply as the JSON of a Components V2 message, and a question for words as the JSON of a modal. No I/O.

Discord takes 40 components and 4,000 characters of text in one message, and 1 to 10 pictures in a gallery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.discord.buttons import Json, Shown, rows
from adapters.discord.escape import clamp, clamp_lines, escape
from bot.chat import AccountLine, Reply, Tone, worth_showing
from bot.i18n import Link, Text, say, text

COMPONENTS_V2, EPHEMERAL = 1 << 15, 1 << 6
TEXT, GALLERY, CONTAINER = 10, 12, 17
MOST_TEXT = 4000
MOST_WORDS, MOST_NOTES, MOST_ACCOUNTS = 1200, 800, 600
PROMPT_BESIDE_PICTURES = 600  # Details shows all of it; here the pictures should stay in sight
PROMPT_AT_LEAST = 200
ALT = 1024
NOBODY: Json = {"parse": []}  # whom a message notifies, whatever its words look like
COLOURS = {Tone.ANSWER: 0x3BA55D, Tone.PROGRESS: 0x5865F2, Tone.QUESTION: 0xF0B232, Tone.REFUSAL: 0xDA373C}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Small print that the adapter adds. link: where the words lead to; about: what stands before them."""

    words: Text
    about: str = ""
    link: str = ""


def message(
    reply: Reply,
    shown: Sequence[Shown] = (),
    *,
    asides: Sequence[Aside] = (),
    spoiler: bool = False,
    further: bool = False,
    private: bool = False,
) -> Json:
    """The body of a message, without its attachments.

    shown: the pictures of this message. further: it goes on with the pictures of the message before it.
    """
    words = _further_words(reply, shown) if further else _words(reply, asides)
    parts = [{"type": TEXT, "content": content} for content in words.above if content]
    if shown:
        parts.append({"type": GALLERY, "items": [_item(each, spoiler=spoiler) for each in shown]})
    parts += [{"type": TEXT, "content": content} for content in words.below if content]
    parts += rows(reply, shown, further=further, language=reply.language)
    container = {"type": CONTAINER, "accent_color": COLOURS[reply.tone], "components": parts}
    return {
        "flags": COMPONENTS_V2 | (EPHEMERAL if private else 0),
        "allowed_mentions": NOBODY,
        "components": [container],
    }


def said(words: Text, language: str, *, ago: bool = False) -> str:
    """The sentence with every value in it escaped, and times as each reader's own clock shows them.

    ago: times as the distance from now, which Discord's clients count on by themselves.
    """
    return say(Text(words.message, _drawn(words.values, ago=ago), words.plural, words.count), language)


def stamp(moment: datetime, *, ago: bool) -> str:
    return f"<t:{int(moment.timestamp())}:{'R' if ago else 'f'}>"


@dataclass(frozen=True, slots=True)
class _Words:
    """Texts above the pictures and below them; together at most MOST_TEXT characters."""

    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def _words(reply: Reply, asides: Sequence[Aside]) -> _Words:
    language, ago = reply.language, reply.tone is Tone.PROGRESS
    title = clamp(said(reply.text, language, ago=ago), MOST_WORDS)
    notes = clamp_lines(_small_print(reply, asides, ago=ago), MOST_NOTES)
    most = MOST_ACCOUNTS if reply.rows or reply.prompt else MOST_TEXT - len(title) - len(notes)
    left = clamp_lines(_account_lines(reply.accounts, language), most)
    room = MOST_TEXT - len(title) - len(notes) - len(left)
    kept = PROMPT_AT_LEAST if reply.prompt else 0
    table = clamp_lines([_row(label, value, language) for label, value in reply.rows], room - kept)
    room -= len(table)
    beside = bool(reply.pictures) or reply.tone is Tone.PROGRESS
    prompt = clamp(reply.prompt, min(room, PROMPT_BESIDE_PICTURES) if beside else room, _quoted)
    return _Words((title, table, left, prompt), (notes,))


def _further_words(reply: Reply, shown: Sequence[Shown]) -> _Words:
    numbers = {"first": shown[0].number, "last": shown[-1].number, "count": len(reply.pictures)}
    return _Words((), (f"-# {say(text('Pictures {first} to {last} of {count}', **numbers), reply.language)}",))


def _quoted(prompt: str) -> str:
    return f">>> {escape(prompt)}" if prompt.strip() else ""


def _row(label: Text, value: Text, language: str) -> str:
    return f"**{said(label, language)}** · {said(value, language)}"


def _account_lines(lines: Sequence[AccountLine], language: str) -> list[str]:
    drawn = []
    for line in worth_showing(lines):
        name = f"**{said(line.name, language)} · {say(line.unit_name, language)}**"
        parts = [line.bar, said(line.left_in_words, language)]
        if line.resets is not None and line.limit is not None:
            parts.append(said(text("starts anew {when}", when=line.resets), language, ago=True))
        drawn += [name, " · ".join(filter(None, parts))]
    return drawn


def _small_print(reply: Reply, asides: Sequence[Aside], *, ago: bool) -> list[str]:
    lines = [_one_line(said(note, reply.language, ago=ago)) for note in reply.notes]
    for aside in asides:
        words = _one_line(said(aside.words, reply.language))
        lines.append(aside.about + (f"[{words}]({aside.link})" if aside.link else words))
    return [f"-# {line}" for line in lines if line]


def _one_line(words: str) -> str:
    return " ".join(words.splitlines())


def _item(shown: Shown, *, spoiler: bool) -> Json:
    item: Json = {"media": {"url": f"attachment://{shown.name}"}}
    if alt := clamp(shown.picture.alt.strip(), ALT):
        item["description"] = alt
    return {**item, "spoiler": True} if spoiler else item


def _drawn(value: Any, *, ago: bool) -> Any:
    match value:
        case Text():
            return Text(value.message, _drawn(value.values, ago=ago), value.plural, value.count)
        case datetime():
            return stamp(value, ago=ago)
        case Link():
            return f"[{escape(value.name)}]({value.address})"
        case str():
            return escape(value)
        case dict():
            return {name: _drawn(each, ago=ago) for name, each in value.items()}
        case tuple() | list():
            return tuple(_drawn(each, ago=ago) for each in value)
        case _:
            return value

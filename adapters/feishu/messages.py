"""What a message says, and which pictures it holds. Pure.

The same for a message that comes as an event and for one that was looked up: only a mention's id has another shape.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import PurePosixPath
from typing import Any

from adapters.feishu.event import File
from adapters.feishu.payload import parsed

Json = Mapping[str, Any]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
SLASH = ("/", "／")
ALL = "@_all"  # stands in the words without being among the mentions (contract section 3)
MARK = re.compile(r"@_user_\d{1,6}|@_all|ou_\w{1,64}", re.ASCII)
GAP = "\x1f"  # a separator that nobody types; if somebody does, it is a space


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """words: without the bot's own name. named: the bot is mentioned. other: it is of a kind that holds neither.

    names: of the people whose ids stand in the words, by these.
    """

    words: str = ""
    files: tuple[File, ...] = ()
    named: bool = False
    other: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Mention:
    open_id: str
    name: str


def said(message: str, kind: str, content: str, mentions: object, bot: str, naming: Collection[str] = ()) -> Said:
    """message: its id. content: JSON, as a string. bot: our own open_id. naming: the commands about a person."""
    known = dict(_mentions(mentions))
    named = any(each.open_id == bot for each in known.values())
    match kind, _object(content):
        case "text", {"text": str(words)}:
            return _said(_resolved(words, known, bot, naming), known, named)
        case "post", post:
            lines = [*_lines(post)]
            named = named or any(part.get("user_id") == bot for part in _parts(lines) if part.get("tag") == "at")
            words = "\n".join(filter(None, (_title(post), *map(_words, lines))))
            return _said(_resolved(words, known, bot, naming), known, named, *_shown(message, lines))
        case "image" | "file" as single, found if file := _file(message, single, found):
            return Said(files=(file,), named=named)
        case _:
            return Said(named=named, other=True)


def _said(words: str, known: Mapping[str, _Mention], named: bool, *files: File) -> Said:
    names = {each.open_id: each.name for each in known.values() if f"<@{each.open_id}>" in words}
    return Said(words=words, files=files, named=named, names=names)


def _file(message: str, kind: str, content: Json) -> File | None:
    """A picture, or a file whose name says that it is one; what it is, is found out when it is read."""
    match kind, content:
        case "image", {"image_key": str(key)}:
            return File(message=message, key=key)
        case "file", {"file_key": str(key), "file_name": str(name)}:
            is_picture = PurePosixPath(name.lower()).suffix in SUFFIXES
            return File(message=message, key=key, kind="file", name=name) if is_picture else None
    return None


def _shown(message: str, lines: Sequence[Sequence[Json]]) -> Iterator[File]:
    for part in _parts(lines):
        match part:
            case {"tag": "img", "image_key": str(key)}:
                yield File(message=message, key=key)


def _object(content: str) -> Json:
    """What stands in a message; a forwarded one holds a bare sentence instead of JSON."""
    try:
        found = parsed(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _post(content: Json) -> Json:
    """What is looked up may have a level of languages above."""
    if "content" in content:
        return content
    return next((one for one in content.values() if isinstance(one, dict)), {})


def _title(content: Json) -> str:
    title = _post(content).get("title")
    return title if isinstance(title, str) else ""


def _lines(content: Json) -> Iterator[list[Json]]:
    lines = _post(content).get("content")
    for line in lines if isinstance(lines, list) else ():
        yield [part for part in line if isinstance(part, dict)] if isinstance(line, list) else []


def _parts(lines: Sequence[Sequence[Json]]) -> Iterator[Json]:
    for line in lines:
        yield from line


def _words(line: Sequence[Json]) -> str:
    return "".join(map(_word, line)).strip()


def _word(part: Json) -> str:
    match part:
        case {"tag": "text" | "a" | "md" | "code_block", "text": str(words)}:
            return words
        case {"tag": "at", "user_id": "all"}:
            return ALL
        case {"tag": "at", "user_id": str(key)}:
            return key
    return ""


def _mentions(mentions: object) -> Iterator[tuple[str, _Mention]]:
    for each in mentions if isinstance(mentions, list) else ():
        match each:
            case {"key": str(key), "id": {"open_id": str(id)} | str(id)} if key:
                yield key, _Mention(id, str(each.get("name") or id))


def _resolved(words: str, known: Mapping[str, _Mention], bot: str, naming: Collection[str]) -> str:
    """The words without our own name; others' are ids in a command that reads them, and names in words to draw."""
    people = {key: each for key, each in known.items() if each.open_id != bot}
    ours = {ALL, bot, *known} - people.keys()
    words = _closed(_put(words, {**{key: key for key in people}, **dict.fromkeys(ours, GAP)}).split(GAP))
    if not people:
        return words
    if _is_about_people(words, naming):
        return _put(words, {key: f"<@{each.open_id}>" for key, each in people.items()})
    return _put(words, {key: f"@{each.name}" for key, each in people.items()})


def _put(words: str, instead: Mapping[str, str]) -> str:
    """The words with something else for each mark. In `@_user_12` a 2 follows the first person, if none is twelfth."""

    def put(match: re.Match[str]) -> str:
        mark = match[0]
        end = next((end for end in range(len(mark), 0, -1) if mark[:end] in instead), 0)
        return instead[mark[:end]] + mark[end:] if end else mark

    return MARK.sub(put, words)


def _is_about_people(words: str, naming: Collection[str]) -> bool:
    """Chinese names need no space behind them."""
    name = "".join(words[1:].split(maxsplit=1)[:1]).lower()
    known = name in naming or any(name.startswith(each) for each in naming if not each.isascii())
    return words.startswith(SLASH) and known


def _closed(pieces: Sequence[str]) -> str:
    """What is left where a name was taken out: one space between two words, none at a line's end."""
    if len(pieces) == 1:
        return pieces[0].strip()
    left = [piece for each in pieces if (piece := each.strip(" \t"))]
    gaps = ["" if first.endswith("\n") or second.startswith("\n") else " " for first, second in pairwise(left)]
    return "".join(chain.from_iterable(zip(left, [*gaps, ""], strict=False))).strip()

"""Words for people: marked where they arise, translated where the reader is known.

A `Text` is an English sentence with named places for values; `say` puts it into a reader's language.
Times, money and sizes travel as values (`datetime`, `Money`, `Text`) and are written out only in `say`.
"""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

LOCALES = Path(__file__).parent / "locales"
LANGUAGES = {"en": "English", "zh-CN": "简体中文"}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in micro-USD."""

    micro_usd: int

    def __str__(self) -> str:
        digits = f"{self.micro_usd / 1_000_000:.4f}".rstrip("0")
        whole, _, cents = digits.partition(".")
        return f"{whole}.{cents.ljust(2, '0')} USD"


@dataclass(frozen=True, slots=True)
class Link:
    """An address of our own that is to be followed, under a short name; where no link can be drawn, the address."""

    name: str
    address: str

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence to show; `message` is its English form and its key in the catalogue."""

    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    plural: str = ""
    count: int = 0

    def __str__(self) -> str:
        return say(self, "en")

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form that `from_json` reads back."""
        return {
            "message": self.message,
            "values": {name: _pack(value) for name, value in self.values.items()},
            "plural": self.plural,
            "count": self.count,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Text":
        values = {name: _unpack(value) for name, value in data["values"].items()}
        return cls(data["message"], values, data["plural"], data["count"])


def text(message: str, /, **values: Any) -> Text:
    """Mark a sentence for translation: `text("No model is called {name}.", name=name)`."""
    return Text(message, values)


def plural(one: str, many: str, count: int, /, **values: Any) -> Text:
    """Mark a sentence that depends on a number, which it may name as `{count}`."""
    return Text(one, {"count": count, **values}, many, count)


def verbatim(words: str) -> Text:
    """What is said the same in every language: a name, a number, somebody's own words."""
    return Text("{words}", {"words": words})


def say(words: Text, language: str, zone: str = "UTC") -> str:
    """The sentence in the reader's language, with times in the reader's zone."""
    catalogue = _catalogue(language)
    if words.plural:
        pattern = catalogue.ngettext(words.message, words.plural, words.count)
    else:
        pattern = catalogue.gettext(words.message)
    return pattern.format_map({name: _write(value, language, zone) for name, value in words.values.items()})


def language_of(tag: str | None, default: str = "en") -> str:
    """The language we have for a platform's tag: `zh`, `zh-TW` and `zh_cn` read Chinese."""
    if not tag:
        return default
    primary = tag.replace("_", "-").split("-")[0].lower()
    return {"zh": "zh-CN", "en": "en"}.get(primary, default)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("bot", LOCALES, languages=[language.replace("-", "_")], fallback=True)


def _write(value: Any, language: str, zone: str) -> Any:
    match value:
        case Text():
            return say(value, language, zone)
        case datetime():
            return value.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M ") + zone
        case tuple() | list():
            comma = "、" if language.startswith("zh") else ", "
            return comma.join(str(_write(item, language, zone)) for item in value)
        case _:
            return str(value)


def _pack(value: Any) -> Any:
    match value:
        case Text():
            return {"text": value.to_json()}
        case Money():
            return {"micro_usd": value.micro_usd}
        case Link():
            return {"link": [value.name, value.address]}
        case datetime():
            return {"time": value.timestamp()}
        case tuple() | list():
            return [_pack(item) for item in value]
        case str() | int() | float():
            return value
        case _:
            return str(value)


def _unpack(value: Any) -> Any:
    match value:
        case {"text": data}:
            return Text.from_json(data)
        case {"micro_usd": amount}:
            return Money(amount)
        case {"link": [name, address]}:
            return Link(name, address)
        case {"time": seconds}:
            return datetime.fromtimestamp(seconds, UTC)
        case list():
            return tuple(_unpack(item) for item in value)
        case _:
            return value

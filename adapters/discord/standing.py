"""What stands on Discord under each key, as far as this process has seen it: what need not be sent again."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from adapters.discord.fitting import Ready

V = TypeVar("V")
NONCE_LENGTH = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One message of a post. digest: of what it was told to show. files: by key, with their ids at Discord."""

    channel: str
    id: str
    digest: str = ""
    files: Mapping[str, Ready] = field(default_factory=dict)


class Latest(OrderedDict[str, V], Generic[V]):
    """A dictionary of the entries that were written last; older ones are forgotten."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: str, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


def read_message(message: str) -> list[Page]:
    """The messages that a posting's id names: `channel/first channel/second`."""
    return [Page(channel=channel, id=id) for channel, _, id in (each.partition("/") for each in message.split())]


def write_message(pages: Sequence[Page]) -> str:
    return " ".join(f"{page.channel}/{page.id}" for page in pages)


def digest(body: Mapping[str, Any], files: Sequence[Ready]) -> str:
    """Equal for what looks the same; whether a file is new or stands there already makes no difference."""
    looks = {name: value for name, value in body.items() if name != "attachments"}
    shown = [looks, [(each.picture.blob, each.name) for each in files]]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def nonce(key: str, number: int, replaced: str) -> str:
    """The same for the same message of the same key. replaced: the message that is gone, whose nonce is used up."""
    return hashlib.sha256(f"{key}\n{number}\n{replaced}".encode()).hexdigest()[:NONCE_LENGTH]


def says_the_same(answer: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether a message is what the body asks for: a nonce that was used before brings back the older message."""
    return _words(answer["components"]) == _words(body["components"]) and len(_items(answer)) == len(_items(body))


def attachment_ids(message: Mapping[str, Any]) -> list[str]:
    """The ids of the files that its gallery shows, in order; Discord lists them nowhere else."""
    return [str(item["media"].get("attachment_id") or "") for item in _items(message)]


def names(message: Mapping[str, Any], generation: str) -> bool:
    """Whether a button or select of the message is about this generation."""
    return any(str(each.get("custom_id", "")).split(":")[1:2] == [generation] for each in _flat(message["components"]))


def shows(message: Mapping[str, Any], files: Sequence[str]) -> bool:
    """Whether its gallery is made of files with these names."""
    return [PurePosixPath(urlsplit(item["media"]["url"]).path).name for item in _items(message)] == list(files)


def _words(components: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(each.get("content") or each.get("custom_id") or "").strip() for each in _flat(components)]


def _items(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for each in _flat(message["components"]) for item in each.get("items") or ()]


def _flat(components: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [found for each in components for found in (each, *_flat(each.get("components") or ()))]

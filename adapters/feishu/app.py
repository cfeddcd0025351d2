"""The app as its settings describe it, and what one finds out about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.feishu import scopes
from adapters.feishu.rest import Rest
from adapters.feishu.scopes import console
from bot.i18n import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. cure: what to do where it is not well; a warning keeps nothing from working."""

    name: str
    told: Text
    well: bool = True
    warning: bool = False
    cure: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Where the app is, and how it is to hear. webhook: events come to `address`, which is "" where none is set."""

    domain: str
    id: str
    secret: str = field(repr=False)
    webhook: bool
    address: str

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "App":
        """values: the platform's settings by name, secrets in plain, and `public_url`, the bot's own address."""
        base = str(values.get("public_url") or "").rstrip("/")
        return cls(
            domain=str(values.get("domain") or scopes.FEISHU).rstrip("/"),
            id=str(values["app_id"]),
            secret=str(values["app_secret"]),
            webhook=bool(values.get("encrypt_key")),
            address=base + scopes.HOOK if base else "",
        )

    def page(self, name: str) -> str:
        return console(self.domain, self.id, name)

    def rest(self) -> Rest:
        return Rest(domain=self.domain, app_id=self.id, app_secret=self.secret)


def bad(name: str, told: Text, cure: Text) -> Check:
    return Check(name=name, told=told, well=False, cure=cure)


def readable(name: str) -> str:
    """A stranger's name as a terminal may show it."""
    return "".join(letter for letter in name if letter.isprintable())

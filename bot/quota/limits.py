"""What a limit is, and the words for one that is short. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.chat import AccountLine
from bot.errors import QuotaExceeded
from bot.i18n import Money, Text, plural, text, verbatim

UNITS = ("images", "usd")

# A limit as the ledger compares it: no amount of pictures or micro-USD comes near.
UNLIMITED = 2**62

Policy = Mapping[tuple[str, str, str], int | None]
"""(kind of account, unit, window) -> amount; None or absent means unlimited, 0 means none."""


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """One purse: everyone's (`all`), a space's or a person's. Ordered by name, which is the order of locking."""

    name: str

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def title(self) -> Text:
        match self.kind:
            case "person":
                return text("You")
            case "space":
                return text("This space")
            case _:
                return text("Everyone")


def accounts_of(person: str, space: str) -> tuple[Account, ...]:
    """Every account that a request of this person in this space draws on, in locking order."""
    return tuple(sorted((Account("all"), Account(f"person:{person}"), Account(f"space:{space}"))))


def amount(unit: str, value: int) -> Text:
    """So many pictures, or so much money, in words."""
    if unit == "usd":
        return text("{money}", money=Money(value))
    return plural("{count} picture", "{count} pictures", value)


def _number(unit: str, value: int) -> Text:
    """The same without the word, where it stands beside one that has it."""
    # Translators: the number alone; Chinese needs its counting word even here.
    return amount(unit, value) if unit == "usd" else plural("{count}", "{count}", value)


def window_name(window: str) -> Text:
    names = {"day": text("a day"), "week": text("a week"), "month": text("a month"), "total": text("in all")}
    return names[window]


def told(line: AccountLine) -> Text:
    """One account in one sentence."""
    values = {"account": line.name, "used": _number(line.unit, line.used), "window": window_name(line.window)}
    if line.limit is None:
        return text("{account}: {used} used {window}, without a limit", **values)
    held = text(", {held} held", held=_number(line.unit, line.held)) if line.held else verbatim("")
    return text(
        "{account}: {left} left of {limit} {window} ({used} used{held})",
        **values,
        left=_number(line.unit, line.left or 0),
        limit=amount(line.unit, line.limit),
        held=held,
    )


def refusal(line: AccountLine, wanted: int) -> QuotaExceeded:
    """The refusal that names the account that is short, what is left there and when it resets."""
    values = {
        "account": line.name,
        "limit": amount(line.unit, line.limit or 0),
        "window": window_name(line.window),
        "left": _number(line.unit, line.left or 0),
        "wanted": amount(line.unit, wanted),
    }
    if not line.limit:
        return QuotaExceeded(text("{account}: no pictures are allowed here. An admin can change that.", **values))
    if line.resets is None:
        return QuotaExceeded(
            text(
                "{account}: {left} left of {limit} {window}, and this needs {wanted}. An admin can give more.", **values
            )
        )
    return QuotaExceeded(
        text(
            "{account}: {left} left of {limit} {window}, and this needs {wanted}. It starts anew at {resets}.",
            **values,
            resets=line.resets,
        )
    )


def line(
    account: Account, unit: str, window: str, *, used: int, held: int, limit: int | None, resets: datetime | None
) -> AccountLine:
    return AccountLine(name=account.title, unit=unit, window=window, used=used, held=held, limit=limit, resets=resets)

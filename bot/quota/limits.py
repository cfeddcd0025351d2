"""What an account and a limit are, and the words for one that is short. No I/O."""

from collections.abc import Iterable, Mapping
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
    """One purse, ordered by name, which is the order of locking.

    `all`, `space:ID`, `team:ID` are pools; `person:ID`, `share:space:SPACE/PERSON` and `share:team:TEAM/PERSON` are one
    person's; `grant:SEQ` is what somebody was given beside those.
    """

    name: str

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def is_personal(self) -> bool:
        """Whether a grant may stand in for it."""
        return self.kind in ("person", "share")

    @property
    def is_pool(self) -> bool:
        return self.kind in ("all", "space", "team")

    @property
    def team(self) -> str:
        """The team's id, of its pool and of a share of it."""
        if self.kind == "team":
            return self.name.removeprefix("team:")
        return self.name.removeprefix("share:team:").rpartition("/")[0] if self.name.startswith("share:team:") else ""

    @property
    def space(self) -> str:
        """The space, of its pool and of a share of it."""
        if self.kind == "space":
            return self.name.removeprefix("space:")
        return self.name.removeprefix("share:space:").rpartition("/")[0] if self.name.startswith("share:space:") else ""

    @property
    def person(self) -> str:
        """The person's id, of what is one person's."""
        return self.name.removeprefix("person:") if self.kind == "person" else self.name.rpartition("/")[2]

    @property
    def title(self) -> Text:
        """As the person reads it whose it is, or who draws on it."""
        match self.name.split(":")[:2]:
            case ["person", _]:
                return text("You")
            case ["space", _]:
                return text("This space")
            case ["team", _]:
                return text("This team")
            case ["share", "space"]:
                return text("Your share in this space")
            case ["share", _]:
                return text("Your share of this team")
            case ["grant", _]:
                return text("Given to you")
            case _:
                return text("Everyone")


EVERYONE = Account("all")


def of_person(person: str) -> Account:
    return Account(f"person:{person}")


def of_space(space: str) -> Account:
    return Account(f"space:{space}")


def of_team(team: str) -> Account:
    return Account(f"team:{team}")


def share_in_space(space: str, person: str) -> Account:
    return Account(f"share:space:{space}/{person}")


def share_of_team(team: str, person: str) -> Account:
    return Account(f"share:team:{team}/{person}")


def members_default(team: str) -> Account:
    """Holds nothing: its limits are those of every member who has none of their own."""
    return Account(f"share:team:{team}")


def admins_limit(space: str) -> Account:
    """Holds nothing: its limits are what the admins of a space set for all of it, below the operator's."""
    return Account(f"local:space:{space}")


def accounts_of(
    person: str, space: str, *, linked: Iterable[str] = (), team: str = "", member: str = ""
) -> tuple[Account, ...]:
    """Every account that a request of this person in this space draws on, in locking order.

    linked: the other accounts of the same human. member: the one of them that is in the team.
    """
    accounts = {EVERYONE, of_space(space), share_in_space(space, person)}
    accounts |= {of_person(each) for each in (person, *linked)}
    if team:
        accounts |= {of_team(team), share_of_team(team, member or person)}
    return tuple(sorted(accounts))


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
    values["held"] = text(", {held} held", held=_number(line.unit, line.held)) if line.held else verbatim("")
    values["left"], values["limit"] = _number(line.unit, line.left or 0), amount(line.unit, line.limit)
    if line.ends:
        return text("{account}: {left} left of {limit} until {when} ({used} used{held})", **values, when=line.ends)
    return text("{account}: {left} left of {limit} {window} ({used} used{held})", **values)


def refusal(line: AccountLine, wanted: int, who: Text) -> QuotaExceeded:
    """The refusal that names the account that is short, what is left there, when it resets and who can give more."""
    values = {
        "account": line.name,
        "limit": amount(line.unit, line.limit or 0),
        "window": window_name(line.window),
        "left": _number(line.unit, line.left or 0),
        "wanted": amount(line.unit, wanted),
        "who": who,
    }
    if not line.limit:
        return QuotaExceeded(text("{account}: no pictures are allowed here; {who} can change that.", **values))
    if line.resets is None:
        return QuotaExceeded(
            text("{account}: {left} left of {limit} {window}, and this needs {wanted}; {who} can give more.", **values)
        )
    return QuotaExceeded(
        text(
            "{account}: {left} left of {limit} {window}, and this needs {wanted}; {who} can give more."
            " It starts anew at {resets}.",
            **values,
            resets=line.resets,
        )
    )


def line(
    account: Account,
    unit: str,
    window: str,
    *,
    used: int,
    held: int,
    limit: int | None,
    resets: datetime | None,
    name: Text | None = None,
    who: Text | None = None,
    period: str = "",
    ends: datetime | None = None,
) -> AccountLine:
    return AccountLine(
        name=name or account.title,
        unit=unit,
        window=window,
        used=used,
        held=held,
        limit=limit,
        resets=resets,
        account=account.name,
        who=who,
        period=period,
        ends=ends,
    )

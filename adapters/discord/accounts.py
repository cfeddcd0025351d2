"""What a person may still use, as lines with a small bar."""

from collections.abc import Sequence

from bot.chat import AccountLine
from bot.i18n import Money, Text, text

CELLS = 10


def worth_showing(accounts: Sequence[AccountLine]) -> Sequence[AccountLine]:
    """Those with a limit; one without only where nothing is limited at all."""
    return [account for account in accounts if account.limit is not None] or accounts[:1]


def bar(account: AccountLine) -> str:
    """What is left as filled cells; empty where nothing is limited."""
    if account.limit is None:
        return ""
    filled = round(CELLS * (account.left or 0) / max(account.limit, 1))
    return "▰" * filled + "▱" * (CELLS - filled)


def unit_name(account: AccountLine) -> Text:
    return text("Money") if account.unit == "usd" else text("Pictures")


def left(account: AccountLine) -> Text:
    if account.limit is None:
        return {"day": text("No limit today"), "month": text("No limit this month")}.get(
            account.window, text("No limit")
        )
    values = {"left": _amount(account, account.left or 0), "limit": _amount(account, account.limit)}
    match account.window:
        case "day":
            return text("{left} of {limit} left today", **values)
        case "week":
            return text("{left} of {limit} left this week", **values)
        case "month":
            return text("{left} of {limit} left this month", **values)
        case _:
            return text("{left} of {limit} left", **values)


def _amount(account: AccountLine, value: int) -> object:
    return Money(value) if account.unit == "usd" else f"{value:,}"

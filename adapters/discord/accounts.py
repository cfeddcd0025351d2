"""What a person may still use, as lines with a small bar."""

from collections.abc import Sequence

from bot.chat import AccountLine

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

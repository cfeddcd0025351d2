"""What a person may still use, as a name and lines with a small bar."""

from collections.abc import Callable, Sequence

from bot.chat import AccountLine
from bot.i18n import Text, text

CELLS = 10


def meter(accounts: Sequence[AccountLine], says: Callable[[Text], str]) -> list[tuple[str, str]]:
    """Each account's name, and what is left of it."""
    return [(f"{says(line.name)} · {says(line.unit_name)}", _left(line, says)) for line in worth_showing(accounts)]


def worth_showing(accounts: Sequence[AccountLine]) -> Sequence[AccountLine]:
    """Those with a limit; one without only where nothing is limited at all."""
    return [account for account in accounts if account.limit is not None] or accounts[:1]


def bar(account: AccountLine) -> str:
    """What is left as filled cells; empty where nothing is limited."""
    if account.limit is None:
        return ""
    filled = round(CELLS * (account.left or 0) / max(account.limit, 1))
    return "▰" * filled + "▱" * (CELLS - filled)


def _left(line: AccountLine, says: Callable[[Text], str]) -> str:
    parts = [bar(line), says(line.left_in_words)]
    if line.resets is not None and line.limit is not None:
        parts.append(says(text("starts anew {when}", when=line.resets)))
    return "\n".join(filter(None, parts))

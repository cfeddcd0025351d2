"""What a person may still use, as a name and lines with a small bar."""

from collections.abc import Callable, Sequence

from bot.chat import AccountLine, worth_showing
from bot.i18n import Text, text


def meter(accounts: Sequence[AccountLine], says: Callable[[Text], str]) -> list[tuple[str, str]]:
    """Each account's name, and what is left of it."""
    return [(f"{says(line.name)} · {says(line.unit_name)}", _left(line, says)) for line in worth_showing(accounts)]


def _left(line: AccountLine, says: Callable[[Text], str]) -> str:
    parts = [line.bar, says(line.left_in_words)]
    if line.resets is not None and line.limit is not None:
        parts.append(says(text("starts anew {when}", when=line.resets)))
    return "\n".join(filter(None, parts))

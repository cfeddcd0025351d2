"""What people type, made comparable: full-width forms folded, and which words that exist are near."""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from bot.i18n import Text

LONGEST = 60  # characters of somebody's word that are compared and shown again


@dataclass(frozen=True, slots=True)
class Completion:
    """`insert` takes the place of the word that is being typed."""

    insert: str
    help: Text


def fold(word: str) -> str:
    """A value as keyboards of any kind mean it: `１６：９` is `16:9`, `2048×1024` is `2048x1024`."""
    return unicodedata.normalize("NFKC", word).replace("×", "x").strip()


def same(word: str) -> str:
    """The form under which two words count as one name: folded, in any case."""
    return fold(word).casefold()


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    forms = {same(name): name for name in known}
    typed = same(word[:LONGEST])
    # Of two characters, as most Chinese names have, one may be wrong.
    found = difflib.get_close_matches(typed, forms, n=1, cutoff=0.6 if len(typed) > 2 else 0.5)
    return forms[found[0]] if found else ""


def shortened(words: str) -> str:
    """Somebody's words, short enough to be said back."""
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def starting(typed: str, offered: Iterable[tuple[str, Text]]) -> tuple[Completion, ...]:
    """What a word that is being typed may become."""
    return tuple(Completion(word, help) for word, help in offered if same(word).startswith(same(typed)))

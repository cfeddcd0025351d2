"""Which of a space's word rules a request's words meet, and how admins write such rules. Pure.

A word matches whole words, whatever their case and width; in scripts that put no spaces between words it matches
anywhere. `*` stands for any letters. `/…/` is a pattern, in RE2's syntax, whose time grows with the text and no faster:
whatever pattern an admin writes, nobody's words can make it hang.

An allowed word excuses what is refused or to be reviewed inside of it, and nothing else: “Middlesex” does not open the
door to the rest of a sentence. What is refused goes before what is to be reviewed.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import re2

from bot.errors import UsageError
from bot.i18n import text
from bot.spaces import WordRule
from bot.suggest import shortened

VERDICTS = ("refuse", "review", "allow")
MOST_RULES = 500
MOST_PATTERNS = 50
LONGEST = 100  # characters of one rule
PATTERN_MEMORY = 64 * 1024  # bytes of a compiled pattern: it also bounds its time over each character

# Quoted phrases, patterns between slashes, and single words; commas of any script part them as spaces do.
_WRITTEN = re.compile(r'"(?P<phrase>[^"]*)"|(?P<pattern>/(?:\\.|[^/\\])+/)(?=[\s,;]|$)|(?P<word>[^\s,;"]+)')
_COMMAS = str.maketrans({"，": ",", "、": ",", "；": ";", "“": '"', "”": '"', "„": '"', "「": '"', "」": '"'})

# Fillers, variation selectors, and marks over letters that are no letters together with them (NFKC has joined those).
_UNSEEN = re.compile(
    "[\u0300-\u036f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u2800\u3164"
    "\ufe00-\ufe0f\ufe20-\ufe2f\uffa0\U000e0100-\U000e01ef]"
)
_WORD, _LATIN = re.compile(r"\w+"), re.compile("[a-z]")
# Cyrillic and Greek letters, each with the Latin one that it is mistaken for.
_LOOKS_LIKE = str.maketrans("аеіјорсухѕԁһԛԝӏвкмнтгαεικνορτυχ", "aeijopcyxsdhqwlbkmhtraeikvoptux")

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_EDGE = rf"[^\pL\pM\pN_]|[{_SPACELESS}]"
_OPTIONS = re2.Options()
_OPTIONS.max_mem = PATTERN_MEMORY
_OPTIONS.case_sensitive = False
_OPTIONS.log_errors = False

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Finder:
    rule: WordRule
    pattern: Any
    group: int

    def spans(self, words: bytes) -> Iterator[Span]:
        """Where it matches; what parts a word from the next one may part that from the one after it, too."""
        at = 0
        while at <= len(words) and (found := self.pattern.search(words, at)):
            start, end = found.span(self.group)
            yield start, end
            at = max(end, at + 1)


class _Allowed:
    """The places that allowed words take up."""

    def __init__(self, spans: Iterable[Span]) -> None:
        found = sorted(spans)
        self.starts = [start for start, _ in found]
        self.reach = list(accumulate((end for _, end in found), max))

    def hold(self, span: Span) -> bool:
        """One of them holds all of this."""
        before = bisect_right(self.starts, span[0])
        return before > 0 and self.reach[before - 1] >= span[1]


def decide(rules: tuple[WordRule, ...], words: str) -> WordRule | None:
    """The rule that refuses these words, else the one by which their result is reviewed first, if there is any."""
    if not rules:
        return None
    looked_at = plain(words).encode()  # once: it is looked at again and again
    finders = _finders(rules)
    allowed = _Allowed(span for finder in finders if finder.rule.verdict == "allow" for span in finder.spans(looked_at))
    for verdict in ("refuse", "review"):
        for finder in finders:
            if finder.rule.verdict == verdict and any(not allowed.hold(span) for span in finder.spans(looked_at)):
                return finder.rule
    return None


def read(written: str) -> tuple[str, ...]:
    """The words and patterns of a list as an admin writes it: `blood "red light" f*ck /n[o0]pe+/`.

    Raises `UsageError` for what could never match, or would match everything.
    """
    found = []
    for each in _WRITTEN.finditer(written.translate(_COMMAS)):
        word = each["pattern"] or " ".join(plain(each["phrase"] or each["word"] or "").split())
        if word:
            _check(word)
            found.append(word)
    return tuple(dict.fromkeys(found))


def added(rules: tuple[WordRule, ...], words: Iterable[str], verdict: str) -> tuple[WordRule, ...]:
    """With these, each under one verdict: the last that was said. Raises `UsageError` where they become too many."""
    new = {word: WordRule(word, verdict) for word in words}
    together = (*(rule for rule in rules if rule.words not in new), *new.values())
    if len(together) > MOST_RULES:
        raise UsageError(text("A space can have {count} words and patterns; remove some first.", count=MOST_RULES))
    if sum(is_pattern(rule.words) for rule in together) > MOST_PATTERNS:
        raise UsageError(text("A space can have {count} patterns; remove some first.", count=MOST_PATTERNS))
    return together


def plain(words: str) -> str:
    """As words are compared: no matter in which width or case, without what nobody sees or what only decorates, and
    with Latin letters where those of another alphabet stand among them only to look like them.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", words).casefold())
    seen = _UNSEEN.sub("", "".join(each for each in folded if unicodedata.category(each) not in ("Cf", "Cs")))
    return _WORD.sub(lambda found: found[0].translate(_LOOKS_LIKE) if _LATIN.search(found[0]) else found[0], seen)


def is_pattern(word: str) -> bool:
    return len(word) > 2 and word.startswith("/") and word.endswith("/")


def _check(word: str) -> None:
    said = {"word": shortened(word), "most": LONGEST}
    if len(word) > LONGEST:
        raise UsageError(text("“{word}” is too long: at most {most} characters.", **said))
    if not is_pattern(word):
        if not any(each.isalnum() or unicodedata.category(each)[0] == "S" for each in word):
            raise UsageError(text("“{word}” holds no letter that could be found.", **said))
        return
    try:
        pattern = _compiled(word)
    except re2.error as error:
        raise UsageError(
            text("{word} is not a pattern that I can use (RE2 syntax, without look-around and \\1).", **said)
        ) from error
    if pattern.search(""):
        raise UsageError(text("{word} would match everything.", **said))


@lru_cache(maxsize=256)
def _finders(rules: tuple[WordRule, ...]) -> tuple[_Finder, ...]:
    """One rule that this version cannot compile is left out, and keeps none of the others from working."""
    found = []
    for rule in rules:
        try:
            found.append(_Finder(rule, _compiled(rule.words), 0 if is_pattern(rule.words) else 1))
        except re2.error:
            continue
    return tuple(found)


def _compiled(word: str) -> Any:
    if is_pattern(word):
        return re2.compile(unicodedata.normalize("NFKC", word[1:-1]), _OPTIONS)
    core = r"[\pL\pM\pN_]*".join(r"\s+".join(map(re2.escape, part.split(" "))) for part in word.split("*"))
    before = "" if _joins(word[0]) else rf"(?:^|{_EDGE})"
    after = "" if _joins(word[-1]) else rf"(?:$|{_EDGE})"
    return re2.compile(f"{before}({core}){after}", _OPTIONS)


def _joins(edge: str) -> bool:
    """Nothing has to part it from what stands beside it: it is no letter, a star, or of a script without spaces."""
    return not (edge.isalnum() or edge == "_") or bool(re2.match(rf"[{_SPACELESS}]", edge))

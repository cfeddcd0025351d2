"""People's words as Discord shows them: as they were written, whatever signs are in them, and no longer than fits.

Discord reads Markdown, mentions and links in every text of a message. A backslash before a sign that is no letter or
digit shows the sign itself, wherever it stands.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence

_SIGNS = re.compile(r"[\\*_~`|\[\]]")
_ANGLE = re.compile(r"<(?!#\d{15,20}>)")  # <#id> is a link to a channel: it notifies nobody
_LINE_START = re.compile(r"(?m)^([ \t]*)([#>+-])")
_NUMBERED = re.compile(r"(?m)^([ \t]*\d+)([.)])(?=\s)")
_LINK = re.compile(r"(?i)(https?|steam|discord):(?=//)")
# They turn the order of what stands after them: of words that are ours, where a name brings them in.
_ORDER = re.compile("[\u202a-\u202e\u2066-\u2069]")
_EVERYBODY = re.compile(r"@(?=everyone|here)")
ELLIPSIS = "…"


def escape(words: str) -> str:
    """The words with everything taken out of them that Discord would read as more than words."""
    words = _ORDER.sub("", words)
    words = _SIGNS.sub(r"\\\g<0>", words)
    words = _ANGLE.sub(r"\\<", words)
    words = _LINE_START.sub(r"\1\\\2", words)
    words = _NUMBERED.sub(r"\1\\\2", words)
    words = _LINK.sub(r"\1:\\", words)
    # Nobody is notified in any case; like this it does not look as if.
    return _EVERYBODY.sub("@\N{ZERO WIDTH SPACE}", words)


def clamp(words: str, most: int, written: Callable[[str], str] = str) -> str:
    """As much of the words as `written` puts into `most` characters, with an ellipsis where something is left out."""
    whole = written(words)
    if len(whole) <= most:
        return whole
    kept = bisect_right(range(len(words)), most - len(ELLIPSIS), key=lambda length: len(written(words[:length])))
    return written(words[: kept - 1]).rstrip() + ELLIPSIS if kept else ""


def clamp_lines(lines: Sequence[str], most: int) -> str:
    """As many whole lines as fit, and a line with an ellipsis for those that do not."""
    text = "\n".join(lines)
    if len(text) <= most:
        return text
    room = most - len(ELLIPSIS)
    kept = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join((*kept, ELLIPSIS))

"""What a provider does on a bad day, on purpose.

Switched on a running sandbox (`sandbox.faults.busy = True`), or for one request by words in its prompt:
`sandbox:busy`, `sandbox:fail`, `sandbox:refuse`, `sandbox:refuse-reference`, `sandbox:refuse-result`, `sandbox:slow`,
`sandbox:silent`, `sandbox:cut` (after the request was read), `sandbox:cut-answer`, `sandbox:html`, `sandbox:task`,
`sandbox:fewer` (one picture less), `sandbox:reject` (the second of a series), `sandbox:stop` (an internal error there).
"""

import re
from dataclasses import dataclass, fields, replace
from typing import Any

_WORD = re.compile(r"sandbox:([a-z]+(?:-[a-z]+)?)", re.IGNORECASE)
_BY_WORD: dict[str, dict[str, Any]] = {
    "busy": {"busy": True},
    "fail": {"failing": True},
    "refuse": {"refuse_words": True},
    "refuse-reference": {"refuse_reference": True},
    "refuse-result": {"refuse_result": True},
    "slow": {"slow": True},
    "silent": {"silent": True},
    "cut": {"cut_request": True},
    "cut-answer": {"cut_answer": True},
    "html": {"html": True},
    "task": {"task": True},
    "fewer": {"fewer": 1},
    "reject": {"reject": frozenset({1})},
    "stop": {"stop_at": 1},
}


@dataclass(slots=True, kw_only=True)
class Faults:
    """All off at first. The ones from `cut_request` on are for tests.

    busy: 429, with `retry_after` as its header where set. failing: 500. silent: takes the request, never answers.
    fewer: pictures left out at the end. reject: indices that moderation holds back in a series.
    stop_at: the index of a series at which an internal error ends it, -1 for none.
    unfinished: a stream without its last frames.
    """

    busy: bool = False
    failing: bool = False
    refuse_words: bool = False
    refuse_reference: bool = False
    refuse_result: bool = False
    slow: bool = False
    slow_seconds: float = 5.0
    silent: bool = False
    cut_request: bool = False
    cut_answer: bool = False
    html: bool = False
    task: bool = False
    fewer: int = 0
    reject: frozenset[int] = frozenset()
    stop_at: int = -1
    unfinished: bool = False
    retry_after: str = ""

    def clear(self) -> None:
        fresh = Faults()
        for field in fields(self):
            setattr(self, field.name, getattr(fresh, field.name))

    def with_words(self, prompt: str) -> "Faults":
        """These, and those that the prompt itself asks for."""
        found: dict[str, Any] = {}
        for word in _WORD.findall(prompt):
            found.update(_BY_WORD.get(word.lower(), {}))
        return replace(self, **found)


def without_words(prompt: str) -> str:
    return _WORD.sub("", prompt).strip()

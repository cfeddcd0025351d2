"""Who fills an interaction's deferred answer: it is one message, and several posts may have the same place.

Until it is filled, Discord makes the first follow-up into it, with the deferred answer's own privacy. So what is said
beside an answer waits for the answer; and for a private answer to what was deferred in public, it is filled with an
ellipsis, which is taken away afterwards.
"""

import re

from adapters.discord.standing import Latest
from adapters.discord.target import Target

# The core's keys: an invocation's own id, `generation:0`, and what is said beside an answer, `invocation:kept`.
_BESIDE = re.compile(r"discord:\d+:.+")


class Originals:
    """By token, the key of the post that filled the deferred answer."""

    def __init__(self, most: int) -> None:
        self._filled: Latest[str] = Latest(most)

    def filled(self, token: str, key: str) -> None:
        self._filled[token] = key

    def filled_by(self, token: str) -> str | None:
        return self._filled.get(token)

    def open_to(self, key: str, to: Target, *, private: bool) -> bool:
        """Whether this post is the one to fill it."""
        mine = not self.beside(key) and self.filled_by(to.token) is None
        return to.waiting and to.keeps(private=private) and mine

    def beside(self, key: str) -> bool:
        return bool(_BESIDE.fullmatch(key))

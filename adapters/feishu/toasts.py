"""The short word over a card that answers a press, instead of a message of its own.

A press waits a moment for its answer. What is short and for the presser alone is shown there; all else is posted.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from adapters.feishu.outbound import said
from bot.chat import Post, Reply, Tone
from bot.i18n import LANGUAGES, Text, say

LATEST = 2.2  # seconds; a little later the press is acknowledged without it, and it would be shown to nobody
LONGEST = 200  # characters; it is gone after a few seconds
CLIENT_LANGUAGES = {"zh-CN": "zh_cn", "en": "en_us"}
Json = dict[str, Any]


class Toasts:
    """The presses that are waiting just now, by the key under which their answer comes.

    rooms: a chat's name by its id. latest: seconds.
    """

    def __init__(self, *, rooms: Callable[[str], str] = str, latest: float = LATEST) -> None:
        self._rooms = rooms
        self._latest = latest
        self._open: dict[str, tuple[asyncio.Future[Json], float]] = {}

    @property
    def waiting(self) -> int:
        return len(self._open)

    @contextmanager
    def opened(self, key: str) -> Iterator[asyncio.Future[Json]]:
        """While this is entered the answer may become the toast; the press that came first has it."""
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        opened = (waiting, waiting.get_loop().time() + self._latest)
        mine = self._open.setdefault(key, opened) is opened
        try:
            yield waiting
        finally:
            if mine:
                del self._open[key]

    def show(self, post: Post) -> bool:
        """Whether the post has become the toast of the press that waits for it; then it needs no message."""
        if post.key not in self._open or not (post.reply.private or post.place.private):
            return False
        waiting, until = self._open[post.key]
        if waiting.done() or waiting.get_loop().time() >= until:
            return False
        shown = self._toast_of(post.reply)
        if shown is not None:
            waiting.set_result(shown)
        return shown is not None

    def refusal(self, reply: Reply) -> Json:
        """A refusal that is said nowhere else: what is too long for a toast is cut."""
        words = self._words(reply)
        return _toast(_kind(reply), words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…")

    def _toast_of(self, reply: Reply) -> Json | None:
        """The reply as a toast; None where it has more than fits there."""
        if reply.pictures or reply.buttons or reply.rows or reply.accounts or reply.prompt:
            return None
        words = self._words(reply)
        if len(words) > LONGEST or "://" in words:  # nobody can follow an address there
            return None
        return _toast(_kind(reply), words)

    def _words(self, reply: Reply) -> str:
        return " ".join(said(each, reply.language, rooms=self._rooms) for each in (reply.text, *reply.notes))


def toast(words: Text, kind: str = "info", *, language: str = "en", chosen: bool = False) -> Json:
    """A word of our own. chosen: the presser wants this language; else that of their client comes before it."""
    told = {} if chosen else {CLIENT_LANGUAGES[each]: say(words, each) for each in LANGUAGES}
    return _toast(kind, say(words, language), told)


def _kind(reply: Reply) -> str:
    return "error" if reply.tone is Tone.REFUSAL else "info"


def _toast(kind: str, words: str, told: dict[str, str] | None = None) -> Json:
    return {"toast": {"type": kind, "content": words, **({"i18n": told} if told else {})}}

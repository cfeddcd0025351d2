"""What may stand at Feishu without anybody knowing: sent, and the answer was lost; or a process died on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from adapters.feishu import keys
from adapters.feishu.codes import Refused, Unreachable
from adapters.feishu.standing import Latest
from bot.chat import CannotPost, Post

KNOWN_KEYS = 2_000


class Doubts:
    """By the keys of posts. What the core says holds for what was before; what was sent since is known better here."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._since: Latest[datetime | None] = Latest(KNOWN_KEYS)

    @contextmanager
    def about(self, post: Post) -> Iterator[None]:
        """While it is posted. Where that is cut off by anything but `CannotPost`, the core knows best since when."""
        if post.key not in self._since:
            self._since[post.key] = post.tried
        try:
            yield
        except CannotPost:
            raise
        except BaseException:
            self.settled(post.key)
            raise

    def since(self, key: str) -> datetime | None:
        return self._since.get(key)

    def settled(self, key: str) -> None:
        """All of it stands, and is known."""
        self._since.pop(key, None)

    def check(self, key: str) -> None:
        """Raises `CannotPost` where a uuid would no longer keep what is sent from being sent twice."""
        since = self.since(key)
        if since and self._clock() - since > keys.SURE:
            raise CannotPost("it may stand already, and Feishu no longer knows its uuid", final=True)

    @contextmanager
    def sending(self, key: str) -> Iterator[None]:
        """While something new is sent under its uuid."""
        self.check(key)
        try:
            yield
        except (Refused, Unreachable) as error:
            if error.sent and self.since(key) is None:
                self._since[key] = self._clock()
            raise

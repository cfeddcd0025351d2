"""Which permission keeps an answer from its place: told in the answer itself, wherever that goes, once an hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.discord.outbound import Aside
from adapters.discord.standing import Latest
from adapters.discord.words import lacks, lacks_in
from bot.i18n import Text

AGAIN = timedelta(hours=1)  # after which the next one in the same channel is told
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """told: whether the answer says so; otherwise another one in the channel has just said it."""

    channel: str
    permissions: tuple[Text, ...]
    told: bool


class Lacks:
    """By the key of a post, what was found to be missing for it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._found: Latest[Lack] = Latest(REMEMBERED)
        self._said: Latest[tuple[str, datetime]] = Latest(REMEMBERED)  # by channel: in which answer, and when

    def note(self, key: str, channel: str, permissions: tuple[Text, ...]) -> None:
        if not permissions:
            return
        now = self._clock()
        said_by, at = self._said.get(channel, (key, now))
        told = said_by == key or now - at >= AGAIN
        if told:
            self._said[channel] = key, at if said_by == key else now
        self._found[key] = Lack(channel=channel, permissions=permissions, told=told)

    def of(self, key: str) -> tuple[Text, ...]:
        found = self._found.get(key)
        return found.permissions if found else ()

    def asides(self, key: str, channel: str) -> Sequence[Aside]:
        """What an answer says of it where it is shown in this channel."""
        found = self._found.get(key)
        if found is None or not found.told:
            return ()
        if found.channel == channel:
            return (Aside(words=lacks(found.permissions)),)
        return (Aside(words=lacks_in(found.channel, found.permissions)),)

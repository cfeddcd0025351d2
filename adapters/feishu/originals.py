"""The originals of pictures that had to be made smaller, each as a file beneath the first card of its post.

The picture itself is seen by then, so whatever keeps an original from coming keeps nobody waiting for long.
"""

from dataclasses import dataclass, field

import structlog

from adapters.feishu import keys
from adapters.feishu.codes import Kind, Refused, Unreachable
from adapters.feishu.doubts import Doubts
from adapters.feishu.fitting import Fitting, Ready
from adapters.feishu.pace import Pace
from adapters.feishu.rest import Rest
from adapters.feishu.standing import Latest
from bot.chat import CannotPost
from bot.errors import BotError

log = structlog.get_logger(__name__)

KNOWN_KEYS = 2_000
TRIES = 5  # in which Feishu may be out of reach; a line that is too slow for such a file is too slow every time
FILE = "file"


@dataclass(kw_only=True)
class Originals:
    """rest and fitting as the ladder's. sends: how often something may be sent to one chat."""

    rest: Rest
    fitting: Fitting
    sends: Pace
    doubts: Doubts
    _out_of_reach: Latest[int] = field(default_factory=lambda: Latest(KNOWN_KEYS))
    _given_up: Latest[bool] = field(default_factory=lambda: Latest(KNOWN_KEYS))

    def come(self, key: str) -> bool:
        """Whether a card may promise them."""
        return key not in self._given_up

    async def send(self, key: str, paced: str, card: str, ready: Ready, number: int) -> str | None:
        """The message that brings it, or None where none of this post come any more.

        paced: where it counts. card: the message to reply to. number: of the original, from 0. Raises `Refused` and
        `Unreachable`.
        """
        try:
            self.doubts.check(key)
            content = {"file_key": await self.fitting.original(ready)}
            await self.sends.turn(paced)
            with self.doubts.sending(key):
                sent = await self.rest.reply(card, FILE, content, uuid=keys.uuid(key, "original", number))
        except (Refused, Unreachable, BotError, OSError, CannotPost) as error:
            if self._may_come(key, error):
                raise
            log.warning("an original could not be sent", problem=str(error))
            self._given_up[key] = True
            return None
        return sent.message

    def _may_come(self, key: str, error: Exception) -> bool:
        match error:
            case Refused():
                return error.kind in (Kind.WAIT, Kind.TOKEN)
            case Unreachable():
                self._out_of_reach[key] = self._out_of_reach.get(key, 0) + 1
                return self._out_of_reach[key] < TRIES
        return False

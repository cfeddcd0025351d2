"""Pictures that people sent: opened when they are read, and looked for in a message that somebody replies to.

The platform keeps them, so nothing is stored here: ids open them for as long as the message stands.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import structlog

from adapters.feishu.codes import Kind, Refused, Unreachable, advice
from adapters.feishu.event import File, Where
from adapters.feishu.messages import said
from adapters.feishu.rest import Rest
from adapters.feishu.words import (
    FORWARDED,
    GONE,
    HIDDEN,
    IN_A_CARD,
    NOT_SEEN,
    PICTURE_GONE,
    PICTURE_HIDDEN,
    PICTURE_LATE,
)
from bot.chat import Attachment
from bot.errors import BotError, PictureError
from bot.i18n import Text
from bot.media.spool import TooManyBytes

log = structlog.get_logger(__name__)

IN_CARD_OR_FORWARD = 234043


class Files:
    """max_bytes: of one picture. app_id: by which our own messages are known."""

    def __init__(self, *, rest: Rest, max_bytes: int, app_id: str) -> None:
        self._rest = rest
        self._max_bytes = max_bytes
        self._app_id = app_id

    def attach(self, file: File) -> Attachment:
        return Attachment(name=file.name or "picture", read=partial(self.read, file))

    async def read(self, file: File) -> AsyncIterator[bytes]:
        """Raises `PictureError` where it is gone, too large or not to be had."""
        try:
            async for chunk in self._rest.resource(file.message, file.key, file.kind, most=self._max_bytes):
                yield chunk
        except Refused as refused:
            raise self._problem(refused) from refused
        except Unreachable as problem:
            raise PictureError(PICTURE_LATE, detail=str(problem)) from problem

    async def look(self, where: Where, message: str) -> tuple[Attachment, ...]:
        """The pictures in a message that is replied to; none where it has none. Raises `BotError`.

        In a topic every message names the topic's head, whatever it is about: there a head that cannot be looked at is
        as good as one without pictures, and the words stand for themselves.
        """
        try:
            return await self._pictures(where, message)
        except BotError as error:
            if not where.thread:
                raise
            log.info("the head of a topic could not be looked at", problem=error.detail)
            return ()

    async def _pictures(self, where: Where, message: str) -> tuple[Attachment, ...]:
        try:
            item = await self._rest.message(message)
        except Refused as refused:
            raise BotError(_why_not(refused), detail=str(refused)) from refused
        except Unreachable as problem:
            raise BotError(NOT_SEEN, detail=str(problem)) from problem
        # The bot may look into each chat that it is in; whoever asks, only into the one in which they do.
        if item.get("chat_id", where.chat) != where.chat:
            raise BotError(GONE, detail="of another chat")
        return tuple(map(self.attach, self._files(message, item)))

    def _files(self, message: str, item: dict[str, Any]) -> tuple[File, ...]:
        match item:
            case _ if not item or item.get("deleted"):
                raise BotError(GONE, detail="deleted")
            case {"msg_type": "merge_forward"}:
                raise BotError(FORWARDED, detail="forwarded")
            case {"msg_type": "interactive", "sender": {"id": id}} if id == self._app_id:
                return ()  # a word of ours: our pictures are known without looking
            case {"msg_type": "interactive"}:
                raise BotError(IN_A_CARD, detail="a card")
            case {"msg_type": str(kind), "body": {"content": str(content)}}:
                return said(message, kind, content, item.get("mentions"), "").files
        return ()

    def _problem(self, refused: Refused) -> PictureError:
        match refused.kind:
            case Kind.TOO_LARGE:
                return TooManyBytes(self._max_bytes, detail=str(refused))
            case Kind.GONE:
                words = PICTURE_GONE
            case Kind.SCOPE | Kind.FORBIDDEN:
                words = PICTURE_HIDDEN
            case _:
                words = FORWARDED if refused.code == IN_CARD_OR_FORWARD else PICTURE_LATE
        _tell_operator(refused)
        return PictureError(words, detail=str(refused))


def _why_not(refused: Refused) -> Text:
    _tell_operator(refused)
    match refused.kind:
        case Kind.GONE:
            return GONE
        case Kind.SCOPE | Kind.FORBIDDEN:
            return HIDDEN
        case _:
            return FORWARDED if refused.code == IN_CARD_OR_FORWARD else NOT_SEEN


def _tell_operator(refused: Refused) -> None:
    cure = advice(refused)
    log.info("Feishu does not show a message", code=refused.code, log_id=refused.log_id, advice=str(cure or ""))

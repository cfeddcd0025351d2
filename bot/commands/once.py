"""What changes something by itself, done once for each asking: after a crash it is dispatched again."""

from collections.abc import Callable
from typing import Any

from bot.chat import Reply
from bot.generation import inbox
from bot.storage.connection import Connection


def once(connection: Connection, invocation: str, work: Callable[..., Reply], *arguments: Any) -> Reply | None:
    """Do it in this transaction, and return the answer: the same words again where it was done and never answered, None
    where it was.
    """
    if not inbox.begin(connection, invocation):
        return inbox.said(connection, invocation)
    reply = work(connection, *arguments)
    inbox.say(connection, invocation, reply.text)
    return reply

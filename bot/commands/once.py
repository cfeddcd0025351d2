"""What changes something by itself, done once for each asking: after a crash it is dispatched again."""

from collections.abc import Callable
from typing import Any

from bot.chat import Reply
from bot.generation import inbox
from bot.i18n import text
from bot.storage.connection import Connection


def once(connection: Connection, invocation: str, work: Callable[..., Reply], *arguments: Any) -> Reply | None:
    """Do it in this transaction, and return the answer.

    Where it was done and never answered, the same words again: whoever reads nothing, or that it was done before, would
    order it a second time. None where it was answered.
    """
    if not inbox.begin(connection, invocation):
        words = inbox.said(connection, invocation)
        return Reply(text=words, notes=(_BEFORE,), private=True) if words else None
    reply = work(connection, *arguments)
    inbox.say(connection, invocation, reply.text)
    return reply


_BEFORE = text("I was restarted in between; it was done once.")

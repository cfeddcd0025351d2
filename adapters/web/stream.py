"""What an open page is told: each message that changed, under its revision, from where the page left off."""

from collections.abc import Callable

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from adapters.web import messages
from adapters.web.changes import Changes
from adapters.web.messages import Message
from adapters.web.ports import Database
from adapters.web.rooms import shown_room
from adapters.web.view import Viewer

RETRY = 500  # milliseconds until the browser connects again


async def stream(
    request: web.Request, viewer: Viewer, database: Database, changes: Changes, draw: Callable[[Message], str]
) -> web.StreamResponse:
    """Runs until the page goes away or the server stops."""
    seen = _seen(request)
    async with sse_response(request) as response:
        await response.send("", event="hello", retry=RETRY)
        while not changes.closed and not _gone(request, response):
            watched = changes.watch()
            found = await messages.newer(database, viewer.name, seen)
            for message in found:
                await _tell(response, message, viewer, draw)
                seen = message.revision
            if not found:
                await changes.wait(watched)
        return response


async def _tell(
    response: EventSourceResponse, message: Message, viewer: Viewer, draw: Callable[[Message], str]
) -> None:
    if message.room != viewer.stored_room:
        await response.send(shown_room(message.room), id=str(message.revision), event="elsewhere")
    elif message.removed:
        await response.send(message.id, id=str(message.revision), event="removed")
    else:
        await response.send(draw(message), id=str(message.revision), event="message")


def _seen(request: web.Request) -> int:
    """A reconnecting browser says in a header what it saw last, a new page in its address."""
    said = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0


def _gone(request: web.Request, response: EventSourceResponse) -> bool:
    return request.transport is None or request.transport.is_closing() or not response.is_connected()

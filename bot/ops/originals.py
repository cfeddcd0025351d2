"""The originals of pictures under signed addresses, for places that cannot show them as they are.

Whoever has such an address sees that one picture until the address expires, or until the picture is deleted or cleaned
up. So one is given only where the picture itself may be seen.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from aiohttp import web
from yarl import URL

from bot.chat import Picture
from bot.clock import micros
from bot.errors import NotThere, Unavailable
from bot.generation import outbox
from bot.media.bucket import Link, nowhere
from bot.media.sniff import HEAD, sniff
from bot.storage.connection import Connection
from bot.storage.database import Database

PATH = "/p/"
DAY = 86_400
SIGNATURE_BYTES = 16
LINK_GOOD = 300.0  # seconds; it is followed at once, but the store's clock may differ from ours
SUFFIXES = {"image/jpeg": "jpg"}
# The cache asks each time: the picture may be deleted. `nosniff` and the like come with every answer of the server.
HEADERS = {"X-Robots-Tag": "noindex", "Cache-Control": "private, no-cache"}


class Originals:
    """base: the address of this server as it is seen from outside. days: how long a link is good, at least.

    read: the bytes of a blob, in chunks; raises `NotThere`. link: where the store itself shows it.
    """

    def __init__(
        self,
        *,
        base: str,
        secret: bytes,
        days: int,
        database: Database,
        read: Callable[[str], AsyncIterator[bytes]],
        clock: Callable[[], datetime],
        link: Link = nowhere,
    ) -> None:
        self._base = base.rstrip("/")
        self._secret = secret
        self._days = days
        self._database = database
        self._read = read
        self._clock = clock
        self._link = link

    def of(self, picture: Picture) -> str:
        return self.link(picture.generation, picture.index)

    def link(self, generation: str, index: int) -> str:
        """The same the whole day long, so that a message which shows it need not be changed again and again."""
        until = (self._now() // DAY + 1 + self._days) * DAY
        name = f"{generation}:{index}"
        return f"{self._base}{PATH}{name}?until={until}&sig={self._signature(name, str(until))}"

    def mount(self, application: web.Application) -> None:
        application.router.add_get(PATH + "{name}", self._show)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        name, until = request.match_info["name"], request.query.get("until", "")
        given = request.query.get("sig", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._signature(name, until).encode()):
            raise web.HTTPForbidden(text="This link is not valid.\n")
        if int(until) <= self._now():
            raise web.HTTPGone(text="This link has expired. /details gives a new one.\n")
        generation, _, index = name.partition(":")
        blob = await self._blob(generation, int(index))
        chunks = self._read(blob)
        try:
            if request.method == "GET" and (elsewhere := await self._link(blob, LINK_GOOD)):
                raise web.HTTPFound(URL(elsewhere, encoded=True), headers=HEADERS)
            head = await anext(chunks, b"")
        except NotThere:
            raise web.HTTPNotFound from None
        except Unavailable:
            raise web.HTTPServiceUnavailable(text="This picture cannot be read just now.\n") from None
        media_type = sniff(head[:HEAD])
        if not media_type:  # only pictures leave here, whatever lies in the store
            raise web.HTTPNotFound
        suffix = SUFFIXES.get(media_type, media_type.removeprefix("image/"))
        shown_as = f'inline; filename="{generation}-{int(index) + 1}.{suffix}"'
        headers = {**HEADERS, "Content-Type": media_type, "Content-Disposition": shown_as}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        await response.write(head)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _blob(self, generation: str, index: int) -> str:
        found = await self._database.read(outbox.existing, generation)
        images = found.images if found else ()
        blob = next((each.blob for each in images if each.index == index and each.state == "made"), None)
        if blob is None:
            raise web.HTTPNotFound(text="This picture is no longer here.\n")
        return blob

    def _signature(self, name: str, until: str) -> str:
        """Of these very words: what is read as a number afterwards was written as one here."""
        told = f"{name}\n{until}".encode("utf-8", "surrogateescape")
        digest = hmac.digest(self._secret, told, hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).rstrip(b"=").decode()

    def _now(self) -> int:
        return micros(self._clock()) // 1_000_000


def secret(connection: Connection) -> bytes:
    """What links are signed with: made once, and kept with the data, so that they outlive a restart."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('links', :value) ON CONFLICT (name) DO NOTHING",
        value=secrets.token_hex(32),
    )
    row = connection.row("SELECT value FROM meta WHERE name='links'")
    assert row is not None
    return bytes.fromhex(row["value"])

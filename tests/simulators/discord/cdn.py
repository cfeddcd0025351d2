"""Discord's file hosts: links are signed and expire, and what was given to an interaction vanishes after a while."""

import hashlib
import hmac
import io
import mimetypes
import re
from datetime import UTC, datetime, timedelta

from aiohttp import web
from PIL import Image

from tests.simulators.discord.clock import Clock
from tests.simulators.discord.model import Attachment

HOST, MEDIA_HOST = "cdn.discordapp.com", "media.discordapp.net"
LINK_LIFE = timedelta(hours=24)
EPHEMERAL_LIFE = timedelta(hours=1)  # Discord says "a set period" and no number
_KEY = b"known to the CDN alone"


class Cdn:
    """Keeps every file. `kept`: path -> attachment."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kept: dict[str, Attachment] = {}

    def keep(
        self,
        id: str,
        folder: str,
        filename: str,
        data: bytes,
        *,
        description: str | None = None,
        ephemeral: bool = False,
    ) -> Attachment:
        """Store a file under the name that Discord makes of its name. folder: the id of a channel or an application."""
        name = re.sub(r"[^A-Za-z0-9_.-]", "", filename.replace(" ", "_")) or "unknown"
        size, content_type = _looked_at(name, data)
        kept = Attachment(
            id=id,
            filename=name,
            data=data,
            path=f"/{'ephemeral-' if ephemeral else ''}attachments/{folder}/{id}/{name}",
            content_type=content_type,
            stored_at=self.clock(),
            size=size,
            description=description,
            ephemeral=ephemeral,
        )
        self.kept[kept.path] = kept
        return kept

    def link(self, file: Attachment, host: str = HOST) -> str:
        """Signed, good for a day from now on."""
        now = self.clock()
        issued, expires = (f"{int(at.timestamp()):x}" for at in (now, now + LINK_LIFE))
        return f"https://{host}{file.path}?ex={expires}&is={issued}&hm={_signature(file.path, expires, issued)}&"

    async def serve(self, request: web.Request) -> web.Response:
        """GET of a file; 404 with Discord's words where the link or the file is no longer good."""
        file = self.kept.get(request.path)
        if file is None or not self._good(request) or self._gone(file):
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=file.data, headers={"Content-Type": file.content_type})

    def _good(self, request: web.Request) -> bool:
        expires, issued, given = (request.query.get(name, "") for name in ("ex", "is", "hm"))
        if not hmac.compare_digest(given, _signature(request.path, expires, issued)):
            return False
        return self.clock() < datetime.fromtimestamp(int(expires, 16), UTC)

    def _gone(self, file: Attachment) -> bool:
        return file.vanished or (file.ephemeral and self.clock() - file.stored_at >= EPHEMERAL_LIFE)


def _signature(path: str, expires: str, issued: str) -> str:
    return hmac.new(_KEY, f"{path}{expires}{issued}".encode(), hashlib.sha256).hexdigest()


def _looked_at(filename: str, data: bytes) -> tuple[tuple[int, int] | None, str]:
    """Size and content type: of a picture by its first bytes, of all else by its name."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size, Image.MIME.get(picture.format or "", "application/octet-stream")
    except (OSError, Image.DecompressionBombError):
        return None, mimetypes.guess_type(filename)[0] or "application/octet-stream"


async def avatar(_: web.Request) -> web.Response:
    """Everybody looks the same here."""
    drawn = io.BytesIO()
    Image.new("RGB", (16, 16), "slateblue").save(drawn, "PNG")
    return web.Response(body=drawn.getvalue(), content_type="image/png")

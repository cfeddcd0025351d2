"""What stands behind an answer's links: pictures of the true size, signed for a day, and how they go wrong."""

import asyncio
import io
import secrets
import struct
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from aiohttp import web
from PIL import Image

from bot.providers.sandbox.links import Links
from tests.fakes import painted
from tests.simulators.base import Fault, Simulator, reset

HUGE = 30_000_000
PURGED = timedelta(hours=48)  # when a link that answered 403 answers 404, as APIYI says; how long is unknown


@dataclass(frozen=True, slots=True)
class Kept:
    data: bytes
    media_type: str
    made: datetime
    fault: Fault | None


class Results:
    """One simulator's object store; its downloads are recorded among the simulator's requests."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._links = Links(secrets.token_bytes(32))
        self._kept: dict[str, Kept] = {}

    def routes(self, application: web.Application) -> None:
        application.router.add_get("/tos/{name}", self._download)
        application.router.add_get("/inside/{name}", self._inside)

    def keep(self, data: bytes, media_type: str, fault: Fault | None) -> str:
        """The link to a picture."""
        now = self._simulator.clock()
        extension = "webp" if fault is Fault.WRONG_TYPE else media_type.removeprefix("image/")
        name = f"{secrets.token_hex(8)}.{extension}"
        self._kept[name] = Kept(data, media_type, now, fault)
        return self._simulator.origin + self._links.sign(f"/tos/{name}", now)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        await self._simulator.record(request)
        kept = self._kept.get(request.match_info["name"])
        now = self._simulator.clock()
        if kept is None or now >= kept.made + PURGED:
            return _error(404, "NoSuchKey")
        if kept.fault is Fault.GONE or not self._links.holds(request.path, request.query, now):
            return _error(403, "AccessDenied")
        match kept.fault:
            case Fault.WRONG_TYPE:
                return web.Response(body=kept.data, content_type="text/plain")
            case Fault.NOT_A_PICTURE:
                return web.Response(body=kept.data, content_type="text/html")
            case Fault.CUT_PICTURE:
                return await cut(request, kept.data, kept.media_type)
            case Fault.INWARD:
                # The same server under a name that nobody allowed: only the guard stands before the picture.
                inside = f"http://localhost:{self._simulator.port}/inside/{request.match_info['name']}"
                return web.Response(status=302, headers={"Location": inside})
            case _:
                return web.Response(body=kept.data, content_type="application/octet-stream")

    async def _inside(self, request: web.Request) -> web.Response:
        await self._simulator.record(request)
        return web.Response(body=self._kept[request.match_info["name"]].data)


async def drawn(seed: int, width: int, height: int, kind: str, fault: Fault | None) -> tuple[bytes, str]:
    """A picture, or what stands in its place, and its media type. kind: "jpeg", "png", or "clear": one with alpha."""
    match fault:
        case Fault.NOT_A_PICTURE:
            return b"<html><body>Sign in to see this picture.</body></html>", "text/html"
        case Fault.HUGE:
            return await asyncio.to_thread(_huge, width, height), "image/png"
        case Fault.WRONG_TYPE:
            kind = "png"  # whatever was asked for
    data = await asyncio.to_thread(_drawn, seed % 8, width, height, kind)
    return data, "image/jpeg" if kind == "jpeg" else "image/png"


async def cut(request: web.Request, body: bytes, media_type: str) -> web.StreamResponse:
    """Half of it, although the whole length was told."""
    response = web.StreamResponse(headers={"Content-Type": media_type})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    reset(request)
    return response


@lru_cache(maxsize=64)
def _drawn(seed: int, width: int, height: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    colour = (30 * seed, 90, 160)
    if kind == "clear":
        image = Image.new("RGBA", (width, height))
        image.paste((*colour, 255), (width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    else:
        image = Image.new("RGB", (width, height), colour)
    image.save(buffer, "JPEG" if kind == "jpeg" else "PNG", quality=50, compress_level=1)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _huge(width: int, height: int) -> bytes:
    """A PNG of 30 MB, by a private chunk behind its header that every reader skips."""
    png, body = painted("huge", width, height), b"\0" * HUGE
    chunk = struct.pack(">I", len(body)) + b"prVt" + body + struct.pack(">I", zlib.crc32(b"prVt" + body))
    after_header = 8 + 25
    return png[:after_header] + chunk + png[after_header:]


def _error(status: int, code: str) -> web.Response:
    return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")

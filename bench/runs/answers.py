"""A provider that answers every request with the same picture as base64, and a platform that takes uploads.

together: nobody is answered before so many requests are waiting, so that all answers are under way at once.
"""

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

from aiohttp import web

PIECE = 3 * 2**18


class Answers:
    def __init__(self, body: Path, together: int) -> None:
        self._body = body
        self._together = together
        self._waiting = 0
        self._all_here = asyncio.Event()

    async def generate(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self._waiting += 1
        if self._waiting == self._together:
            self._all_here.set()
        await self._all_here.wait()
        return web.FileResponse(self._body, headers={"Content-Type": "application/json"})

    async def upload(self, request: web.Request) -> web.Response:
        """Read it to its end and forget it; says how many bytes came."""
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
        return web.json_response({"id": "1", "size": size})

    async def begin_anew(self, request: web.Request) -> web.Response:
        self._waiting = 0
        self._all_here = asyncio.Event()
        return web.Response()


def write_body(picture: Path, body: Path) -> None:
    entry, usage = '{"b64_json": "', {"generated_images": 1, "output_tokens": 1, "total_tokens": 1}
    with body.open("wb") as sink, picture.open("rb") as source:
        sink.write(f'{{"model": "bench", "created": 1, "data": [{entry}'.encode())
        while piece := source.read(PIECE):
            sink.write(base64.b64encode(piece))
        sink.write(f'", "size": "1x1"}}], "usage": {json.dumps(usage)}}}'.encode())


async def serve(*, picture: str, together: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body.json"
        write_body(Path(picture), body)
        answers = Answers(body, together)
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/images/generations", answers.generate)
        app.router.add_post("/uploads", answers.upload)
        app.router.add_post("/begin-anew", answers.begin_anew)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))

"""lark_oapi's dispatcher with a handler that counts: behind aiohttp, or at the end of its own long connection."""

import asyncio
import json
import sys
import threading
from typing import Any

import lark_oapi  # type: ignore[import-untyped, unused-ignore]
from aiohttp import web

from bench.runs.feishu_events_beside import Handled, report


async def work(*, url: str, port: int, app_id: str, app_secret: str, encrypt_key: str, verification_token: str) -> None:
    handled = Handled()
    builder = lark_oapi.EventDispatcherHandler.builder(encrypt_key, verification_token, lark_oapi.LogLevel.CRITICAL)
    dispatcher = builder.register_p2_im_message_receive_v1(handled).build()
    if encrypt_key:
        await _serve(dispatcher, port)
    else:
        client = lark_oapi.ws.Client(
            app_id, app_secret, lark_oapi.LogLevel.CRITICAL, event_handler=dispatcher, domain=url
        )
        threading.Thread(target=client.start, daemon=True).start()
    report(handled)
    await asyncio.Event().wait()


async def _serve(dispatcher: Any, port: int) -> None:
    async def take(request: web.Request) -> web.Response:
        raw = lark_oapi.RawRequest()
        raw.uri, raw.body, raw.headers = request.path, await request.read(), request.headers
        done = dispatcher.do(raw)
        return web.Response(status=done.status_code, body=done.content, content_type="application/json")

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

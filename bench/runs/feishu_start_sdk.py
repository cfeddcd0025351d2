"""lark_oapi's own way to a long connection, in a thread; its client cannot be stopped, so the process just ends."""

import asyncio
import json
import os
import sys
import threading
from typing import Any

from bench.runs.feishu_start_lag import lag_of

LOOK = 0.002  # s


async def work(*, url: str, app_id: str, app_secret: str) -> dict[str, Any]:
    clients: list[Any] = []

    def run() -> None:
        import lark_oapi  # type: ignore[import-untyped, unused-ignore]

        handler = lark_oapi.EventDispatcherHandler.builder("", "").build()
        client = lark_oapi.ws.Client(app_id, app_secret, event_handler=handler, domain=url)
        client._log_level = lark_oapi.LogLevel.ERROR
        clients.append(client)
        client.start()

    async def start() -> None:
        threading.Thread(target=run, daemon=True).start()
        while not (clients and clients[0]._conn):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(LOOK)

    return await lag_of(start())


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(**json.loads(sys.argv[1])))), flush=True)
    os._exit(0)

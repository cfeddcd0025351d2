"""The fake Feishu as a process of its own, for an app whose id and secret are given."""

import asyncio
import json
import signal
import sys

from tests.simulators.feishu.fake import FakeFeishu

STARTS = 1000


async def work(*, delay: float, app_id: str, app_secret: str) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with FakeFeishu() as feishu:
        feishu.app_id, feishu.app_secret = app_id, app_secret
        feishu.faults.add("ws.endpoint", delay=delay, times=STARTS)
        print(feishu.url, flush=True)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

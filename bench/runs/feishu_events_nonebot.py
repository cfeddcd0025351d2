"""nonebot2 with its Feishu adapter and a handler that counts; it logs no more than warnings, and no requests."""

import json
import sys
from typing import Any

import nonebot  # type: ignore[import-not-found, unused-ignore]
from nonebot.adapters.feishu import Adapter  # type: ignore[import-not-found, unused-ignore]

from bench.runs.feishu_events_beside import Handled, report


class Portrayed(Adapter):  # type: ignore[misc, unused-ignore]
    """It wants to know what the bot looks like, which the fake Feishu leaves empty."""

    async def send_request(self, request: Any, **data: Any) -> Any:
        answer = await super().send_request(request, **data)
        if isinstance(answer, dict) and "bot" in answer:
            answer["bot"]["avatar_url"] = "https://example.invalid/bot.png"
        return answer


def work(*, url: str, port: int, app_id: str, app_secret: str, encrypt_key: str, verification_token: str) -> None:
    handled = Handled()
    bot = {"app_id": app_id, "app_secret": app_secret, "verification_token": verification_token}
    way = {"encrypt_key": encrypt_key, "protocol": "http"} if encrypt_key else {"protocol": "ws"}
    nonebot.init(
        driver="~fastapi+~aiohttp",
        host="127.0.0.1",
        port=port,
        log_level="WARNING",
        feishu_api_base=url,
        feishu_bots=[{**bot, **way}],
    )
    driver = nonebot.get_driver()
    driver.register_adapter(Portrayed)

    @nonebot.on_message().handle()  # type: ignore[untyped-decorator, unused-ignore]
    async def count() -> None:
        handled()

    report(handled)  # whoever writes waits until it hears
    nonebot.run(access_log=False)


if __name__ == "__main__":
    work(**json.loads(sys.argv[1]))

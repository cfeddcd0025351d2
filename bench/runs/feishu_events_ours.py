"""The whole bot on Feishu. An event is checked, read, and noted durably; instead of being answered it is counted."""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from bench.runs.feishu_events_beside import Handled, report
from bot.app import running
from bot.ops import logs
from bot.ops.serving import keep_for_good
from bot.platforms import Feishu
from bot.settings import Settings, Web
from bot.vendors import ModelArk


async def work(*, url: str, port: int, app_id: str, app_secret: str, encrypt_key: str, verification_token: str) -> None:
    handled = Handled()
    with TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            providers=("modelark",),
            modelark=ModelArk(api_key=SecretStr("bench"), base_url=url),  # nothing is ever asked of it
            web=Web(port=port),
            feishu=Feishu(
                app_id=app_id,
                app_secret=SecretStr(app_secret),
                domain=url,
                encrypt_key=SecretStr(encrypt_key) if encrypt_key else None,
                verification_token=SecretStr(verification_token),
            ),
        )
        logs.configure(settings.log.level, settings.log.format)
        async with running(settings) as app:
            app.dispatcher.start = handled  # type: ignore[method-assign]
            keep_for_good()
            report(handled)
            await asyncio.Event().wait()  # it is killed


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

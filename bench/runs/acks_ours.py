"""The whole bot on Discord before a provider that never answers: commands are checked, noted, held, put in the line."""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from bench.runs.acks_beside import fitting, report
from bot.app import running
from bot.ops import logs
from bot.ops.serving import keep_for_good
from bot.platforms import Discord
from bot.settings import Settings, Web
from bot.vendors import ModelArk


async def work(*, token: str, proxy: str, beside: dict[str, Any], provider: str) -> None:
    with TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            providers=("modelark",),
            modelark=ModelArk(api_key=SecretStr("bench"), base_url=provider),
            web=Web(port=0),
            discord=Discord(token=SecretStr(token), proxy=proxy),
        )
        logs.configure(settings.log.level, settings.log.format)
        async with running(settings), fitting(**beside) as work:
            keep_for_good()
            await report(work)
            await asyncio.Event().wait()  # it is killed: nothing has to come to its end here


if __name__ == "__main__":
    asyncio.run(work(**json.loads(sys.argv[1])))

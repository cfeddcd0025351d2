"""The fake Feishu alone, for trying the bot by hand: `python -m tests.simulators.feishu` prints the bot's settings.

Each line that is typed is what Ann says to the bot; what the bot answers is printed.
"""

import asyncio
import sys
from functools import partial

from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message
from tests.simulators.feishu.people import Person


async def main() -> None:
    async with FakeFeishu() as fake:
        settings = {"DOMAIN": fake.url, "APP_ID": fake.app_id, "APP_SECRET": fake.app_secret}
        for name, value in settings.items():
            print(f"BOT_FEISHU__{name}={value}", flush=True)  # noqa: T201
        ann = fake.person("Ann")
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = await ann.says(line.strip())
            await fake.until(partial(answered, ann, asked), within=60, what="an answer")
            print(ann.sees()[-1].text, *fake.complaints, sep="\n", flush=True)  # noqa: T201


def answered(ann: Person, asked: Message) -> bool:
    return ann.sees()[-1] is not asked


if __name__ == "__main__":
    asyncio.run(main())

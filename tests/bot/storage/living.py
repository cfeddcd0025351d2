"""A process that uses the database and does nothing else, until it is killed.

    python -m tests.bot.storage.living URL BEAT

It prints its id when it is there.
"""

import asyncio
import sys

from bot.storage import schema
from bot.storage.members import Member


async def live(url: str, beat: float) -> None:
    async with Member(url, role="worker", version="1", head=schema.head(), beat=beat) as member:
        sys.stdout.write(f"{member.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], float(sys.argv[2])))

"""A process that claims something, and writes down by the database's clock when it knew for certain that it has it.

    python -m tests.bot.storage.holder URL NAME BEAT IDLE

It prints a line "has" when it has it, "lost" when it has learnt that it may have lost it, and then stands by again.
"""

import asyncio
import sys
from contextlib import suppress

import psycopg

from bot.storage.held import Claim, Held
from bot.storage.postgres import connect
from bot.storage.session import certain_time

TABLE = "CREATE TABLE claimed (term TEXT NOT NULL, knew DOUBLE PRECISION NOT NULL, at TIMESTAMPTZ NOT NULL)"
NOTE = "INSERT INTO claimed (term, knew, at) VALUES (%s, %s, clock_timestamp())"


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def claim(url: str, name: str, beat: float, idle: float) -> None:
    terms = 0
    while True:
        async with Held(url, [Claim("what only one may do")], beat=beat, idle=idle) as held:
            terms += 1
            say("has")
            with suppress(psycopg.OperationalError), connect(url) as raw:
                while held.proven:
                    raw.execute(NOTE, (f"{name} {terms}", certain_time()))
                    await asyncio.sleep(0.01)
                say("lost")


if __name__ == "__main__":
    asyncio.run(claim(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))

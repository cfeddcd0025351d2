"""A process that takes from a team's pool as often as it can: `python -m tests.bot.quota.taker URL NAME TIMES`.

It says "ready", waits for a line, and says how many of them it was given.
"""

import asyncio
import sys

from bot.errors import QuotaExceeded
from bot.quota import ledger
from bot.quota.standing import Payer, Rules
from bot.storage.connection import Connection
from bot.storage.postgres import PostgresDatabase
from tests.bot.quota.test_ledger import NOON

RULES = Rules(policy={}, now=NOON, zone="UTC")


def take(connection: Connection, name: str, person: str, space: str) -> None:
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider,"
        " model, count, price, state, created_at, team) VALUES (:id, :id, :person, '', :space, 'a', 'en', '{}', 'p',"
        " 'm', 1, 0, 'queued', 0, 'red')",
        id=name,
        person=person,
        space=space,
    )
    payer = Payer(person=person, space=space, team="red")
    ledger.hold(connection, name, payer, {"images": 1, "usd": 40_000}, RULES)


async def main(url: str, name: str, times: int) -> None:
    async with PostgresDatabase(url) as database:
        print("ready", flush=True)  # noqa: T201 - read by the test
        await asyncio.to_thread(sys.stdin.readline)
        asking = [
            database.transaction(take, f"{name}{number}", f"p{number % 5}", f"{name}/space") for number in range(times)
        ]
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
    wrong = [each for each in outcomes if each is not None and not isinstance(each, QuotaExceeded)]
    print("wrong", wrong[0] if wrong else "nothing", flush=True)  # noqa: T201
    print(outcomes.count(None), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

"""One round on a budget: two hundred askings at once by one human with an account on each of two platforms.

Both accounts are linked, and both ask for a team; the human and the team may have so many pictures in all. The bot is
a process of its own between a fake Discord, a fake Feishu and Apiframe's simulator, and may be killed in the middle:
what nobody noted by then is asked for again, as people do.
"""

import asyncio
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench.fresh import environment
from bench.runs.meter import main, measured
from bot import linking, teams
from bot.audit import OPERATOR
from bot.chat import Actor
from bot.clock import micros
from bot.generation.states import ENDED, listed
from bot.people import find, space_of
from bot.quota import audit, ledger
from bot.storage import schema
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, SQLiteConnection, open_database, read_only
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.people import Person as OnDiscord
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Chat
from tests.simulators.feishu.people import Person as OnFeishu

PATIENCE = 60.0  # s
ROOMS = 20  # groups on Feishu, which takes five messages a second in each
SECONDS = 0.5  # that a picture takes
NOTED, PAID = 7, 3  # when it is killed: every seventh asking is noted, or so many pictures are paid for
PROMPT = "a red fox in the snow"
KINDS = ("team", "person")
OPEN = f"SELECT count(*) AS n FROM generations WHERE state NOT IN ({listed(ENDED)})"
TO_TELL = (
    "SELECT (SELECT count(*) FROM inbox WHERE state='received')"
    " + (SELECT count(*) FROM postings WHERE state IN ('to post', 'posting')) AS n"
)


@dataclass(kw_only=True)
class Round:
    folder: Path
    discord: FakeDiscord
    feishu: FakeFeishu
    sim: ApiframeSim
    ann: OnDiscord
    an: OnFeishu
    rooms: list[Chat] = field(default_factory=list)
    process: Process | None = None

    @property
    def file(self) -> Path:
        return self.folder / "bot.db"

    def number(self, sql: str) -> int:
        with closing(read_only(self.file)) as raw:
            return int(raw.execute(sql).fetchone()["n"])

    def noted(self, adapter: str) -> int:
        return self.number(f"SELECT count(*) AS n FROM inbox WHERE adapter='{adapter}'")

    async def start(self) -> None:
        settings = {
            **self.discord.environment(),
            "BOT_DATA_DIR": str(self.folder),
            "BOT_WEB__PORT": "0",
            "BOT_DISCORD__TOKEN": self.discord.token,
            "BOT_DISCORD__PROXY": self.discord.proxy.url,
            "BOT_FEISHU__APP_ID": self.feishu.app_id,
            "BOT_FEISHU__APP_SECRET": self.feishu.app_secret,
            "BOT_FEISHU__DOMAIN": self.feishu.url,
            "BOT_PROVIDERS": '["apiframe"]',
            "BOT_APIFRAME__API_KEY": self.sim.key,
            "BOT_APIFRAME__BASE_URL": self.sim.origin,
            "BOT_FETCH__ALLOW": json.dumps([urlsplit(self.sim.origin).netloc]),
            "BOT_MODEL": "seedream-4",
            "BOT_QUEUE__PER_PERSON": "16",
            "BOT_LOG__LEVEL": "ERROR",
        }
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "bot", "run"),
            env=environment(**settings),
            cwd=self.folder.parent,
            stdout=DEVNULL,
        )
        discord, feishu = self.discord, self.feishu
        await until(lambda: discord.gateway.connected and discord.commands.syncs and len(feishu.connections) > 0)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await until(lambda: not self.discord.gateway.connected and len(self.feishu.connections) == 0)

    async def ask(self, here: int, there: int) -> None:
        """So many on each platform, all of them at once."""
        async with asyncio.TaskGroup() as group:
            for number in range(max(here, there)):
                if number < here:
                    group.create_task(self.ann.slash("imagine", prompt=PROMPT))
                if number < there:
                    group.create_task(
                        self.an.says(f"{{bot}} /imagine {PROMPT}", to=self.rooms[number % ROOMS], wait=False)
                    )

    async def quiet(self) -> None:
        """Everything that was noted has its end, and everybody was told."""
        try:
            await until(lambda: not self.number(OPEN) and not self.number(TO_TELL))
        except TimeoutError:
            raise RuntimeError(f"no end: {self.state()}") from None

    def state(self) -> dict[str, Any]:
        with closing(read_only(self.file)) as raw:
            tables = ("generations", "inbox", "postings")
            return {
                table: {
                    row["state"]: row["n"]
                    for row in raw.execute(f"SELECT state, count(*) AS n FROM {table} GROUP BY 1")
                }
                for table in tables
            }


def work(*, asked: int, budget: int, kill: str) -> Any:
    """kill: "" for none, "noted" or "paid" for when."""
    return _work(asked, budget, kill)


async def _work(asked: int, budget: int, kill: str) -> dict[str, Any]:
    half = asked // 2
    async with _standing(budget) as round_:
        with measured() as found:
            await round_.start()
            await round_.ask(half, asked - half)
            if kill:
                await until(_moment(round_, kill, asked))
                await round_.kill()
                found["noted before"] = round_.noted("discord") + round_.noted("feishu")
                await round_.start()
            await _all_noted(round_, half, asked - half)
            while (missing := _missing(round_, half, asked - half)) != (0, 0):
                await round_.ask(*missing)
                await _all_noted(round_, half, asked - half)
            await round_.quiet()
        assert round_.process is not None
        round_.process.send_signal(signal.SIGTERM)
        await round_.process.wait()
        return {**found, **_found(round_)}


def _moment(round_: Round, kill: str, asked: int) -> Callable[[], bool]:
    if kill == "paid":
        return lambda: round_.sim.billed >= PAID
    return lambda: round_.noted("discord") + round_.noted("feishu") >= asked // NOTED


def _missing(round_: Round, here: int, there: int) -> tuple[int, int]:
    return max(0, here - round_.noted("discord")), max(0, there - round_.noted("feishu"))


async def _all_noted(round_: Round, here: int, there: int) -> None:
    """Until all are noted, or none was for a while: what came too late for its first answer has to be said again."""
    last, quiet = (-1, -1), 0
    while (missing := _missing(round_, here, there)) != (0, 0) and quiet < 50:
        quiet = quiet + 1 if missing == last else 0
        last = missing
        await asyncio.sleep(0.1)


def _found(round_: Round) -> dict[str, Any]:
    with closing(read_only(round_.file)) as raw:
        connection = SQLiteConnection(raw)
        books = audit.verify(connection)
        states = connection.rows("SELECT state, count(*) AS n FROM generations GROUP BY state")
        pools = connection.rows(
            "SELECT account, held, spent FROM balances WHERE win='total' AND unit='images'"
            " AND (account LIKE 'team:%' OR account LIKE 'person:%')"
        )
    return {
        "asked": round_.noted("discord") + round_.noted("feishu"),
        "generated": round_.sim.billed,
        "stored": round_.number("SELECT count(*) AS n FROM images"),
        "states": {row["state"]: row["n"] for row in states},
        "spent": {kind: max(row["spent"] for row in pools if row["account"].startswith(kind)) for kind in KINDS},
        "held": round_.number("SELECT count(*) AS n FROM holds WHERE state<>'closed'"),
        "problems": list(books.problems),
    }


@asynccontextmanager
async def _standing(budget: int) -> AsyncIterator[Round]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory())) / "data"
        folder.mkdir()
        discord = await stack.enter_async_context(FakeDiscord())
        feishu = await stack.enter_async_context(FakeFeishu())
        sim = await stack.enter_async_context(ApiframeSim(seconds=SECONDS))
        ann, an = discord.person("Ann"), feishu.person("An")
        round_ = Round(folder=folder, discord=discord, feishu=feishu, sim=sim, ann=ann, an=an)
        round_.rooms += [feishu.group(f"Studio {number}", an) for number in range(ROOMS)]
        schema.migrate(round_.file)
        async with open_database(SQLITE + str(round_.file)) as database:
            here = Actor(adapter="discord", user=str(ann.user.id), name="Ann", space=str(discord.guild.id))
            there = Actor(adapter="feishu", user=an.open_id, name="An", space="")
            await database.transaction(_prepare, here, there, budget)
        try:
            yield round_
        finally:
            if round_.process and round_.process.returncode is None:
                round_.process.kill()
                await round_.process.wait()


def _prepare(connection: Connection, here: Actor, there: Actor, budget: int) -> None:
    """One human, one team, and what both may have."""
    at = micros(datetime.now(UTC))
    ann, an = find(connection, here, at), find(connection, there, at)
    typed = linking.type_code(connection, linking.new_code(connection, ann.id, at), an.id, at, OPERATOR)
    linked = linking.join(connection, an.id, typed.seal, at, OPERATOR)
    assert set(linked) == {ann.id, an.id}, linked
    team = teams.create(connection, space_of(here), "Brand", OPERATOR, at)
    teams.add(connection, team, ann.id, OPERATOR, at)
    for account in (f"team:{team.id}", f"person:{ann.id}", f"person:{an.id}"):
        ledger.set_limit(connection, account, "images", "total", budget)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if condition():
                    return
            except sqlite3.OperationalError:  # its file is just being opened
                pass
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    main(work)

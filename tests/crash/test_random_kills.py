"""Three persons ask for whatever comes to their minds, and the bot is killed again and again, at no chosen moment."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from bot.generation.states import ENDED, listed
from tests.crash.home import PEOPLE, Bot, Home, Said
from tests.crash.promises import broken
from tests.postgres import NEEDED

pytestmark = pytest.mark.crash

AT_ONCE = 3  # what one person waits for at the same time
RUNS = f"state NOT IN ({listed(ENDED)})"


@dataclass
class Crowd:
    """lost: messages that nobody said had arrived; most of them are sent again."""

    home: Home
    random: Random
    lost: list[Said] = field(default_factory=list)
    asked: int = 0

    async def ask_on(self, bot: Bot) -> None:
        """Ask until the bot is gone."""
        async with asyncio.TaskGroup() as persons:
            for person in PEOPLE:
                persons.create_task(self._person(bot, person))

    async def _person(self, bot: Bot, person: str) -> None:
        while bot.process.returncode is None:
            mine = [said for said in self.lost if said.person == person]
            if mine:
                self.lost.remove(mine[0])
                await self._told(await bot.repeat(mine[0]))
            elif self._waiting(person) < AT_ONCE:
                await self._told(await self._something(bot, person))
            await asyncio.sleep(self.random.uniform(0, 0.1))  # a person's own pace

    async def _told(self, said: Said) -> None:
        if not said.acknowledged and self.random.random() < 0.8:
            self.lost.append(said)

    async def _something(self, bot: Bot, person: str) -> Said:
        self.asked += 1
        words = f"picture {self.asked}"
        made = self._generations(person, "state='settled'")
        open_ones = self._generations(person, RUNS)
        match self.random.randrange(14):
            case 0 | 1 | 2 if made:
                id = self.random.choice(made)
                row = self.home.stored.one("SELECT message FROM postings WHERE key=:key", key=f"{id}:0")
                return await bot.say(
                    self.home.prompt(words), person=person, reply_to=row["message"] if row else "never posted"
                )
            case 3 | 4 | 7 if open_ones:
                return await bot.say(press=f"cancel:{self.random.choice(open_ones)}:0", person=person)
            case 8 if made:
                return await bot.say(press=f"again:{self.random.choice(made)}:0", person=person)
            case 5:
                return await bot.say("/quota", person=person)
            case 6:
                return await bot.say(f"/series {self.home.prompt(words)} --count 2 --size 1280x720", person=person)
        return await bot.draw(words, f"--count {self.random.randint(1, 3)}", person=person)

    def _waiting(self, person: str) -> int:
        return len(self._generations(person, RUNS))

    def _generations(self, person: str, which: str) -> list[str]:
        sql = f"SELECT id FROM generations WHERE person_name=:person AND {which} ORDER BY seq DESC LIMIT 20"
        return [row["id"] for row in self.home.stored.rows(sql, person=person)]


async def survive(home: Home, *, kills: int, seed: int) -> None:
    home.settings["BOT_LIMITS__PERSON"] = '{"images": {"day": 100000}}'
    home.settings["BOT_QUEUE__DRAIN"] = "0.2s"
    home.settings["BOT_QUEUE__RUNNING"] = "3"  # so that some wait in the line
    random = Random(seed)
    crowd = Crowd(home, random)
    async with home.running() as bot:
        await bot.say("/quota")
        await home.quiet()
    for _ in range(kills):
        if random.random() < 0.1:  # it does not even get to its feet
            async with home.starting() as bot:
                await _live(bot, random.uniform(0.02, 0.2))
            continue
        async with home.running() as bot, asyncio.TaskGroup() as tasks:
            tasks.create_task(crowd.ask_on(bot))
            await _live(bot, random.uniform(0.1, 1.2))
            if random.random() < 0.2:
                bot.stop()
                await bot.ended()
            else:
                await bot.kill()
        assert home.stored.problems() == ()
    async with home.running() as bot:
        for said in crowd.lost:
            await bot.repeat(said)
        await home.quiet()

    rows = home.stored.rows("SELECT state, count(*) AS n FROM generations GROUP BY state")
    ends = {row["state"]: row["n"] for row in rows}
    print(f"\n{kills} kills, {sum(said.acknowledged for said in home.said.values())} acknowledged, {ends}")  # noqa: T201
    assert broken(home) == []
    assert ends.get("settled", 0) > 0  # a slow machine is killed before it has settled more
    assert ends.get("unknown", 0) > 0


async def _live(bot: Bot, seconds: float) -> None:
    with suppress(TimeoutError):
        await bot.ended(within=seconds)


@pytest.mark.timeout(300)
async def test_twenty_kills_lose_nothing_and_pay_for_nothing_twice(home: Home) -> None:
    await survive(home, kills=20, seed=20)


@pytest.mark.parametrize("engine", [pytest.param("postgres", marks=NEEDED)], indirect=True)
async def test_six_kills_on_postgres_lose_nothing_and_pay_for_nothing_twice(home: Home) -> None:
    await survive(home, kills=6, seed=10)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_kills_lose_nothing_and_pay_for_nothing_twice(home: Home) -> None:
    await survive(home, kills=100, seed=100)

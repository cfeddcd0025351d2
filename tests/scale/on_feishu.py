"""A team behind the fake Feishu, with a crowd before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.crash.home import Home
from tests.crash.provider import Provider
from tests.scale.cluster import Addresses
from tests.scale.crowd import REPUSH, Crowd
from tests.scale.team import LEASE, PATIENCE, Seat, Team, until, working
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.model import Message

PEOPLE = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Fay")


@asynccontextmanager
async def crowded(
    folder: Path, provider: Provider, database: Addresses, *seats: str, seed: int = 1, **settings: str
) -> AsyncIterator[Crowd]:
    """seats: names of processes, as `Team.add` takes them; one that ends with "-aside" has a cable of its own."""
    async with FakeFeishu() as fake:
        fake.repush = REPUSH
        home = Home(
            folder / "data",
            provider,
            {
                "BOT_DATABASE_URL": database.near,
                "BOT_FEISHU__APP_ID": fake.app_id,
                "BOT_FEISHU__APP_SECRET": fake.app_secret,
                "BOT_FEISHU__DOMAIN": fake.url,
                "BOT_QUEUE__LEASE": LEASE,
                "BOT_QUEUE__RUNNING": "4",
                "BOT_LIMITS__PERSON": '{"images": {"day": 100000}}',
                "BOT_LIMITS__SPACE": '{"images": {"month": 100000}}',
                "PYTHONWARNINGS": "ignore",
                **settings,
            },
        )
        home.folder.mkdir(parents=True)
        team = Team(home, database.far)
        for name in seats:
            team.add(
                name, **({"BOT_DATABASE_URL": database.aside} if name.endswith("-aside") and database.aside else {})
            )
        async with working(team):
            await fake.until(lambda: len(fake.connections), within=PATIENCE, what="the long connection")
            yield Crowd(team, fake, Random(seed), [fake.person(name) for name in PEOPLE])


def hears(seat: Seat) -> bool:
    """Whether this gateway holds the long connection, as it tells by itself."""
    told = [one["event"] for one in seat.said() if one["event"] in ("hears", "another process may hear it now")]
    return seat.lives and bool(told) and told[-1] == "hears"


async def heard(team: Team, *, but: Seat | None = None, within: float = PATIENCE) -> Seat:
    """Until a gateway (another one than `but`) holds the long connection."""

    def found() -> Seat | None:
        return next((seat for seat in team.all("gateway") if seat is not but and hears(seat)), None)

    seat = await until(found, "a gateway hears", seconds=within)
    assert seat is not None
    return seat


async def in_paid_request(crowd: Crowd, asked: Message) -> Seat:
    """Until the provider has taken it and nothing has come back; the worker that waits for that."""
    await until(lambda: crowd.state(asked) == "sending" and crowd.paid(asked), "the paid request is out")
    seat = crowd.team.owner("SELECT owner FROM generations WHERE invocation=:id", id=crowd.noted_as(asked))
    assert seat is not None
    return seat


async def draws_again(crowd: Crowd, seat: Seat) -> None:
    """Ask until this worker has ended a generation from its beginning: it has left behind whatever it was in."""
    stored, own = crowd.team.stored, f":{seat.pid}:"
    (last,) = stored.rows("SELECT coalesce(max(seq), 0) AS seq FROM generations")

    def drawn() -> bool:
        rows = stored.rows("SELECT owner FROM generations WHERE seq>:last AND state='settled'", last=last["seq"])
        return any(own in row["owner"] for row in rows)

    async with crowd.asking(every=0.2):
        await until(drawn, f"{seat.name} draws again")

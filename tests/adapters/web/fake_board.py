"""What a dashboard has to show, without a core: a month of drawing by a small team, always the same.

It keeps the board's promises that pages lean on: what it refuses it refuses by a `BotError`, and by the viewer's kind.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.web.dashboard.charts import every_day
from adapters.web.dashboard.routes import Dashboard
from bot.chat import AccountLine, Actor, Picture
from bot.clock import micros
from bot.errors import NotAllowed, NotThere, UsageError
from bot.i18n import text, verbatim
from bot.ops.board.auditing import Audit, Changed
from bot.ops.board.health import Health, ProcessHealth, ProviderHealth
from bot.ops.board.humans import Account
from bot.ops.board.line import Open, Possible, Queue
from bot.ops.board.overview import Overview
from bot.ops.board.people import Dossier, Human, People
from bot.ops.board.pictures import Entry, Gallery, Kin, Shot, Whole
from bot.ops.board.pools import Pool, Pools
from bot.ops.board.rights import Rights
from bot.ops.board.spending import Failed, Latency, Spend, Spent, Sums, step_of
from bot.ops.keys import Holder, Keys, new_link
from bot.people import find
from bot.storage.connection import Connection
from tests.adapters.web.fake_core import NOW, FakeCore, blob_of, core_with_page, paint

TODAY = NOW.date()
HEIGHTS = (320, 180, 320, 480)
PROMPTS = (
    "a fox in the snow at first light, long shadows, quiet",
    "雪地里的狐狸，清晨的第一缕光",
    '<script>alert(1)</script> & a "quoted" harbour',
    "the same harbour as an etching with a long sentence about ropes, cranes, gulls and the smell of tar in winter",
    "=2+5 as a neon sign",
)
PEOPLE = ("Alice", "Bob Marley", "陈晓明", "carol", "Dr. Łukasz Öztürk-Fernández", "eve")


def sums(seed: int) -> Sums:
    dice = random.Random(seed)
    images = dice.randint(0, 60)
    return Sums(requests=images + dice.randint(0, 9), failed=dice.randint(0, 4), images=images, usd=images * 38_000)


def spent(by: str, since: str, until: str) -> tuple[Spent, ...]:
    if by == "day" and step_of(since, until) == "month":
        months = dict.fromkeys(day[:7] for day, _ in every_day((), since, until))
        return tuple(Spent(key=month, name=month, sums=sums(int(month[5:]))) for month in months)
    if by == "day":
        first, last = date.fromisoformat(since), date.fromisoformat(until)
        days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
        return tuple(
            Spent(key=day, name=day, sums=sums(date.fromisoformat(day).toordinal()))
            for day in days
            if date.fromisoformat(day).weekday() < 5
        )
    names = {
        "model": ("seedream-4.5", "seedream-4.0", "seedream-5.0-lite"),
        "provider": ("novita", "apiframe"),
        "adapter": ("discord", "feishu", "web"),
        "person": PEOPLE,
        "team": ("Design", "市场部", ""),
        "space": ("discord/1029384756", "feishu/tenant", "web/local"),
    }
    rows = [Spent(key=name, name=name, sums=sums(7 * number)) for number, name in enumerate(names[by], 1)]
    return tuple(sorted(rows, key=lambda row: -row.sums.usd))


def line(name: str, unit: str, window: str, used: int, held: int, limit: int | None) -> AccountLine:
    resets = None if window == "total" else NOW + timedelta(hours=14)
    return AccountLine(name=text(name), unit=unit, window=window, used=used, held=held, limit=limit, resets=resets)


POOLS = (
    Pool(
        account="all",
        kind="all",
        name="",
        members=0,
        lines=(line("Everybody", "usd", "month", 81_250_000, 1_200_000, 200_000_000),),
    ),
    Pool(
        account="space:web/local",
        kind="space",
        name="web/local",
        members=0,
        lines=(
            line("This space", "images", "day", 44, 2, 50),
            line("This space", "images", "month", 812, 2, None),
        ),
    ),
    Pool(
        account="team:t1",
        kind="team",
        name="市场部 Marketing",
        members=7,
        lines=(line("Team", "images", "month", 500, 0, 500), line("Team", "usd", "total", 12_000_000, 0, 90_000_000)),
    ),
)


def total(rows: tuple[Spent, ...]) -> Sums:
    return Sums(
        requests=sum(row.sums.requests for row in rows),
        failed=sum(row.sums.failed for row in rows),
        images=sum(row.sums.images for row in rows),
        usd=sum(row.sums.usd for row in rows),
    )


@dataclass
class FakeBoard:
    """shots: what the gallery has, the newest first. asked: every call with its viewer."""

    shots: list[Shot]
    cancelled: list[str] = field(default_factory=list)
    resolved: dict[str, bool] = field(default_factory=dict)
    exported: list[tuple[Any, ...]] = field(default_factory=list)

    async def overview(self, viewer: Rights) -> Overview:
        since = (TODAY - timedelta(days=29)).isoformat()
        known = {row.key: row for row in spent("day", since, TODAY.isoformat())}
        days = [(TODAY - timedelta(days=number)).isoformat() for number in range(29, -1, -1)]
        return Overview(
            today=sums(3),
            month=Sums(requests=1290, failed=31, images=1204, usd=45_750_000),
            days=tuple(known.get(day, Spent(key=day, name=day, sums=Sums())) for day in days),
            latency=Latency(provider="", model="", n=1204, p50=13.0, p95=34.0),
            failures=(await self.failures(viewer, since, since))[:2],
            pools=POOLS,
            running=2,
            waiting=3,
            asked=1,
            possibly=len(await self.possibly_billed(viewer)),
            newest=tuple(self.shots[:6]),
        )

    async def pools(self, viewer: Rights) -> Pools:
        return Pools(rows=POOLS if viewer.operates else POOLS[2:], more=viewer.operates)

    async def people(self, viewer: Rights, *, sort: str, desc: bool, search: str, page: str, **days: str) -> People:
        if sort not in ("name", "usd", "images", "requests", "failed", "seen"):
            raise UsageError(text("There is no such order; there are: {names}.", names="name, usd"))
        rows = [
            Human(id=f"p{number}", name=name, accounts=1 + number % 2, sums=sums(number), seen=TODAY.isoformat())
            for number, name in enumerate(PEOPLE)
            if search.casefold() in name.casefold()
        ]
        rows.sort(key=lambda row: row.name if sort == "name" else row.sums.usd, reverse=desc)
        shown = rows[4:] if page else rows[:4]
        return People(rows=tuple(shown), known=len(rows), next="" if page or len(rows) < 5 else '[12, "p3"]')

    async def person(self, viewer: Rights, id: str, *, since: str, until: str) -> Dossier:
        if not id.startswith("p"):
            raise NotThere(text("There is nobody with the id {id}.", id=id))
        days = spent("day", since, until)
        return Dossier(
            id=id,
            name="Bob Marley",
            accounts=(
                Account(person=id, name="Bob Marley", adapter="discord", since=0),
                Account(person="p9", name="bob", adapter="web", since=0),
            ),
            teams=("市场部 Marketing",),
            lines=POOLS[1].lines,
            total=total(days),
            days=days,
            newest=tuple(self.shots[:4]),
            step=step_of(since, until),
        )

    async def spend(self, viewer: Rights, by: str, since: str, until: str) -> Spend:
        if by not in ("day", "model", "provider", "adapter", "person", "team", "space"):
            raise UsageError(text("There is no such table; there are: {names}.", names="day"))
        rows = spent(by, since, until)
        step = step_of(since, until)
        return Spend(by=by, since=since, until=until, rows=rows, total=total(rows), more=by == "person", step=step)

    async def latency(self, viewer: Rights, since: str, until: str) -> tuple[Latency, ...]:
        return (
            Latency(provider="", model="", n=1204, p50=13.0, p95=34.0),
            Latency(provider="novita", model="seedream-4.5", n=1100, p50=13.0, p95=21.0),
            Latency(provider="apiframe", model="seedream-4.0", n=104, p50=34.0, p95=None),
        )

    async def failures(self, viewer: Rights, since: str, until: str) -> tuple[Failed, ...]:
        return (
            Failed(provider="novita", cause="content", n=17),
            Failed(provider="novita", cause="busy", n=9),
            Failed(provider="apiframe", cause="something new", n=1),
        )

    async def queue(self, viewer: Rights) -> Queue:
        rows = []
        for number, state in enumerate(("sending", "running", "queued", "queued", "asked")):
            id = f"q{number}aaaaaa"
            rows.append(
                Open(
                    id=id, person="p1", name=PEOPLE[number], space="web/local", team="", model="seedream-4.5",
                    provider="novita", count=1 + number, state=state, place=number - 1 if state == "queued" else 0,
                    prompt="" if number == 3 else PROMPTS[number], private=number == 3,
                    asked=NOW - timedelta(seconds=90 - number), started=None, tries=number,
                    stopping=id in self.cancelled, stoppable=number != 1 and id not in self.cancelled,
                )
            )  # fmt: skip
        return Queue(rows=tuple(rows), running=2, waiting=2, asked=1)

    async def cancel(self, viewer: Rights, id: str) -> None:
        if not id.startswith("q"):
            raise NotThere(text("There is no request with the id {id}.", id=id))
        self.cancelled.append(id)

    async def gallery(self, viewer: Rights, *, words: str, person: str, model: str, before: int, most: int) -> Gallery:
        found = [
            shot
            for shot in self.shots
            if (not before or shot.seq < before)
            and words.casefold() in shot.prompt.casefold()
            and person.casefold() in shot.name.casefold()
            and model in ("", shot.model)
        ]
        more = len(found) > most
        return Gallery(
            shots=tuple(found[:most]),
            before=found[most - 1].seq if more else 0,
            searched=50_000 if words or model else None,
        )

    async def generation(self, viewer: Rights, id: str) -> Whole:
        shot = next((shot for shot in self.shots if shot.id == id), None)
        if shot is None or (viewer.kind == "team" and shot.team != "t1"):
            raise NotThere(text("There is no picture with the id {id}.", id=id))
        kin = [self._kin(number, depth) for number, depth in ((3, 0), (2, 1), (1, 2), (0, 2))]
        return Whole(
            id=shot.id, person=shot.person, name=shot.name, space=shot.space, team=shot.team, state="settled",
            private=shot.private, deleted=False, prompt=shot.prompt,
            rows=((text("Model"), verbatim(shot.model)), (text("Ratio"), verbatim("16:9"))),
            pictures=shot.pictures, failure=None, line=f"/imagine {shot.prompt} --model {shot.model} --ratio 16:9",
            kin=tuple(kin),
            happened=((NOW, text("accepted: quota held, in line"), verbatim("")), (NOW, text("done"), verbatim(""))),
            entries=(
                self._entry("hold", "images", 2, 0),
                self._entry("hold", "usd", 80_000, 0),
                self._entry("settle", "images", -2, 1),
                self._entry("settle", "usd", -80_000, 38_000),
                self._entry("refund", "usd", 0, -38_000),
            ),
        )  # fmt: skip

    def _entry(self, kind: str, unit: str, held: int, spent: int) -> Entry:
        name = text("{person}'s share", person="Bob Marley")
        return Entry(
            at=NOW, kind=kind, account="share:space:web/local/p1", name=name, unit=unit, held=held, spent=spent,
            reason="",
        )  # fmt: skip

    async def picture(self, viewer: Rights, id: str, index: int) -> str:
        for picture in (await self.generation(viewer, id)).pictures:
            if picture.index == index:
                return picture.blob
        raise NotThere(text("There is no picture with the id {id}.", id=id))

    def _kin(self, number: int, depth: int) -> Kin:
        shot, visible = self.shots[number], number != 2
        return Kin(
            id=shot.id, parent="", index=0, depth=depth, visible=visible, name=shot.name if visible else "",
            prompt=shot.prompt if visible else "", picture=shot.pictures[0] if visible else None,
        )  # fmt: skip

    async def audit(self, viewer: Rights, *, before: int, most: int) -> Audit:
        if viewer.kind not in ("operator", "space"):
            raise NotAllowed(text("This page is not for you."))
        changes = (
            ("limit person p2 images day", None, 20),
            ("space model", "", "seedream-4.5"),
            ("block", [], ["bob"]),
        )
        rows = [
            Changed(
                seq=seq, at=NOW - timedelta(minutes=300 - seq), space="web/local", person="p1", name=PEOPLE[seq % 6],
                what=changes[seq % 3][0], words=verbatim(f"{PEOPLE[seq % 6]}: {changes[seq % 3][0]}"),
                before=changes[seq % 3][1], after=changes[seq % 3][2],
            )
            for seq in range(250, 0, -1)
            if not before or seq < before
        ]  # fmt: skip
        return Audit(rows=tuple(rows[:most]), before=rows[most - 1].seq if len(rows) > most else 0)

    async def health(self, viewer: Rights) -> Health:
        processes = (ProcessHealth(id="host:12", role="all", version="0.1.0", host="host", started=NOW, seen=NOW),)
        return Health(
            providers=(
                ProviderHealth(name="novita", failures=0, reason="", resting=None, credits=None),
                ProviderHealth(name="apiframe", failures=3, reason="busy", resting=NOW, credits=12_400),
            ),
            processes=processes if viewer.operates else (),
            to_post=2,
            kept=1,
        )

    async def possibly_billed(self, viewer: Rights) -> tuple[Possible, ...]:
        rows = (
            Possible(
                id=id, person="p1", name="Bob Marley", space="web/local", provider="novita", model="seedream-4.5",
                usd=38_000, ended=NOW, decided=NOW + timedelta(hours=24),
            )
            for id in ("u1aaaaaa", "u2aaaaaa")
        )  # fmt: skip
        return tuple(row for row in rows if row.id not in self.resolved)

    async def resolve(self, viewer: Rights, id: str, charge: bool) -> None:
        if not viewer.operates:
            raise NotAllowed(text("This page is not for you."))
        if id in self.resolved:
            raise UsageError(text("{id} is decided already; there is nothing to charge or to give back.", id=id))
        self.resolved[id] = charge

    async def export(self, viewer: Rights, what: str, since: str, until: str) -> AsyncIterator[tuple[Any, ...]]:
        if what == "audit" and viewer.kind not in ("operator", "space"):
            raise NotAllowed(text("This page is not for you."))
        yield ("day", "person", "images", "usd")
        for row in self.exported:
            yield row


async def board_of(core: FakeCore) -> FakeBoard:
    blobs = [await blob_of(core, paint(320, height, seed)) for seed, height in enumerate(HEIGHTS)]
    shots = []
    for number in range(60):
        id = f"g{number:02}bbbbb"
        pictures = tuple(
            Picture(
                generation=id, index=index, blob=blobs[(number + index) % 4], media_type="image/png", width=320,
                height=HEIGHTS[(number + index) % 4], size=9000, alt=PROMPTS[number % 5],
            )
            for index in range(1 + (number % 7 == 0) * 3)
        )  # fmt: skip
        shots.append(
            Shot(
                seq=1000 - number, id=id, person=f"p{number % 6}", name=PEOPLE[number % 6], space="web/local",
                team="t1" if number % 2 else "", model="seedream-4.5", prompt=PROMPTS[number % 5],
                private=number % 9 == 4, parent="", at=NOW - timedelta(hours=number), pictures=pictures,
            )
        )  # fmt: skip
    return FakeBoard(shots)


@dataclass
class Desk:
    """operators: whom the keys take for one, of the page's people."""

    core: FakeCore
    board: FakeBoard
    keys: Keys
    operators: set[str]


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def core_with_dashboard(folder: Path, clock: Callable[[], datetime] = now) -> AsyncIterator[Desk]:
    """A core, its page and a dashboard with real keys. Alice of the page is an operator."""
    async with core_with_page(folder) as core:
        board = await board_of(core)
        operators = {"alice", "boss"}
        keys = Keys(database=core.database, operates=lambda adapter, user: user in operators, clock=clock)
        core.chat.dashboard = Dashboard(
            board=board,
            keys=keys,
            blobs=core.blobs,
            thumbnails=core.thumbnails,
            clock=core.controls.now,
            port=8765,
            language="en",
        )
        yield Desk(core=core, board=board, keys=keys, operators=operators)


async def link_for(desk: Desk, **rights: Any) -> str:
    """The key of a link for bob with these rights; of a team he is an owner."""
    actor = Actor(adapter="web", user="bob", name="bob", space="local")

    def make(connection: Connection) -> str:
        person = find(connection, actor, micros(NOW))
        if rights.get("kind") == "team":
            connection.execute(
                "INSERT INTO teams (id, space, name, same_name, created_at) VALUES ('t1', 'web/local', 'T', 't', 1)"
                " ON CONFLICT (id) DO NOTHING"
            )
            connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES ('t1', :person, 'owner', 'admin', 1) ON CONFLICT (team, person, source) DO NOTHING",
                person=person.id,
            )
        given = Rights(persons=(person.id,), name="bob", **rights)
        holder = Holder(person=person.id, name="bob", space="web/local", rights=given)
        return new_link(connection, holder, micros(desk.keys.clock()))

    return await desk.core.database.transaction(make)

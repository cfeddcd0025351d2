"""The dashboard's figures: true, no wider than anybody's rights, and never by reading a large table whole."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import partial
from itertools import count
from typing import Any

import pytest

from bot.audit import By, note
from bot.clock import micros
from bot.errors import BotError, NotAllowed, NotThere, UsageError
from bot.generation import record
from bot.generation.states import State
from bot.i18n import say, verbatim
from bot.ops.board import exporting
from bot.ops.board.board import Board
from bot.ops.board.pictures import WRITTEN
from bot.ops.board.rights import Rights
from bot.quota import audit, grants, ledger, usage
from bot.quota.standing import Payer
from bot.request import ImageRequest, Mode
from bot.storage.connection import Connection
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.bot.storage.test_plans import Explained
from tests.postgres import BOTH

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY, MONTH = "2026-11-21", "2026-11-01"
HERE, THERE = "chat/here", "mail/there"
LARGE = ("generations", "entries", "holds", "images", "events", "jobs", "balances", "audit", "blobs", "postings")

OPERATOR = Rights(kind="operator", name="op")
ADMIN = Rights(kind="space", spaces=(HERE,), persons=("boss",), name="boss")
OWNER = Rights(kind="team", teams=("brand",), persons=("ann",), name="ann")
MEMBER = Rights(kind="person", persons=("bob", "bob2"), name="bob")
NOBODY = Rights(kind="person")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plans = metafunc.function.__name__ == "test_no_page_reads_a_large_table_whole"  # SQLite's
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", BOTH[:1] if plans else BOTH, indirect=True)


class Data:
    """Generations as the core leaves them, by whom and for whom a test wants them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = count(1)

    async def person(self, id: str, name: str = "", linked: str = "", adapter: str = "chat") -> None:
        await self.database.transaction(_person, id, name or id, linked, adapter)

    async def team(self, id: str, name: str, space: str, *members: str) -> None:
        await self.database.transaction(_team, id, name, space, members)

    async def made(self, prompt: str = "a fox", **more: Any) -> str:
        """Its id. ago: how long before now it was asked for."""
        number = next(self._numbers)
        id = more.pop("id", f"gen{number:05}")
        await self.database.transaction(_made, id, prompt, **more)
        return str(id)


def _person(connection: Connection, id: str, name: str, linked: str, adapter: str) -> None:
    connection.execute(
        "INSERT INTO people (id, name, created_at, linked) VALUES (:id, :name, 0, :linked)",
        id=id, name=name, linked=linked,
    )  # fmt: skip
    connection.execute(
        "INSERT INTO actors (adapter, user_id, person) VALUES (:adapter, :id, :id)", adapter=adapter, id=id
    )


def _team(connection: Connection, id: str, name: str, space: str, members: tuple[str, ...]) -> None:
    connection.execute(
        "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:id, :space, :name, :name, 0)",
        id=id, space=space, name=name,
    )  # fmt: skip
    for member in members:
        connection.execute(
            "INSERT INTO team_members (team, person, role, source, added_at)"
            " VALUES (:id, :member, 'member', 'admin', 0)",
            id=id, member=member,
        )  # fmt: skip


def _made(
    connection: Connection,
    id: str,
    prompt: str,
    *,
    person: str = "bob",
    space: str = HERE,
    team: str = "",
    model: str = "seedream-4",
    state: State = State.SETTLED,
    images: int = 1,
    private: bool = False,
    parent: str = "",
    ago: timedelta = timedelta(minutes=5),
    possible: bool = False,
    took: float = 4.0,
) -> None:
    at = micros(NOW - ago)
    request = {
        "mode": "imagine", "prompt": prompt, "providers": ["sandbox"], "model": model, "size": "2K", "ratio": "",
        "count": images, "references": [],
    }  # fmt: skip
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, team, adapter, language, request,"
        " provider, providers, model, count, price, state, made, charged, private, parent, created_at, started_at,"
        " finished_at) VALUES (:id, :invocation, :person, :name, :space, :team, :adapter, 'en', :request, 'sandbox',"
        " 'sandbox', :model, :count, :price, :state, :made, :made, :private, :parent, :at, :started, :finished)",
        id=id,
        invocation=f"event {id}",
        person=person,
        name=person,
        space=space,
        team=team,
        adapter=space.partition("/")[0],
        request=json.dumps(request, ensure_ascii=False),
        model=model,
        count=images,
        price=40_000 * images,
        state=state,
        made=images if state is State.SETTLED else 0,
        private=int(private),
        parent=parent,
        at=at,
        started=at,
        finished=at + round(took * 1_000_000) if state in usage.FAILED or state is State.SETTLED else 0,
    )
    record.note(connection, id, "accepted", at)
    amounts = {"images": images, "usd": 40_000 * images}
    rules = ledger.Rules(policy={}, now=NOW - ago, zone="UTC")
    ledger.hold(connection, id, Payer(person=person, space=space, team=team), amounts, rules)
    if state not in usage.FAILED and state is not State.SETTLED:
        return
    spent = amounts if state is State.SETTLED else dict.fromkeys(amounts, 0)
    ledger.settle(connection, id, spent, at, possible={"usd": amounts["usd"]} if possible else None)
    for position in range(images if state is State.SETTLED else 0):
        connection.execute(
            "INSERT INTO images (generation, position, job, blob, media_type, width, height, size, price, state)"
            " VALUES (:id, :position, 0, :blob, 'image/png', 24, 16, 99, 40000, 'made')",
            id=id, position=position, blob=f"{id}{position}",
        )  # fmt: skip
    row = connection.row("SELECT * FROM generations WHERE id=:id", id=id)
    assert row is not None
    ended = at + round(took * 1_000_000)
    usage.count(connection, row, **spent, state=state, cause="busy", at=ended, zone="UTC")


@pytest.fixture
def data(database: Database) -> Data:
    return Data(database)


@pytest.fixture
def board(core: Core) -> Board:
    core.clock.now = NOW
    return Board(
        database=core.database,
        service=core.service,
        table=core.table,
        clock=core.clock,
        zone="UTC",
        providers={"sandbox": "Sandbox"},
        credits={"sandbox": 7},
    )


@pytest.fixture
async def two_spaces(data: Data) -> Data:
    """bob draws here for himself, there for the team whose home is here; ann there and for herself."""
    await data.person("bob", "Bob", linked="one")
    await data.person("bob2", "Bob", linked="one", adapter="mail")
    await data.person("ann", "Ann", adapter="mail")
    await data.team("brand", "Brand", HERE, "ann", "bob2")
    await data.made(id="here", person="bob")
    await data.made(id="secret", person="bob", private=True, team="brand", images=2)
    await data.made(id="abroad", person="bob2", space=THERE, team="brand")
    await data.made(id="foreign", person="ann", space=THERE)
    await data.made(id="failed", person="ann", space=THERE, state=State.FAILED)
    return data


SEEN = {
    "operator": (OPERATOR, {"here", "secret", "abroad", "foreign"}, 5),
    "space": (ADMIN, {"here", "secret", "abroad"}, 4),
    "team": (OWNER, {"abroad"}, 3),
    "member": (MEMBER, {"here", "secret", "abroad"}, 4),
    "nobody": (NOBODY, set(), 0),
}


@pytest.mark.parametrize(("viewer", "shown", "images"), SEEN.values(), ids=list(SEEN))
async def test_nobody_sees_more_than_their_rights(
    board: Board, two_spaces: Data, viewer: Rights, shown: set[str], images: int
) -> None:
    gallery = await board.gallery(viewer)
    spend = await board.spend(viewer, "model", MONTH, TODAY)
    overview = await board.overview(viewer)
    lines = [line async for line in board.export(viewer, "usage", TODAY, TODAY)]

    assert {shot.id for shot in gallery.shots} == shown
    assert spend.total.images == sum(row.sums.images for row in spend.rows) == images
    assert overview.today.images == overview.month.images == overview.days[-1].sums.images == images
    assert {shot.id for shot in overview.newest} == shown
    assert sum(int(line[lines[0].index("images")]) for line in lines[1:]) == images
    assert overview.today.failed == (viewer is OPERATOR)


@pytest.mark.parametrize("viewer", [ADMIN, OWNER, MEMBER, NOBODY], ids=["space", "team", "member", "nobody"])
async def test_what_is_out_of_sight_is_not_there(board: Board, two_spaces: Data, viewer: Rights) -> None:
    for look in (
        board.generation(viewer, "foreign"),
        board.cancel(viewer, "foreign"),
        board.person(NOBODY, "bob"),
        board.person(viewer, "nobody"),
    ):
        with pytest.raises(NotThere):
            await look
    with pytest.raises(NotAllowed):
        await board.resolve(viewer, "foreign", charge=True)


@pytest.mark.parametrize("viewer", [OWNER, MEMBER])
async def test_the_audit_log_is_for_admins(board: Board, viewer: Rights) -> None:
    with pytest.raises(NotAllowed):
        await board.audit(viewer)
    with pytest.raises(NotAllowed):
        [line async for line in board.export(viewer, "audit", TODAY, TODAY)]


async def test_of_what_was_made_privately_an_owner_sees_the_fact_alone(board: Board, two_spaces: Data) -> None:
    kept = await board.generation(OWNER, "secret")
    own = await board.generation(MEMBER, "secret")

    assert (kept.prompt, kept.rows, kept.pictures, kept.line, kept.kin) == ("", (), (), "", ())
    assert kept.name == "bob"
    assert (own.prompt, len(own.pictures)) == ("a fox", 2)
    assert own.line == "/imagine a fox --model seedream-4 --size 2K --count 2"


@pytest.mark.parametrize("state", ["due", "waiting", "refused", "approved"])
async def test_what_a_review_holds_back_is_its_reviewers_to_see(board: Board, two_spaces: Data, state: str) -> None:
    await two_spaces.database.transaction(_reviewed, "here", state)
    shown = state == "approved"

    assert ("here" in {shot.id for shot in (await board.gallery(MEMBER)).shots}) is shown
    assert bool((await board.generation(MEMBER, "here")).pictures) is shown
    assert (await board.generation(MEMBER, "here")).prompt == "a fox"
    for viewer in (OPERATOR, ADMIN):
        assert "here" in {shot.id for shot in (await board.gallery(viewer)).shots}
        assert (await board.generation(viewer, "here")).pictures


def _reviewed(connection: Connection, id: str, state: str) -> None:
    connection.execute(
        "INSERT INTO reviews (generation, space, room, state) VALUES (:id, :space, '', :state)",
        id=id, space=HERE, state=state,
    )  # fmt: skip


async def test_nobody_learns_who_somebody_is_elsewhere(board: Board, data: Data) -> None:
    await data.person("dee", "Dee", linked="dees")
    await data.person("deefs", "A. Truename", linked="dees", adapter="mail")
    await data.team("brand", "Brand", HERE, "dee")
    await data.made(person="dee", team="brand")
    await data.made(person="deefs", space=THERE)

    for viewer in (ADMIN, OWNER):
        found = await board.person(viewer, "dees")
        assert (found.name, [account.name for account in found.accounts]) == ("Dee", ["Dee"])
        assert [row.name for row in (await board.people(viewer)).rows] == ["Dee"]
        assert [row.name for row in (await board.spend(viewer, "person", MONTH, TODAY)).rows] == ["Dee"]
        assert (await board.gallery(viewer, person="Truename")).shots == ()
        with pytest.raises(NotThere):
            await board.person(viewer, "deefs")
    for viewer in (OPERATOR, Rights(kind="person", persons=("dee", "deefs"))):
        assert len((await board.person(viewer, "dees")).accounts) == 2


def test_a_request_is_written_as_words_are_looked_for() -> None:
    request = ImageRequest(
        mode=Mode.IMAGINE, prompt="a fox", providers=("sandbox",), model="seedream-4", size="2K", ratio="", count=1
    )

    written = json.dumps(request.to_json(), ensure_ascii=False)
    assert fnmatchcase(written, WRITTEN.format("*a fox*").replace("%", "*"))


async def test_a_name_is_looked_for_among_those_in_sight(board: Board, data: Data) -> None:
    for number in range(30):
        await data.person(f"far{number}", "Ada")
        await data.made(person=f"far{number}", space=THERE)
    await data.person("near", "Adam")
    await data.made(id="near", person="near")

    assert [shot.id for shot in (await board.gallery(ADMIN, person="ada")).shots] == ["near"]
    assert len((await board.gallery(OPERATOR, person="ada")).shots) == 20


async def test_a_failure_of_what_was_asked_privately_is_told_to_nobody_else(board: Board, data: Data) -> None:
    await data.person("bob")
    await data.team("brand", "Brand", HERE, "ann", "bob")
    failed = await data.made(id="failed", team="brand", private=True, state=State.FAILED)
    said = json.dumps(verbatim("my secret").to_json())
    await data.database.transaction(
        lambda connection: connection.execute("UPDATE generations SET failure=:said", said=said)
    )

    assert (await board.generation(MEMBER, failed)).failure
    assert (await board.generation(ADMIN, failed)).failure
    assert (await board.generation(OWNER, failed)).failure is None


async def test_a_picture_is_there_for_whoever_may_look_at_it(board: Board, two_spaces: Data) -> None:
    assert await board.picture(MEMBER, "secret", 1) == "secret1"
    assert await board.picture(ADMIN, "SECRET", 0) == "secret0"
    for viewer, id, index in ((OWNER, "secret", 0), (ADMIN, "foreign", 0), (MEMBER, "secret", 2), (OPERATOR, "x", 0)):
        with pytest.raises(NotThere):
            await board.picture(viewer, id, index)
    await two_spaces.database.transaction(_reviewed, "here", "waiting")
    with pytest.raises(NotThere):
        await board.picture(MEMBER, "here", 0)


@pytest.mark.parametrize(
    "page",
    [
        *("1", "null", "[1]", '{"a": 1, "b": "c"}', '[true, "x"]', '[1e3, "x"]', "[" * 400, "9" * 5000),
        *('[99999999999999999999, "x"]', '["a", "x"]', '[1, "\\u0000"]', '[1, "\\ud800"]', "[1, 2]"),
    ],
)
async def test_a_page_that_nobody_was_given_is_none(board: Board, page: str) -> None:
    with pytest.raises(UsageError):
        await board.people(OPERATOR, page=page)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1969-12-31", "x", ""])
async def test_no_day_is_told_of_that_no_clock_can_tell(board: Board, day: str) -> None:
    with pytest.raises(UsageError):
        await board.spend(OPERATOR, "day", day, day)
    with pytest.raises(UsageError):
        [line async for line in board.export(OPERATOR, "ledger", day, day)]


async def test_however_many_look_a_reader_is_left_for_whoever_draws(board: Board, two_spaces: Data) -> None:
    looks = [asyncio.ensure_future(board.overview(OPERATOR)) for _ in range(100)]
    await asyncio.sleep(0)
    await board.database.fetch("SELECT 1 AS one")

    assert sum(look.done() for look in looks) < 50
    await asyncio.gather(*looks)


async def test_the_books_name_people_teams_and_spaces(board: Board, two_spaces: Data) -> None:
    entries = (await board.generation(OPERATOR, "abroad")).entries

    assert {each.account: say(each.name, "en") for each in entries} == {
        "all": "Everyone",
        "person:bob": "Bob",
        "person:bob2": "Bob",
        f"share:space:{THERE}/bob2": "Bob's share",
        "share:team:brand/bob2": "Bob's share of Brand",
        f"space:{THERE}": f"Space {THERE}",
        "team:brand": "Team Brand",
    }


async def test_the_ledger_is_exported_as_far_as_it_is_somebodys_business(board: Board, two_spaces: Data) -> None:
    async def accounts(viewer: Rights) -> set[object]:
        lines = [line async for line in board.export(viewer, "ledger", TODAY, TODAY)]
        return {line[lines[0].index("account")] for line in lines[1:]}

    assert {"all", "person:ann", f"space:{THERE}", "team:brand"} < await accounts(OPERATOR)
    assert await accounts(ADMIN) == {f"space:{HERE}", f"share:space:{HERE}/bob"}
    assert {account for account in await accounts(OWNER) if "brand" not in str(account)} == {
        "person:ann",
        f"share:space:{THERE}/ann",
    }
    assert {"person:bob", "person:bob2"} <= await accounts(MEMBER)
    assert not {"all", "person:ann", "team:brand"} & await accounts(MEMBER)


async def test_a_gallery_is_turned_page_by_page(board: Board, data: Data) -> None:
    await data.person("bob")
    await data.team("brand", "Brand", HERE, "bob")
    made = [await data.made(space=HERE if number % 3 else THERE, team="brand" * (number % 2)) for number in range(11)]
    for viewer in (OPERATOR, ADMIN):
        pages, before = [], 0
        while True:
            page = await board.gallery(viewer, before=before, most=3)
            pages.append([shot.id for shot in page.shots])
            if not (before := page.before):
                break

        wanted = [id for number, id in enumerate(made) if viewer is OPERATOR or number % 3 or number % 2]
        assert [id for page in pages for id in page] == wanted[::-1]
        assert all(len(page) == 3 for page in pages[:-1])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("FOX", {"fox", "both"}),
        ("fox heron", {"both"}),
        ("狐狸", {"zh"}),
        ('"quoted"', {"signs"}),
        ("100%", {"signs"}),
        ("1_0", set()),
        ("\\", {"signs"}),
        ("sandbox", set()),  # stands in every request
        ("imagine", set()),
        ("prompt", set()),
        ('"', {"signs"}),
        ("", {"fox", "both", "zh", "signs"}),
    ],
)
async def test_words_are_looked_for_in_what_people_said(board: Board, data: Data, words: str, found: set[str]) -> None:
    await data.made("a red fox", id="fox")
    await data.made("a Heron and a Fox", id="both")
    await data.made("雪中的红狐狸", id="zh")
    await data.made('a "quoted" \\ sign, 100% red\nsecond line', id="signs")

    assert {shot.id for shot in (await board.gallery(OPERATOR, words=words)).shots} == found


async def test_a_gallery_is_narrowed_to_people_and_models(board: Board, two_spaces: Data) -> None:
    await two_spaces.made(id="other", person="ann", space=THERE, model="seedream-5-pro")

    async def found(viewer: Rights = OPERATOR, **wanted: Any) -> set[str]:
        return {shot.id for shot in (await board.gallery(viewer, **wanted)).shots}

    assert await found(person="bob2") == {"here", "secret", "abroad"}
    assert await found(person="AN") == {"foreign", "other"}
    assert await found(person="zoe") == set()
    assert await found(model="seedream-5-pro") == {"other"}
    assert await found(ADMIN, person="ann") == set()
    assert (await board.gallery(OPERATOR, words="fox")).searched is None  # there are fewer


@pytest.mark.parametrize("viewer", [OPERATOR, ADMIN])
@pytest.mark.parametrize("sort", ["name", "requests", "failed", "images", "usd", "seen"])
@pytest.mark.parametrize("desc", [True, False])
async def test_people_are_sorted_and_turned_page_by_page(
    board: Board, data: Data, viewer: Rights, sort: str, desc: bool
) -> None:
    for number in range(120):
        await data.person(f"p{number}", f"Person {number * 7 % 120:03}")
        if number % 2:
            await data.made(person=f"p{number}", images=1 + number % 4, ago=timedelta(days=number % 5))
    rows: list[Any] = []
    page, pages = "", 0
    while True:
        found = await board.people(viewer, sort=sort, desc=desc, page=page)
        rows += found.rows
        pages += 1
        if not (page := found.next):
            break

    def key(row: Any) -> Any:
        own = {"name": row.name.lower(), "seen": row.seen}
        return own[sort] if sort in own else getattr(row.sums, sort), row.id

    assert len({row.id for row in rows}) == len(rows) == found.known == (120 if viewer is OPERATOR else 60)
    assert rows == sorted(rows, key=key, reverse=desc)
    assert pages == (3 if viewer is OPERATOR else 2)


YEAR = "2025-11-22"


@pytest.mark.parametrize("viewer", [OPERATOR, ADMIN, OWNER, MEMBER])
async def test_a_long_time_is_told_by_month_and_comes_to_the_same(
    board: Board, two_spaces: Data, viewer: Rights
) -> None:
    for days in (1, 20, 21, 60, 90, 200, 363, 364, 365):
        await two_spaces.made(team="brand", ago=timedelta(days=days))
    every = [line async for line in board.export(viewer, "usage", YEAR, TODAY)]
    images, usd = every[0].index("images"), every[0].index("usd")
    wanted: dict[str, int] = {}
    for line in every[1:]:
        month = str(line[0])[:7]
        wanted[month] = wanted.get(month, 0) + int(line[images])

    found = await board.spend(viewer, "day", YEAR, TODAY)
    assert (found.step, {row.key: row.sums.images for row in found.rows}) == ("month", wanted)
    assert list(wanted) == sorted(wanted)
    for by in ("model", "provider", "adapter", "person", "team", "space"):
        total = (await board.spend(viewer, by, YEAR, TODAY)).total
        assert total == found.total
    assert (found.total.images, found.total.usd) == (
        sum(wanted.values()),
        sum(line[usd] for line in every[1:]) * 1_000_000,
    )
    bob = await board.person(viewer, "bob", YEAR, TODAY)
    people = await board.people(viewer, since=YEAR, until=TODAY)
    assert bob.step == "month"
    assert next(row for row in people.rows if row.id == "one").sums == bob.total


async def test_a_hundred_days_are_told_by_day(board: Board, two_spaces: Data) -> None:
    found = await board.spend(OPERATOR, "day", "2026-08-13", TODAY)
    assert (found.step, [row.key for row in found.rows]) == ("day", [TODAY])
    assert (await board.person(OPERATOR, "bob", "2026-08-13", TODAY)).step == "day"
    assert (await board.spend(OPERATOR, "day", "2026-08-12", TODAY)).step == "month"


async def test_linked_accounts_are_one_person(board: Board, two_spaces: Data) -> None:
    people = await board.people(OPERATOR, search="BO")
    (bob,) = people.rows
    whole = await board.person(OPERATOR, bob.id)
    by_one = await board.person(OPERATOR, "bob2")
    spend = await board.spend(OPERATOR, "person", MONTH, TODAY)

    assert (bob.accounts, bob.sums.images, bob.sums.usd, people.known) == (2, 4, 160_000, 1)
    assert {each.person for each in whole.accounts} == {"bob", "bob2"}
    assert whole.total == by_one.total == bob.sums
    assert whole.teams == ("Brand",)
    assert {str(line.account) for line in whole.lines} >= {"person:bob", "person:bob2", f"share:space:{HERE}/bob"}
    assert {(row.name, row.sums.images) for row in spend.rows} == {("Bob", 4), ("Ann", 1)}


async def test_an_admin_reads_of_a_person_what_was_used_here(board: Board, two_spaces: Data) -> None:
    bob = await board.person(ADMIN, "bob")

    assert bob.total.images == 4  # abroad for the team that is at home here
    assert {line.account for line in bob.lines} == {
        f"share:space:{HERE}/bob",
        f"share:space:{HERE}/bob2",
        "share:team:brand/bob",
        "share:team:brand/bob2",
    }
    assert {shot.id for shot in bob.newest} == {"here", "secret", "abroad"}


async def test_what_somebody_was_given_is_shown_to_whoever_answers_for_it_until_when(
    board: Board, two_spaces: Data
) -> None:
    until = NOW + timedelta(days=3)
    for pool in ("all", f"space:{HERE}", f"space:{THERE}", "team:brand"):
        give = partial(grants.give, pool=pool, person="bob", unit="images", amount=5, until=micros(until))
        await two_spaces.database.transaction(partial(give, by=By("ann", pool), at=micros(NOW)))

    async def seen(viewer: Rights) -> set[str]:
        lines = [line for line in (await board.person(viewer, "bob")).lines if line.ends]
        assert all((line.ends, line.left, line.resets) == (until, 5, None) for line in lines)
        return {say(line.name, "en").removeprefix("Given by ") for line in lines}

    everything = {"all", f"space:{HERE}", f"space:{THERE}", "team:brand"}
    assert await seen(OPERATOR) == await seen(MEMBER) == everything
    assert await seen(ADMIN) == {f"space:{HERE}", "team:brand"}
    assert await seen(OWNER) == {"team:brand"}


async def test_pools_are_told_with_their_lines(board: Board, two_spaces: Data) -> None:
    await two_spaces.database.transaction(ledger.set_limit, "team:brand", "images", "month", 10)
    pools = {pool.account: pool for pool in (await board.pools(OPERATOR)).rows}
    (own,) = (await board.pools(OWNER)).rows

    assert list(pools) == ["all", f"space:{HERE}", f"space:{THERE}", "team:brand"]
    line = next(line for line in own.lines if (line.unit, line.window) == ("images", "month"))
    assert (own.name, own.members, line.used, line.limit, line.left) == ("Brand", 2, 3, 10, 7)


async def test_time_and_failures_are_told_by_provider(board: Board, two_spaces: Data) -> None:
    took = await board.latency(OPERATOR, MONTH, TODAY)
    failures = await board.failures(OPERATOR, MONTH, TODAY)

    assert [(each.provider, each.model, each.n) for each in took] == [("", "", 4), ("sandbox", "seedream-4", 4)]
    assert 3 <= took[0].p50 <= took[0].p95 <= 5
    assert [(each.provider, each.cause, each.n) for each in failures] == [("sandbox", "busy", 1)]
    assert await board.failures(ADMIN, MONTH, TODAY) == ()
    assert await board.latency(MEMBER, MONTH, TODAY) == ()


async def test_the_tree_shows_where_a_picture_comes_from_and_what_became_of_it(board: Board, data: Data) -> None:
    await data.made("root", id="root", person="ann", private=True)
    await data.made("child", id="child", parent="root")
    await data.made("twin", id="twin", parent="root", person="ann", space=THERE)
    await data.made("grandchild", id="grandchild", parent="child")
    await data.made("loop", id="loop", parent="loop")

    kin = (await board.generation(OPERATOR, "child")).kin
    hidden = (await board.generation(MEMBER, "child")).kin

    assert [(each.id, each.depth) for each in kin] == [("root", 0), ("child", 1), ("grandchild", 2), ("twin", 1)]
    assert [each.id for each in hidden if each.visible] == ["child", "grandchild"]
    assert [(each.prompt, each.name, each.picture) for each in hidden if not each.visible] == [("", "", None)] * 2
    assert [each.id for each in (await board.generation(OPERATOR, "loop")).kin] == ["loop"]


async def test_what_was_possibly_billed_is_decided_once_and_by_the_operator(board: Board, data: Data) -> None:
    await data.made(id="unsure", state=State.UNKNOWN, possible=True)
    (possible,) = await board.possibly_billed(ADMIN)
    with pytest.raises(NotAllowed):
        await board.resolve(ADMIN, "unsure", charge=True)
    await board.resolve(OPERATOR, "unsure", charge=True)
    with pytest.raises(UsageError):
        await board.resolve(OPERATOR, "unsure", charge=False)

    assert (possible.id, possible.usd, possible.decided - possible.ended) == ("unsure", 40_000, timedelta(hours=24))
    assert await board.possibly_billed(OPERATOR) == ()
    (entry,) = (await board.audit(OPERATOR)).rows
    assert (entry.what, entry.before, entry.after, entry.name) == (
        "possibly billed unsure",
        "possible",
        "charged",
        "op",
    )
    charged = [each for each in (await board.generation(OPERATOR, "unsure")).entries if each.kind == "charge"]
    assert {(each.account, each.spent) for each in charged} >= {("all", 40_000), (f"space:{HERE}", 40_000)}
    assert "charged by op" in {each.reason for each in charged}


async def test_the_queue_is_shown_and_stopped_by_whoever_may(board: Board, core: Core) -> None:
    first = await core.accepted(by="bob")
    second = await core.accepted(by="bob")
    space = (await core.load(first)).space
    person = (await core.load(first)).person
    admin = Rights(kind="space", spaces=(space,), persons=("boss",), name="boss")
    owner = Rights(kind="team", teams=("",), persons=("ann",), name="ann")
    before = await board.queue(admin)
    with pytest.raises(NotAllowed):
        await board.cancel(owner, second)
    await board.cancel(admin, first)
    await board.cancel(admin, first.upper())
    await board.cancel(Rights(kind="person", persons=(person,)), second)

    assert [(each.id, each.place, each.stoppable) for each in before.rows] == [(first, 1, True), (second, 2, True)]
    assert (before.waiting, before.running) == (2, 0)
    assert (await board.queue(OPERATOR)).rows == ()
    assert [(each.name, each.what, each.after) for each in (await board.audit(OPERATOR)).rows] == [
        ("boss", f"cancel {first}", "cancelled")
    ]
    await core.nothing_is_held()


async def test_what_runs_is_asked_to_stop_and_that_is_audited_once(board: Board, data: Data) -> None:
    await data.made(id="runs", state=State.SENDING)
    await data.made(id="ended")
    for _ in range(2):
        await board.cancel(ADMIN, "runs")
    with pytest.raises(UsageError):
        await board.cancel(ADMIN, "ended")

    (running,) = (await board.queue(ADMIN)).rows
    assert (running.stopping, running.stoppable) == (True, False)
    assert [(each.what, each.before, each.after) for each in (await board.audit(OPERATOR)).rows] == [
        ("cancel runs", "sending", "cancel asked")
    ]


async def test_the_audit_log_is_told_in_words(board: Board, two_spaces: Data) -> None:
    joined = {"team": "Brand", "person": "0123456789ab", "name": "Ann", "role": "member"}
    await two_spaces.person("0123456789ab", "Ann Now")
    await two_spaces.database.transaction(note, HERE, By("boss", "Boss"), "team member", None, joined, micros(NOW))

    (change,) = (await board.audit(ADMIN)).rows
    assert say(change.words, "en") == "Boss: Ann Now is in Brand now."
    assert change.after == joined


async def test_the_audit_log_is_turned_page_by_page(board: Board, database: Database) -> None:
    def write(connection: Connection) -> None:
        for number in range(7):
            note(
                connection, HERE if number % 2 else THERE, By("boss", "Boss"), f"change {number}", number, None, number
            )

    await database.transaction(write)
    first = await board.audit(OPERATOR, most=4)
    second = await board.audit(OPERATOR, before=first.before, most=4)

    assert [each.what for each in (*first.rows, *second.rows)] == [f"change {number}" for number in range(6, -1, -1)]
    assert second.before == 0
    assert [each.before for each in (await board.audit(ADMIN)).rows] == [5, 3, 1]


async def test_an_export_is_complete_and_in_order_over_its_batches(board: Board, data: Data) -> None:
    for number in range(3):
        await data.made(person=f"p{number}")
    await data.database.transaction(_many_entries, exporting.BATCH * 2 + 5)
    lines = [line async for line in board.export(OPERATOR, "ledger", MONTH, TODAY)]
    head, rows = lines[0], lines[1:]
    stored = await data.database.fetch("SELECT count(*) AS n FROM entries")

    assert len(rows) == len(set(rows)) == stored[0]["n"] > exporting.BATCH * 2
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    money = {row[head.index("spent")] for row in rows if row[head.index("unit")] == "usd"}
    assert Decimal("0.040000") in money


async def test_an_export_is_safe_to_open_in_a_spreadsheet(board: Board, data: Data) -> None:
    async def table(what: str) -> list[dict[object, object]]:
        lines = [line async for line in board.export(OPERATOR, what, TODAY, TODAY)]
        return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]

    await data.person("bob", "=SUM(A1)")
    await data.made(id="paid", person="bob")
    await data.database.transaction(ledger.refund, "paid", micros(NOW), "+1 for Bob", zone="UTC", by_operator=True)
    await data.database.transaction(note, HERE, By("bob", "\u200b@bob"), "-x", -3, "=1", micros(NOW))

    assert {row["person"] for row in await table("usage")} == {"'=SUM(A1)"}
    back = [row for row in await table("ledger") if row["kind"] == "refund" and row["account"] == "person:bob"]
    assert {(row["unit"], row["spent"], row["reason"]) for row in back} == {
        ("images", -1, "'+1 for Bob"),
        ("usd", Decimal("-0.04"), "'+1 for Bob"),
    }
    (change,) = await table("audit")
    assert [change[name] for name in ("person", "what", "after")] == ["'\u200b@bob", "'-x", '\'"=1"']


def _many_entries(connection: Connection, many: int) -> None:
    at = micros(NOW)
    rows = [
        {"id": f"x{number // 3:05}", "unit": f"unit{number % 3}", "at": at + number // 50} for number in range(many)
    ]
    connection.execute_many(
        "INSERT INTO entries (generation, kind, account, unit, held, spent, at)"
        " VALUES (:id, 'hold', 'all', :unit, 1, 0, :at)",
        rows,
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda board: board.people(OPERATOR, sort="id"),
        lambda board: board.people(OPERATOR, page="nonsense"),
        lambda board: board.people(OPERATOR, page='["a", "b"]'),
        lambda board: board.people(OPERATOR, page="[1]"),
        lambda board: board.people(OPERATOR, page='{"a": 1}'),
        lambda board: board.spend(OPERATOR, "password", MONTH, TODAY),
        lambda board: board.spend(OPERATOR, "day", "yesterday", TODAY),
        lambda board: board.spend(OPERATOR, "day", TODAY, MONTH),
        lambda board: board.latency(OPERATOR, "0001-01-01", TODAY),
        lambda board: board.gallery(OPERATOR, before=-1),
        lambda board: board.gallery(OPERATOR, most=100_000),
        lambda board: board.gallery(OPERATOR, words="a " * 50),
        lambda board: board.audit(OPERATOR, most=0),
        lambda board: anext(board.export(OPERATOR, "passwords", MONTH, TODAY)),
        lambda board: _last(board.export(OPERATOR, "usage", "0001-01-01", TODAY)),
    ],
    ids=lambda ask: str(ask.__code__.co_firstlineno),
)
async def test_what_makes_no_sense_is_refused_with_a_sentence(board: Board, ask: Callable[[Board], Any]) -> None:
    with pytest.raises(UsageError):
        await ask(board)


async def _last(lines: Any) -> None:
    async for _ in lines:
        pass


async def test_health_tells_others_less_than_the_operator(board: Board) -> None:
    told = await board.health(OPERATOR)
    less = await board.health(ADMIN)

    assert [(each.name, each.credits, each.resting) for each in told.providers] == [("sandbox", 7, None)]
    assert [(each.name, each.credits) for each in less.providers] == [("sandbox", None)]


class Watched:
    """A database whose reads say which large tables they went through from end to end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.passing = database.passing
        self.whole: list[str] = []

    async def read(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        def explained(connection: Connection) -> Any:
            watched = Explained(connection)
            found = function(watched, *arguments, **named)
            self.whole += [step for step in watched.whole_tables if step.split()[1] in LARGE]
            return found

        return await self._database.read(explained)


@pytest.mark.parametrize("viewer", [OPERATOR, ADMIN, OWNER, MEMBER], ids=["operator", "space", "team", "member"])
async def test_no_page_reads_a_large_table_whole(board: Board, two_spaces: Data, viewer: Rights) -> None:
    watched = Watched(two_spaces.database)
    seen = replace(board, database=watched)  # type: ignore[arg-type]
    for page in (
        seen.overview(viewer),
        seen.pools(viewer),
        seen.people(viewer, search="b", sort="name"),
        seen.person(viewer, "bob"),
        *(seen.spend(viewer, by, MONTH, TODAY) for by in usage.BY),
        seen.latency(viewer, MONTH, TODAY),
        seen.failures(viewer, MONTH, TODAY),
        seen.queue(viewer),
        seen.gallery(viewer),
        seen.gallery(viewer, words="fox", model="seedream-4", before=4),
        seen.gallery(viewer, person="bob", words="fox"),
        seen.gallery(viewer, person="bo"),
        seen.generation(viewer, "abroad"),
        seen.audit(viewer),
        seen.health(viewer),
        seen.possibly_billed(viewer),
        *(_last(seen.export(viewer, what, TODAY, TODAY)) for what in ("usage", "ledger", "audit")),
    ):
        with suppress(BotError):
            await page

    assert watched.whole == []


async def test_the_books_of_these_tests_are_true(two_spaces: Data) -> None:
    books = await two_spaces.database.read(audit.verify)

    assert books.problems == ()

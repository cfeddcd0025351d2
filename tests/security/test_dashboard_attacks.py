"""The dashboard of a real process under attack: by those who may look at a part of it, and by those who may not at all.

Two spaces whose admins have nothing to do with each other, a team with its home in one of them that draws in both, and
pictures of every kind in each. What is expected of a role is written here once more, in other words than the core's.
"""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from bot.audit import OPERATOR as COMMAND_LINE
from bot.audit import By, note
from bot.clock import micros
from bot.ops import keys
from bot.ops.board.rights import Rights
from bot.ops.folder import reading
from bot.ops.keys import Holder
from bot.people import Person
from bot.quota import ledger, usage
from bot.quota.standing import Payer
from bot.spaces import change_rules
from bot.storage.connection import Connection
from bot.storage.database import SQLITE, open_database
from tests.bot.ops.processes import Desk
from tests.postgres import BOTH_IN_TIME, settings_of
from tests.security.conftest import House

pytestmark = pytest.mark.slow  # real processes, one after the other

A, B = "discord/aaa", "discord/bbb"
TEAM, OTHER_TEAM = "team-of-a", "team-of-b"
COOKIE = "seedream-dashboard-0"
FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A generation: by whom, where, for which team, and who is kept from it."""

    person: str = "bob"
    space: str = A
    team: str = ""
    private: bool = False
    held: bool = False
    state: str = "settled"

    @property
    def home(self) -> str:
        return {TEAM: A, OTHER_TEAM: B}.get(self.team, "")


ALL_MADE = {
    "openina1": Made(),
    "priva001": Made(private=True),
    "helda001": Made(held=True),
    "openinb1": Made(space=B, person="bea"),
    "privb001": Made(space=B, person="bea", private=True),
    "heldb001": Made(space=B, person="bea", held=True),
    "teamhome": Made(team=TEAM),
    "teamaway": Made(space=B, team=TEAM, person="bobs2nd"),
    "teampriv": Made(space=B, team=TEAM, private=True),
    "teamheld": Made(space=B, team=TEAM, held=True),
    "otherteam": Made(space=B, team=OTHER_TEAM, person="bea"),
    "waitina1": Made(state="asked"),
    "waitinb1": Made(state="asked", space=B, person="bea"),
    "waitteam": Made(state="asked", space=B, team=TEAM),
    "waitpriv": Made(state="asked", private=True),
    "deesown1": Made(person="dee"),
    "deesreal": Made(person="deefs", space="feishu/firm"),
}
PEOPLE = {"bob": "Bob Ordinary", "bobs2nd": "Robert Realname", "bea": "Bea Elsewhere", "ann": "Ann Owner"}
PEOPLE |= {"bossa": "Boss of A", "bossb": "Boss of B", "eve": "Eve Nobody"}
PEOPLE |= {"dee": "Dee Alias", "deefs": "A. Truename"}
LINKED = {"bob": "together", "bobs2nd": "together", "dee": "dees", "deefs": "dees"}


@dataclass(frozen=True, kw_only=True)
class Role:
    """persons: their own accounts. sees: the names that they may read."""

    rights: Rights
    space: str = ""
    names: frozenset[str] = frozenset(PEOPLE.values())

    @property
    def holder(self) -> str:
        return self.rights.persons[0] if self.rights.persons else COMMAND_LINE.id

    def is_in_sight(self, made: Made) -> bool:
        match self.rights.kind:
            case "operator":
                return True
            case "space":
                return self.space in (made.space, made.home)
            case "team":
                return made.team == TEAM
            case _:
                return made.person in self.rights.persons

    def rules(self, made: Made) -> bool:
        return self.rights.kind == "operator" or (self.rights.kind == "space" and made.space == self.space)

    def reads(self, made: Made) -> bool:
        mine = made.person in self.rights.persons
        return self.is_in_sight(made) and (not made.private or mine or self.rules(made))

    def looks(self, made: Made) -> bool:
        return self.reads(made) and made.state == "settled" and (not made.held or self.rules(made))

    def stops(self, made: Made) -> bool:
        return self.is_in_sight(made) and (made.person in self.rights.persons or self.rules(made))


def role(kind: str, person: str, *names: str, space: str = "", teams: tuple[str, ...] = ()) -> Role:
    persons = ("bob", "bobs2nd") if person == "bob" else (person,)
    rights = Rights(kind=kind, spaces=(space,) if space else (), teams=teams, persons=persons, name=PEOPLE[person])
    return Role(rights=rights, space=space, names=frozenset(PEOPLE[each] for each in (person, *names)))


ROLES = {
    "operator": Role(rights=Rights(kind="operator", name="operator")),
    "admin of A": role("space", "bossa", "bob", "bobs2nd", "ann", "dee", space=A),
    "admin of B": role("space", "bossb", "bea", "bob", "bobs2nd", space=B),
    "owner": role("team", "ann", "bob", "bobs2nd", teams=(TEAM,)),
    "member": role("person", "bob", "bobs2nd"),
    "nobody": role("person", "eve"),
}
EACH_ROLE = pytest.mark.parametrize("who", ROLES)
PAGES = (
    *("overview", "pools", "people", "people?search=e&sort=name&order=up", "queue", "gallery", "health", "export"),
    *("gallery?words=secret", "gallery?person=bea", "gallery?person=o", "gallery?model=seedream-4.5", "audit"),
    *(f"spend?by={by}" for by in ("day", "model", "provider", "adapter", "person", "team", "space")),
    *(f"export/{what}.csv" for what in ("usage", "ledger", "audit")),
    *(f"people/{person}" for person in (*PEOPLE, *LINKED.values())),
    *(f"gallery/{id}" for id in ALL_MADE),
)


@dataclass
class Fortress:
    """The process, its database, and doors into its dashboard for each role."""

    address: str
    folder: Path
    url: str
    blob: str = ""
    secrets: set[str] = field(default_factory=set)

    async def change(self, function: Any, *arguments: Any) -> Any:
        """As another process of the bot would."""
        async with open_database(self.url or f"{SQLITE}{self.folder}/bot.db") as database:
            return await database.transaction(function, *arguments)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with reading(self.url or self.folder / "bot.db") as connection:
            return [dict(row) for row in connection.rows(sql, **values)]

    async def let_in(self, who: Role) -> str:
        """The token of a new session."""
        name = who.rights.name
        holder = Holder(person=who.holder, name=name, space=who.space, rights=who.rights)
        token: str = await self.change(keys.open_session, holder, micros(now()))
        self.secrets.add(token)
        return token

    async def link(self, who: Role) -> str:
        """The key of a new link."""
        holder = Holder(person=who.holder, name=who.rights.name, space=who.space, rights=who.rights)
        key: str = await self.change(keys.new_link, holder, micros(now()))
        self.secrets.add(key)
        return key

    @asynccontextmanager
    async def inside(self, who: Role | str, **headers: str) -> AsyncIterator["Visitor"]:
        token = await self.let_in(ROLES[who] if isinstance(who, str) else who)
        async with self.outside(Cookie=f"{COOKIE}={token}", **headers) as visitor:
            yield replace(visitor, token=token)

    @asynccontextmanager
    async def outside(self, **headers: str) -> AsyncIterator["Visitor"]:
        async with aiohttp.ClientSession(self.address, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Visitor(session)


@dataclass(frozen=True)
class Visitor:
    session: aiohttp.ClientSession
    token: str = ""

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        async with self.session.get(f"/dashboard/{path}", allow_redirects=False, **more) as response:
            return response.status, (await response.read()).decode(errors="replace")

    async def post(self, path: str, data: Any = None, **headers: str) -> tuple[int, str]:
        async with self.session.post(
            f"/dashboard/{path}", data=data, headers=headers, allow_redirects=False
        ) as response:
            return response.status, await response.text()

    async def form(self) -> dict[str, str]:
        found = FORM.search((await self.get("export"))[1])
        assert found
        return {"form": found[1]}


def furnish(connection: Connection, blob: str) -> None:
    for id, name in PEOPLE.items():
        connection.execute(
            "INSERT INTO people (id, name, created_at, linked) VALUES (:id, :name, 0, :linked)",
            id=id, name=name, linked=LINKED.get(id, ""),
        )  # fmt: skip
        connection.execute("INSERT INTO actors (adapter, user_id, person) VALUES ('discord', :id, :id)", id=id)
    for team, space, owner in ((TEAM, A, "ann"), (OTHER_TEAM, B, "bea")):
        connection.execute(
            "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:team, :space, :name, :team, 0)",
            team=team, space=space, name=f"{team} {HOSTILE}",
        )  # fmt: skip
        for person, kind in ((owner, "owner"), *([("bob", "member"), ("bobs2nd", "member")] * (team == TEAM))):
            connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES (:team, :person, :kind, 'admin', 0)",
                team=team, person=person, kind=kind,
            )  # fmt: skip
    for id, made in ALL_MADE.items():
        put(connection, id, made, blob)
    for space in (A, B, ""):
        note(connection, space, By("bossa", f"Whoever of [{space}] {HOSTILE}"), f"rule of [{space}]", None, HOSTILE, 5)


def put(connection: Connection, id: str, made: Made, blob: str) -> None:
    at = micros(now())
    request = {
        "mode": "imagine", "prompt": f"secret-{id} {HOSTILE}", "providers": ["sandbox"], "model": "seedream-4.5",
        "size": "2K", "ratio": "", "count": 1, "references": [],
    }  # fmt: skip
    connection.execute(
        "INSERT INTO generations (id, invocation, person, person_name, space, team, adapter, language, request,"
        " provider, providers, model, count, price, state, made, charged, private, parent, created_at, started_at,"
        " finished_at, failure) VALUES (:id, :id, :person, :name, :space, :team, 'discord', 'en', :request, 'sandbox',"
        " 'sandbox', 'seedream-4.5', 1, 40000, :state, :made, :made, :private, :parent, :at, :at, :at, :failure)",
        id=id, person=made.person, name=PEOPLE[made.person], space=made.space, team=made.team,
        request=json.dumps(request, ensure_ascii=False), state=made.state, made=int(made.state == "settled"),
        private=int(made.private), parent="openina1" if id in ("priva001", "teamaway") else "", at=at, failure="",
    )  # fmt: skip
    if made.state != "settled":
        return
    amounts = {"images": 1, "usd": 40_000}
    rules = ledger.Rules(policy={}, now=now(), zone="UTC")
    ledger.hold(connection, id, Payer(person=made.person, space=made.space, team=made.team), amounts, rules)
    ledger.settle(connection, id, amounts, at)
    connection.execute(
        "INSERT INTO images (generation, position, job, blob, media_type, width, height, size, price, state)"
        " VALUES (:id, 0, 0, :blob, 'image/png', 24, 16, 99, 40000, 'made')",
        id=id, blob=blob,
    )  # fmt: skip
    if made.held:
        connection.execute(
            "INSERT INTO reviews (generation, space, room, state) VALUES (:id, :space, '', 'waiting')",
            id=id, space=made.space,
        )  # fmt: skip
    row = connection.row("SELECT * FROM generations WHERE id=:id", id=id)
    assert row is not None
    usage.count(connection, row, images=1, usd=40_000, state="settled", at=at, zone="UTC")


@pytest.fixture(scope="module", params=BOTH_IN_TIME)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    with settings_of(request.param) as settings:
        desk = Desk(
            tmp_path_factory.mktemp("fortress"), {"BOT_LOG__LEVEL": "DEBUG", "BOT_LOG__FORMAT": "json", **settings}
        )
        with desk.running("demo", "--no-open") as owner:
            fortress = Fortress(owner.address, desk.data_dir, settings.get("BOT_DATABASE_URL", ""))
            yield fortress
    log = "\n".join(owner.err)
    troubles = [line for line in owner.err if '"level": "error"' in line or "Traceback" in line]
    assert not [line for line in troubles if "Error handling request" not in line]  # what is no HTTP
    assert not [secret for secret in fortress.secrets if secret in log]
    assert "secret-" not in log


@pytest_asyncio.fixture
async def fortress(running: Fortress) -> Fortress:
    if not running.blob:
        async with aiohttp.ClientSession(running.address) as pages:
            house = House(running.folder, running.url, pages)
            asked = await house.say("bob", "/imagine a lighthouse")
            running.blob = house.blob(house.answer(asked)["generation"])
        await running.change(furnish, running.blob)
    return running


@EACH_ROLE
async def test_each_role_reads_what_it_may_and_nothing_else_on_any_page(fortress: Fortress, who: str) -> None:
    mine = ROLES[who]
    async with fortress.inside(who) as visitor:
        read = {path: await visitor.get(path) for path in PAGES}

    everything = "\n".join(body for _, body in read.values())
    told = {id for id in ALL_MADE if f"secret-{id}" in everything}
    assert told == {id for id, made in ALL_MADE.items() if mine.reads(made)}
    pictures = {id for id in ALL_MADE if f"/dashboard/pictures/{id}/" in everything}
    assert pictures == {id for id, made in ALL_MADE.items() if mine.looks(made)}
    names = {name for name in PEOPLE.values() if name in everything}
    assert names <= mine.names
    assert {status for status, _ in read.values()} <= {200, 403, 404}
    assert HOSTILE not in everything.replace(read["export/audit.csv"][1], "").replace(read["export/usage.csv"][1], "")
    for space in (A, B, ""):
        assert (f"rule of [{space}]" in everything) is (who == "operator" or bool(space and mine.space == space))
    allowed = 200 if mine.rights.kind in ("operator", "space") else 403
    assert (read["audit"][0], read["export/audit.csv"][0]) == (allowed, allowed)


@EACH_ROLE
async def test_each_role_sees_the_pictures_it_may(fortress: Fortress, who: str) -> None:
    mine = ROLES[who]
    async with fortress.inside(who) as visitor:
        for id, made in ALL_MADE.items():
            shown, seen = 200 if mine.looks(made) else 404, 200 if mine.is_in_sight(made) else 404
            for size in ("", "?longest=320", "?longest=1280"):
                assert (await visitor.get(f"pictures/{id}/0{size}"))[0] == shown, (id, size)
            status, body = await visitor.get(f"gallery/{id}")
            assert status == seen, id
            assert (f"/dashboard/pictures/{id}/" in body) is mine.looks(made)
            kept = mine.is_in_sight(made) and not mine.reads(made)
            assert ("It was made privately: you see that it was made" in body) is kept
            for other in ("-1", "1", "99", "0x0", "%00", "..%2f0", "999999999999999999"):
                assert (await visitor.get(f"pictures/{id}/{other}"))[0] in (400, 404)


@EACH_ROLE
async def test_each_role_stops_what_it_may(fortress: Fortress, who: str) -> None:
    mine = ROLES[who]

    def again(connection: Connection) -> None:
        connection.execute("UPDATE generations SET state='asked', cancelled=0, finished_at=0 WHERE id LIKE 'wait%'")

    await fortress.change(again)
    async with fortress.inside(who) as visitor:
        form = await visitor.form()
        _, queue = await visitor.get("queue")
        for id, made in ALL_MADE.items():
            if made.state != "asked":
                continue
            wanted = 303 if mine.stops(made) else 403 if mine.is_in_sight(made) else 404
            assert (f'action="/dashboard/queue/{id}/cancel"' in queue) is mine.stops(made), id
            assert (await visitor.post(f"queue/{id}/cancel", form))[0] == wanted, id
            [row] = fortress.rows("SELECT state FROM generations WHERE id=:id", id=id)
            assert row["state"] == ("cancelled" if wanted == 303 else "asked")


@EACH_ROLE
async def test_what_was_possibly_billed_is_the_operators_to_decide(fortress: Fortress, who: str) -> None:
    async with fortress.inside(who) as visitor:
        form = await visitor.form()
        for id in (*ALL_MADE, "nothing1"):
            for act in ("charge", "release"):
                status, _ = await visitor.post(f"health/{id}/{act}", form)
                assert status == ((404 if id == "nothing1" else 400) if who == "operator" else 403), id


@EACH_ROLE
async def test_other_methods_do_nothing(fortress: Fortress, who: str) -> None:
    paths = ("overview", "gallery/openina1", "pictures/openina1/0", "export/usage.csv", "people/bob", "audit")
    async with fortress.inside(who) as visitor:
        form = await visitor.form()
        for method, path in product(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "BREW"), paths):
            async with visitor.session.request(method, f"/dashboard/{path}", data=form) as response:
                assert response.status in (400, 403, 404, 405), (method, path)
                check_headers(response)


def check_headers(response: aiohttp.ClientResponse) -> None:
    """What stands on every answer, whatever it is."""
    if response.status == 400 and "Content-Security-Policy" not in response.headers:
        assert response.content_type == "text/plain"  # what is no HTTP is answered before anybody here sees it
        return
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    kept = response.headers.get("Cache-Control", "")
    assert "no-store" in kept or "no-cache" in kept, (str(response.url), response.status, kept)


@pytest.mark.parametrize("cookie", [True, False], ids=["inside", "outside"])
async def test_every_answer_carries_its_headers(fortress: Fortress, cookie: bool) -> None:
    paths = [
        *PAGES, "", "enter", "nothing/at/all", "static/dashboard.css", "static/none", "static/", "shared/page.css",
        "pictures/openina1/0", "pictures/openina1/0?longest=320", "pictures/openina1/7", "gallery/none",
        "people/none", "spend?by=x", "export/none.csv", "people?page=1",
    ]  # fmt: skip
    async with fortress.inside("operator") if cookie else fortress.outside() as visitor:
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                async with visitor.session.request(method, f"/dashboard/{path}", allow_redirects=False) as response:
                    assert response.status < 500, (method, path)
                    check_headers(response)


NONSENSE = [
    *("%00", "a%00b", "%ED%A0%80", "%FF%FE", "%0d%0aSet-Cookie:x=1", "../../etc/passwd", "..%2f..%2fetc%2fpasswd"),
    *("'%20OR%201=1--", "%25", "_", "!", "\\", "{}", "{{7*7}}", "%27", "💣", "x" * 4000, "-1", "1e9", "null"),
    *("[]", "[1]", "1", '[1,2]', '[99999999999999999999999,"x"]', '["\\u0000","x"]', '["\\ud800","x"]', "[" * 400),
    *('[null,"x"]', '[true,"x"]', '[1e400,"x"]', '[NaN,"x"]', '["x","\\u0000"]', '[1,"\\ud800"]', "9" * 5000),
    *("0001-01-01", "9999-12-31", "2026-02-30", "2026-W47-6", "20261121", "９", "+1", "0", "9999999999999999999"),
]  # fmt: skip
ASKED = {
    "people": ("search", "sort", "order", "page", "since", "until"),
    "gallery": ("words", "person", "model", "before"),
    "spend": ("by", "since", "until"),
    "audit": ("before",),
    "export": ("since", "until"),
    "export/usage.csv": ("since", "until"),
    "export/ledger.csv": ("since", "until"),
    "pictures/openina1/0": ("longest",),
    "queue": ("done",),
    "overview": ("nothing",),
}


@pytest.mark.parametrize("who", ["operator", "admin of A", "nobody"])
async def test_nonsense_breaks_nothing(fortress: Fortress, who: str) -> None:
    async with fortress.inside(who) as visitor:
        for page, names in ASKED.items():
            for name in names:
                for said in NONSENSE:
                    said = said if "%" in said else quote(said, safe="")
                    found = await visitor.session.get(_raw(f"/dashboard/{page}?{name}={said}"), allow_redirects=False)
                    async with found as response:
                        body = (await response.read()).decode(errors="replace")
                    assert response.status < 500, (page, name, said, response.status)
                    assert "Traceback" not in body
                    assert "x" not in response.cookies
        for page in ("people", "gallery", "pictures", "queue", "health", "export"):
            for said in NONSENSE:
                said = said if "%" in said else quote(said, safe="")
                for path in (said, f"{said}/0", f"{said}/cancel"):
                    async with visitor.session.get(_raw(f"/dashboard/{page}/{path}")) as response:
                        assert response.status < 500, (page, path)


def _raw(address: str) -> URL:
    return URL(address, encoded=True)


# --- The ways in


def refusals(fortress: Fortress, name: str) -> list[str]:
    rows = fortress.rows(
        "SELECT after FROM audit WHERE what='dashboard refused' AND name=:name ORDER BY seq", name=name
    )
    return [row["after"] for row in rows]


def newcomer(kind: str = "person", **more: Any) -> Role:
    """Somebody of whom nothing is stored yet."""
    id = f"new-{token_hex(4)}"
    rights = Rights(kind=kind, persons=(id,), name=f"Newcomer {id}", **more)
    return Role(rights=rights, space=A)


async def settle_in(fortress: Fortress, who: Role) -> None:
    def known(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO people (id, name, created_at, linked) VALUES (:id, :name, 0, '')",
            id=who.holder, name=who.rights.name,
        )  # fmt: skip
        for team in who.rights.teams:
            connection.execute(
                "INSERT INTO teams (id, space, name, same_name, created_at) VALUES (:team, :space, :team, :team, 0)",
                team=team, space=A,
            )  # fmt: skip
            connection.execute(
                "INSERT INTO team_members (team, person, role, source, added_at)"
                " VALUES (:team, :person, 'owner', 'admin', 0)",
                team=team, person=who.holder,
            )  # fmt: skip

    await fortress.change(known)


async def test_a_link_that_many_follow_at_once_lets_one_in(fortress: Fortress) -> None:
    thief = newcomer()
    await settle_in(fortress, thief)
    key = await fortress.link(thief)
    planted = "A" * 43
    async with fortress.outside(Cookie=f"{COOKIE}={planted}") as visitor:

        async def follow() -> tuple[int, str, str]:
            async with visitor.session.post("/dashboard/enter", data={"key": key}, allow_redirects=False) as response:
                check_headers(response)
                cookie = response.cookies.get(COOKIE)
                return response.status, response.headers.get("Location", ""), cookie.value if cookie else ""

        answers = await asyncio.gather(*(follow() for _ in range(40)))
        again = [await follow() for _ in range(20)]
    fortress.secrets |= {token for _, _, token in answers if token}

    [(_, location, token)] = [each for each in answers if each[0] == 303]
    assert location == "/dashboard/"
    assert token not in ("", planted, key)
    assert {status for status, _, _ in [*answers, *again]} == {303, 401}
    assert refusals(fortress, thief.rights.name) == ['"used link"']  # however often it is tried


async def test_a_link_that_came_too_late_or_from_nowhere_opens_nothing(fortress: Fortress) -> None:
    late = newcomer()
    await settle_in(fortress, late)
    key = await fortress.link(late)
    token = await fortress.let_in(late)

    def over(connection: Connection) -> None:
        connection.execute("UPDATE dashboard_keys SET expires_at=:at WHERE person=:id", at=5, id=late.holder)

    await fortress.change(over)
    async with fortress.outside() as visitor:
        for forged in (key, key, token, "", "x", "é", "\0", key.upper(), key + " ", "x" * 100_000):
            status, body = await visitor.post("enter", {"key": forged})
            assert status == 401, forged[:50]
            assert forged[:20] not in body or len(forged) < 2
        for cookie in (token, key, "x", "'--", token[:-1]):
            headers = {"Cookie": f"{COOKIE}={cookie}"}
            async with visitor.session.get("/dashboard/audit", headers=headers) as response:
                assert response.status == 401
    assert refusals(fortress, late.rights.name) == ['"expired link"']


ORIGINS = ["https://evil.example", "http://127.0.0.1:1", "http://localhost:80", "http://[::1", "file://", "", "null"]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_no_other_site_can_send_a_form(fortress: Fortress, origin: str) -> None:
    async with fortress.inside("member") as visitor:
        form = await visitor.form()
        for path in ("leave", "queue/waitina1/cancel", "health/openina1/charge", "enter"):
            assert (await visitor.post(path, form, Origin=origin))[0] == 403, path
            assert (await visitor.post(path, form, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403, path
        assert (await visitor.get("overview"))[0] == 200


async def test_a_form_of_another_session_is_none_of_this_one(fortress: Fortress) -> None:
    async with fortress.inside("member") as one, fortress.inside("member") as other:
        foreign = await other.form()
        for data in (foreign, {}, {"form": ""}, {"form": one.token}, {"form": "0" * 64}, {"FORM": foreign["form"]}):
            assert (await one.post("leave", data))[0] == 403
        as_query = {"form": (await one.form())["form"]}
        async with one.session.post("/dashboard/leave", params=as_query) as response:
            assert response.status == 403
        for path in ("leave", "queue/waitina1/cancel", "health/openina1/charge"):
            assert (await one.get(path))[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "x@evil.example", "[", ""]
)
async def test_by_another_name_nothing_is_answered(fortress: Fortress, host: str) -> None:
    async with fortress.inside("operator", Host=host) as visitor:
        status, body = await visitor.get("overview")
        assert status in (400, 403)
        assert "secret-" not in body


async def test_whoever_logs_out_is_out(fortress: Fortress) -> None:
    async with fortress.inside("member") as visitor, fortress.inside("member") as other:
        form = await visitor.form()
        status, _ = await visitor.post("leave", form)
        assert status == 200
        for path in ("overview", "pictures/openina1/0", "export/usage.csv"):
            assert (await visitor.get(path))[0] == 401
        assert (await visitor.post("queue/waitina1/cancel", form))[0] == 401
        assert (await other.get("overview"))[0] == 200


def block(space: str, *persons: str) -> Callable[[Connection], None]:
    def change(connection: Connection) -> None:
        admin = Person(id="bossa", name="Boss of A", settings={}, admin=True, space=space)
        adapter, users = space.partition("/")[0], {f"user of {person}": "x" for person in persons}
        for user, person in zip(users, persons, strict=True):
            connection.execute(
                "INSERT INTO actors (adapter, user_id, person) VALUES (:adapter, :user, :person)"
                " ON CONFLICT DO NOTHING",
                adapter=adapter,
                user=user,
                person=person,
            )
        change_rules(connection, space, lambda rules: replace(rules, blocked=users), admin, micros(now()))

    return change


def changed(sql: str, **values: Any) -> Callable[[Connection], None]:
    def change(connection: Connection) -> None:
        assert connection.execute(sql, **values)

    return change


@pytest.mark.parametrize("how", ["closed", "removed", "member", "blocked", "gone", "no admin"])
async def test_rights_that_end_in_the_middle_end_the_session(fortress: Fortress, how: str) -> None:
    admin = how in ("blocked", "no admin")
    team = f"team-{token_hex(4)}"
    who = newcomer("space", spaces=(A,)) if admin else newcomer("team", teams=(team,))
    await settle_in(fortress, who)
    losing = {
        "closed": changed("UPDATE teams SET closed_at=9 WHERE id=:team", team=team),
        "removed": changed("DELETE FROM team_members WHERE team=:team", team=team),
        "member": changed("UPDATE team_members SET role='member' WHERE team=:team", team=team),
        "blocked": block(A, who.holder),
        "gone": changed("DELETE FROM people WHERE id=:id", id=who.holder),
        "no admin": lambda connection: keys.no_admin(connection, who.holder, A, micros(now())),
    }
    async with fortress.inside(who) as visitor:
        form = await visitor.form()
        await fortress.change(losing[how])
        first, then = await visitor.get("overview"), await visitor.get("overview")
        assert (first[0], then[0]) == (401 if how == "no admin" else 403, 401)
        assert (await visitor.post("queue/waitina1/cancel", form))[0] == 401
        assert (await visitor.get("export/usage.csv"))[0] == 401
    await fortress.change(block(A))
    assert refusals(fortress, who.rights.name) == [] if how == "no admin" else ['"no rights any more"']


async def test_an_owner_who_is_blocked_where_the_team_is_at_home_loses_it(fortress: Fortress) -> None:
    who = newcomer("team", teams=(f"team-{token_hex(4)}",))
    await settle_in(fortress, who)
    async with fortress.inside(who) as visitor:
        assert (await visitor.get("overview"))[0] == 200
        await fortress.change(block(A, who.holder))
        assert (await visitor.get("overview"))[0] == 403
    await fortress.change(block(A))


async def test_whoever_has_themselves_forgotten_is_out(fortress: Fortress) -> None:
    async with aiohttp.ClientSession(fortress.address, cookie_jar=aiohttp.CookieJar(unsafe=True)) as pages:
        house = House(fortress.folder, fortress.url, pages)
        await house.say("carol", "/quota")
        assert (await house.get("/open-dashboard?as=carol"))[0] == 303
        assert (await house.get("/dashboard/overview"))[0] == 200
        asked = await house.say("carol", "/forget me")
        standing = house.standing(asked)
        yes = house.answer(asked)["buttons"][0]
        await house.say("carol", press=f"{yes['command']}:{yes['generation']}:0", reply_to=standing)

        assert (await house.get("/dashboard/overview"))[0] == 401


# --- Too much of everything


async def test_a_thousand_who_look_at_once_leave_room_for_whoever_draws(fortress: Fortress) -> None:
    token = await fortress.let_in(ROLES["operator"])
    everybody = aiohttp.TCPConnector(limit=0)
    headers = {"Cookie": f"{COOKIE}={token}"}
    async with (
        aiohttp.ClientSession(fortress.address, connector=everybody, headers=headers) as crowd,
        aiohttp.ClientSession(fortress.address) as pages,
    ):
        looks = [asyncio.create_task(_look(crowd)) for _ in range(1000)]
        house = House(fortress.folder, fortress.url, pages)
        await house.say("bob", "/quota")
        left = sum(not look.done() for look in looks)
        assert set(await asyncio.gather(*looks)) == {200}
    assert left, "nobody was looking any more"


async def _look(session: aiohttp.ClientSession) -> int:
    async with session.get("/dashboard/overview") as response:
        await response.read()
        return response.status


LARGE = 30_000


async def many_changes(fortress: Fortress) -> None:
    def fill(connection: Connection) -> None:
        if connection.row("SELECT 1 FROM audit WHERE what='many' LIMIT 1"):
            return
        rows = [{"at": micros(now()), "after": json.dumps("=x" * 200)} for _ in range(LARGE)]
        connection.execute_many(
            "INSERT INTO audit (at, space, person, name, what, before, after)"
            " VALUES (:at, 'discord/many', 'p', '@n', 'many', 'null', :after)",
            rows,
        )

    await fortress.change(fill)


async def test_a_reader_may_leave_in_the_middle_of_an_export(fortress: Fortress) -> None:
    await many_changes(fortress)
    async with fortress.inside("operator") as visitor:
        for _ in range(5):
            async with visitor.session.get("/dashboard/export/audit.csv") as response:
                assert await response.content.read(100)
                response.close()
        _, whole = await visitor.get("export/audit.csv")
        assert whole.count("many") >= LARGE
        assert not [row for row in csv.reader(io.StringIO(whole)) for cell in row if cell.startswith(("=", "@"))]
        assert (await visitor.get("overview"))[0] == 200


async def test_an_export_breaks_off_where_its_reader_loses_their_rights(fortress: Fortress) -> None:
    await many_changes(fortress)
    who = newcomer("space", spaces=("discord/many",))
    await settle_in(fortress, who)
    async with fortress.inside(who) as visitor, visitor.session.get("/dashboard/export/audit.csv") as response:
        assert response.status == 200
        await fortress.change(block("discord/many", who.holder))
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await fortress.change(block("discord/many"))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET /dashboard/people?search=" + b"x" * 10_000_000 + b" HTTP/1.1\r\n\r\n", id="query"),
        pytest.param(b"GET /dashboard/ HTTP/1.1\r\nCookie: " + b"x" * 10_000_000 + b"\r\n\r\n", id="cookie"),
        pytest.param(b"GET /dashboard/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", id="NUL"),
        pytest.param(b"GET /dashboard/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", id="two hosts"),
        pytest.param(b"GET http://evil.example/dashboard/ HTTP/1.1\r\nHost: localhost\r\n\r\n", id="absolute"),
        pytest.param(b"GET //evil.example/dashboard/ HTTP/1.1\r\nHost: localhost\r\n\r\n", id="slashes"),
        pytest.param(
            b"POST /dashboard/enter HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded;"
            b" charset=none\r\nContent-Length: 5\r\n\r\nkey=x",
            id="charset",
        ),
        pytest.param(
            b"POST /dashboard/enter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"
            b"\r\n\r\n0\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(
            b"POST /dashboard/enter HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 900000\r\n\r\n" + b"key=1&" * 150_000,
            id="many fields",
        ),
    ],
)
async def test_what_no_browser_sends_is_refused(fortress: Fortress, raw: bytes) -> None:
    address = URL(fortress.address)
    assert address.host
    reader, writer = await asyncio.open_connection(address.host, address.port)
    with suppress(ConnectionError):
        writer.write(raw)
        await writer.drain()
    with suppress(ConnectionError):
        answer = await reader.read(2000)
        assert answer.split(b" ")[1] in (b"303", b"400", b"401", b"403", b"404", b"413"), answer[:200]
        assert b"evil.example" not in answer
        assert b"Traceback" not in answer
    writer.close()
    async with fortress.inside("member") as visitor:
        assert (await visitor.get("overview"))[0] == 200

"""The dashboard over a socket: who is let in, what each page shows to whom, and what it refuses."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from yarl import URL

from adapters.web.dashboard.routes import Dashboard
from bot.errors import Unavailable
from bot.i18n import text
from tests.adapters.web.fake_board import Desk, core_with_dashboard, link_for
from tests.adapters.web.fake_core import core_with_page, serving

PAGES = (
    "overview",
    "pools",
    "people",
    "people/p1",
    "spend",
    "queue",
    "gallery",
    "gallery/g00bbbbb",
    "health",
    "export",
)
COOKIE = "seedream-dashboard-8765"
FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')


class Time:
    """Real, unless a test moves it on."""

    def __init__(self) -> None:
        self.later = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


@pytest.fixture
def time() -> Time:
    return Time()


@pytest_asyncio.fixture
async def desk(tmp_path: Path, time: Time) -> AsyncIterator[Desk]:
    async with core_with_dashboard(tmp_path, time) as desk:
        yield desk


@pytest_asyncio.fixture
async def address(desk: Desk) -> AsyncIterator[str]:
    async with serving(desk.core.chat) as address:
        yield address


@pytest_asyncio.fixture
async def browser(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    # A cookie jar keeps nothing of a bare address unless it is told to.
    async with aiohttp.ClientSession(address, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def enter(browser: aiohttp.ClientSession, key: str) -> aiohttp.ClientResponse:
    return await browser.post("/dashboard/enter", data={"key": key}, allow_redirects=False)


async def page(browser: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with browser.get(f"/dashboard/{path}") as response:
        return response.status, (await response.read()).decode(errors="replace")


async def form_of(browser: aiohttp.ClientSession) -> str:
    found = FORM.search((await page(browser, "queue"))[1])
    assert found
    return found[1]


async def audited(desk: Desk) -> list[tuple[str, Any]]:
    rows = await desk.core.database.fetch("SELECT what, after FROM audit ORDER BY seq")
    return [(row["what"], row["after"]) for row in rows]


async def test_a_link_opens_a_session_once(desk: Desk, browser: aiohttp.ClientSession, address: str) -> None:
    key = await link_for(desk, kind="space", spaces=("web/local",))

    first = await enter(browser, key)
    assert (first.status, first.headers["Location"]) == (303, "/dashboard/")
    assert (await page(browser, "overview"))[0] == 200
    async with aiohttp.ClientSession(address) as stranger:
        replayed = await enter(stranger, key)
        assert replayed.status == 401
        assert "This link is used" in await replayed.text()
        assert "Set-Cookie" not in replayed.headers
    assert await audited(desk) == [("dashboard opened", '"space"'), ("dashboard refused", '"used link"')]


async def test_the_cookie_is_for_the_dashboard_alone(desk: Desk, browser: aiohttp.ClientSession) -> None:
    key = await link_for(desk, kind="person")

    cookie = (await enter(browser, key)).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/dashboard", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    behind_https = {"X-Forwarded-Proto": "https"}
    key = await link_for(desk, kind="person")
    async with browser.post(
        "/dashboard/enter", data={"key": key}, headers=behind_https, allow_redirects=False
    ) as response:
        assert "Secure" in response.headers["Set-Cookie"].split("; ")


async def test_a_link_that_came_too_late_opens_nothing(desk: Desk, browser: aiohttp.ClientSession, time: Time) -> None:
    key = await link_for(desk, kind="person")
    time.later = timedelta(minutes=10)

    assert (await enter(browser, key)).status == 401
    assert await audited(desk) == [("dashboard refused", '"expired link"')]


async def test_a_session_ends_after_twelve_hours_however_it_is_used(
    desk: Desk, browser: aiohttp.ClientSession, time: Time
) -> None:
    await enter(browser, await link_for(desk, kind="person"))

    time.later = timedelta(hours=11, minutes=59)
    assert (await page(browser, "overview"))[0] == 200
    time.later = timedelta(hours=12)
    assert (await page(browser, "overview"))[0] == 401


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é", "'; DROP TABLE audit; --"])
async def test_a_forged_cookie_opens_nothing(desk: Desk, address: str, token: str) -> None:
    headers = {"Cookie": f"{COOKIE}={token}".encode().decode("latin-1")}
    async with aiohttp.ClientSession(address, headers=headers) as stranger:
        for path in PAGES:
            status, body = await page(stranger, path)
            assert status == 401, path
            assert "/admin dashboard" in body
    assert await audited(desk) == []


async def test_a_link_is_no_session_and_a_session_no_link(desk: Desk, browser: aiohttp.ClientSession) -> None:
    key = await link_for(desk, kind="person")
    async with aiohttp.ClientSession(browser._base_url, headers={"Cookie": f"{COOKIE}={key}"}) as stranger:
        assert (await page(stranger, "overview"))[0] == 401
    await enter(browser, key)
    token = next(cookie.value for cookie in browser.cookie_jar if cookie.key == COOKIE)

    assert (await enter(browser, token)).status == 401


async def test_whoever_is_no_operator_any_more_is_sent_away(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    assert (await page(browser, "health"))[0] == 200
    desk.operators.clear()

    status, body = await page(browser, "health")
    assert status == 403
    assert "You may not look at the dashboard any more." in body
    assert (await page(browser, "health"))[0] == 401
    assert await audited(desk) == [("dashboard opened", '"operator"'), ("dashboard refused", '"no rights any more"')]


async def test_an_owner_who_lost_the_team_is_sent_away(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await enter(browser, await link_for(desk, kind="team", teams=("t1",)))
    assert (await page(browser, "overview"))[0] == 200
    await desk.core.database.transaction(lambda connection: connection.execute("DELETE FROM team_members"))

    assert (await page(browser, "overview"))[0] == 403


async def test_logging_out_ends_the_session_itself(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await enter(browser, await link_for(desk, kind="person"))
    token = next(cookie.value for cookie in browser.cookie_jar if cookie.key == COOKIE)
    async with browser.post("/dashboard/leave", data={"form": await form_of(browser)}) as response:
        assert response.status == 200

    async with aiohttp.ClientSession(browser._base_url, headers={"Cookie": f"{COOKIE}={token}"}) as thief:
        assert (await page(thief, "overview"))[0] == 401


@pytest.mark.parametrize(
    "path", ["queue/q0aaaaaa/cancel", "health/u1aaaaaa/charge", "health/u1aaaaaa/release", "leave"]
)
async def test_a_form_needs_the_token_of_its_session(desk: Desk, browser: aiohttp.ClientSession, path: str) -> None:
    await browser.get("/open-dashboard?as=alice")
    for given in ({}, {"form": "0" * 64}, {"form": "é"}):
        async with browser.post(f"/dashboard/{path}", data=given, allow_redirects=False) as response:
            assert response.status == 403
    elsewhere = {"Origin": "https://evil.example"}
    async with browser.post(
        f"/dashboard/{path}", data={"form": await form_of(browser)}, headers=elsewhere, allow_redirects=False
    ) as response:
        assert response.status == 403

    assert (desk.board.cancelled, desk.board.resolved) == ([], {})
    assert (await page(browser, "overview"))[0] == 200


@pytest.mark.parametrize("path", ["spend?by=day&", "people/p1?"])
async def test_a_long_time_is_drawn_by_month(desk: Desk, browser: aiohttp.ClientSession, path: str) -> None:
    await browser.get("/open-dashboard?as=alice")
    async with browser.get(f"/dashboard/{path}since=2025-11-22&until=2026-11-21") as response:
        long = await response.text()
    async with browser.get(f"/dashboard/{path}since=2026-08-22&until=2026-11-21") as response:
        short = await response.text()

    assert "Spent by month" in long
    assert '<th scope="col">Month</th>' in long
    assert '<th scope="row">2025-12</th>' in long
    assert "2026-11-20" not in long
    assert "Spent by month" not in short
    assert '<th scope="row">2026-11-20</th>' in short


async def test_what_waits_is_cancelled(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    form = await form_of(browser)

    async with browser.post("/dashboard/queue/q2aaaaaa/cancel", data={"form": form}) as response:
        body = await response.text()
    assert desk.board.cancelled == ["q2aaaaaa"]
    assert "It was cancelled." in body
    assert 'action="/dashboard/queue/q2aaaaaa/cancel"' not in body
    async with browser.post("/dashboard/queue/nobodys/cancel", data={"form": form}) as response:
        assert response.status == 404
        assert "There is no request with the id nobodys." in await response.text()


async def test_what_was_possibly_billed_is_decided_once_and_by_operators(
    desk: Desk, browser: aiohttp.ClientSession
) -> None:
    await browser.get("/open-dashboard?as=alice")
    form = await form_of(browser)
    for act, status in (("charge", 200), ("release", 400)):
        async with browser.post(f"/dashboard/health/u1aaaaaa/{act}", data={"form": form}) as response:
            assert response.status == status
    assert desk.board.resolved == {"u1aaaaaa": True}

    await enter(browser, await link_for(desk, kind="space", spaces=("web/local",)))
    _, body = await page(browser, "health")
    assert "u2aaaaaa" in body
    assert "/dashboard/health/u2aaaaaa" not in body
    assert "The bot&#39;s operator decides" in body
    form = await form_of(browser)
    async with browser.post("/dashboard/health/u2aaaaaa/charge", data={"form": form}) as response:
        assert response.status == 403
    assert desk.board.resolved == {"u1aaaaaa": True}


@pytest.mark.parametrize(
    ("rights", "audit"),
    [
        ({"kind": "space", "spaces": ("web/local",)}, 200),
        ({"kind": "team", "teams": ("t1",)}, 403),
        ({"kind": "person"}, 403),
    ],
    ids=["space", "team", "person"],
)
async def test_each_role_reads_its_pages(
    desk: Desk, browser: aiohttp.ClientSession, rights: dict[str, Any], audit: int
) -> None:
    await enter(browser, await link_for(desk, **rights))

    pages = [path for path in PAGES if path != "gallery/g00bbbbb"]
    assert {path: (await page(browser, path))[0] for path in pages} == dict.fromkeys(pages, 200)
    status, body = await page(browser, "audit")
    assert status == audit
    assert ('href="/dashboard/audit"' in (await page(browser, "overview"))[1]) is (audit == 200)
    assert (await page(browser, "export/audit.csv"))[0] == audit
    assert "Set-Cookie" not in body


async def test_a_picture_is_shown_to_those_alone_who_may_see_it(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    for size in ("", "?longest=320"):
        async with browser.get(f"/dashboard/pictures/g00bbbbb/0{size}") as response:
            assert response.status == 200
            assert response.content_type in ("image/png", "image/jpeg")
    assert (await page(browser, "pictures/g00bbbbb/9"))[0] == 404
    await enter(browser, await link_for(desk, kind="team", teams=("t1",)))

    assert (await page(browser, "gallery/g00bbbbb"))[0] == 404
    assert (await page(browser, "pictures/g00bbbbb/0"))[0] == 404
    assert (await page(browser, "pictures/g01bbbbb/0"))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "spend?since=nonsense",
        "spend?since=2026-11-21&until=2026-11-20",
        "spend?since=0001-01-01&until=2026-01-01",
        "spend?until=0001-01-01",
        "spend?by=prompt",
        "people?sort=password",
        "gallery?before=-1",
        "gallery?before=９",
        "audit?before=1e9",
        "export/usage.csv?since=x",
    ],
)
async def test_nonsense_is_answered_with_a_sentence(desk: Desk, browser: aiohttp.ClientSession, path: str) -> None:
    await browser.get("/open-dashboard?as=alice")

    status, body = await page(browser, path)
    assert status == 400
    assert "<h1>This did not work</h1>" in body


async def test_words_of_people_are_never_markup(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")

    for path in ("overview", "queue", "gallery", "gallery/g02bbbbb", "people?search=<script>alert(1)</script>"):
        _, body = await page(browser, path)
        assert "&lt;script&gt;alert(1)" in body, path
        assert "<script>alert" not in body, path


async def test_tables_sort_filter_and_page(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")

    _, body = await page(browser, "people?sort=name&order=up")
    assert body.index(">Alice<") < body.index(">Bob Marley<")
    assert 'aria-sort="ascending"' in body
    _, body = await page(browser, "people?search=BOB")
    assert re.findall(r"/dashboard/people/(p\d)", body) == ["p1"]
    found = re.search(r'href="(/dashboard/people\?[^"]*page=[^"]*)"', (await page(browser, "people"))[1])
    assert found
    async with browser.get(found[1].replace("&amp;", "&")) as response:
        assert ">First page<" in await response.text()
    first = re.findall(r'href="/dashboard/gallery/(g\d\d)', (await page(browser, "gallery"))[1])
    second = re.findall(r'href="/dashboard/gallery/(g\d\d)', (await page(browser, "gallery?before=953"))[1])
    assert (len(first), len(second)) == (48, 12)
    assert not set(first) & set(second)


async def test_the_search_says_how_far_it_looked(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")

    assert "Only the newest 50,000 were looked through." in (await page(browser, "gallery?words=fox"))[1]
    assert "were looked through" not in (await page(browser, "gallery"))[1]
    assert "Nothing fits this search." in (await page(browser, "gallery?words=zebra"))[1]


async def test_an_export_is_a_file_that_spreadsheets_read(desk: Desk, browser: aiohttp.ClientSession) -> None:
    names = ['a,b"c\nd', "陈晓明", "'=1+1", ""]
    desk.board.exported += [("2026-11-21", name, -3, Decimal("-0.038")) for name in names]
    await browser.get("/open-dashboard?as=alice")

    async with browser.get("/dashboard/export/usage.csv?since=2026-11-01&until=2026-11-21") as response:
        raw = await response.read()
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "seedream-usage-2026-11-01-2026-11-21.csv" in response.headers["Content-Disposition"]
    assert raw.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert head == ["day", "person", "images", "usd"]
    assert rows == [["2026-11-21", name, "-3", "-0.038"] for name in names]


async def test_an_export_is_sent_while_it_is_read(desk: Desk, browser: aiohttp.ClientSession) -> None:
    desk.board.exported += [("2026-11-21", "x" * 100, number, 0) for number in range(20_000)]
    await browser.get("/open-dashboard?as=alice")

    async with browser.get("/dashboard/export/ledger.csv") as response:
        assert "Content-Length" not in response.headers
        assert (await response.read()).count(b"\r\n") == 20_001


async def test_only_the_page_itself_opens_a_session_without_a_link(desk: Desk, browser: aiohttp.ClientSession) -> None:
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        async with browser.get("/open-dashboard?as=alice", headers=headers, allow_redirects=False) as response:
            assert response.status == 403
            assert "Set-Cookie" not in response.headers
    async with browser.get("/open-dashboard?as=nobody") as response:
        assert response.status == 404


async def test_whoever_is_no_admin_sees_their_own_alone(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=bob")

    assert (await page(browser, "audit"))[0] == 403
    assert await audited(desk) == [("dashboard opened", '"person"')]


async def test_the_link_to_it_is_for_admins_of_the_page(desk: Desk, browser: aiohttp.ClientSession) -> None:
    async with browser.get("/?as=alice&room=design-team") as response:
        assert "/open-dashboard?as=alice" in await response.text()
    async with browser.get("/?as=bob&room=design-team") as response:
        assert "/open-dashboard" not in await response.text()


async def test_no_token_shows_in_addresses_logs_or_pages(desk: Desk, browser: aiohttp.ClientSession) -> None:
    key = await link_for(desk, kind="space", spaces=("web/local",))
    with capture_logs() as logs:
        await enter(browser, key)
        await enter(browser, key)
        token = next(cookie.value for cookie in browser.cookie_jar if cookie.key == COOKIE)
        bodies = [(await page(browser, path))[1] for path in PAGES]

    secrets = (key, token)
    assert not any(secret in str(logs) for secret in secrets)
    assert not any(secret in body for body in bodies for secret in secrets)
    stored = str([dict(row) for row in await desk.core.database.fetch("SELECT * FROM dashboard_keys")])
    assert not any(secret in stored for secret in secrets)


async def test_a_page_token_guards_the_page_and_not_the_dashboard(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with core_with_page(tmp_path / "other", token="secret", host="0.0.0.0") as core:
        core.chat.dashboard = desk.core.chat.dashboard
        async with serving(core.chat) as address, aiohttp.ClientSession(address) as session:
            key = await link_for(desk, kind="person")
            async with session.get("/open-dashboard?as=alice") as response:
                assert response.status == 401
            async with session.get("/dashboard/static/dashboard.css") as response:
                assert response.status == 200
            async with session.get("/dashboard/shared/page.css") as response:
                assert response.status == 200
            assert (await enter(session, key)).status == 303


async def test_pages_are_not_kept_and_their_forms_carry_an_origin(browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    async with browser.get("/dashboard/queue") as response:
        assert response.headers["Cache-Control"] == "no-store"
        # Under "no-referrer" a browser sends `Origin: null` with a form, which the guard must refuse.
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]


async def test_the_words_follow_the_reader(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    headers = {"Cookie": "seedream-language=zh-CN; seedream-theme=dark"}
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.cookie_jar)
    headers["Cookie"] += f"; {cookies}"
    async with aiohttp.ClientSession(browser._base_url, headers=headers) as chinese:
        _, body = await page(chinese, "overview")

    assert '<html lang="zh-CN" data-theme="dark">' in body
    assert "图片" in body


async def test_a_form_without_an_origin_is_taken_where_the_browser_says_whose_it_is(
    desk: Desk, browser: aiohttp.ClientSession
) -> None:
    await browser.get("/open-dashboard?as=alice")
    form = {"form": await form_of(browser)}
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        headers = {"Origin": "null", "Sec-Fetch-Site": site}
        async with browser.post("/dashboard/queue/q2aaaaaa/cancel", data=form, headers=headers) as response:
            assert response.status == status, site


async def test_an_address_that_leads_nowhere_says_so(browser: aiohttp.ClientSession) -> None:
    assert (await page(browser, "people_"))[0] == 401
    await browser.get("/open-dashboard?as=alice")

    status, body = await page(browser, "people_")
    assert (status, "There is no such page." in body) == (404, True)
    async with browser.get("/dashboard/static/../routes.py") as response:
        assert response.status == 404


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x", "application/json"])
async def test_what_is_no_form_opens_nothing(browser: aiohttp.ClientSession, kind: str) -> None:
    for path, status in (("enter", 401), ("leave", 403)):
        if path == "leave":
            await browser.get("/open-dashboard?as=alice")
        async with browser.post(f"/dashboard/{path}", data=b"\0{nonsense", headers={"Content-Type": kind}) as response:
            assert response.status == status


async def test_whoever_comes_over_proxies_by_https_gets_a_cookie_for_it(
    desk: Desk, browser: aiohttp.ClientSession
) -> None:
    for said, secure in (("https, http", True), (" HTTPS", True), ("http, https", False), ("", False), ("x", False)):
        data = {"key": await link_for(desk, kind="person")}
        headers = {"X-Forwarded-Proto": said}
        async with browser.post("/dashboard/enter", data=data, headers=headers, allow_redirects=False) as response:
            assert ("Secure" in response.headers["Set-Cookie"].split("; ")) is secure, said


async def test_a_browser_asks_again_for_a_picture_that_it_has(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    for size in ("", "?longest=320"):
        address = f"/dashboard/pictures/g00bbbbb/0{size}"
        async with browser.get(address) as response:
            assert response.headers["Cache-Control"] == "private, no-cache"
            known = {"If-None-Match": response.headers["ETag"]}
        async with browser.get(address, headers=known) as response:
            assert (response.status, await response.read()) == (304, b"")
        async with aiohttp.ClientSession(browser._base_url) as stranger, stranger.get(address, headers=known) as closed:
            assert closed.status == 401


@asynccontextmanager
async def hasty(desk: Desk) -> AsyncIterator[str]:
    """The address of a dashboard that waits for nobody."""
    core = desk.core
    core.chat.dashboard = Dashboard(
        board=desk.board, keys=desk.keys, blobs=core.blobs, thumbnails=core.thumbnails, clock=core.controls.now,
        port=8765, patience=0.1,
    )  # fmt: skip
    async with serving(core.chat) as address:
        yield address


async def test_a_form_that_does_not_come_is_not_waited_for(desk: Desk) -> None:
    async with hasty(desk) as address:
        there = URL(address)
        assert there.host
        reader, writer = await asyncio.open_connection(there.host, there.port)
        head = f"POST /dashboard/enter HTTP/1.1\r\nHost: {there.authority}\r\nContent-Length: 100\r\n\r\nkey="
        writer.write(head.encode())

        assert (await reader.readline()).split()[1] == b"408"
        writer.close()


async def test_a_table_that_nobody_takes_is_not_kept_ready(desk: Desk) -> None:
    given_up = asyncio.Event()

    async def endless(*_: object) -> AsyncIterator[tuple[object, ...]]:
        try:
            while True:
                yield ("x" * 10_000,)
        finally:
            given_up.set()

    desk.board.export = endless  # type: ignore[method-assign]
    jar = aiohttp.CookieJar(unsafe=True)
    async with hasty(desk) as address, aiohttp.ClientSession(address, cookie_jar=jar) as page:
        await page.get("/open-dashboard?as=alice")
        async with page.get("/dashboard/export/usage.csv") as response:
            assert response.status == 200
            await given_up.wait()
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_a_table_that_breaks_off_is_no_whole_one(desk: Desk, browser: aiohttp.ClientSession) -> None:
    async def failing(*_: object) -> AsyncIterator[tuple[object, ...]]:
        for _ in range(20):
            yield ("x" * 10_000,)
        raise Unavailable(text("The store is away."))

    desk.board.export = failing  # type: ignore[method-assign]
    await browser.get("/open-dashboard?as=alice")
    async with browser.get("/dashboard/export/usage.csv") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ({"kind": "space", "spaces": ("web/local",)}, "You see what belongs to your space and its teams."),
        ({"kind": "team", "teams": ("t1",)}, "You see what belongs to your teams."),
        ({"kind": "person"}, "You see what is your own."),
    ],
    ids=["space", "team", "person"],
)
async def test_each_page_says_of_what_its_figures_are(
    desk: Desk, browser: aiohttp.ClientSession, rights: dict[str, Any], said: str
) -> None:
    await enter(browser, await link_for(desk, **rights))

    assert said in (await page(browser, "overview"))[1]


async def test_a_form_longer_than_any_of_ours_is_not_read(desk: Desk, browser: aiohttp.ClientSession) -> None:
    key = await link_for(desk, kind="person")
    for more in ({f"x{number}": "1" for number in range(2000)}, {"x": "1" * 10_000}):
        async with browser.post("/dashboard/enter", data={"key": key, **more}, allow_redirects=False) as response:
            assert response.status == 401

    assert (await enter(browser, key)).status == 303


async def test_nobody_is_told_of_their_own_failures_that_there_are_none(
    desk: Desk, browser: aiohttp.ClientSession
) -> None:
    async def told() -> list[bool]:
        bodies = [(await page(browser, path))[1] for path in ("overview", "spend")]
        return ["Failures by cause" in body and "p50" in body for body in bodies]

    await enter(browser, await link_for(desk, kind="team", teams=("t1",)))
    assert await told() == [True, True]
    await enter(browser, await link_for(desk, kind="person"))  # no cause and no time is counted for each person
    assert await told() == [False, False]


async def test_the_days_that_were_chosen_go_on_to_a_person(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")
    days = "since=2026-11-01&amp;until=2026-11-09"

    for path in ("people?", "spend?by=person&"):
        _, body = await page(browser, f"{path}since=2026-11-01&until=2026-11-09")
        assert f"?{days}" in body, path
    _, body = await page(browser, "people/p1?since=2026-11-01&until=2026-11-09")
    assert 'name="since" value="2026-11-01"' in body
    assert 'name="until" value="2026-11-09"' in body


async def test_what_happened_in_the_books_is_told_in_words(desk: Desk, browser: aiohttp.ClientSession) -> None:
    await browser.get("/open-dashboard?as=alice")

    _, body = await page(browser, "gallery/g00bbbbb")
    assert re.findall("<td>(held|charged for what was made|refunded)</td>", body) == [
        "held",
        "charged for what was made",
        "refunded",
    ]
    assert "share:space" not in body

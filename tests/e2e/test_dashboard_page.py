"""The dashboard in a browser, as each role: nothing breaks its own rules, and axe finds nothing on any page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.adapters.web.fake_board import Desk, core_with_dashboard, link_for
from tests.adapters.web.fake_core import serving
from tests.e2e.browser import PHONE, Visitor, visiting, watch
from tests.e2e.demo import demonstration

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OPERATORS = (
    *("overview", "pools", "people", "people/p1", "spend", "spend?by=person", "queue", "gallery", "gallery/g00bbbbb"),
    *("audit", "health", "export"),
)
ROLES: dict[str, dict[str, Any]] = {
    "space": {"kind": "space", "spaces": ("web/local",)},
    "team": {"kind": "team", "teams": ("t1",)},
    "person": {"kind": "person"},
}


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with core_with_dashboard(tmp_path) as desk:
        yield desk


@asynccontextmanager
async def operating(desk: Desk, browser: Browser, **context: Any) -> AsyncIterator[tuple[Visitor, str]]:
    """An operator, come from the chat page."""
    async with serving(desk.core.chat) as address:
        still = {"reduced_motion": "reduce", **context}
        async with visiting(browser, f"{address}/open-dashboard?as=alice", **still) as visitor:
            yield visitor, f"{address}/dashboard"


async def is_wider_than_its_window(visitor: Visitor) -> bool:
    return bool(
        await visitor.page.evaluate(
            "[document.documentElement, document.querySelector('main')].some(e => e.scrollWidth > e.clientWidth)"
        )
    )


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({"color_scheme": "light"}, id="light"),
        pytest.param({"color_scheme": "dark", "locale": "zh-CN"}, id="dark-zh"),
        pytest.param({"viewport": PHONE, "has_touch": True, "is_mobile": True}, id="phone"),
    ],
)
async def test_axe_finds_nothing_on_any_page(desk: Desk, browser: Browser, context: dict[str, Any]) -> None:
    async with operating(desk, browser, **context) as (visitor, dashboard):
        found = {}
        for path in OPERATORS:
            await visitor.page.goto(f"{dashboard}/{path}")
            await visitor.photograph(f"dashboard-{path.replace('/', '-')}-{context.get('locale', 'en')}")
            found[path] = await visitor.violations()
            assert not await is_wider_than_its_window(visitor), path

        assert {path: violations for path, violations in found.items() if violations} == {}


async def test_axe_finds_nothing_at_the_doors(desk: Desk, browser: Browser) -> None:
    async with serving(desk.core.chat) as address, visiting(browser, f"{address}/dashboard/") as visitor:
        await expect(visitor.page.get_by_role("heading")).to_have_text("You are not logged in")
        assert await visitor.violations() == []
        await visitor.page.goto(f"{address}/dashboard/enter")
        assert await visitor.violations() == []


async def test_a_link_logs_in_and_leaves_the_address(desk: Desk, browser: Browser) -> None:
    key = await link_for(desk, **ROLES["space"])
    async with serving(desk.core.chat) as address, visiting(browser, "about:blank") as visitor:
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer')}"))
        await visitor.page.goto(f"{address}/dashboard/enter#{key}")
        await expect(visitor.page.get_by_role("heading", name="Overview")).to_be_visible()

        assert visitor.page.url == f"{address}/dashboard/"
        assert not any(key in each.replace(f"/enter#{key} None", "") for each in asked)
        await visitor.page.go_back()
        assert key not in visitor.page.url
    async with serving(desk.core.chat) as address, visiting(browser, f"{address}/dashboard/enter#{key}") as second:
        await expect(second.page.get_by_text("This link is used")).to_be_visible()


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_walks_through_its_pages(desk: Desk, browser: Browser, role: str) -> None:
    key = await link_for(desk, **ROLES[role])
    async with (
        serving(desk.core.chat) as address,
        visiting(browser, f"{address}/dashboard/enter#{key}", reduced_motion="reduce") as visitor,
    ):
        page = visitor.page
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        links = page.locator(".sidebar li a")
        names = [(await link.inner_text()).strip() for link in await links.all()]
        assert ("Audit log" in names) is (role == "space")
        for name in names:
            await page.get_by_role("link", name=name, exact=True).first.click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(name)
            await visitor.photograph(f"dashboard-{role}-{name}")
        await expect(page.get_by_role("button", name="Charge")).to_have_count(0)


async def test_an_operator_cancels_decides_and_logs_out(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, dashboard):
        page = visitor.page
        asked: list[str] = []

        async def answer(dialog: Any) -> None:
            asked.append(dialog.message)
            await (dialog.accept() if len(asked) > 1 else dialog.dismiss())

        page.on("dialog", answer)
        await page.goto(f"{dashboard}/queue")
        cancel = page.get_by_role("button", name="Cancel q2aaaaaa")
        await cancel.click()
        assert desk.board.cancelled == []
        await cancel.click()
        await expect(page.get_by_text("It was cancelled.")).to_be_visible()
        await expect(cancel).to_have_count(0)
        await page.goto(f"{dashboard}/health")
        await page.get_by_role("button", name="Release u2aaaaaa").click()
        await expect(page.get_by_text("It was released.")).to_be_visible()
        assert (desk.board.cancelled, desk.board.resolved) == (["q2aaaaaa"], {"u2aaaaaa": False})

        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading")).to_have_text("You are logged out")
        await page.goto(f"{dashboard}/queue")
        await expect(page.get_by_role("heading")).to_have_text("You are not logged in")


async def test_what_is_live_follows_by_itself(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, dashboard):
        await visitor.page.clock.install()
        await visitor.page.goto(f"{dashboard}/queue")
        await expect(visitor.page.get_by_text("is being cancelled")).to_have_count(0)
        desk.board.cancelled.append("q0aaaaaa")
        await visitor.page.clock.run_for(6000)

        await expect(visitor.page.get_by_text("is being cancelled")).to_have_count(1)


async def test_search_sort_and_page_through_the_tables(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, dashboard):
        page = visitor.page
        await page.goto(f"{dashboard}/gallery")
        await page.get_by_role("link", name="Older").click()
        await expect(page.locator(".tiles li")).to_have_count(12)
        await page.get_by_label("Words in the prompt").fill("neon")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator(".tiles li")).to_have_count(12)
        await page.locator(".tiles a").first.click()
        await expect(page.locator("#line")).to_contain_text("/imagine =2+5 as a neon sign")
        await page.goto(f"{dashboard}/people")
        await page.get_by_role("columnheader", name="Name").get_by_role("link").click()
        await expect(page.locator("tbody th").first).to_have_text("Alice")
        await page.get_by_role("link", name="Next page").click()
        await expect(page.get_by_role("link", name="First page")).to_be_visible()


async def test_the_command_is_copied_and_a_table_downloaded(desk: Desk, browser: Browser) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    async with operating(desk, browser, **allowed) as (visitor, dashboard):
        page = visitor.page
        await page.goto(f"{dashboard}/gallery/g01bbbbb")
        await page.get_by_role("button", name="Copy the command").click()
        await expect(page.get_by_text("Copied.")).to_be_visible()
        assert "雪地里的狐狸" in await page.evaluate("navigator.clipboard.readText()")
        await page.goto(f"{dashboard}/export")
        await page.get_by_label("From").fill("2026-11-01")
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="Download Ledger").click()
        assert (await coming.value).suggested_filename == "seedream-ledger-2026-11-01-2026-11-21.csv"


async def test_on_a_phone_the_pages_are_behind_a_button(desk: Desk, browser: Browser) -> None:
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    async with operating(desk, browser, **phone) as (visitor, _):
        page = visitor.page
        await expect(page.get_by_role("link", name="Queue", exact=True)).to_be_hidden()
        await page.get_by_role("button", name="Show the pages").click()
        await expect(page.locator("#sidebar")).to_be_in_viewport(ratio=1)
        assert await visitor.violations() == []
        await page.get_by_role("link", name="Queue", exact=True).click()
        await expect(page.get_by_role("button", name="Cancel q2aaaaaa")).to_be_in_viewport(ratio=1)


async def test_on_a_phone_the_pages_are_reached_by_keyboard(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser, viewport=PHONE, reduced_motion="no-preference") as (visitor, _):
        page = visitor.page
        opener = page.get_by_role("button", name="Show the pages")
        await opener.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Close the pages")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()
        await expect(opener).to_have_attribute("aria-expanded", "false")


async def test_the_charts_stand_beside_a_table(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, dashboard):
        await visitor.page.goto(f"{dashboard}/spend?since=2026-11-16&until=2026-11-21")
        chart = visitor.page.get_by_role("figure").first
        await expect(chart.locator("rect.bar")).to_have_count(6)
        await chart.get_by_text("As a table").click()
        await expect(chart.locator("tbody tr")).to_have_count(6)
        await expect(chart.locator("tbody tr").first).to_contain_text("2026-11-21")


async def test_a_year_is_drawn_by_month(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, dashboard):
        await visitor.page.goto(f"{dashboard}/spend?by=day&since=2025-11-22&until=2026-11-21")
        chart = visitor.page.get_by_role("figure", name="Spent by month")
        await expect(chart.locator("rect.bar")).to_have_count(13)
        await expect(visitor.page.get_by_role("heading", name="By: Month")).to_be_visible()
        assert await visitor.violations() == []


async def test_the_colours_and_the_language_are_those_of_the_chat_page(desk: Desk, browser: Browser) -> None:
    async with operating(desk, browser) as (visitor, _):
        page = visitor.page
        await page.get_by_role("button", name="Dark").click()
        await page.get_by_role("button", name="中文").click()
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_what_a_real_bot_draws_is_on_its_dashboard(browser: Browser, tmp_path: Path) -> None:
    async with demonstration(tmp_path) as demo, visiting(browser, f"{demo.address}/?as=alice") as visitor:
        await visitor.say("/imagine a lighthouse in a storm --ratio 16:9")
        drawn = await visitor.result()
        await visitor.press(drawn, "Vary")
        await visitor.result()
        async with visitor.page.context.expect_page() as opening:
            await visitor.page.get_by_role("link", name="Dashboard").click()
        board = Visitor(await opening.value)
        watch(board)

        await expect(board.page.get_by_role("heading", name="Overview")).to_be_visible()
        await expect(board.page.locator(".figures b").nth(1)).to_have_text("2")
        await board.photograph("dashboard-real-overview")
        await board.page.get_by_role("link", name="Gallery", exact=True).click()
        await expect(board.page.locator(".tiles img")).to_have_count(2)
        await board.page.locator(".tiles a").first.click()
        await expect(board.page.locator("#line")).to_contain_text("a lighthouse in a storm")
        await expect(board.page.locator(".tree li")).to_have_count(2)
        await expect(board.page.locator(".shots img")).to_have_js_property("complete", True)
        assert await board.violations() == []
        await board.photograph("dashboard-real-generation")
        for name in ("Pools", "People", "Spend", "Queue", "Audit log", "Health", "Export"):
            await board.page.get_by_role("link", name=name, exact=True).first.click()
            await expect(board.page.get_by_role("heading", level=1)).to_have_text(name)
            await board.photograph(f"dashboard-real-{name}")
        async with board.page.expect_download() as coming:
            await board.page.get_by_role("button", name="Download Usage").click()
        table = await asyncio.to_thread(Path(await (await coming.value).path()).read_text, "utf-8-sig")
        assert table.splitlines()[0].startswith("day,space,team")
        assert ",alice,web,sandbox," in table
        assert board.complaints == []
        await visitor.say("/admin dashboard")
        async with visitor.page.context.expect_page() as opening:
            await visitor.last.get_by_role("link", name="dashboard").click()
        await expect((await opening.value).get_by_role("heading", name="Overview")).to_be_visible()

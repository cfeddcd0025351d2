"""axe-core finds nothing to complain about, in every state that the page can be in; light, dark, narrow, Chinese."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.adapters.web.fake_core import FakeCore, core_with_page, paint, serving
from tests.e2e.browser import PHONE, Visitor, visiting

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def core(tmp_path: Path) -> AsyncIterator[FakeCore]:
    async with core_with_page(tmp_path) as core:
        sample = tmp_path / "harbour.png"
        await asyncio.to_thread(sample.write_bytes, paint(640, 480, 5))
        await core.chat.seed(sample)
        yield core


async def tour(visitor: Visitor, picture: Path) -> dict[str, list[str]]:
    """What axe finds in each state, by the state's name; only those with findings."""
    page, found = visitor.page, {"first screen": await visitor.violations()}
    await visitor.box.fill("/")
    await expect(page.locator("#menu")).to_be_visible()
    found["menu"] = await visitor.violations()
    await visitor.box.fill("")
    await visitor.attach(picture)
    await visitor.drop("notes.txt", "text/plain", b"words")
    await expect(page.locator("#tray .refused")).to_be_visible()
    found["tray"] = await visitor.violations()
    await visitor.say("/imagine a fox --count 2")
    await visitor.refusal("takes no pictures")
    found["error"] = await visitor.violations()
    await visitor.say("/imagine a fox --count 2")
    drawn = await visitor.result(2)
    await drawn.get_by_text("What happened").click()
    await expect(drawn.locator(".events li")).to_have_count(5)
    found["result"] = await visitor.violations()
    await visitor.press(drawn, "Edit")
    found["modal"] = await visitor.violations()
    await page.keyboard.press("Escape")
    await drawn.locator(".picture").first.click()
    found["enlarged"] = await visitor.violations()
    await page.keyboard.press("Escape")
    await visitor.say("/quota")
    await expect(visitor.last).to_contain_text("left today")
    await visitor.reply_to(drawn)
    found["quota and reply"] = await visitor.violations()
    return {state: violations for state, violations in found.items() if violations}


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({"color_scheme": "light"}, id="light"),
        pytest.param({"color_scheme": "dark"}, id="dark"),
        pytest.param({"viewport": PHONE, "has_touch": True, "is_mobile": True}, id="phone"),
    ],
)
async def test_axe_finds_nothing(core: FakeCore, browser: Browser, tmp_path: Path, context: dict[str, Any]) -> None:
    picture = tmp_path / "boats.png"
    await asyncio.to_thread(picture.write_bytes, paint(320, 200, 3))
    still: dict[str, Any] = {"reduced_motion": "reduce", **context}  # colours are measured when nothing moves
    async with serving(core.chat) as address, visiting(browser, address, **still) as visitor:
        assert await tour(visitor, picture) == {}


async def test_axe_finds_nothing_with_the_column_and_the_switches_open(core: FakeCore, browser: Browser) -> None:
    still: dict[str, Any] = {"reduced_motion": "reduce", "viewport": PHONE}
    async with serving(core.chat) as address, visiting(browser, address, **still) as visitor:
        await visitor.page.get_by_role("button", name="Show people and rooms").click()
        await visitor.page.locator("#switches summary").click()

        assert await visitor.violations() == []

"""Debian's Chromium through Playwright, and the few things that every story on the chat page does."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.base import AxeResults
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright, expect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AWAY = ("Failed to load resource", "htmx: htmx:error: Failed to fetch")
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
RESULT = "article.bot.answer:has(.happened):has(.picture)"
PATIENCE = 15_000  # ms; a picture of the sandbox takes far less, a busy machine sometimes does not


def chromium() -> str:
    """The browser to drive; without one the test is skipped, or fails where none may be skipped."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path:
        return path
    reason = "no Chromium: install it, or name it in CHROMIUM"
    if os.environ.get("BOT_TEST_STRICT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        await launched.close()


@dataclass
class Visitor:
    """Somebody at the chat page. `complaints` is what the browser's console had to say against it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    @property
    def box(self) -> Locator:
        return self.page.locator("#words")

    @property
    def messages(self) -> Locator:
        return self.page.locator("#messages article")

    @property
    def last(self) -> Locator:
        return self.messages.last

    async def say(self, words: str) -> None:
        await self.box.fill(words)
        if await self.page.locator("#menu").is_visible():
            await self.box.press("Escape")
        await self.box.press("Enter")
        await expect(self.box).to_have_value("")

    async def result(self, pictures: int = 1) -> Locator:
        """The next result that was not given out before, once it stands there with so many pictures."""
        known = "".join(f":not(#{id})" for id in self.results)
        answer = self.page.locator(f"{RESULT}{known}").last
        await expect(answer.locator(".picture img")).to_have_count(pictures, timeout=PATIENCE)
        await expect(answer.locator(".picture img").last).to_have_js_property("complete", True)
        self.results.append(await answer.get_attribute("id") or "")
        return self.page.locator(f"#{self.results[-1]}")

    async def refusal(self, words: str) -> Locator:
        refused = self.page.locator("#messages article.refusal").last
        await expect(refused).to_contain_text(words, timeout=PATIENCE)
        return refused

    async def press(self, answer: Locator, button: str) -> None:
        await answer.get_by_role("button", name=button, exact=True).click()

    async def question(self) -> Locator:
        """The message that asks about the price, whatever it becomes."""
        question = self.page.locator("#messages article.question").last
        await expect(question).to_contain_text("Shall I?", timeout=PATIENCE)
        return self.page.locator(f"#{await question.get_attribute('id')}")

    async def switch(self, provider: str) -> None:
        """Set what the provider does, as an admin of a demonstration can."""
        await self._switching(self.page.get_by_label("The provider").select_option(provider))

    async def move_clock(self, to: str) -> None:
        await self._switching(self.page.locator("#switches").get_by_role("button", name=to).click())

    async def _switching(self, act: Awaitable[object]) -> None:
        """Do it in the panel of switches, opened for it, and wait until the bot has heard."""
        async with self.page.expect_response("**/switches?*"):
            if not await self.page.get_by_label("The provider").is_visible():
                await self.page.locator("#switches summary").click()
            await act

    async def photograph(self, name: str) -> None:
        """Keep what is to be seen, where BOT_TEST_SHOTS names a folder for it."""
        if folder := os.environ.get("BOT_TEST_SHOTS"):
            await self.page.screenshot(path=Path(folder) / f"{name}.png")

    async def reply_to(self, message: Locator) -> None:
        await message.hover()
        await message.get_by_role("button", name="Reply", exact=True).click()
        await expect(self.page.locator("#replying")).to_be_visible()

    async def attach(self, *files: Path) -> None:
        await self.page.set_input_files("#files", [str(file) for file in files])
        await expect(self.page.locator("#tray .busy")).to_have_count(0, timeout=PATIENCE)

    async def paste(self, name: str, media_type: str, data: bytes) -> None:
        await self.page.evaluate(
            """([name, type, bytes]) => {
                const clipboardData = new DataTransfer();
                clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type }));
                document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
            }""",
            [name, media_type, list(data)],
        )

    async def drop(self, name: str, media_type: str, data: bytes) -> None:
        transfer = await self.page.evaluate_handle(
            """([name, type, bytes]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
                return transfer;
            }""",
            [name, media_type, list(data)],
        )
        for event in ("dragenter", "dragover", "drop"):
            await self.page.dispatch_event("#messages", event, {"dataTransfer": transfer})

    async def violations(self) -> list[str]:
        """What axe finds, one line each."""
        from axe_playwright_python.async_playwright import Axe

        results: AxeResults = await Axe().run(self.page)
        found: list[dict[str, Any]] = results.response["violations"]
        return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


@asynccontextmanager
async def visiting(browser: Browser, address: str, **context: Any) -> AsyncIterator[Visitor]:
    """A fresh browser profile at this address; leaving fails where the page had broken its own rules or threw."""
    context = {"viewport": WIDE, "locale": "en-GB", "timezone_id": "Europe/Berlin", **context}
    opened = await browser.new_context(**context)
    visitor = Visitor(await opened.new_page())
    watch(visitor)
    await visitor.page.goto(address)
    visitor.results += [await each.get_attribute("id") or "" for each in await visitor.page.locator(RESULT).all()]
    yield visitor
    await opened.close()
    assert visitor.complaints == [], visitor.complaints


def watch(visitor: Visitor) -> None:
    """Keep what the page does wrong: exceptions, and what its own content policy had to stop."""

    def heard(message: ConsoleMessage) -> None:
        # A server that refuses, or is away for a moment, belongs to many a story.
        if message.type == "error" and not message.text.startswith(AWAY):
            visitor.complaints.append(message.text)

    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    visitor.page.on("console", heard)

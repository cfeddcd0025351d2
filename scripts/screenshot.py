"""Takes the README's picture of the chat page: a demonstration on a temporary folder, driven through a short story.

    python scripts/screenshot.py [FILE]    # docs/images/page.png by default

Needs Playwright (in the test group) and a Chromium, which CHROMIUM may name.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "images" / "page.png"
SIZE = {"width": 1280, "height": 1216}
PATIENCE = 30_000  # ms
MOST_BYTES = 300_000
MEMBER = "bob"


@contextmanager
def demonstration() -> Iterator[str]:
    """The address of a page that nobody has used yet."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
        running = subprocess.Popen(
            [sys.executable, "-P", "-m", "bot", "demo", "--no-open", "--port", "0", "--data-dir", f"{folder}/data"],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "BOT_LOG__LEVEL": "WARNING"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout
            yield next(found[0] for line in running.stdout if (found := re.search(r"http://\S+", line)))
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(timeout=30)


def say(page: Page, words: str) -> None:
    box = page.get_by_role("textbox", name="Message", exact=True)
    box.fill(words)
    if page.locator("#menu").is_visible():
        box.press("Escape")
    box.press("Enter")
    expect(box).to_have_value("")


def result(page: Page, number: int, *, pictures: int = 1) -> Locator:
    """The answer with this number, once all its pictures are there."""
    answer = page.locator("article.bot.answer:not(.welcome):has(.picture)").nth(number)
    expect(answer.locator(".picture img")).to_have_count(pictures, timeout=PATIENCE)
    for each in answer.locator(".picture img").all():
        expect(each).to_have_js_property("complete", True)
    return answer


def tell_the_story(page: Page) -> None:
    """A fox is drawn, a series is told, and a reply changes the first picture."""
    say(page, "/imagine a red fox in the snow --ratio 21:9")
    fox = result(page, 0)
    say(page, "/series one day of the fox --count 4 --ratio 21:9 --model seedream-5-lite")
    result(page, 1, pictures=4)
    fox.hover()
    fox.get_by_role("button", name="Reply", exact=True).click()
    say(page, "make it night")
    result(page, 2)


def take(file: Path) -> None:
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with demonstration() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, locale="en-GB", color_scheme="light", reduced_motion="reduce")
        page.goto(f"{address}/?as={MEMBER}")
        tell_the_story(page)
        page.mouse.move(0, 0)
        page.screenshot(path=file)
        browser.close()


def shrink(file: Path) -> None:
    """At most 256 colours: half as large, and nobody sees a difference."""
    import pyvips

    smaller = pyvips.Image.new_from_file(str(file)).pngsave_buffer(palette=True, Q=90, dither=1.0, effort=10)
    file.write_bytes(smaller)


if __name__ == "__main__":
    wanted = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    wanted.parent.mkdir(parents=True, exist_ok=True)
    take(wanted)
    shrink(wanted)
    if wanted.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{wanted} is {wanted.stat().st_size:,} bytes: too large for a README.")

"""Teams on the local page: alice is its admin, bob a member, carol an owner."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.e2e.browser import PATIENCE, Visitor, visiting
from tests.e2e.demo import Demo, demonstration

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with demonstration(tmp_path_factory.mktemp("teams")) as demo:
        yield demo


@asynccontextmanager
async def at_the_page(demo: Demo, browser: Browser, person: str, **context: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, f"{demo.address}/?as={person}&room=design-team", **context) as visitor:
        yield visitor


async def told(visitor: Visitor, line: str, words: str) -> None:
    """What is answered to a line, in the newest message."""
    await visitor.say(line)
    await expect(visitor.last).to_contain_text(words, timeout=PATIENCE)


async def test_an_admin_an_owner_and_a_member_share_a_pool(demo: Demo, browser: Browser) -> None:
    async with (
        at_the_page(demo, browser, "alice") as alice,
        at_the_page(demo, browser, "bob") as bob,
        at_the_page(demo, browser, "carol") as carol,
    ):
        await told(bob, "/quota", "left today")
        await told(carol, "/quota", "left today")
        await told(alice, "/admin team create Design", "The team Design is there now")
        await told(alice, "/admin limit team Design 2 images per day", "2 of 2 left today")
        await told(alice, "/admin limit share Design 1 images per day", "1 of 1 left today")
        await told(alice, "/admin team add Design @bob", "bob is in Design now")
        await told(alice, "/admin team owner Design @carol", "carol is an owner of Design now")
        await bob.say("a heron at a lake")
        await bob.result()
        await bob.say("a fox in the snow")
        refused = await bob.refusal("Your share of Design: 0 left of 1 picture a day")
        await expect(refused).to_contain_text("carol can give more")
        await told(carol, "/grant @bob 1 until 3d", "bob may use 1 picture more until")
        await bob.say("a fox in the snow")
        await bob.result()
        await told(bob, "/team", "Design: 2 members")
        await told(bob, "/quota", "Given to you by carol")
        await bob.photograph("teams-quota")
        await told(carol, "/usage Design", "Team Design, this month: 2 pictures")
        await told(alice, "/admin audit", "bob gets 1 picture until")
        await expect(alice.last).not_to_contain_text(re.compile(r"[0-9a-f]{12}"))
        await alice.photograph("teams-audit")


async def test_the_menu_offers_what_fits_the_words_before(demo: Demo, browser: Browser) -> None:
    async with at_the_page(demo, browser, "alice") as alice:
        items = alice.page.locator("#menu-list li")
        await alice.box.fill("/admin limit ")
        await expect(items.first).to_contain_text("person")
        await expect(items).to_have_count(6)
        await alice.box.fill("/admin export l")
        await expect(items).to_have_count(1)
        await expect(items.first).to_contain_text("ledger")
        await alice.box.fill("/admin space private ")
        await expect(items.first).to_contain_text("yes")
        await alice.box.fill("/admin team create Design ")
        await expect(alice.page.locator("#menu")).to_be_hidden()


async def test_a_member_is_refused_and_forgotten_only_when_they_say_so(demo: Demo, browser: Browser) -> None:
    async with at_the_page(demo, browser, "bob") as bob:
        await bob.say("/admin limit person @bob 999 images per day")
        await bob.refusal("/admin is for admins")
        await told(bob, "/mydata", "gives you all of it as a file, once")
        await told(bob, "/forget me", "Shall I?")
        question = bob.page.locator("#messages article.question").last
        await bob.press(question, "Not now")
        await expect(bob.last).to_contain_text("Nothing was changed")
        await told(bob, "/history", "a heron at a lake")
        await told(bob, "/forget me", "Shall I?")
        await bob.press(bob.page.locator("#messages article.question").last, "Forget me")
        await expect(bob.page.get_by_role("dialog")).to_be_hidden()  # it was asked once
        await expect(bob.last).to_contain_text("You are forgotten", timeout=PATIENCE)
        await told(bob, "/history", "You have not asked for a picture yet")
        await expect(bob.page.locator("#messages")).not_to_contain_text("a heron at a lake")


async def test_accounts_are_joined_only_when_whoever_typed_the_code_says_so(demo: Demo, browser: Browser) -> None:
    async with at_the_page(demo, browser, "alice") as alice, at_the_page(demo, browser, "carol") as carol:
        await told(alice, "/link", "Your code:")
        (code,) = re.findall(r"Your code: (\w{8})\.", await alice.last.inner_text())
        await told(carol, f"/link {code}", "This joins your account with “alice” (web)")
        question = carol.page.locator("#messages article.question").last
        await carol.photograph("link-question")
        await carol.press(question, "Not now")
        await expect(carol.last).to_contain_text("the code joins nobody any more", timeout=PATIENCE)
        await told(carol, "/unlink", "not linked")
        await carol.press(question, "Link")
        await expect(carol.last).to_contain_text("This no longer holds", timeout=PATIENCE)
        await told(alice, "/link", "Your code:")
        (code,) = re.findall(r"Your code: (\w{8})\.", await alice.last.inner_text())
        await told(carol, f"/link {code}", "This joins your account with “alice” (web)")
        await carol.press(carol.page.locator("#messages article.question").last, "Link")
        await expect(carol.last).to_contain_text("2 accounts are yours now", timeout=PATIENCE)
        await told(carol, "/unlink", "stands alone again")

"""The whole story on the page of the real bot, which is a process of its own: what a team does with it in a day."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.adapters.web.fake_core import paint
from tests.e2e.browser import PATIENCE, Visitor, visiting
from tests.e2e.demo import Demo, demonstration
from tests.postgres import BOTH

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SLOW = 25_000  # ms; the slow provider takes ten seconds


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with demonstration(tmp_path_factory.mktemp("story")) as demo:
        yield demo


@pytest_asyncio.fixture(loop_scope="session")
async def alice(demo: Demo, browser: Browser) -> AsyncIterator[Visitor]:
    async with visiting(browser, demo.address) as visitor:
        yield visitor


def talking(demo: Demo, person: str, room: str = "design-team") -> str:
    return f"{demo.address}/?as={person}&room={room}"


async def id_of(answer: Locator) -> str:
    """The short id that stands under a picture."""
    return await answer.locator(".picture").first.get_attribute("data-generation") or ""


def standing(visitor: Visitor, generation: str) -> Locator:
    """The message in which this generation was asked for."""
    return visitor.page.locator(f"article:has([data-press$=':{generation}:0'])").first


async def asked(visitor: Visitor, words: str) -> Locator:
    """Say it; the bot's message about it, whatever becomes of it."""
    await visitor.say(words)
    said = visitor.page.locator("article.own").last
    await expect(said).to_contain_text(words.partition(" --")[0])
    answer = visitor.page.locator(f"article.bot[data-reply-to='{await said.get_attribute('data-id')}']")
    await expect(answer).to_have_count(1, timeout=PATIENCE)
    return visitor.page.locator(f"#{await answer.get_attribute('id')}")


async def test_a_newcomer_draws_changes_enlarges_and_finds_pictures_again(alice: Visitor) -> None:
    welcome = alice.page.locator("article.welcome")
    await expect(welcome.locator(".picture img")).to_have_js_property("naturalWidth", 1024)
    await alice.photograph("first screen")
    await alice.press(welcome, "Draw a fox in the snow")
    await expect(await alice.result()).to_contain_text("a fox in the snow at first light")

    await alice.say("/imagine a heron at a lake --ratio 3:2")
    heron = await alice.result()
    await expect(heron).to_contain_text("2496×1664")
    await alice.photograph("drawn")
    await alice.reply_to(heron)
    await alice.say("make it night")
    night = await alice.result()
    await expect(night).to_contain_text(f"Edited for alice, from {await id_of(heron)}")

    await alice.press(night, "Details")
    await expect(alice.last.get_by_role("row", name="Made from")).to_contain_text(await id_of(heron))
    await alice.photograph("lineage")
    await alice.last.get_by_role("button", name="which this was made from").click()
    shown = await alice.result()
    await expect(shown).to_contain_text("a heron at a lake")
    await expect(shown.get_by_role("button", name=f"Show {await id_of(night)}, made from this")).to_be_visible()

    await alice.press(welcome, "Edit this picture")
    await expect(await alice.result()).to_contain_text("winter evening")
    await alice.photograph("welcome edited")
    await alice.press(night, "4K")
    large = await alice.result()
    await expect(large).to_contain_text("4992×3328")
    await expect(large.get_by_role("button", name="4K")).to_have_count(0)

    await alice.press(welcome, "Show my quota")
    await expect(alice.last).to_contain_text("45 of 50 left today")
    await alice.photograph("quota")
    await alice.say("/history")
    await expect(alice.last.get_by_role("row", name=await id_of(night))).to_contain_text("make it night (done)")
    await expect(alice.last.locator(".picture")).to_have_count(5)
    await alice.photograph("history")
    await alice.say(f"/show {await id_of(large)}")
    await expect(await alice.result()).to_contain_text("make it night")


async def test_pictures_come_by_picker_drop_and_paste_and_are_blended(alice: Visitor, tmp_path: Path) -> None:
    picked = tmp_path / "picked.png"
    picked.write_bytes(paint(640, 480, 1))
    await alice.attach(picked)
    await alice.drop("dropped.png", "image/png", paint(480, 640, 2))
    await alice.paste("pasted.png", "image/png", paint(600, 600, 3))
    await expect(alice.page.locator("#tray li:not(.busy)")).to_have_count(3)
    await alice.photograph("tray")
    await alice.say("/blend put image 1 and image 2 on the wall of image 3")
    blended = await alice.result()
    await alice.photograph("blended")

    await expect(alice.page.locator("article.own").last.locator(".given img")).to_have_count(3)
    await alice.press(blended, "Details")
    await expect(alice.last.get_by_role("row", name="Pictures given")).to_contain_text("3")


async def test_a_dear_request_is_asked_about_and_one_of_four_is_varied(alice: Visitor) -> None:
    await alice.say("/imagine four boats --count 4 --ratio 3:2")
    question = await alice.question()
    await expect(question).to_contain_text("pictures (0.16 USD)")
    await alice.photograph("price question")
    await alice.press(question, "Not now")
    await expect(question).to_contain_text("Cancelled. Nothing was charged.")

    await alice.say("/imagine four boats --count 4 --ratio 3:2")
    await alice.press(await alice.question(), "Go")
    boats = await alice.result(4)
    await alice.photograph("four")
    await boats.locator(".pick label").nth(2).click()
    await alice.press(boats, "Vary")
    varied = await alice.result()
    await alice.photograph("varied")

    await alice.press(varied, "Details")
    await expect(alice.last.get_by_role("row", name="Made from")).to_contain_text(f"{await id_of(boats)}:2")


async def test_a_second_click_on_go_does_not_press_what_comes_in_its_place(alice: Visitor) -> None:
    await alice.say("/imagine a hurry --count 4")
    question = await alice.question()
    box = await question.get_by_role("button", name="Go", exact=True).bounding_box()
    assert box is not None
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await alice.page.mouse.click(*at)
    await expect(question.get_by_role("button", name="Cancel")).to_be_visible()
    await alice.page.mouse.down(click_count=2)
    await alice.page.mouse.up(click_count=2)

    await expect(await alice.result(4)).not_to_contain_text("Cancelled")


async def test_the_pictures_of_a_series_appear_one_by_one(alice: Visitor) -> None:
    await alice.page.evaluate(
        """() => {
            const seen = (window.seen = []);
            const count = () => {
                const found = document.querySelectorAll("article.progress .picture").length;
                if (found && seen.at(-1) !== found) seen.push(found);
            };
            const messages = document.querySelector("#messages");
            new MutationObserver(count).observe(messages, { childList: true, subtree: true });
        }"""
    )
    await alice.say("/series one day in a harbour --count 4")
    await alice.press(await alice.question(), "Go")
    await expect(alice.page.locator("article.progress .picture").first).to_be_visible(timeout=PATIENCE)
    await expect(alice.page.locator("article.progress .coming").first).to_be_visible()
    await alice.photograph("series half way")
    series = await alice.result(4)
    await alice.photograph("series")

    seen = await alice.page.evaluate("window.seen")
    assert seen == sorted(set(seen))
    assert len(seen) > 1
    await expect(series).to_contain_text("A series for alice")


async def test_who_has_nothing_left_hears_when_there_is_more_and_draws_then(
    demo: Demo, alice: Visitor, browser: Browser
) -> None:
    async with visiting(browser, talking(demo, "carol")) as carol:
        await expect(carol.page.locator("#meter")).to_contain_text("0 of 5 left this month")
        await carol.say("/imagine a kite")
        refused = await carol.refusal("You: 0 left of 5 pictures a month")
        await expect(refused).to_contain_text(re.compile(r"\d{4}-\d{2}-01 \d\d:00 "))
        await carol.photograph("quota refused")
        await alice.move_clock("+1 month")
        await alice.photograph("next month")
        await carol.say("/imagine a kite at last")
        await carol.result()

        await expect(carol.page.locator("#meter")).to_contain_text("4 of 5 left this month")
        await carol.photograph("carol draws")


async def test_everybody_deletes_their_own_and_two_tabs_stay_in_step(
    demo: Demo, alice: Visitor, browser: Browser
) -> None:
    async with visiting(browser, talking(demo, "bob")) as bob:
        await alice.say("/imagine a gate")
        gate = await id_of(await alice.result())
        seen = await bob.result()
        assert await id_of(seen) == gate
        await delete(bob, seen)
        await bob.refusal(f"{gate} belongs to alice")
        await bob.photograph("not yours")
        await bob.say("/imagine a barn")
        barn = await bob.result()
        gone = f"{await id_of(barn)} was deleted."
        await delete(bob, barn)

        for one in (alice, bob):
            await expect(one.page.locator("article:has(.happened)", has_text=gone)).to_be_visible()
        await expect(barn.locator(".picture")).to_have_count(0)


async def delete(visitor: Visitor, answer: Locator) -> None:
    await visitor.press(answer, "Delete")
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()


async def test_on_a_providers_bad_day_everybody_hears_what_it_means_for_them(alice: Visitor) -> None:
    await alice.switch("busy")
    waiting = await asked(alice, "/imagine patience")
    await expect(waiting).to_contain_text("The provider is busy; I will try again soon.", timeout=PATIENCE)
    await alice.photograph("provider busy")
    await alice.switch("none")
    await expect(await alice.result()).to_contain_text("patience")

    for fault, words in {
        "refuse_words": "The provider refused these words. Nothing was charged",
        "refuse_result": "its filter held it back. Nothing was charged",
        "failing": "Your quota was given back; please ask again",
    }.items():
        await alice.switch(fault)
        refused = await asked(alice, f"/imagine {fault}")
        await expect(refused).to_contain_text(words, timeout=PATIENCE)
        await alice.photograph(f"provider {fault}")
    await alice.switch("none")
    await alice.press(refused, "Again")
    await expect(await alice.result()).to_contain_text("failing")


async def test_what_waits_is_cancelled_for_nothing_and_what_runs_is_kept(alice: Visitor) -> None:
    await alice.switch("slow")
    one, two, three = [await asked(alice, f"/imagine {words}") for words in ("a slow snail", "a slow cat", "a slow ox")]
    await expect(one).to_contain_text("Drawing…")
    await expect(two).to_contain_text("Drawing…")
    await expect(three).to_contain_text("In line: next.")
    await alice.photograph("in line")
    await alice.press(three, "Cancel")
    await expect(three).to_contain_text("Cancelled. Nothing was charged.")
    await alice.press(two, "Cancel")
    await expect(two).to_contain_text("Stopping.")
    await alice.photograph("stopping")
    await alice.switch("none")

    await expect(two).to_contain_text("Cancelled too late", timeout=SLOW)
    await expect(two.locator(".picture")).to_have_count(1)
    await expect(one.locator(".picture")).to_have_count(1, timeout=SLOW)
    await alice.photograph("cancelled")


@pytest.mark.parametrize("engine", BOTH, indirect=True)
async def test_a_killed_bot_comes_back_with_its_history_and_a_clear_word_about_what_it_was_doing(
    engine: str, browser: Browser, tmp_path: Path
) -> None:
    async with demonstration(tmp_path, engine=engine) as demo, visiting(browser, demo.address) as alice:
        await alice.say("/imagine a lamp before the storm")
        lamp = await alice.result()
        await alice.switch("slow")
        lost, also_lost, waiting = [await asked(alice, f"/imagine {words}") for words in ("a sail", "a mast", "an oar")]
        await expect(lost).to_contain_text("Drawing…")
        await expect(also_lost).to_contain_text("Drawing…")
        await expect(waiting).to_contain_text("In line")
        await demo.kill()
        await expect(alice.page.locator("#connection")).to_have_text("Reconnecting…")
        await alice.box.fill("said to nobody")
        await alice.box.press("Enter")
        await expect(alice.page.get_by_role("alert")).to_contain_text("Your message is still here")
        await alice.photograph("killed")
        await demo.start()
        await expect(alice.page.locator("#connection")).to_be_hidden(timeout=PATIENCE)

        for ended in (lost, also_lost):
            await expect(ended).to_contain_text("The bot was stopped while the provider drew", timeout=PATIENCE)
            await expect(ended).to_contain_text("Your quota was given back")
        await expect(waiting.locator(".picture")).to_have_count(1, timeout=PATIENCE)
        await expect(lamp.locator(".picture img")).to_have_js_property("complete", True)
        await alice.photograph("back again")
        await lost.get_by_text("What happened").click()
        await expect(lost.locator(".events")).to_contain_text("lost when the bot was stopped")
        await expect(lost.locator(".events li", has_text="sending to the provider")).to_have_count(1)
        await expect(alice.page.locator("#meter")).to_contain_text("48 of 50 left today")
        await expect(alice.page.get_by_label("The provider")).to_have_value("none")
        await expect(alice.box).to_have_value("said to nobody")
        before = await alice.page.locator("#messages article").count()
        await alice.page.reload()
        await expect(alice.page.locator("#messages article")).to_have_count(before)


async def test_a_stopped_bot_finishes_what_it_draws_and_the_next_one_what_waits(
    browser: Browser, tmp_path: Path
) -> None:
    async with demonstration(tmp_path) as demo, visiting(browser, demo.address) as alice:
        one = await asked(alice, "/series a day at sea --count 3")
        two = await asked(alice, "/series a night at sea --count 3")
        three = await asked(alice, "/imagine the morning after")
        await expect(one.locator(".picture").first).to_be_visible(timeout=PATIENCE)
        await alice.photograph("before the stop")
        await demo.stop()
        await demo.start()

        for message, pictures in ((one, 3), (two, 3), (three, 1)):
            await expect(message.locator(".picture")).to_have_count(pictures, timeout=PATIENCE)
            await expect(message).not_to_contain_text("came; only those were charged")
        await expect(alice.page.locator("article.bot:not(.welcome)")).to_have_count(3)
        await expect(alice.page.locator("#meter")).to_contain_text("43 of 50 left today")
        await alice.photograph("after the stop")


async def test_pictures_that_were_cleaned_up_say_so(browser: Browser, tmp_path: Path) -> None:
    async with demonstration(tmp_path) as demo, visiting(browser, demo.address) as alice:
        await alice.drop("mine.png", "image/png", paint(400, 300, 1))
        await expect(alice.page.locator("#tray li:not(.busy)")).to_have_count(1)
        await alice.say("/edit make it old")
        old = await alice.result()
        await alice.move_clock("+1 month")
        await demo.stop()
        await demo.start(BOT_RETENTION__DAYS="1")
        await expect(old).to_contain_text("Pictures are kept for a limited time", timeout=PATIENCE)
        await expect(old.locator(".picture")).to_have_count(0)

        async with visiting(browser, demo.address) as newcomer:
            given = newcomer.page.locator("article.own .given")
            await expect(given).to_have_text("This picture is no longer kept.")
            await newcomer.photograph("cleaned up")


async def test_a_picture_that_is_gone_from_the_disk_says_so(browser: Browser, tmp_path: Path) -> None:
    async with demonstration(tmp_path) as demo, visiting(browser, demo.address) as alice:
        await alice.say("/imagine a bird of passage")
        bird = await alice.result()
        shutil.rmtree(demo.folder / "blobs")
        await bird.locator(".picture").click()
        enlarged = alice.page.get_by_role("dialog")
        await expect(enlarged.get_by_text("This picture is no longer kept.")).to_be_visible()
        await expect(enlarged.get_by_role("img")).to_have_count(0)
        await alice.photograph("gone when enlarged")

        async with visiting(browser, demo.address) as newcomer:
            await expect(newcomer.last.locator(".picture")).to_have_text("This picture is no longer kept.")
            await newcomer.photograph("gone")


async def test_the_page_and_the_bot_speak_chinese(demo: Demo, browser: Browser) -> None:
    async with visiting(browser, talking(demo, "bob", "direct"), locale="zh-CN") as bob:
        await expect(bob.last).to_contain_text("你好")
        await bob.photograph("chinese")
        await bob.say("／画 雪中的红狐狸 －－比例 16：9")
        drawn = await bob.result()
        await expect(drawn).to_contain_text("2848×1600")
        await bob.photograph("chinese drawn")
        await bob.say("/额度")
        await bob.photograph("chinese quota")
        await bob.say("/画 狐狸 --比例 99:1")
        await bob.refusal("99:1")
        await bob.photograph("chinese refused")

"""The chat page in a real browser, in front of a small core: what a person sees, types, drops and presses."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Route, expect

from tests.adapters.web.fake_core import FakeCore, core_with_page, paint, serving
from tests.e2e.browser import PATIENCE, PHONE, Visitor, visiting

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def core(tmp_path: Path) -> AsyncIterator[FakeCore]:
    async with core_with_page(tmp_path) as core:
        sample = tmp_path / "harbour.png"
        await asyncio.to_thread(sample.write_bytes, paint(640, 480, 5))
        await core.chat.seed(sample)
        yield core


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(core: FakeCore, browser: Browser) -> AsyncIterator[Visitor]:
    async with serving(core.chat) as address, visiting(browser, address) as visitor:
        yield visitor


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "boats.png"
    file.write_bytes(paint(320, 200, 3))
    return file


async def test_the_first_screen_offers_three_things_that_do_something(visitor: Visitor) -> None:
    await expect(visitor.last).to_contain_text("Hello!")
    await visitor.press(visitor.last, "Draw a fox in the snow")
    drawn = await visitor.result()
    await expect(drawn).to_contain_text("a fox in the snow at first light")

    welcome = visitor.page.locator("article.welcome")
    await visitor.press(welcome, "Edit this picture")
    edited = await visitor.result()
    await expect(edited).to_contain_text("winter evening")

    await visitor.press(welcome, "Show my quota")
    await expect(visitor.last).to_contain_text("36 of 50 left today")


async def test_editing_the_sample_quotes_its_picture(core: FakeCore, visitor: Visitor) -> None:
    await visitor.press(visitor.last, "Edit this picture")
    await visitor.result()

    quoted = core.accepted[-1].quoted
    assert quoted is not None
    assert [attachment.name for attachment in quoted.attachments] == ["harbour.png"]


async def test_commands_are_chosen_and_filled_with_the_keyboard_alone(core: FakeCore, visitor: Visitor) -> None:
    keyboard, options = visitor.page.keyboard, visitor.page.locator("#menu [role=option]")
    await visitor.box.press_sequentially("/")
    await expect(options).to_have_count(11)
    await keyboard.press("ArrowDown")
    await expect(visitor.box).to_have_attribute("aria-activedescendant", "menu-1")
    await keyboard.press("ArrowUp")
    await keyboard.press("Tab")
    await expect(visitor.box).to_have_value("/imagine ")
    await visitor.box.press_sequentially("a fox --ra")
    await keyboard.press("Enter")
    await expect(visitor.box).to_have_value("/imagine a fox --ratio ")
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(visitor.box).to_have_value("/imagine a fox --ratio 16:9 ")
    await keyboard.press("Enter")

    await visitor.result()
    assert core.accepted[-1].line == "/imagine a fox --ratio 16:9"


async def test_an_option_offers_its_values_under_its_other_names_too(core: FakeCore, visitor: Visitor) -> None:
    keyboard, options = visitor.page.keyboard, visitor.page.locator("#menu [role=option]")
    await visitor.box.press_sequentially("/画 狐狸 --比")
    await expect(options).to_contain_text("--比例")
    await keyboard.press("Tab")
    await expect(options.first).to_have_text("1:1")
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(visitor.box).to_have_value("/画 狐狸 --比例 16:9 ")
    await visitor.box.press_sequentially("--")

    await expect(options.first).to_contain_text("--model")
    assert not [each for each in await options.all_inner_texts() if each.startswith("--ratio")]


async def test_escape_closes_the_menu_until_something_else_is_typed(visitor: Visitor) -> None:
    menu = visitor.page.locator("#menu")
    await visitor.box.press_sequentially("/im")
    await expect(menu).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await visitor.box.press_sequentially("a")

    await expect(menu).to_be_visible()


async def test_a_whole_command_is_sent_with_one_enter(core: FakeCore, visitor: Visitor) -> None:
    await visitor.box.press_sequentially("/quota")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.last).to_contain_text("left today")

    assert core.accepted[-1].line == "/quota"


async def test_enter_within_an_input_method_does_not_send(core: FakeCore, visitor: Visitor) -> None:
    await visitor.box.fill("画一只")
    composing = {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True}
    await visitor.box.dispatch_event("keydown", composing)
    await expect(visitor.box).to_have_value("画一只")
    await visitor.page.keyboard.press("Enter")
    await visitor.result()

    assert [invocation.line for invocation in core.accepted] == ["画一只"]


async def test_pictures_come_by_picker_drop_and_paste_with_words_in_one_message(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    thumbnails = visitor.page.locator("#tray li:not(.busy)")
    await visitor.attach(picture)
    await visitor.drop("dropped.png", "image/png", paint(64, 64, 1))
    await visitor.paste("pasted.png", "image/png", paint(64, 64, 2))
    await expect(thumbnails).to_have_count(3)
    await thumbnails.nth(1).get_by_role("button", name="Remove dropped.png").click()
    await expect(thumbnails).to_have_count(2)
    await visitor.say("/edit make it one")
    await visitor.result()

    assert [attachment.name for attachment in core.accepted[-1].attachments] == ["boats.png", "pasted.png"]
    await expect(visitor.page.locator("article.own .given img")).to_have_count(2)
    await expect(visitor.page.locator("#tray li")).to_have_count(0)


async def test_a_picture_without_a_word_stays_in_the_box_until_the_words_come(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    await visitor.attach(picture)
    await visitor.box.press("Enter")
    await expect(visitor.page.locator("#unsent")).to_have_text("Say what to draw, or what to change in the picture.")
    await visitor.photograph("picture-without-words")
    await visitor.say("put a hat on it")
    await visitor.result()

    await expect(visitor.page.locator("#unsent")).to_be_hidden()
    assert [(each.line, len(each.attachments)) for each in core.accepted] == [("put a hat on it", 1)]


async def holding(visitor: Visitor, address: str) -> asyncio.Event:
    """What the page sends to this address stays on its way until the event is set."""
    through = asyncio.Event()

    async def hold(route: Route) -> None:
        await through.wait()
        await route.continue_()

    await visitor.page.route(address, hold)
    return through


async def expect_waiting(visitor: Visitor, until: str = "the pictures have arrived") -> None:
    button = visitor.page.locator("#send")
    said = f"This is sent as soon as {until}. Esc or the button stops it."
    await expect(button).to_have_accessible_name("Do not send yet")
    await expect(button).to_have_attribute("aria-busy", "true")
    await expect(button).to_have_attribute("title", said)
    await expect(button).to_be_enabled()
    await expect(visitor.page.locator("#menu-status")).to_have_text(said)


async def expect_ready(visitor: Visitor) -> None:
    button = visitor.page.get_by_role("button", name="Send", exact=True)
    await expect(button).to_be_enabled()
    await expect(button).to_have_attribute("aria-busy", "false")


async def sent_too_early(visitor: Visitor, picture: Path, line: str) -> asyncio.Event:
    """Send a line whose picture stays on its way until the event is set."""
    through = await holding(visitor, "**/uploads?*")
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.box.fill(line)
    await visitor.box.press("Enter")
    await expect_waiting(visitor)
    return through


async def expect_held_back(visitor: Visitor) -> None:
    await expect_ready(visitor)
    await expect(visitor.page.locator("#menu-status")).to_have_text("Not sent. Your message is still here.")


async def expect_arrived(visitor: Visitor) -> None:
    await expect(visitor.page.locator("#tray .busy")).to_have_count(0, timeout=PATIENCE)
    await expect(visitor.page.locator("#tray li")).to_have_count(1)


async def test_what_is_sent_before_its_pictures_arrived_goes_once_when_they_have(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await holding(visitor, "**/uploads?*")
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.drop("dropped.png", "image/png", paint(64, 64, 1))
    await visitor.box.fill("/edit make it blue")
    await visitor.box.press("Enter")
    await expect_waiting(visitor)
    await visitor.photograph("waiting")
    await visitor.box.press("Enter")
    await expect_waiting(visitor)
    assert core.accepted == []

    through.set()
    await visitor.result()
    await expect(visitor.box).to_have_value("")
    await expect(visitor.page.locator("#tray li")).to_have_count(0)
    await expect_ready(visitor)
    await visitor.say("/quota")
    await expect(visitor.last).to_contain_text("left today")
    assert [each.line for each in core.accepted] == ["/edit make it blue", "/quota"]
    assert [each.name for each in core.accepted[0].attachments] == ["boats.png", "dropped.png"]


@pytest.mark.parametrize("typed", [" but leave the bo", "", "/im"])
async def test_who_types_on_while_a_message_waits_decides_anew_when_to_send_it(
    core: FakeCore, visitor: Visitor, picture: Path, typed: str
) -> None:
    through = await sent_too_early(visitor, picture, "/edit make it blue")

    if typed == " but leave the bo":
        await visitor.box.press_sequentially(typed)
    else:
        await visitor.box.fill(typed)
    await expect_ready(visitor)
    said = "Suggestions: 1" if typed == "/im" else "Not sent. Your message is still here."
    await expect(visitor.page.locator("#menu-status")).to_have_text(said)
    through.set()
    await expect_arrived(visitor)
    await visitor.say("a hare")
    await visitor.result()
    assert [each.line for each in core.accepted] == ["a hare"]
    assert [each.name for each in core.accepted[0].attachments] == ["boats.png"]


async def test_an_option_that_is_pressed_while_a_message_waits_counts_as_typed(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await sent_too_early(visitor, picture, "/imagine a fox")

    await visitor.page.locator("#options").get_by_role("button", name="--ratio").click()
    await expect_ready(visitor)
    through.set()
    await expect_arrived(visitor)
    await expect(visitor.box).to_have_value("/imagine a fox --ratio ")
    await visitor.say("a hare")
    await visitor.result()
    assert [each.line for each in core.accepted] == ["a hare"]


async def test_a_picture_that_arrives_within_an_input_method_does_not_send_half_a_character(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await sent_too_early(visitor, picture, "改成")
    input_method = await visitor.page.context.new_cdp_session(visitor.page)
    await input_method.send("Input.imeSetComposition", {"text": "lan", "selectionStart": 3, "selectionEnd": 3})
    await expect(visitor.box).to_have_value("改成lan")
    await expect_held_back(visitor)

    through.set()
    await expect_arrived(visitor)
    await input_method.send("Input.insertText", {"text": "蓝色"})
    await expect(visitor.box).to_have_value("改成蓝色")
    await expect_ready(visitor)
    await visitor.box.press("Enter")
    await visitor.result()
    assert [each.line for each in core.accepted] == ["改成蓝色"]


async def test_a_picture_that_fails_keeps_back_what_waits_for_it(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await holding(visitor, "**/uploads?*")
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.drop("notes.txt", "image/png", b"just words")
    await visitor.box.fill("/edit make it blue")
    await visitor.page.locator("#send").click()
    await expect_waiting(visitor)

    through.set()
    await expect(visitor.page.locator("#tray .busy")).to_have_count(0, timeout=PATIENCE)
    await expect(visitor.page.locator("#tray .refused")).to_have_text("notes.txt is not a picture that I can read.")
    await expect_ready(visitor)
    await expect(visitor.box).to_have_value("/edit make it blue")
    assert core.accepted == []
    await visitor.box.press("Enter")
    await visitor.result()
    assert [[each.name for each in asked.attachments] for asked in core.accepted] == [["boats.png"]]


async def test_an_upload_that_breaks_off_keeps_back_what_waits_for_it(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    broken = asyncio.Event()

    async def break_off(route: Route) -> None:
        await broken.wait()
        await route.abort()

    await visitor.page.route("**/uploads?*", break_off)
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.box.fill("make it blue")
    await visitor.box.press("Enter")
    await expect_waiting(visitor)

    broken.set()
    await expect(visitor.page.locator("#tray")).to_contain_text("boats.png did not get through.", timeout=PATIENCE)
    await expect_held_back(visitor)
    await expect(visitor.box).to_have_value("make it blue")
    assert core.accepted == []


@pytest.mark.parametrize("by", ["escape", "escape elsewhere", "the button", "taking the picture out"])
async def test_a_message_that_waits_for_a_picture_can_be_held_back(
    core: FakeCore, visitor: Visitor, picture: Path, by: str
) -> None:
    through = await holding(visitor, "**/uploads?*")
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.reply_to(visitor.last)
    await visitor.box.fill("make it blue")
    await visitor.box.press("Enter")
    await expect_waiting(visitor)

    if by == "escape":
        await visitor.box.press("Escape")
    elif by == "escape elsewhere":
        await visitor.page.locator("#scroll").press("Escape")
    elif by == "the button":
        await visitor.page.get_by_role("button", name="Do not send yet").click()
        await expect(visitor.box).to_be_focused()
    else:
        await visitor.page.get_by_role("button", name="Remove boats.png").click()
    await expect_held_back(visitor)
    through.set()
    await expect(visitor.page.locator("#tray .busy")).to_have_count(0, timeout=PATIENCE)
    await expect(visitor.box).to_have_value("make it blue")
    await expect(visitor.page.locator("#replying")).to_be_visible()
    await visitor.say("a hare")
    await visitor.result()
    assert [each.line for each in core.accepted] == ["a hare"]


async def test_an_escape_that_the_menu_or_a_dialog_takes_leaves_a_message_waiting(
    visitor: Visitor, picture: Path
) -> None:
    await sent_too_early(visitor, picture, "/quota")

    await expect(visitor.page.locator("#menu")).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.page.locator("#menu")).to_be_hidden()
    await expect_waiting(visitor)
    await visitor.page.locator("article.welcome .picture").click()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.page.get_by_role("dialog")).to_be_hidden()
    await expect_waiting(visitor)
    await visitor.page.keyboard.press("Escape")
    await expect_held_back(visitor)


async def test_a_double_click_does_not_stop_what_its_first_click_began(visitor: Visitor, picture: Path) -> None:
    await holding(visitor, "**/uploads?*")
    await visitor.page.set_input_files("#files", str(picture))
    await visitor.box.fill("make it blue")
    await visitor.page.locator("#send").dblclick()

    await expect_waiting(visitor)


async def test_what_is_typed_and_added_while_a_message_is_on_its_way_stays(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await holding(visitor, "**/messages")
    await visitor.attach(picture)
    await visitor.box.fill("/edit make it blue")
    await visitor.box.press("Enter")
    await expect(visitor.page.locator("#send")).to_be_disabled()
    await visitor.box.press_sequentially(" and green")
    await visitor.drop("dropped.png", "image/png", paint(64, 64, 1))
    await expect(visitor.page.locator("#tray li:not(.busy)")).to_have_count(2, timeout=PATIENCE)

    through.set()
    await visitor.result()
    await expect(visitor.page.locator("#tray li")).to_have_count(1)
    await expect(visitor.box).to_have_value("/edit make it blue and green")
    await visitor.box.press("Enter")
    await visitor.result()
    assert [[each.name for each in asked.attachments] for asked in core.accepted] == [["boats.png"], ["dropped.png"]]


async def test_a_message_sent_while_the_one_before_is_on_its_way_goes_once_and_behind_it(
    core: FakeCore, visitor: Visitor, picture: Path
) -> None:
    through = await holding(visitor, "**/messages")
    await visitor.attach(picture)
    await visitor.box.fill("/edit make it blue")
    await visitor.box.press("Enter")
    await visitor.drop("dropped.png", "image/png", paint(64, 64, 1))
    await expect(visitor.page.locator("#tray li:not(.busy)")).to_have_count(2, timeout=PATIENCE)
    await expect(visitor.page.locator("#tray .going")).to_have_attribute("title", "boats.png")
    await visitor.box.fill("/edit make it green")
    await visitor.box.press("Enter")
    await visitor.box.press("Enter")
    await expect_waiting(visitor, until="the message before it has arrived")

    through.set()
    await visitor.result()
    await visitor.result()
    await expect(visitor.box).to_have_value("")
    await expect(visitor.page.locator("#tray li")).to_have_count(0)
    await expect_ready(visitor)
    await visitor.say("/quota")
    await expect(visitor.last).to_contain_text("left today")
    assert [(asked.line, [each.name for each in asked.attachments]) for asked in core.accepted] == [
        ("/edit make it blue", ["boats.png"]),
        ("/edit make it green", ["dropped.png"]),
        ("/quota", []),
    ]


async def test_enter_pressed_twice_sends_once(core: FakeCore, visitor: Visitor, picture: Path) -> None:
    through = await holding(visitor, "**/messages")
    await visitor.attach(picture)
    await visitor.box.fill("/edit make it blue")
    await visitor.box.press("Enter")
    await visitor.box.press("Enter")
    await expect(visitor.page.locator("#send")).to_have_accessible_name("Send")
    await expect(visitor.page.locator("#send")).to_be_disabled()

    through.set()
    await visitor.result()
    await visitor.say("/quota")
    await expect(visitor.last).to_contain_text("left today")
    assert [each.line for each in core.accepted] == ["/edit make it blue", "/quota"]


async def test_enter_in_an_empty_box_waits_for_nothing(core: FakeCore, visitor: Visitor, picture: Path) -> None:
    through = await holding(visitor, "**/messages")
    await visitor.attach(picture)
    await visitor.box.fill("/edit make it blue")
    await visitor.box.press("Enter")
    await visitor.box.fill("")
    await visitor.box.press("Enter")
    await expect(visitor.page.locator("#send")).to_have_accessible_name("Send")
    await expect(visitor.page.locator("#unsent")).to_be_hidden()  # its words are on their way with the picture

    through.set()
    await visitor.result()
    await expect(visitor.page.locator("#send")).to_be_enabled()
    assert [each.line for each in core.accepted] == ["/edit make it blue"]


@pytest.mark.parametrize("stops", ["the one before fails", "escape"])
async def test_a_message_behind_another_one_is_kept_back(core: FakeCore, visitor: Visitor, stops: str) -> None:
    answered = asyncio.Event()

    async def answer(route: Route) -> None:
        await answered.wait()
        await (route.continue_() if stops == "escape" else route.abort())

    await visitor.page.route("**/messages", answer)
    await visitor.box.fill("/quota")
    await visitor.box.press("Enter")
    await visitor.box.fill("a hare")
    await visitor.box.press("Enter")
    await expect_waiting(visitor, until="the message before it has arrived")

    if stops == "escape":
        await visitor.page.keyboard.press("Escape")
        await expect(visitor.page.locator("#send")).to_be_disabled()
    answered.set()
    await expect_held_back(visitor)
    await expect(visitor.page.locator("#unsent")).to_be_visible(visible=stops != "escape")
    await expect(visitor.box).to_have_value("a hare")
    await visitor.page.unroute("**/messages")
    await visitor.box.press("Enter")
    await visitor.result()
    assert [each.line for each in core.accepted] == (["/quota", "a hare"] if stops == "escape" else ["a hare"])


@pytest.mark.parametrize("chosen", [False, True])
async def test_a_reply_goes_with_its_own_message_alone(core: FakeCore, visitor: Visitor, chosen: bool) -> None:
    await visitor.say("a fox")
    drawn = await visitor.result()
    through = await holding(visitor, "**/messages")
    await visitor.reply_to(drawn)
    await visitor.box.fill("in summer")
    await visitor.box.press("Enter")
    await expect(visitor.page.locator("#replying")).to_be_hidden()
    if chosen:
        await visitor.reply_to(drawn)
    await visitor.box.fill("a hare")
    await visitor.box.press("Enter")
    await expect_waiting(visitor, until="the message before it has arrived")

    through.set()
    await visitor.result()
    await visitor.result()
    await expect(visitor.page.locator("#replying")).to_be_hidden()
    assert [(each.line, each.quoted is not None) for each in core.accepted] == [
        ("a fox", False),
        ("in summer", True),
        ("a hare", chosen),
    ]


async def test_too_many_pictures_are_refused_once_and_in_sight(visitor: Visitor) -> None:
    await visitor.page.set_viewport_size({"width": 700, "height": 500})
    for number in range(16):
        await visitor.drop(f"{number}.png", "image/png", paint(90, 60, number))
    refused = visitor.page.locator("#tray .refused")
    await expect(refused).to_have_text("At most 14 pictures go into one message.")

    await expect(refused).to_be_in_viewport(ratio=1)


async def test_the_newest_stays_in_sight_while_pictures_load(visitor: Visitor) -> None:
    await visitor.say("/imagine a fox")
    await visitor.result()
    # A picture that grows when the page has scrolled to its end, but has not yet heard of that.
    await visitor.page.evaluate(
        """() => {
            const scroll = document.querySelector("#scroll");
            const grown = document.createElement("p");
            grown.id = "grown";
            grown.style.minHeight = "900px";
            scroll.scrollTop -= 100;
            requestAnimationFrame(() => requestAnimationFrame(() => {
                scroll.scrollTop = scroll.scrollHeight;
                setTimeout(() => document.querySelector("#messages").append(grown));
            }));
        }"""
    )

    await expect(visitor.page.locator("#grown")).to_be_in_viewport(ratio=0.5)


async def test_who_reads_what_is_older_is_left_there_and_told_of_what_is_new(core: FakeCore, visitor: Visitor) -> None:
    await visitor.say("/imagine a fox")
    await visitor.result()
    await visitor.page.mouse.move(640, 300)
    await visitor.page.mouse.wheel(0, -5000)
    await expect(visitor.page.locator("article.welcome")).to_be_in_viewport()
    await core.chat.say("bob", "design-team", "/imagine a hare")

    await expect(visitor.page.get_by_role("button", name="New messages")).to_be_visible()
    await expect(visitor.page.locator("article.welcome")).to_be_in_viewport()


async def test_a_dropped_file_that_is_no_picture_is_refused_and_the_page_stays(visitor: Visitor) -> None:
    address = visitor.page.url
    await visitor.drop("notes.txt", "image/png", b"just words")

    await expect(visitor.page.locator("#tray")).to_contain_text("notes.txt is not a picture that I can read.")
    assert visitor.page.url == address


async def test_a_kind_of_picture_that_browsers_cannot_show_is_still_taken(core: FakeCore, visitor: Visitor) -> None:
    await visitor.drop("phone.heic", "image/heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1" + bytes(64))
    await expect(visitor.page.locator("#tray li:not(.busy)")).to_contain_text("phone.heic")
    await visitor.say("/edit make it blue")

    await expect(visitor.page.locator("article.own").last).to_contain_text("phone.heic")
    assert core.accepted[-1].attachments[0].name == "phone.heic"


async def test_progress_is_shown_and_pictures_of_a_series_come_one_by_one(core: FakeCore, visitor: Visitor) -> None:
    core.steps = asyncio.Semaphore(0)
    await visitor.say("/imagine a day at the harbour --count 2 --ratio 16:9")
    await expect(visitor.last).to_contain_text("In line: 2nd")
    await expect(visitor.last.locator(".coming")).to_have_count(2)
    shape = await visitor.last.locator(".coming").first.bounding_box()
    core.steps.release()
    await expect(visitor.last).to_contain_text("Drawing…")
    core.steps.release()
    core.steps.release()
    await expect(visitor.last.locator(".picture")).to_have_count(1)
    await expect(visitor.last.locator(".coming")).to_have_count(1)
    core.steps.release()
    await visitor.result(2)

    assert shape is not None
    assert shape["width"] / shape["height"] == pytest.approx(16 / 9, rel=0.02)
    await expect(visitor.page.locator("#meter")).to_contain_text("36 of 50 left today")


async def test_a_button_acts_on_the_picture_that_was_picked(core: FakeCore, visitor: Visitor) -> None:
    await visitor.say("/imagine a fox --count 3")
    drawn = await visitor.result(3)
    await drawn.locator(".pick label").nth(1).click()
    await visitor.press(drawn, "Edit")
    await visitor.page.get_by_label("What should change?").fill("make it night")
    await visitor.page.keyboard.press("Enter")
    edited = await visitor.result()

    pressed = core.accepted[-1]
    assert (pressed.press, pressed.values) == ("edit:k0000000:1", {"prompt": "make it night"})
    await expect(edited).to_contain_text("make it night")


async def test_what_cannot_be_undone_is_asked_about_first(core: FakeCore, visitor: Visitor) -> None:
    await visitor.say("a fox")
    drawn = await visitor.result()
    asked = visitor.page.get_by_role("dialog", name="Delete")
    await visitor.press(drawn, "Delete")
    await asked.get_by_role("button", name="Cancel").click()
    await expect(asked).to_be_hidden()
    assert len(core.accepted) == 1

    await visitor.press(drawn, "Delete")
    await asked.get_by_role("button", name="Delete").click()
    await expect(visitor.last).to_contain_text("The picture was deleted.")
    assert core.accepted[-1].press == "delete:k0000000:0"


async def test_a_reply_quotes_the_message_and_can_be_taken_back(core: FakeCore, visitor: Visitor) -> None:
    await visitor.say("a fox")
    drawn = await visitor.result()
    await visitor.reply_to(drawn)
    await visitor.page.get_by_role("button", name="Do not reply to this message").click()
    await expect(visitor.page.locator("#replying")).to_be_hidden()
    await visitor.say("/quota")
    await expect(visitor.last).to_contain_text("left today")
    await visitor.reply_to(drawn)
    await visitor.say("in summer")
    await visitor.result()

    assert core.accepted[-2].quoted is None
    quoted = core.accepted[-1].quoted
    assert quoted is not None
    assert quoted.message_id == await drawn.get_attribute("data-id")
    await expect(visitor.page.locator("article.own .quote").last).to_contain_text("a fox")


async def test_a_picture_is_enlarged_stepped_through_saved_and_its_command_copied(
    core: FakeCore, browser: Browser
) -> None:
    allowed: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}
    async with serving(core.chat) as address, visiting(browser, address, **allowed) as visitor:
        await visitor.say("/imagine a fox --count 2")
        drawn = await visitor.result(2)
        await drawn.locator(".picture").first.click()
        dialog, keyboard = visitor.page.get_by_role("dialog"), visitor.page.keyboard
        await expect(dialog).to_contain_text("Picture 1 of 2: a fox")
        await keyboard.press("ArrowRight")
        await expect(dialog).to_contain_text("Picture 2 of 2: a fox")
        async with visitor.page.expect_download() as saving:
            await dialog.get_by_role("link", name="Save").click()
        saved = await (await saving.value).path()
        await dialog.get_by_role("button", name="Copy the command").click()
        await expect(visitor.page.locator("#toast")).to_have_text("Copied.")
        await keyboard.press("Escape")

        await expect(dialog).to_be_hidden()
        assert (await saving.value).suggested_filename == "k0000000-2.png"
        assert Image.open(io.BytesIO(await asyncio.to_thread(saved.read_bytes))).size == (1024, 1024)
        copied = await visitor.page.evaluate("navigator.clipboard.readText()")
        assert copied == "/imagine a fox --model seedream-4.5 --size 2K"


async def test_arrow_up_brings_the_last_line_back(visitor: Visitor) -> None:
    await visitor.say("/imagine a fox's den --ratio 1:1")
    await visitor.result()
    await visitor.box.press("ArrowUp")

    await expect(visitor.box).to_have_value("/imagine a fox's den --ratio 1:1")


async def test_what_happened_is_told_when_the_panel_is_opened(visitor: Visitor) -> None:
    await visitor.say("a fox")
    drawn = await visitor.result()
    await expect(drawn.locator(".events")).to_be_hidden()
    await drawn.get_by_text("What happened").click()

    await expect(drawn.locator(".events li")).to_have_count(5)
    await expect(drawn.locator(".events")).to_contain_text("Sent to the provider")


async def test_only_an_admin_sees_the_switches_and_they_act_at_once(core: FakeCore, visitor: Visitor) -> None:
    page = visitor.page
    await page.locator("#switches summary").click()
    await page.get_by_label("The provider").select_option("busy")
    await expect(page.locator("#switches .dot")).to_be_visible()
    await page.get_by_role("button", name="+1 day").click()
    await expect(page.locator("#switches time")).to_contain_text("22 Nov")
    await page.get_by_role("link", name="bob").click()
    await expect(page.get_by_role("link", name="bob")).to_have_attribute("aria-current", "true")

    assert core.controls.fault == "busy"
    await expect(page.locator("#switches")).to_have_count(0)


async def test_a_lost_connection_keeps_the_words_and_sending_again_sends_once(core: FakeCore, visitor: Visitor) -> None:
    # The message arrives, but the page never hears so: the worst kind of failure.
    await visitor.page.route("**/messages", lambda route: _deliver_and_fail(route))
    await visitor.reply_to(visitor.last)
    await visitor.box.fill("a fox")
    await visitor.box.press("Enter")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("Your message is still here")
    await expect(visitor.box).to_have_value("a fox")
    await expect(visitor.page.locator("#replying")).to_be_visible()
    await visitor.page.unroute("**/messages")
    await visitor.box.press("Enter")
    await expect(visitor.box).to_have_value("")
    await visitor.result()

    assert len(core.accepted) == 1
    await expect(visitor.page.locator("article.own")).to_have_count(1)


async def _deliver_and_fail(route: Any) -> None:
    await route.fetch()
    await route.abort()


async def test_a_restart_in_the_middle_is_survived(tmp_path: Path, browser: Browser) -> None:
    async with core_with_page(tmp_path) as before:
        before.steps = asyncio.Semaphore(0)
        async with serving(before.chat) as address:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            opened = await context
            visitor = Visitor(await opened.new_page())
            await visitor.page.goto(address)
            await visitor.say("a fox")
            await expect(visitor.last).to_contain_text("In line")
    await expect(visitor.page.locator("#connection")).to_have_text("Reconnecting…")
    async with core_with_page(tmp_path) as after, serving(after.chat, port=int(address.rpartition(":")[2])):
        await expect(visitor.page.locator("#connection")).to_be_hidden()
        invocation = await after.chat.replay({"message": before.accepted[0].id})
        assert invocation is not None
        await after.accept(invocation, {})
        await visitor.result()

        # The same posting has become the result: nothing was doubled.
        await expect(visitor.page.locator("article.bot:not(.welcome)")).to_have_count(1)
        await visitor.page.reload()
        await expect(visitor.page.locator("article.bot .picture")).to_have_count(1)
        await opened.close()


async def test_two_tabs_stay_in_step_and_other_rooms_show_that_something_is_new(
    core: FakeCore, browser: Browser
) -> None:
    async with serving(core.chat) as address, visiting(browser, address) as one:
        other = Visitor(await one.page.context.new_page())
        await other.page.goto(f"{address}/?as=bob&room=marketing")
        await one.say("a fox")
        await one.result()
        unread = other.page.get_by_role("link", name="design-team")
        await expect(unread).to_have_class("unread")
        await unread.click()
        shown = await other.result()
        await one.say("/imagine a hare")

        await expect(other.last).to_contain_text("a hare")
        await expect(shown).to_contain_text("a fox")


async def test_private_answers_are_shown_to_one_person_and_can_be_dismissed(visitor: Visitor) -> None:
    await visitor.say("/imagin")
    refused = await visitor.refusal("did you mean /imagine?")
    await expect(refused).to_contain_text("Only you can see this")
    await visitor.press(refused, "Dismiss")

    await expect(visitor.page.locator("article.refusal")).to_have_count(0)


async def test_earlier_messages_are_loaded_on_demand_in_order(core: FakeCore, visitor: Visitor) -> None:
    for number in range(60):
        await core.chat.say("bob", "marketing", f"/nothing {number}")
    await visitor.page.get_by_role("link", name="marketing").click()
    await visitor.page.get_by_role("button", name="Show earlier messages").click()
    await expect(visitor.page.locator("article.other")).to_have_count(60)

    said = await visitor.page.locator("article.other .words").all_inner_texts()
    assert said == [f"/nothing {number}" for number in range(60)]


async def test_words_that_look_like_markup_stay_words(visitor: Visitor) -> None:
    probe = """<img src=x onerror="window.broken=1"><script>window.broken=1</script>{{7*7}}"""
    await visitor.say(probe)
    await visitor.result()

    await expect(visitor.page.locator("article.own .words")).to_have_text(probe)
    assert await visitor.page.evaluate("window.broken") is None


async def test_the_page_speaks_chinese_and_remembers_it(core: FakeCore, visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="中文").click()
    await expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(visitor.page.get_by_role("button", name="发送")).to_be_visible()
    await visitor.box.press_sequentially("／画")
    await expect(visitor.page.locator("#menu [role=option]")).to_contain_text("/imagine")
    await expect(visitor.page.locator("#menu [role=option]")).to_contain_text("/画")
    await visitor.say("一只狐狸")
    await visitor.result()

    assert core.accepted[-1].actor.language == "zh-CN"


async def test_a_draft_survives_a_look_into_another_room(visitor: Visitor) -> None:
    await visitor.box.fill("half a thought")
    await visitor.page.get_by_role("link", name="marketing").click()
    await expect(visitor.box).to_have_value("")
    await visitor.page.get_by_role("link", name="design-team").click()

    await expect(visitor.box).to_have_value("half a thought")


async def test_on_a_phone_the_left_column_comes_and_goes(core: FakeCore, browser: Browser) -> None:
    phone: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    async with serving(core.chat) as address, visiting(browser, address, **phone) as visitor:
        page = visitor.page
        await expect(page.get_by_role("link", name="bob")).to_be_hidden()
        await page.get_by_role("button", name="Show people and rooms").click()
        await page.get_by_role("link", name="bob").click()
        await page.wait_for_url("**as=bob**")
        await visitor.say("a fox")
        await visitor.result()

        assert core.accepted[-1].actor.name == "bob"
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

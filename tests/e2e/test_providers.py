"""Real providers instead of the sandbox, as simulators on sockets: what the page and the operator see of them."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Locator, expect

from bot.providers.sandbox.layers import plan
from tests.adapters.web.fake_core import paint
from tests.bot.ops.processes import Desk
from tests.e2e.browser import PATIENCE, Visitor, visiting
from tests.e2e.demo import demonstration
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.personalities import APIYI, MODELARK

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

KEY = "key-that-nobody-may-read"


@pytest_asyncio.fixture(loop_scope="session")
async def ark() -> AsyncIterator[ImagesApiSim]:
    async with ImagesApiSim(MODELARK) as ark:
        yield ark


def settings(apiyi: ImagesApiSim, ark: ImagesApiSim) -> dict[str, str]:
    return {
        "BOT_PROVIDERS": '["apiyi", "modelark"]',
        "BOT_APIYI__API_KEY": KEY,
        "BOT_APIYI__BASE_URL": apiyi.base_url,
        "BOT_APIYI__BACKUP_URL": "none",
        "BOT_MODELARK__API_KEY": KEY,
        "BOT_MODELARK__BASE_URL": ark.base_url,
        "BOT_FETCH__ALLOW": json.dumps([ark.host]),
    }


async def test_when_the_first_provider_is_gone_the_second_draws(
    ark: ImagesApiSim, browser: Browser, tmp_path: Path
) -> None:
    async with AsyncExitStack() as power:
        apiyi = await power.enter_async_context(ImagesApiSim(APIYI))
        async with demonstration(tmp_path, **settings(apiyi, ark)) as demo, visiting(browser, demo.address) as alice:
            await alice.say("/imagine a fox")
            assert await provider(alice, await alice.result()) == "APIYI"
            await power.aclose()
            for words in ("a hare", "an owl", "a mole"):
                await alice.say(f"/imagine {words}")
                drawn = await alice.result()
                assert await provider(alice, drawn) == "BytePlus ModelArk"
            await alice.photograph("second provider")

            await alice.say("/models")
            await expect(alice.last).to_contain_text(re.compile(r"APIYI is left alone until .*cannot be reached"))
            await expect(alice.page.locator("#meter")).to_contain_text("46 of 50 left today")
        log = demo.log.read_text()

    assert (len(apiyi.paid), len(ark.paid)) == (1, 3)
    assert log.count("provider fails") == 1
    assert not [secret for secret in (KEY, "a hare") if secret in log]


async def test_what_is_transparent_is_seen_to_be_and_layers_have_their_names(
    ark: ImagesApiSim, browser: Browser, tmp_path: Path
) -> None:
    picture = tmp_path / "poster.png"
    picture.write_bytes(paint(1200, 900, 1))
    async with (
        ImagesApiSim(APIYI) as apiyi,
        demonstration(tmp_path, **settings(apiyi, ark)) as demo,
        visiting(browser, demo.address) as alice,
    ):
        await alice.say("/imagine a sticker --model 5.5 --background transparent")
        sticker = await alice.result()
        image = sticker.locator(".picture img")
        await expect(image).to_have_css("background-image", re.compile("conic-gradient"))
        assert await least_alpha(alice, await image.get_attribute("src")) == 0
        assert await least_alpha(alice, await sticker.locator(".picture").get_attribute("data-view")) == 0
        await alice.photograph("transparent")

        await alice.attach(picture)
        await alice.say("/layers")
        question = await alice.question()
        await expect(question).to_contain_text("pictures (0.765 USD)")
        await alice.press(question, "Go")
        await expect(question).to_contain_text("Layers for alice", timeout=PATIENCE)
        names = [layer.name for layer in plan(ark.asked[-1].references[0], 1, 1)]
        layers = await alice.result(len(names))
        await alice.photograph("layers")

        for number, name in enumerate(names):
            said = f"Picture {number + 1} of {len(names)}: {name}"
            await expect(layers.locator(".picture img").nth(number)).to_have_attribute("alt", said)
        await expect(layers).to_contain_text(f"Made {len(names)} layers; only those were charged.")
        await expect(alice.page.locator("#meter")).to_contain_text(f"{49 - len(names)} of 50 left today")
    assert (len(apiyi.paid), len(ark.paid)) == (1, 1)  # APIYI takes no picture apart


async def test_doctor_asks_every_provider_and_says_what_is_wrong_with_which(ark: ImagesApiSim, tmp_path: Path) -> None:
    async with AsyncExitStack() as power, ApiframeSim(key=KEY) as apiframe:
        apiyi = await power.enter_async_context(ImagesApiSim(APIYI))
        known = settings(apiyi, ark)
        ark.key = "another"
        await power.aclose()
        desk = Desk(
            tmp_path,
            {
                **known,
                "BOT_PROVIDERS": '["apiyi", "modelark", "apiframe"]',
                "BOT_APIFRAME__API_KEY": f" {KEY}\n",
                "BOT_APIFRAME__BASE_URL": apiframe.base_url,
            },
        )
        done = await asyncio.to_thread(desk.run, "doctor", "--probe")

    assert done.code == 1
    probes = re.findall(r"^(\S+) +probe (\w+): .*\n(?: +-> (.*))?", done.out, re.MULTILINE)
    assert [(mark, name, cure.partition(":")[0].partition(",")[0]) for mark, name, cure in probes] == [
        ("BAD", "modelark", "check BOT_MODELARK__API_KEY"),
        ("BAD", "apiyi", "check BOT_APIYI__BASE_URL"),
        ("ok", "apiframe", ""),
    ]
    assert KEY not in done.out + done.err
    assert (len(ark.paid), len(apiframe.paid)) == (0, 0)


async def provider(visitor: Visitor, drawn: Locator) -> str:
    """Whose picture it is, as its details tell; they are dismissed again."""
    await visitor.press(drawn, "Details")
    row = visitor.last.get_by_role("row", name="Provider")
    await expect(row).to_be_visible()
    told = await row.get_by_role("cell").last.inner_text()
    await visitor.last.get_by_role("button", name="Dismiss").click()
    await expect(row).to_have_count(0)
    return told


async def least_alpha(visitor: Visitor, path: str | None) -> int:
    """Of the picture as it is delivered; 255 where nothing shines through."""
    answer = await visitor.page.request.get(f"{visitor.page.url.partition('?')[0].rstrip('/')}{path}")
    with Image.open(io.BytesIO(await answer.body())) as image:
        least, _ = image.convert("RGBA").getchannel("A").getextrema()
    assert isinstance(least, int)
    return least

"""Events that are called in instead of heard over the long connection, and what is not Feishu's is never believed."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.feishu_bot import Bot, by_bot, drawn
from tests.postgres import settings_of
from tests.simulators.feishu.fake import FakeFeishu

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One that is called, at an address that only its start tells."""
    folder = tmp_path_factory.mktemp("feishu")
    with settings_of() as database:
        async with FakeFeishu(encrypt_key="k3y for the tests alone", typed=True) as fake:
            bot = Called(folder / "data", database, fake)
            try:
                await bot.start()
                fake.webhook = f"{bot.address}/hooks/feishu"
                yield bot
            finally:
                await bot.kill()
            bot.check(fake.complaints)


class Called(Bot):
    @property
    def address(self) -> str:
        told: str = json.loads((self.folder / "owner.json").read_text())["url"]
        return told

    def platform_settings(self) -> dict[str, str]:
        keys = {
            "BOT_FEISHU__ENCRYPT_KEY": self.fake.encrypt_key,
            "BOT_FEISHU__VERIFICATION_TOKEN": self.fake.verification_token,
        }
        return {**super().platform_settings(), **keys}

    def hears(self) -> bool:
        return bool(self.fake.commands)

    def hangs_on(self) -> bool:
        return False


async def test_the_address_proves_itself_and_needs_no_connection(feishu: Bot) -> None:
    assert await feishu.fake.challenge()
    assert feishu.fake.connections.made == 0


async def test_what_is_called_in_is_drawn_and_pressed_as_ever(feishu: Bot) -> None:
    fake = feishu.fake
    ann, ben = fake.person("Ann"), fake.person("Ben")
    team = fake.group("Studio", ann, ben)
    heron = await drawn(feishu, ann, "/imagine a heron at a lake --size 1280x720", to=team)
    told = await feishu.toast(ben, heron, "Delete")
    await ann.presses(heron, "Delete")
    await feishu.until(lambda: not heron.pictures, "the end of the picture")

    assert "belongs to Ann" in told
    assert by_bot(fake, team) == [heron]


async def test_what_is_forged_is_refused_and_what_is_repeated_is_drawn_once(feishu: Bot) -> None:
    fake = feishu.fake
    ann = fake.person("Ann")
    asked = await ann.says("/imagine a heron --size 1280x720")
    heron = await feishu.says(ann, "a heron", pictures=1)
    forged = [await fake.forge(asked, how) for how in ("signature", "old", "unsigned", "token")]
    replayed = await fake.forge(asked, "replay")
    behind = await drawn(feishu, ann, "/imagine what comes behind it --size 1280x720")

    assert forged == [401] * 4
    assert replayed == 200
    assert by_bot(fake, ann) == [heron, behind]

"""Teams on Feishu, and of one person on Discord and Feishu: linked accounts use, and may use, together until they part.

One process hears both platforms.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.both_platforms import Both, on_both
from tests.e2e.discord_bot import PATIENCE
from tests.e2e.discord_bot import drawn as drawn_on_discord
from tests.e2e.feishu_bot import by_bot, drawn
from tests.postgres import BOTH_IN_TIME
from tests.simulators.discord.people import Person as DiscordPerson
from tests.simulators.feishu.model import Chat, Message
from tests.simulators.feishu.people import Person

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CODE = re.compile(r"/link ([A-Z0-9]{8})\b")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with on_both(tmp_path_factory.mktemp("both")) as bot:
        yield bot


async def told(bot: Both, person: Person, line: str, *, to: Chat | None = None, **how: list[Person]) -> Message:
    """What the bot answers to them alone, in their own chat with it; in a group it is asked by its name."""
    before = len(by_bot(bot.feishu.fake, person))
    await person.says(f"{{bot}} {line}" if to else line, to=to, **how)
    await bot.feishu.until(lambda: len(by_bot(bot.feishu.fake, person)) > before, line)
    return by_bot(bot.feishu.fake, person)[-1]


async def pressed(bot: Both, person: Person, message: Message, label: str) -> str:
    """What a press is answered with, be it a word over the card or a message."""
    before = len(by_bot(bot.feishu.fake, person))
    toast = await person.presses(message, label)
    if toast and toast.content:
        return toast.content
    await bot.feishu.until(lambda: len(by_bot(bot.feishu.fake, person)) > before, label)
    return by_bot(bot.feishu.fake, person)[-1].text


async def on_discord(person: DiscordPerson, command: str, **values: str) -> str:
    return (await (await person.slash(command, **values)).answered(within=PATIENCE)).text


async def books_agree(bot: Both) -> None:
    code, words = await bot.beside("ledger", "verify")
    assert code == 0, words


async def test_an_admin_makes_a_team_in_a_group_and_a_member_draws_for_it(both: Both) -> None:
    bot = both.feishu
    li, wu = bot.fake.person("Li"), bot.fake.person("Wu")
    studio = bot.fake.group("Studio", li, wu, bot.boss)
    await told(both, li, "/额度")
    made = await told(both, bot.boss, "/管理 团队 创建 设计组", to=studio)
    await told(both, bot.boss, "/管理 额度 团队 设计组 每天 2 张", to=studio)
    added = await told(both, bot.boss, "/管理 团队 添加 设计组 {Li}", to=studio, mentions=[li])
    never_spoke = await told(both, bot.boss, "/admin team owner 设计组 {Wu}", to=studio, mentions=[wu])
    await drawn(bot, li, "/imagine 湖边的苍鹭", to=studio)
    await drawn(bot, li, "/imagine 雪中的狐狸", to=studio)
    refused = await told(both, li, "/imagine 谷仓里的猫头鹰", to=studio)
    team = await told(both, wu, "/团队", to=studio)

    assert "设计组" in made.text
    assert "Li" in added.text
    assert "Wu" in never_spoke.text
    assert "设计组" in refused.text
    assert "Li" in team.text
    assert [one for one in studio.messages if one.sender is bot.fake.bot and "设计组" in one.text] == []
    await books_agree(both)


async def test_accounts_that_are_linked_use_together_and_part_again(both: Both) -> None:
    bob, li = both.discord.fake.person("bob"), both.feishu.fake.person("Bobby")
    await drawn_on_discord(both.discord, bob, "a heron at a lake")
    code = CODE.findall(await on_discord(bob, "link"))[0]
    own = await on_discord(bob, "link", code=code)
    before = await told(both, li, "/quota")
    asked = await told(both, li, f"/link {code.lower()}")
    not_yet = await told(both, li, "/quota")
    linked = await pressed(both, li, asked, "Link")
    replayed = await told(both, li, f"/link {code}")
    together = await told(both, li, "/quota")
    await drawn(both.feishu, li, "/imagine a fox in the snow")
    on_the_other_side = await on_discord(bob, "quota")
    parted = await told(both, li, "/unlink")
    after = await told(both, li, "/quota")
    alone = await on_discord(bob, "quota")

    assert "your own code" in own
    assert "50 of 50 left today" in before.text
    assert "joins your account with “Bob” (discord)" in asked.text
    assert asked.labels == ["Link", "Not now"]
    assert code not in str(asked.content)
    assert "50 of 50 left today" in not_yet.text
    assert "2 accounts are yours" in linked
    assert "used already" in replayed.text
    assert "49 of 50 left today" in together.text
    assert "48 of 50 left today" in on_the_other_side
    assert "stands alone" in parted.text
    assert "49 of 50 left today" in after.text
    assert "48 of 50 left today" in alone, "what was drawn while they were one stays counted for each"
    await books_agree(both)


async def test_wrong_codes_are_counted_over_both_ways_of_asking(both: Both) -> None:
    eve = both.feishu.fake.person("Eve")
    answers = [await told(both, eve, f"/link WRONG23{digit}") for digit in "456789"]

    assert ["I do not know this code" in one.text for one in answers[:5]] == [True] * 5
    assert "Too many wrong codes" in answers[5].text


async def test_a_link_that_was_made_before_a_kill_is_made_once_and_answered(tmp_path: Path) -> None:
    await _linked_over_a_kill(tmp_path, "sqlite")


@pytest.mark.parametrize("engine", BOTH_IN_TIME[1:])
async def test_the_same_on_a_server(tmp_path: Path, engine: str) -> None:
    await _linked_over_a_kill(tmp_path, engine)


async def _linked_over_a_kill(folder: Path, engine: str) -> None:
    async with on_both(folder, engine=engine) as bot:
        bob = bot.discord.fake.person("bob")
        li = bot.feishu.fake.person("Bobby")
        await told(bot, li, "/quota")
        code = CODE.findall((await told(bot, li, "/link")).text)[0]
        question = await (await bob.slash("link", code=code)).answered(within=PATIENCE)
        async with bot.discord.fake.holding("PATCH", "/webhooks/{}/{}/messages/@original") as gate:
            asked = await bob.press(question, "Link")
            await gate.arrived()
            await bot.kill()
        await bot.start()

        def answered() -> list[str]:
            there = [*asked.messages, *bob.direct.messages]
            return [one.text for one in there if "2 accounts are yours" in one.text]

        await bot.until(answered, "the answer")
        audit = (await bot.beside("admin", "audit"))[1]
        assert "restarted in between" in answered()[0]
        assert audit.count("linked:") == 1
        await books_agree(bot)

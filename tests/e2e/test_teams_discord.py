"""Teams as a server's admin, an owner and a member use them on Discord: a pool, grants, tiers, refunds, reviews.

An order is done once, however often its event comes and wherever the bot is killed.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.discord_bot import PATIENCE, Bot, drawn, on_discord
from tests.postgres import BOTH_IN_TIME
from tests.simulators.discord.interactions import Asked
from tests.simulators.discord.model import Message, Role
from tests.simulators.discord.people import Person
from tests.simulators.discord.world import Event

pytestmark = pytest.mark.e2e

ORIGINAL = "/webhooks/{}/{}/messages/@original"
ID = re.compile(r"· ([0-9a-z]{8})$", re.MULTILINE)


def admin_of(bot: Bot) -> Person:
    fake = bot.fake
    boss = fake.person("boss")
    fake.guild.members[boss.user.id].roles.append(fake.new_role(fake.guild, "staff", "manage_guild"))
    return boss


def gets(bot: Bot, person: Person, role: Role) -> None:
    bot.fake.guild.members[person.user.id].roles.append(role)


async def told(person: Person, command: str, **values: Any) -> str:
    """What the answer to a command says, which only the asker sees."""
    message = await (await person.slash(command, **values)).answered(within=PATIENCE)
    assert message.only_for is person.user, message.text
    return message.text


async def offered(person: Person, command: str, option: str, typed: str = "", **values: Any) -> list[str]:
    asked = await (await person.autocomplete(command, option, typed, **values)).acknowledged()
    return [one["name"] for one in asked.choices]


async def refused(bot: Bot, person: Person, prompt: str, words: str, **values: Any) -> str:
    """A refusal that only the database knows comes after the first answer, in place of it or as one more message."""
    asked = await person.slash("imagine", prompt=prompt, **values)

    def found() -> Sequence[Message]:
        return [one for one in asked.messages if words in one.text and one.only_for is person.user]

    await bot.until(found, words)
    return found()[0].text


async def design(bot: Bot, boss: Person) -> Role:
    """A team with 3 pictures a day, 2 of them for each member; whoever has the role is in it."""
    role = bot.fake.new_role(bot.fake.guild, "design")
    await told(boss, "admin", area="team", rule="create", value="Design")
    await told(boss, "admin", area="limit", rule="team", value="Design 3 images per day")
    await told(boss, "admin", area="limit", rule="share", value="Design 2 images per day")
    await told(boss, "admin", area="role", rule="team", value="Design", role=role)
    return role


async def books_agree(bot: Bot) -> None:
    code, words = await bot.beside("ledger", "verify")
    assert code == 0, words


async def test_a_member_draws_out_of_a_pool_until_it_is_short_and_an_owner_gives_more(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob, ann = admin_of(bot), bot.fake.person("bob"), bot.fake.person("ann")
        role = await design(bot, boss)
        gets(bot, bob, role)
        await told(ann, "quota")
        owner = await told(boss, "admin", area="team", rule="owner", value="Design", member=ann.user)
        for prompt in ("a heron at a lake", "a fox in the snow"):
            await drawn(bot, bob, prompt)
        english = await refused(bot, bob, "an owl in a barn", "Your share of Design")
        bob.user.locale = "zh-CN"
        chinese = await refused(bot, bob, "an owl in a barn", "Ann")
        bob.user.locale = "en-US"
        given = await told(ann, "grant", value="2 images until 3d", member=bob.user)
        await drawn(bot, bob, "an owl in a barn")
        empty = await refused(bot, bob, "a hare in a field", "Team Design")
        quota, team = await told(bob, "quota"), await told(ann, "team")

        assert "Ann is an owner of Design" in owner
        assert "0 left of 2 pictures a day" in english
        assert "Ann can give more. It starts anew at <t:" in english
        assert re.search(r"[\u4e00-\u9fff].*2.*Ann.*<t:\d+:f>", chinese)
        assert "Bob may use 2 pictures more until" in given
        assert "0 left of 3 pictures a day" in empty
        assert "an admin of the team's space can give more" in empty, "whoever owns it cannot"
        assert "Given to you by Ann" in quota
        assert "1 of 2 left" in quota
        assert "**Bob** · member" in team
        await books_agree(bot)


async def test_what_costs_more_is_asked_for_first_and_a_picture_is_refunded_once(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        asked = await bob.slash("series", prompt="one day in a harbour", count=6)
        question = await bot.says(await asked.answered(within=PATIENCE), "This takes up to 6 of your 50 pictures")
        price = question.text
        await bob.press(question, "Not now")
        await bot.says(question, "Nothing was charged")
        asked = await bob.slash("series", prompt="one day in a harbour", count=6)
        question = await bot.says(await asked.answered(within=PATIENCE), "This takes up to 6")
        await bob.press(question, "Go")
        made = await bot.says(question, "A series for Bob", pictures=6)
        (generation,) = ID.findall(made.text)
        first = await told(boss, "admin", area="refund", value=f"{generation} the fourth one was torn")
        second = await told(boss, "admin", area="refund", value=f"{generation} the fourth one was torn")
        member = await told(bob, "admin", area="refund", value=f"{generation} I want it back")
        quota = await told(bob, "quota")

        assert "(0.24 USD); there is more from <t:" in price
        assert f"{generation} is refunded to Bob: 6 pictures, 0.24 USD." in first
        assert f"{generation} was refunded before" in second
        assert "for admins" in member
        assert "50 of 50 left today" in quota
        await books_agree(bot)


async def test_menus_show_what_a_tier_allows_and_a_refusal_names_the_tier_that_does(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        await told(bob, "quota")
        for value in ("basic", "pro"):
            await told(boss, "admin", area="tier", rule="create", value=value)
        for value in ("basic models seedream-4", "basic size 2K", "pro rank 2"):
            await told(boss, "admin", area="tier", rule="set", value=value)
        await told(boss, "admin", area="tier", rule="give", value="basic", member=bob.user)
        models = await offered(bob, "imagine", "model", prompt="a heron")
        sizes = await offered(bob, "imagine", "size", prompt="a heron")
        free = await offered(boss, "imagine", "model", prompt="a heron")
        model = await told(bob, "imagine", prompt="a heron", model="seedream-4.5")
        size = await told(bob, "imagine", prompt="a heron", size="4K")

        assert models == ["seedream-4"]
        assert "4K" not in sizes
        assert "2K" in sizes
        assert len(free) > 3
        assert "basic does not include seedream-4.5. pro allows it" in model
        assert "pro allows it" in size


@pytest.mark.long
async def test_autocompletion_offers_what_fits_the_area_that_was_chosen(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        await told(boss, "admin", area="team", rule="create", value="Design")
        await told(boss, "admin", area="tier", rule="create", value="pro")

        assert (await offered(boss, "admin", "rule", area="team"))[:2] == ["create", "rename"]
        assert await offered(boss, "admin", "rule", area="limit") == [
            *("person", "team", "tier", "space", "all", "share"),
        ]
        assert await offered(boss, "admin", "rule", area="export") == ["usage", "ledger", "audit"]
        assert (await offered(boss, "admin", "rule"))[0] == "show"
        assert "create" not in await offered(boss, "admin", "rule")
        assert await offered(boss, "admin", "value", area="team", rule="close") == ["Design"]
        assert "Design 20 images per day" in await offered(boss, "admin", "value", area="limit", rule="team")
        assert "pro size 4K" in await offered(boss, "admin", "value", area="tier", rule="set")
        assert "seedream-4" in await offered(boss, "admin", "value", rule="model")
        assert "yes" not in await offered(boss, "admin", "value", rule="model")
        assert await offered(bob, "admin", "value", area="team", rule="close") == []


@pytest.mark.long
async def test_an_admin_reads_names_in_the_audit(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        await told(bob, "quota")
        role = await design(bot, boss)
        await told(boss, "admin", area="team", rule="add", value="Design", member=bob.user)
        await told(boss, "grant", value="2 images until 3d from Design", member=bob.user)
        await told(boss, "admin", area="tier", rule="create", value="pro")
        await told(boss, "admin", area="tier", rule="give", value="pro", member=bob.user)
        await told(boss, "admin", area="tier", rule="give", value="pro", role=role)
        audit = await told(boss, "admin", area="audit")

        assert not re.search(r"[0-9a-f]{12}|person:|team:", audit)
        assert "Bob has the tier pro" in audit
        assert "Bob gets 2 pictures until <t:" in audit
        assert "Bob is in Design" in audit
        assert "@design gives the team Design" in audit


@pytest.mark.long
async def test_an_alerts_channel_is_told_once_when_a_pool_is_half_and_when_it_is_all_used(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        fake, boss, bob = bot.fake, admin_of(bot), bot.fake.person("bob")
        room = fake.new_channel(fake.guild, "alerts")
        await told(boss, "admin", area="space", rule="alerts", channel=room)
        await told(boss, "admin", area="team", rule="create", value="Design")
        await told(boss, "admin", area="limit", rule="team", value="Design 4 images per day")
        await told(boss, "admin", area="team", rule="add", value="Design", member=bob.user)
        await drawn(bot, bob, "two boats", count=2, pictures=2)
        half = await bot.says(room, "Team Design")
        await drawn(bot, bob, "two herons", count=2, pictures=2)
        await bot.says(room, "all of 4 pictures a day is used")
        await bot.restart()
        await told(bob, "quota")

        assert "50" in half.text
        assert len(room.messages) == 2


@pytest.mark.parametrize("engine", BOTH_IN_TIME)
async def test_an_order_is_done_once_and_answered_wherever_the_bot_is_killed(engine: str, tmp_path: Path) -> None:
    """It is killed once the order is in the books and before anybody reads of it."""
    async with on_discord(tmp_path, engine=engine) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        made = await drawn(bot, bob, "a heron at a lake")
        (generation,) = ID.findall(made.text)
        orders: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("grant", {"value": "2 images until 3d", "member": bob.user}, "Bob may use 2 pictures more"),
            ("admin", {"area": "refund", "value": f"{generation} it was torn"}, "is refunded to Bob: 1 picture"),
            ("admin", {"area": "team", "rule": "create", "value": "Design"}, "The team Design is there now"),
        )
        for command, values, words in orders:
            assert words in (await _killed_before_it_is_read(bot, boss, command, **values)).text
        again = await told(boss, "admin", area="refund", value=f"{generation} it was torn")
        grants = await told(boss, "admin", area="grants")
        audit = await told(boss, "admin", area="audit")

        assert "refunded before" in again
        assert len(re.findall("Bob: 2 pictures", grants)) == 1
        assert [audit.count(words) for words in ("it was torn", "Design")] == [1, 1]
        await books_agree(bot)


async def _killed_before_it_is_read(bot: Bot, person: Person, command: str, **values: Any) -> Message:
    async with bot.fake.holding("PATCH", ORIGINAL) as gate:
        asked = await person.slash(command, **values)
        await gate.arrived()
        await bot.kill()
    await bot.start()

    def answer() -> Sequence[Message]:
        there = [*asked.messages, *person.direct.messages]
        return [one for one in there if not one.loading and "restarted in between" in one.text]

    await bot.until(answer, f"the answer to {command}")
    return answer()[0]


@pytest.mark.parametrize("engine", BOTH_IN_TIME)
async def test_a_press_on_approve_counts_once_wherever_the_bot_is_killed(engine: str, tmp_path: Path) -> None:
    async with on_discord(tmp_path, engine=engine) as bot:
        fake, boss, bob = bot.fake, admin_of(bot), bot.fake.person("bob")
        room = fake.new_channel(fake.guild, "review")
        await told(boss, "admin", area="space", rule="review", value="all", channel=room)
        asked = await bob.slash("imagine", prompt="a ship in a storm")
        held = await bot.says(await asked.answered(within=PATIENCE), "It waits until an admin here has looked at it")
        review = await bot.says(room, "May Bob show this?", pictures=1)
        member = await (await bob.press(review, "Approve")).answered()
        async with fake.holding("PATCH", ORIGINAL) as gate:
            await boss.press(review, "Approve")
            await gate.arrived()
            await bot.kill()
        await bot.start()
        shown = await bot.says(held, "a ship in a storm", pictures=1)
        done = await bot.says(room, "approved what was made for Bob", pictures=1)
        audit = await told(boss, "admin", area="audit")

        assert "Only an admin" in member.text
        assert shown is held
        assert not done.buttons
        assert audit.count("may be seen") == 1
        await books_agree(bot)


@pytest.mark.long
async def test_an_order_whose_event_comes_twice_is_done_once(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        boss, bob = admin_of(bot), bot.fake.person("bob")
        await told(bob, "quota")
        asked: Asked = await boss.slash("grant", value="2 images until 3d", member=bob.user)
        bot.fake.tell(Event("INTERACTION_CREATE", asked.payload, bot.fake.guild))
        await asked.answered(within=PATIENCE)
        bot.fake.tell(Event("INTERACTION_CREATE", asked.payload, bot.fake.guild))
        grants = await told(boss, "admin", area="grants")

        assert len(re.findall("Bob: 2 pictures", grants)) == 1
        assert "**1**" in grants

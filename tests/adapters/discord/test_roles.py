"""The roles that people have on a server, and the role that somebody names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.discord.adapter import DiscordAdapter
from adapters.discord.event import Event
from bot.chat import Invocation
from bot.command import Kind, mention
from bot.errors import UsageError
from bot.grammar import parse
from tests.adapters.discord.stage import FakeDoor, connected, drawing_table
from tests.adapters.discord.test_inbound import event_of, sample
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.model import Role
from tests.simulators.discord.people import Person


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor(drawing_table())


@pytest.fixture
def art(fake: FakeDiscord) -> Role:
    return fake.new_role(fake.guild, "Art Team")


@pytest_asyncio.fixture
async def adapter(fake: FakeDiscord, door: FakeDoor, art: Role, tmp_path: Path) -> AsyncIterator[DiscordAdapter]:
    fake.new_role(fake.guild, "twice")
    fake.new_role(fake.guild, "Twice")
    async with connected(fake, door, tmp_path) as adapter:
        yield adapter


@pytest.fixture
def boss(fake: FakeDiscord, art: Role) -> Person:
    boss = fake.person("boss")
    fake.guild.members[boss.user.id].roles += [fake.new_role(fake.guild, "staff", "manage_guild"), art]
    return boss


async def came(fake: FakeDiscord, door: FakeDoor, count: int = 1) -> Invocation:
    await fake.until(lambda: len(door.accepted) >= count, what="the asking")
    return door.last


@pytest.mark.parametrize("name", ["slash_by_an_admin", "mention_by_an_admin", "slash_words", "press_again", "mention"])
def test_whoever_asks_on_a_server_has_their_roles_there_and_the_one_of_everybody(name: str) -> None:
    data = sample(name)["data"]
    told = data["member"]["roles"]

    assert event_of(name).actor.roles == (data["guild_id"], *told)
    assert bool(told) == name.endswith("by_an_admin")


@pytest.mark.parametrize("name", ["slash_in_a_direct_message", "slash_in_a_group_conversation", "direct_words"])
def test_outside_of_servers_nobody_has_a_role(name: str) -> None:
    assert event_of(name).actor.roles == ()


def test_roles_on_a_server_that_the_bot_is_no_member_of_are_known_from_the_event() -> None:
    one = sample("slash_as_user_install")["data"]

    assert event_of("slash_as_user_install").actor.roles == (one["guild_id"], *one["member"]["roles"])


def test_a_stored_event_still_knows_them() -> None:
    event = event_of("slash_by_an_admin")
    again = Event.model_validate(event.model_dump(mode="json"))

    assert again.actor == event.actor
    assert len(again.actor.roles) == 2


async def test_a_chosen_role_comes_with_its_name_and_is_replayed_so(
    fake: FakeDiscord, door: FakeDoor, adapter: DiscordAdapter, boss: Person, art: Role
) -> None:
    ann = fake.person("ann")
    await boss.slash("/admin", area="space", role=art, member=ann.user)
    asked = await came(fake, door)
    again = await adapter.replay(door.accepted[-1][1])
    assert again is not None

    assert asked.values == {"area": "space", "role": art.id, "member": ann.user.id}
    assert asked.names == {art.id: "Art Team", ann.user.id: "Ann"}
    assert asked.actor.roles == again.actor.roles == (fake.guild.id, *(each.id for each in roles_of(fake, boss)))
    assert again.names == asked.names


def roles_of(fake: FakeDiscord, person: Person) -> list[Role]:
    return sorted(fake.guild.members[person.user.id].roles, key=lambda role: int(role.id))


@pytest.mark.parametrize("written", ["<@&{id}>", "@Art Team", "@art team"])
async def test_a_role_is_named_in_a_typed_command_as_discord_writes_it_or_by_its_name(
    fake: FakeDiscord, door: FakeDoor, adapter: DiscordAdapter, boss: Person, art: Role, written: str
) -> None:
    await boss.say(f"{fake.bot.mention} /admin space {written.format(id=art.id)}", in_=fake.channel)
    asked = await came(fake, door)
    parsed = parse(asked.line, door.table)
    assert parsed is not None

    assert door.table.find("admin").bind(parsed.values).role == art.id
    assert asked.names == {art.id: "Art Team"}


@pytest.mark.parametrize(
    "line",
    ["/imagine a poster for @Art Team", "a poster for @Art Team", "/admin space @Art Teams", "/admin space @twice"],
)
async def test_nothing_else_becomes_a_role(
    fake: FakeDiscord, door: FakeDoor, adapter: DiscordAdapter, boss: Person, line: str
) -> None:
    """People's own words stay as they are, and a name that two roles have means neither."""
    await boss.say(f"{fake.bot.mention} {line}", in_=fake.channel)

    assert (await came(fake, door)).line == line


async def test_everybody_is_a_role_too(
    fake: FakeDiscord, door: FakeDoor, adapter: DiscordAdapter, boss: Person
) -> None:
    await boss.say(f"{fake.bot.mention} /admin space @everyone", in_=fake.channel)

    assert (await came(fake, door)).line == f"/admin space <@&{fake.guild.id}>"


@pytest.mark.parametrize(
    ("kind", "word", "id"),
    [
        (Kind.ROLE, "<@&42>", "42"),
        (Kind.ROLE, "@designers", "designers"),
        (Kind.ROLE, "<@42>", ""),
        (Kind.ROLE, "<#42>", ""),
        (Kind.PERSON, "<@&42>", ""),
        (Kind.PERSON, "<@!42>", "42"),
        (Kind.ROOM, "<@&42>", ""),
    ],
)
def test_a_role_is_told_apart_from_people_and_channels(kind: Kind, word: str, id: str) -> None:
    assert mention(kind, word) == id


@pytest.mark.parametrize(("line", "role", "member"), [("/admin <@&5> <@7>", "5", "7"), ("/admin <@7> <@&5>", "5", "7")])
def test_a_line_may_name_both(line: str, role: str, member: str) -> None:
    table = drawing_table()
    parsed = parse(line, table)
    assert parsed is not None
    bound: Any = table.find("admin").bind(parsed.values)

    assert (bound.role, bound.member) == (role, member)


def test_what_is_no_role_is_refused() -> None:
    with pytest.raises(UsageError, match="a role, such as @name"):
        drawing_table().find("admin").bind({"role": "two words"})

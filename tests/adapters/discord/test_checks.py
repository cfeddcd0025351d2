"""What `doctor` says about Discord: read as an operator would, asked of the fake over real sockets."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import discord
import pytest

from adapters.discord import tree
from adapters.discord.checks import Check, Connect, checks, logged_in
from adapters.discord.permissions import NEEDED, lacking, needed, own_link, server_link
from tests.adapters.discord.portal import table, values
from tests.simulators.discord import rest_places
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.faults import Fault
from tests.simulators.discord.permissions import BITS, EVERYONE


async def found(fake: FakeDiscord, connector: Connect | None = None, **more: Any) -> dict[str, Check]:
    """What was looked at, by name; no name comes twice in these tests."""
    asked = {key: more.pop(key) for key in ("table", "channels") if key in more}
    given = await checks(values(fake, **more), connector=connector or fake.connector, **asked)
    assert fake.token not in str(given)
    assert len({each.name for each in given}) == len(given), given
    return {each.name: each for each in given}


def describes(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """The application has these settings in the portal. It must be called before the fake is there."""
    usual = rest_places.application

    async def application(call: Any) -> Any:
        return {**await usual(call), **fields}

    changed = [(one[0], one[1], application if one[2] is usual else one[2]) for one in rest_places.ROUTES]
    monkeypatch.setattr(rest_places, "ROUTES", changed)


@pytest.fixture
def portal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    describes(monkeypatch, **request.param)
    return dict(request.param)


async def test_where_all_is_well_everything_says_so(fake: FakeDiscord) -> None:
    offered = await table()
    async with logged_in(values(fake), fake.connector) as client:
        await tree.sync(client.http, client.application_id or 0, offered)

    told = await found(fake, table=offered, channels=[fake.channel.id])

    assert {each.well for each in told.values()} == {True}
    assert [*told] == [
        "discord token",
        "discord intents",
        "discord servers",
        "discord channel",
        "discord commands",
    ]
    assert str(told["discord channel"].told) == "#general in studio: the bot may do what it needs."
    assert "called seedream" in str(told["discord token"].told)


async def test_looking_changes_nothing_and_opens_no_gateway(fake: FakeDiscord) -> None:
    await found(fake, table=await table(), channels=[fake.channel.id])

    assert {call.method for call in fake.requests} == {"GET"}
    assert not fake.gateway.identified
    assert fake.channel.messages == []


async def test_a_wrong_token_ends_it_and_says_where_a_new_one_is(fake: FakeDiscord) -> None:
    told = await found(fake, token="not.the.token")

    assert [*told] == ["discord token"]
    assert not told["discord token"].well
    assert not told["discord token"].warning
    assert "Reset Token" in str(told["discord token"].cure)


async def test_an_unreachable_discord_is_told_by_its_kind(fake: FakeDiscord) -> None:
    fake.goes_wrong("GET", "/users/@me", Fault.RESET, times=5)  # aiohttp itself asks a second time

    told = await found(fake)

    assert str(told["discord"].told) == "Discord cannot be reached (ServerDisconnectedError)."
    assert "BOT_DISCORD__PROXY can name" in str(told["discord"].cure)


async def test_a_proxy_that_does_not_answer_is_named(fake: FakeDiscord, unused_tcp_port: int) -> None:
    told = await found(fake, aiohttp.TCPConnector, proxy=f"http://127.0.0.1:{unused_tcp_port}")

    assert "ClientProxyConnectionError" in str(told["discord"].told)
    assert str(told["discord"].cure) == "Check the proxy that BOT_DISCORD__PROXY names."


async def test_an_error_of_discord_is_told_with_its_status(fake: FakeDiscord) -> None:
    fake.goes_wrong("GET", "/oauth2/applications/@me", 403)

    told = await found(fake)

    assert "status 403" in str(told["discord"].told)


@pytest.mark.parametrize(
    ("wanted", "on", "well", "words"),
    [
        (False, False, True, "need not be"),
        (False, True, True, "need not be"),
        (True, True, True, "is on"),
        (True, False, False, "is off at Discord"),
    ],
)
async def test_the_message_content_intent_is_explained(
    fake: FakeDiscord, wanted: bool, on: bool, well: bool, words: str
) -> None:
    fake.privileged = {"message_content"} if on else set()

    told = (await found(fake, message_content=wanted))["discord intents"]

    assert (told.well, words in str(told.told)) == (well, True)
    assert told.well or told.warning


@pytest.mark.parametrize(
    ("portal", "words", "warning"),
    [
        ({"interactions_endpoint_url": "https://example.org/hook"}, "Interactions Endpoint URL", False),
        ({"bot_require_code_grant": True}, "Code Grant", True),
        ({"integration_types_config": {"0": {}}}, "Install", True),
        ({"integration_types_config": {"1": {}}}, "Install", True),
    ],
    indirect=["portal"],
)
async def test_what_is_wrong_in_the_portal_is_told_with_its_page(
    portal: Mapping[str, Any], fake: FakeDiscord, words: str, warning: bool
) -> None:
    told = (await found(fake))["discord application"]

    assert (told.well, told.warning) == (False, warning)
    assert words in str(told.told) + str(told.cure)
    assert "developer portal" in str(told.cure)


@pytest.mark.parametrize("permission", [permission.flag for permission in NEEDED])
async def test_a_permission_that_is_missing_in_a_server_is_named(fake: FakeDiscord, permission: str) -> None:
    everyone = fake.guild.roles[0]
    everyone.permissions &= ~BITS[permission]

    told = (await found(fake))["discord servers"]

    (name,) = (str(each.name) for each in NEEDED if each.flag == permission)
    assert str(told.told) == f"In studio the bot lacks: {name}."
    assert told.warning
    assert f"permissions={needed().value}" in str(told.cure)


async def test_a_role_that_gives_what_everybody_lacks_is_enough(fake: FakeDiscord) -> None:
    fake.guild.roles[0].permissions = 0
    role = fake.new_role(fake.guild, "drawing", *(permission.flag for permission in NEEDED))
    fake.guild.members[fake.bot.id].roles.append(role)

    told = await found(fake, channels=[fake.channel.id])

    assert told["discord servers"].well
    assert told["discord channel"].well


async def test_an_administrator_lacks_nothing(fake: FakeDiscord) -> None:
    fake.guild.roles[0].permissions = BITS["administrator"]

    told = await found(fake, channels=[fake.channel.id])

    assert told["discord servers"].well
    assert told["discord channel"].well


async def test_a_bot_without_a_server_gets_the_link(fake: FakeDiscord) -> None:
    fake.leave(fake.guild, fake.bot)

    told = (await found(fake))["discord servers"]

    assert str(told.told) == "The bot is in no server yet."
    assert server_link(fake.bot.id) in str(told.cure)


async def test_a_servers_name_cannot_write_on_the_terminal(fake: FakeDiscord) -> None:
    fake.guild.name = "\x1b[2Jstudio"
    fake.guild.roles[0].permissions &= ~BITS["attach_files"]

    told = (await found(fake))["discord servers"]

    assert str(told.told) == "In [2Jstudio the bot lacks: Attach Files."


@pytest.mark.parametrize("permission", ["send_messages", "attach_files", "read_message_history"])
async def test_what_a_channel_forbids_is_named(fake: FakeDiscord, permission: str) -> None:
    fake.forbid(fake.channel, permission)

    told = (await found(fake, channels=[fake.channel.id]))["discord channel"]

    (name,) = (str(each.name) for each in NEEDED if each.flag == permission)
    assert (told.well, told.warning) == (False, True)
    assert "#general in studio: the bot lacks" in str(told.told)
    assert name in str(told.told)


async def test_a_threads_permissions_are_those_of_its_channel(fake: FakeDiscord) -> None:
    thread = fake.new_thread(fake.channel, fake.owner, "a talk")
    fake.forbid(fake.channel, "send_messages_in_threads")

    told = (await found(fake, channels=[thread.id]))["discord channel"]

    assert str(told.told) == "#general in studio: the bot lacks Send Messages in Threads."


async def test_a_channel_that_is_hidden_gone_or_no_id_is_told(fake: FakeDiscord) -> None:
    fake.forbid(fake.channel, "view_channel")

    for channel, words in (
        (fake.channel.id, "the bot may not see it"),
        ("1234567890", "is not there"),
        ("general", "is not there"),
    ):
        told = (await found(fake, channels=[channel]))["discord channel"]
        assert words in str(told.told)
        assert not told.well


@pytest.mark.parametrize("for_guild", [False, True])
async def test_commands_of_another_version_are_noticed(fake: FakeDiscord, for_guild: bool) -> None:
    offered = await table()
    guilds = [fake.guild.id] if for_guild else []
    assert not (await found(fake, table=offered, guilds=guilds))["discord commands"].well

    older = [{**one, "description": "As it was before"} if one["type"] == 1 else one for one in tree.payload(offered)]
    fake.commands.put(fake.guild.id if for_guild else None, older)
    told = (await found(fake, table=offered, guilds=guilds))["discord commands"]

    assert (told.well, told.warning) == (False, True)
    fake.commands.put(fake.guild.id if for_guild else None, tree.payload(offered))
    assert (await found(fake, table=offered, guilds=guilds))["discord commands"].well


# --- permissions and links


def test_what_is_needed_has_no_administrator_and_nothing_else_that_manages() -> None:
    flags = {name for name, on in needed() if on}

    assert flags == {
        "read_messages",  # discord.py's older name of View Channel
        "send_messages",
        "send_messages_in_threads",
        "attach_files",
        "read_message_history",
    }
    assert {permission.flag for permission in NEEDED} <= BITS.keys()


def test_the_links_ask_for_exactly_that() -> None:
    assert server_link(42) == (
        "https://discord.com/oauth2/authorize?client_id=42&integration_type=0&scope=bot+applications.commands"
        f"&permissions={needed().value}"
    )
    assert own_link(42) == (
        "https://discord.com/oauth2/authorize?client_id=42&integration_type=1&scope=applications.commands"
    )


def test_nothing_is_lacking_where_everybody_may_what_a_new_server_gives() -> None:
    assert lacking(discord.Permissions(EVERYONE)) == ()
    assert lacking(discord.Permissions.none()) == tuple(permission.name for permission in NEEDED)

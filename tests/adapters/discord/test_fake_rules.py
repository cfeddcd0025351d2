"""What the fake Discord knows of commands and of its own document, and that it keeps to it."""

from typing import Any

import discord
import pytest

from tests.simulators.discord.demo_bot import DemoBot
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.wire import Refused

pytestmark = pytest.mark.slow

OPTION = {"type": 3, "name": "prompt", "description": "What to draw"}
COMMAND = {"type": 1, "name": "imagine", "description": "Draw", "options": [OPTION]}


@pytest.fixture
def checked(fake: FakeDiscord) -> FakeDiscord:
    if not fake.openapi.on:
        pytest.skip("BOT_TEST_DISCORD_OPENAPI names no copy of Discord's OpenAPI document")
    return fake


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"name": "Imagine"}, "name"),
        ({"name": "i" * 33}, "name"),
        ({"description": ""}, "description"),
        ({"description": "d" * 101}, "description"),
        ({"description_localizations": {"xx": "d"}}, "description_localizations"),
        ({"contexts": [3]}, "contexts"),
        ({"integration_types": [2]}, "integration_types"),
        ({"options": [{**OPTION, "name": f"o{n}"} for n in range(26)]}, "options"),
        ({"options": [OPTION, OPTION]}, "options"),
        ({"options": [OPTION, {**OPTION, "name": "b", "required": True}]}, "options"),
        ({"options": [{**OPTION, "choices": [{"name": f"c{n}", "value": "v"} for n in range(26)]}]}, "options"),
        ({"options": [{**OPTION, "choices": [{"name": "c", "value": "v" * 101}]}]}, "options"),
        ({"options": [{**OPTION, "choices": [{"name": "c", "value": "v"}], "autocomplete": True}]}, "options"),
        ({"type": 3}, None),
    ],
)
def test_a_command_that_discord_does_not_take_is_refused(changed: dict[str, Any], path: str | None) -> None:
    fake = FakeDiscord()

    with pytest.raises(Refused) as refused:
        fake.commands.put(None, [COMMAND | changed])

    assert refused.value.body["code"] == 50035
    assert path is None or path in refused.value.body["errors"]["0"]


def test_more_words_than_a_command_may_have_are_refused() -> None:
    options = [{**OPTION, "name": f"o{n}", "choices": []} for n in range(25)]
    for one in options:
        one["choices"] = [{"name": "n" * 97 + str(n), "value": "v" * 98 + str(n)} for n in range(2)]

    with pytest.raises(Refused):
        FakeDiscord().commands.put(None, [{**COMMAND, "options": options}])


def test_a_command_keeps_its_id_by_its_name_and_its_version_while_it_stays_the_same() -> None:
    commands = FakeDiscord().commands
    first = [*commands.put(None, [COMMAND, {**COMMAND, "name": "edit"}])]

    second = commands.put(None, [{**COMMAND, "name": "edit", "description": "Change"}, COMMAND])

    edited, same = second
    assert same == first[0]
    assert edited["id"] == first[1]["id"]
    assert edited["version"] != first[1]["version"]


async def test_a_person_can_only_send_what_the_client_lets_through(fake: FakeDiscord, bot: DemoBot) -> None:
    bob = fake.person("bob")

    unsendable: dict[str, Any] = {"imagine": {}, "forbidden": {"how": "other"}}
    unknown: dict[str, Any] = {"draw": {}, "imagine": {"prompt": "a", "size": "2K"}}

    for name, values in unsendable.items():
        with pytest.raises(ValueError, match=r"cannot be sent|offers"):
            await bob.slash(name, **values)
    for name, values in unknown.items():
        with pytest.raises(LookupError):
            await bob.slash(name, **values)

    assert fake.interactions.asked == []


async def test_syncing_twice_changes_nothing(fake: FakeDiscord, bot: DemoBot) -> None:
    first = await bot.tree.sync()
    second = await bot.tree.fetch_commands()
    own = await bot.tree.sync(guild=discord.Object(int(fake.guild.id)))

    assert [one.id for one in first] == [one.id for one in second]
    assert (own, fake.commands.syncs) == ([], 3)


@pytest.mark.parametrize("permissions", ["32", 32, None], ids=["string", "number", "none"])
async def test_permissions_of_a_command_may_be_written_either_way(
    checked: FakeDiscord, bot: DemoBot, permissions: str | int | None
) -> None:
    command = {**COMMAND, "default_member_permissions": permissions}

    (stored,) = await bot.http.bulk_upsert_global_commands(checked.bot.id, payload=[command])

    assert stored["default_member_permissions"] == (None if permissions is None else "32")


async def test_a_field_that_the_document_does_not_know_is_complained_about(checked: FakeDiscord, bot: DemoBot) -> None:
    route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=checked.channel.id)

    await bot.http.request(route, json={"content": "hello", "contents": "typo"})

    (complaint,) = checked.complaints
    assert "contents" in complaint
    checked.complaints.clear()


async def test_a_wrong_field_deep_inside_is_named(checked: FakeDiscord, bot: DemoBot) -> None:
    route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=checked.channel.id)
    button = {"type": 2, "style": 1, "label": "a", "custom_id": "a", "disabled": "no"}

    await bot.http.request(route, json={"components": [{"type": 1, "components": [button]}]})

    assert any("components/0/components/0/disabled" in one for one in checked.complaints)
    checked.complaints.clear()


async def test_an_answer_of_the_fake_that_the_document_does_not_know_is_complained_about(
    checked: FakeDiscord, bot: DemoBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked.bot, "locale", "xx")

    await bot.http.request(discord.http.Route("GET", "/users/@me"))

    assert "locale" in checked.complaints[0]
    checked.complaints.clear()


async def test_a_route_that_discord_does_not_have_is_complained_about(fake: FakeDiscord, bot: DemoBot) -> None:
    with pytest.raises(discord.NotFound):
        await bot.http.request(discord.http.Route("GET", "/pictures"))

    assert fake.complaints == ["this Discord has no GET /api/v10/pictures"]
    fake.complaints.clear()


def test_discords_document_is_at_hand() -> None:
    if at_hand() is None:
        pytest.skip("BOT_TEST_DISCORD_OPENAPI names no copy: requests and answers were not held to Discord's document")
    assert FakeDiscord(openapi=at_hand()).openapi.on

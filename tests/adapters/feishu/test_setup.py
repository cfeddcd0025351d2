"""`setup feishu` on the fake Feishu: what it tells, what it puts there, and what it leaves alone."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.feishu import scopes, slash
from adapters.feishu.setup import _kind, set_up
from bot.i18n import Text
from bot.ops.setup import PICTURE
from tests.adapters.feishu.portal import table, values, well_set_up
from tests.simulators.feishu.fake import FakeFeishu


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with well_set_up() as fake:
        yield fake
        assert fake.complaints == []


async def told(fake: FakeFeishu, *, channel: str = "", **more: Any) -> tuple[bool, list[str]]:
    """Whether all went well, and each line that was said."""
    said: list[Text] = []
    well = await set_up(values(fake, **more), said.append, table=table, picture=PICTURE, channel=channel)
    assert fake.app_secret not in "".join(map(str, said))
    return well, [str(each) for each in said]


async def test_where_all_is_well_it_says_so_and_puts_the_commands_there(fake: FakeFeishu) -> None:
    well, lines = await told(fake)

    assert well
    assert lines[0].startswith("The secret is good. The bot is called Seedream")
    assert not [line for line in lines if line[1:3] == ". " or line.startswith("{")]
    assert lines[-1].startswith("Next: `seedream-bot run`")
    assert [one["command"] for one in fake.commands] == [one["command"] for one in slash.payload(await table())]
    assert fake.connections.made == 0


async def test_an_app_in_which_something_is_left_to_do_gets_every_step(fake: FakeFeishu) -> None:
    fake.published = False

    well, lines = await told(fake)

    assert not well
    (pasted,) = (line for line in lines if line.startswith("{"))
    assert json.loads(pasted) == scopes.importable(scopes.asked())
    assert [line[0] for line in lines if line[1:3] == ". "] == ["1", "2", "3", "4", "5", "6"]
    (fifth,) = (line for line in lines if line.startswith("5."))
    assert all(each.name in fifth for each in (*scopes.EVENTS, *scopes.CALLBACKS))
    assert "persistent connection" in fifth
    assert all(f"/app/{fake.app_id}/" in line for line in lines if line[0] in "1235" and line[1:3] == ". ")


async def test_a_second_time_changes_nothing(fake: FakeFeishu) -> None:
    await told(fake)
    before = [dict(one) for one in fake.commands]
    _, lines = await told(fake)

    assert "The slash commands stand at Feishu already." in lines
    assert fake.commands == before


async def test_with_a_webhook_the_address_to_enter_is_told(fake: FakeFeishu) -> None:
    _, lines = await told(fake, encrypt_key="key", public_url="https://bot.example.org")

    assert any("request URL of both is https://bot.example.org/hooks/feishu" in line for line in lines)
    assert any(line.startswith("5.") and "developer's server" in line for line in lines)


async def test_a_wrong_secret_ends_it_before_anything_is_put_there(fake: FakeFeishu) -> None:
    well, lines = await told(fake, app_secret="wrong", channel="oc_1")

    assert not well
    assert "does not know this app id" in lines[0]
    assert len(lines) == 2
    assert fake.commands == []


async def test_an_app_without_a_bot_gets_the_steps_and_nothing_else(fake: FakeFeishu) -> None:
    fake.bot_enabled = False

    well, lines = await told(fake, channel="oc_1")

    assert not well
    assert lines[0] == "The app has no bot."
    assert any(line.startswith("1. ") and line.endswith("add the bot.") for line in lines)
    assert fake.called("im.message.create") == []


async def test_a_missing_scope_is_told_with_its_link_and_the_rest_is_done_all_the_same(fake: FakeFeishu) -> None:
    fake.scopes -= {"im:resource"}

    well, lines = await told(fake)

    assert not well
    (at,) = (number for number, line in enumerate(lines) if line.startswith("im:resource is missing"))
    assert lines[at + 1].startswith("  -> Add it at ")
    assert fake.commands


async def test_without_the_scope_for_slash_commands_only_they_are_missing(fake: FakeFeishu) -> None:
    fake.scopes -= {"application:app_slash_command:read", "application:app_slash_command:write"}

    well, lines = await told(fake)

    assert well
    assert any("slash commands could not be put" in line for line in lines)


@pytest.mark.parametrize("where", ["group", "person"])
async def test_a_chat_or_a_person_gets_the_picture_in_the_bots_own_form(fake: FakeFeishu, where: str) -> None:
    ann = fake.person("Ann")
    group = fake.group("studio", ann)
    to = group.id if where == "group" else ann.open_id

    well, lines = await told(fake, channel=to)

    assert (well, f"A test picture went to {to}." in lines) == (True, True)
    (message,) = ann.sees(group if where == "group" else None)
    assert message.pictures == [PICTURE.read_bytes()]
    assert "try /imagine" in message.text


async def test_a_lost_answer_makes_no_second_picture(fake: FakeFeishu) -> None:
    ann = fake.person("Ann")
    fake.faults.add("im.message.create", after=True)

    well, _ = await told(fake, channel=ann.open_id)

    assert well
    assert len(ann.sees()) == 1


async def test_a_person_whom_the_app_is_not_for_is_told(fake: FakeFeishu) -> None:
    ann = fake.person("Ann", reachable=False)

    well, lines = await told(fake, channel=ann.open_id)

    assert not well
    assert any("code 230013" in line for line in lines)
    assert "available to this person" in lines[-1]


async def test_a_chat_that_is_not_there_is_told_with_what_may_be_named(fake: FakeFeishu) -> None:
    well, lines = await told(fake, channel="studio")

    assert not well
    assert "oc_…" in lines[-1]


async def test_a_picture_that_may_not_be_uploaded_is_told_with_the_scope(fake: FakeFeishu) -> None:
    fake.scopes -= {"im:resource"}

    well, lines = await told(fake, channel=fake.person("Ann").open_id)

    assert not well
    assert "code 99991672" in lines[-2]
    assert "im:resource" in lines[-1]


def test_a_person_may_be_named_by_an_address_and_a_chat_by_its_id() -> None:
    assert [_kind(to) for to in ("ann@example.org", "ou_1", "oc_1")] == ["email", "open_id", "chat_id"]


async def test_a_feishu_that_fails_ends_it_with_a_word(fake: FakeFeishu) -> None:
    fake.faults.add("application.scope.list", code=123456)

    well, lines = await told(fake)

    assert not well
    assert "code 123456" in lines[-2]

"""What `doctor` says about Feishu: read as an operator would, asked of the fake over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.feishu import scopes, slash
from adapters.feishu.app import App, Check
from adapters.feishu.checks import bot, checks, standing
from adapters.feishu.codes import Refused
from adapters.feishu.connection import Connection
from adapters.feishu.published import published
from tests.adapters.feishu.portal import table, values, well_set_up
from tests.simulators.feishu.fake import FakeFeishu

NEEDED = [scope for scope in scopes.SCOPES if scope.needed]
SELF = "application:application:self_manage"


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with well_set_up(*scopes.SENSITIVE) as fake:
        yield fake
        assert fake.complaints == []


async def found(fake: FakeFeishu, **more: Any) -> dict[str, Check]:
    """What was looked at, by name; of several with one name the worst."""
    asked = {key: more.pop(key) for key in ("table", "channels") if key in more}
    given = await checks(values(fake, **more), **asked)
    assert fake.app_secret not in str(given)
    return {each.name: each for each in sorted(given, key=lambda each: (each.well, each.warning), reverse=True)}


def is_bad(check: Check) -> bool:
    return not check.well and not check.warning


async def test_where_all_is_well_everything_says_so(fake: FakeFeishu) -> None:
    fake.commands[:] = [{"command_id": f"cmd_{one['command']}", **one} for one in slash.payload(await table())]
    group = fake.group("studio", fake.person("Ann"))

    told = await found(fake, table=await table(), channels=[group.id])

    assert {each.well for each in told.values()} == {True}
    assert told.keys() == {
        "feishu credentials",
        "feishu connection",
        "feishu scopes",
        "feishu version",
        "feishu events",
        "feishu callbacks",
        "feishu chat",
        "feishu commands",
    }
    assert str(told["feishu chat"].told) == "The bot is in the chat studio."
    assert f"its app is {fake.app_id}" in str(told["feishu credentials"].told)


async def test_looking_changes_nothing_and_takes_no_events_away(fake: FakeFeishu) -> None:
    await found(fake, table=await table())

    assert {call.method for call in fake.calls if call.api not in ("auth.tenant_access_token", "ws.endpoint")} == {
        "GET"
    }
    assert len(fake.connections) == 0
    assert fake.connections.made == 0


@pytest.mark.parametrize("wrong", [{"app_id": "cli_0000000000000000"}, {"app_secret": "wrong"}])
async def test_a_wrong_id_or_secret_ends_it_and_says_where_the_right_one_is(
    fake: FakeFeishu, wrong: Mapping[str, str]
) -> None:
    told = await found(fake, **wrong)

    assert told.keys() == {"feishu credentials"}
    assert is_bad(told["feishu credentials"])
    assert "BOT_FEISHU__APP_SECRET" in str(told["feishu credentials"].cure)
    assert "BOT_FEISHU__DOMAIN=https://open.larksuite.com" in str(told["feishu credentials"].cure)


async def test_an_unreachable_feishu_is_told_by_its_kind(fake: FakeFeishu, unused_tcp_port: int) -> None:
    told = await found(fake, domain=f"http://127.0.0.1:{unused_tcp_port}")

    assert "cannot be reached" in str(told["feishu"].told)
    assert is_bad(told["feishu"])


async def test_an_error_of_feishu_is_told_with_its_code_and_log_id(fake: FakeFeishu) -> None:
    fake.faults.add("application.scope.list", code=123456)

    told = await found(fake)

    assert "code 123456 (log id 2026" in str(told["feishu"].told)


async def test_an_app_without_a_bot_is_told_with_the_page_that_adds_one(fake: FakeFeishu) -> None:
    fake.bot_enabled = False

    told = (await found(fake))["feishu bot"]

    assert is_bad(told)
    assert f"/app/{fake.app_id}/capability" in str(told.cure)


@pytest.mark.parametrize(
    ("code", "words", "warning"),
    [
        (1000040351, "Set BOT_FEISHU__DOMAIN to", False),
        (1000040350, "another process has it too", False),
        (514, "BOT_FEISHU__APP_SECRET", False),
        (403, "custom app of your organisation", False),
        (1, "later", True),
    ],
)
async def test_what_keeps_a_long_connection_from_standing_is_told(
    fake: FakeFeishu, code: int, words: str, warning: bool
) -> None:
    fake.connections.refuse(code)

    told = (await found(fake))["feishu connection"]

    assert (told.well, told.warning) == (False, warning)
    assert f"code {code}" in str(told.told)
    assert words in str(told.cure)


async def test_a_connection_is_not_missed_where_events_come_by_webhook(fake: FakeFeishu) -> None:
    fake.connections.refuse(514)

    told = (await found(fake, encrypt_key="key", public_url="https://bot.example.org"))["feishu connection"]

    assert told.well
    assert "https://bot.example.org/hooks/feishu" in str(told.told)


async def test_the_wrong_platform_is_told_also_where_events_come_by_webhook(fake: FakeFeishu) -> None:
    fake.connections.refuse(1000040351)

    assert is_bad((await found(fake, encrypt_key="key"))["feishu connection"])


async def test_that_no_bot_is_connected_is_told_and_may_be_meant_so(fake: FakeFeishu) -> None:
    told = (await found(fake))["feishu connection"]

    assert told.well
    assert "not running, or cannot connect" in str(told.told)


async def test_a_count_of_connections_does_not_say_whose_they_are(fake: FakeFeishu) -> None:
    async def take(event: Mapping[str, Any]) -> None:
        """Of somebody else's process."""

    stranger = Connection(domain=fake.url, app_id=fake.app_id, app_secret=fake.app_secret, take=take)
    task = asyncio.create_task(stranger.run())
    await fake.ready()
    told = (await found(fake))["feishu connection"]
    await stranger.close()
    await task

    assert told.well
    assert "One stands now: the bot's, or that of another process" in str(told.told)


def test_another_process_with_the_same_app_id_is_noticed() -> None:
    alone, two = standing(1), standing(2)

    assert (alone.well, two.well, two.warning) == (True, False, True)
    assert "2 long connections" in str(two.told)


async def test_a_platform_that_does_not_count_connections_is_no_problem(fake: FakeFeishu) -> None:
    fake.faults.add("event.connection.get", code=99991672)

    assert (await found(fake))["feishu connection"].well


@pytest.mark.parametrize("scope", NEEDED, ids=lambda scope: scope.name)
async def test_a_scope_that_is_missing_is_named_with_its_purpose_and_the_link_that_adds_it(
    fake: FakeFeishu, scope: scopes.Scope
) -> None:
    fake.scopes -= {scope.name, *scope.instead}

    told = [each for each in await checks(values(fake)) if is_bad(each)]

    (one,) = [each for each in told if str(each.told).startswith(f"{scope.name} is missing")]
    assert str(scope.why) in str(one.told)
    assert f"/app/{fake.app_id}/auth?q=" in str(one.cure)
    assert scope.name in str(one.cure)


async def test_a_wider_scope_is_as_good(fake: FakeFeishu) -> None:
    fake.scopes = {"im:message", "im:message.p2p_msg", "im:message.group_at_msg", "im:resource"}

    assert not [each for each in await checks(values(fake)) if is_bad(each)]


async def test_what_is_only_useful_is_told_and_is_nothing_wrong(fake: FakeFeishu) -> None:
    fake.scopes -= {"im:message.group_msg"}

    told = [each for each in await checks(values(fake)) if "im:message.group_msg" in str(each.told)]

    assert [each.well for each in told] == [True]
    assert "need not be" in str(told[0].told)


async def test_an_app_that_is_not_installed_waits_for_its_first_version(fake: FakeFeishu) -> None:
    fake.faults.add("application.scope.list", code=212100)

    told = (await found(fake))["feishu version"]

    assert is_bad(told)
    assert "/version" in str(told.cure)


async def test_an_app_without_a_published_version_is_told(fake: FakeFeishu) -> None:
    fake.published = False

    told = (await found(fake))["feishu version"]

    assert is_bad(told)
    assert "No version" in str(told.told)


@pytest.mark.parametrize("each", [*scopes.EVENTS, *scopes.CALLBACKS], ids=lambda each: each.name)
async def test_what_is_not_subscribed_is_named_with_its_purpose(fake: FakeFeishu, each: scopes.Subscribed) -> None:
    fake.subscribed -= {each.name}

    told = (await found(fake))["feishu callbacks" if each in scopes.CALLBACKS else "feishu events"]

    assert (told.well, told.warning) == (False, not each.needed)
    assert str(told.told).startswith(f"{each.name} is not subscribed")
    assert str(each.why) in str(told.told)


async def test_events_that_go_elsewhere_than_the_bot_listens_are_noticed(fake: FakeFeishu) -> None:
    told = await found(fake, encrypt_key="key", public_url="https://bot.example.org")

    for name in ("feishu events", "feishu callbacks"):
        assert is_bad(told[name])
        assert "developer's server" in str(told[name].cure)


async def test_what_the_app_may_not_read_is_left_to_whoever_looks(fake: FakeFeishu) -> None:
    fake.scopes -= {SELF}

    told = (await found(fake))["feishu settings"]

    assert told.well
    for name in ("im.message.receive_v1", "card.action.trigger", "persistent connection", "/version", SELF):
        assert name in str(told.told)


class Console:
    """What the console has, where the fake has no way to differ. pages: answers by path; others are refused."""

    def __init__(self, **app: Any) -> None:
        self.pages: dict[str, Any] = {
            "/application/v6/applications/me": {"app": {"online_version_id": "oav_1", "status": 1, **app}}
        }

    async def call(
        self, method: str, path: str, *, query: Mapping[str, object] | None = None, top: bool = False
    ) -> Any:
        if path not in self.pages:
            raise Refused(status=400, code=210508)
        return self.pages[path]

    async def told(self, **more: Any) -> list[Check]:
        given: Mapping[str, Any] = {"app_id": "cli_1", "app_secret": "s", **more}
        rest: Any = self
        found: list[Check] = await published(rest, App.of(given))
        return found


@pytest.mark.parametrize(("status", "well"), [(0, False), (1, False), (2, True), (3, False), (4, True), (5, False)])
async def test_an_app_that_is_not_switched_on_in_the_organisation_is_told(status: int, well: bool) -> None:
    console: Any = Console()
    console.pages["/bot/v3/info"] = {"bot": {"app_name": "Seedream", "activate_status": status}}

    credentials, *told = await bot(console, App.of({"app_id": "cli_1", "app_secret": "s"}))

    assert credentials.well
    assert [(each.well, each.warning) for each in told] == ([] if well else [(False, True)])


async def test_settings_that_cannot_be_read_keep_nothing_else_from_being_looked_at(fake: FakeFeishu) -> None:
    fake.faults.add("application.application.get", code=210504)

    told = await found(fake, table=await table())

    assert "code 210504" in str(told["feishu settings"].told)
    assert "feishu commands" in told


async def test_a_version_that_waits_or_an_app_that_is_off_is_told() -> None:
    waiting, off = Console(unaudit_version_id="oav_2"), Console(status=0)

    assert any("waits for approval" in str(each.told) and each.warning for each in await waiting.told())
    assert any("switched off" in str(each.told) and is_bad(each) for each in await off.told())


async def test_events_are_read_of_the_published_version_where_the_app_does_not_tell_them() -> None:
    console = Console(callback_info={"callback_type": "websocket", "subscribed_callbacks": ["card.action.trigger"]})
    path = "/application/v6/applications/me/app_versions/oav_1"
    console.pages[path] = {"app_version": {"event_infos": [{"event_type": "im.message.receive_v1"}]}}

    told = [str(each.told) for each in await console.told() if each.name == "feishu events" and not each.well]

    assert [words.partition(" ")[0] for words in told] == [each.name for each in scopes.EVENTS[1:]]


async def test_what_nobody_tells_is_said_to_be_unknown() -> None:
    console = Console(online_version_id="")

    told = [each for each in await console.told() if each.name in ("feishu events", "feishu callbacks")]

    assert [(each.well, "cannot be read" in str(each.told)) for each in told] == [(True, True)] * 4
    assert "persistent connection" in str(told[0].told)


async def test_another_request_url_than_the_bots_is_noticed() -> None:
    console = Console(
        event={"subscription_type": "webhook", "request_url": "https://old.example.org/x", "subscribed_events": []}
    )

    told = await console.told(encrypt_key="key", public_url="https://bot.example.org/")

    assert any("https://bot.example.org/hooks/feishu" in str(each.cure) for each in told if is_bad(each))


# --- chats and slash commands


async def test_a_chat_that_the_bot_is_not_in_is_told(fake: FakeFeishu) -> None:
    outside = fake.group("elsewhere", fake.person("Ann"), with_bot=False)

    for id in (outside.id, "oc_nowhere"):
        told = (await found(fake, channels=[id]))["feishu chat"]
        assert (told.well, told.warning) == (False, True)
        assert id in str(told.told)


async def test_without_the_scope_for_chats_nothing_is_said_against_one(fake: FakeFeishu) -> None:
    group = fake.group("studio", fake.person("Ann"))
    fake.scopes -= {"im:chat:readonly"}

    told = (await found(fake, channels=[group.id]))["feishu chat"]

    assert told.well
    assert "im:chat:readonly" in str(told.told)


async def test_a_chats_name_cannot_write_on_the_terminal(fake: FakeFeishu) -> None:
    group = fake.group("\x1b[2Jstudio", fake.person("Ann"))

    assert str((await found(fake, channels=[group.id]))["feishu chat"].told) == "The bot is in the chat [2Jstudio."


async def test_slash_commands_of_another_version_are_noticed(fake: FakeFeishu) -> None:
    told = (await found(fake, table=await table()))["feishu commands"]

    assert (told.well, told.warning) == (False, True)
    assert "imagine" in str(told.told)


async def test_slash_commands_that_may_not_be_read_keep_nothing_from_working(fake: FakeFeishu) -> None:
    fake.scopes -= {"application:app_slash_command:read", "application:app_slash_command:write"}

    told = (await found(fake, table=await table()))["feishu commands"]

    assert (told.well, told.warning) == (False, True)
    assert "application:app_slash_command:write" in str(told.cure)


# --- the webhook's address


@pytest.fixture
async def outside() -> AsyncIterator[TestServer]:
    """Something at the bot's public address, which answers as the bot's own webhook answers what is not signed."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=401)

    application = web.Application()
    application.router.add_post("/hooks/feishu", answer)
    async with TestServer(application) as server:
        yield server


async def test_a_webhook_that_is_reached_from_outside_is_well(fake: FakeFeishu, outside: TestServer) -> None:
    told = (await found(fake, encrypt_key="key", public_url=str(outside.make_url(""))))["feishu webhook"]

    assert told.well


async def test_a_webhook_that_something_else_answers_is_told(
    fake: FakeFeishu, outside: TestServer, unused_tcp_port: int
) -> None:
    for url in (f"{outside.make_url('')}elsewhere", f"http://127.0.0.1:{unused_tcp_port}"):
        told = (await found(fake, encrypt_key="key", public_url=url))["feishu webhook"]
        assert (told.well, told.warning) == (False, True)
        assert url in str(told.told)


async def test_a_webhook_that_nobody_outside_can_find_is_told(fake: FakeFeishu) -> None:
    told = (await found(fake, encrypt_key="key"))["feishu webhook"]

    assert is_bad(told)
    assert "BOT_WEB__PUBLIC_URL" in str(told.cure)


async def test_a_token_alone_makes_no_webhook(fake: FakeFeishu) -> None:
    told = (await found(fake, verification_token="token"))["feishu webhook"]

    assert (told.well, told.warning) == (False, True)


# --- names and links


def test_the_links_lead_to_the_app_on_its_own_platform() -> None:
    link = scopes.grant_link(scopes.LARK + "/", "cli_1", ["im:resource", "im:message:update"])

    assert link == (
        "https://open.larksuite.com/app/cli_1/auth?q=im:resource,im:message:update&op_from=openapi&token_type=tenant"
    )
    assert (scopes.twin(scopes.FEISHU), scopes.twin(scopes.LARK + "/")) == (scopes.LARK, scopes.FEISHU)
    assert scopes.twin("http://127.0.0.1:1") == ""


def test_nobody_is_asked_for_all_messages_of_their_groups() -> None:
    assert "im:message.group_msg" not in scopes.asked()
    assert scopes.importable(scopes.asked()) == {"scopes": {"tenant": scopes.asked(), "user": []}}
    assert scopes.addons()["scopes"]["tenant"] == scopes.asked()


def test_the_secret_is_not_shown_with_the_app() -> None:
    assert "hush" not in repr(App.of({"app_id": "cli_1", "app_secret": "hush"}))

"""The fake Feishu's other calls: tokens, scopes, uploads, people and chats, slash commands."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fakes import painted
from tests.simulators.feishu.demo_app import DemoApp
from tests.simulators.feishu.fake import FakeFeishu

pytestmark = pytest.mark.wire

MIB = 2**20
COMMANDS = "/application/v7/app_slash_commands"
IMAGINE = {"command": "imagine", "description": {"default_value": "Draw", "i18n": {"zh_cn": "画"}}}


@pytest.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as fake:
        yield fake


@pytest.fixture
async def app(fake: FakeFeishu) -> AsyncIterator[DemoApp]:
    async with DemoApp(fake) as app:
        yield app


async def test_a_token_stays_the_same_until_half_an_hour_before_its_end(fake: FakeFeishu, app: DemoApp) -> None:
    first = await app.fresh_token()
    fake.clock.advance(5390)
    same = await app.fresh_token()
    fake.clock.advance(20)
    other = await app.fresh_token()
    old = await app.call("GET", "/bot/v3/info", headers={"Authorization": f"Bearer {first}"})
    fake.clock.advance(1800)
    ended = await app.call("GET", "/bot/v3/info", headers={"Authorization": f"Bearer {first}"})

    assert first == same != other
    assert (old.code, ended.code, ended.status, fake.tokens.given) == (0, 99991663, 400, 2)


async def test_a_wrong_secret_gets_no_token(fake: FakeFeishu, app: DemoApp) -> None:
    path = "/auth/v3/tenant_access_token/internal"

    secret = await app.call("POST", path, {"app_id": fake.app_id, "app_secret": "wrong"})
    unknown = await app.call("POST", path, {"app_id": "cli_0", "app_secret": fake.app_secret})

    assert (secret.code, unknown.code) == (10014, 10003)


async def test_a_call_without_a_token_is_complained_about(fake: FakeFeishu) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{fake.url}/open-apis/bot/v3/info") as response:
        code = (await response.json())["code"]

    assert (code, fake.complaints) == (99991661, ["bot.info without a token"])


async def test_a_missing_scope_is_named_with_the_link_to_grant_it(fake: FakeFeishu, app: DemoApp) -> None:
    fake.scopes -= {"im:resource"}

    answer = await app.upload(painted("fox"))

    assert (answer.status, answer.code) == (400, 99991672)
    assert f"/app/{fake.app_id}/auth?q=im:resource" in answer.body["msg"]


async def test_the_fiftieth_call_of_a_second_is_the_last(fake: FakeFeishu, app: DemoApp) -> None:
    fake.limits.per_second = 2

    answers = [await app.call("GET", "/bot/v3/info") for _ in range(3)]

    assert [(one.status, one.code) for one in answers] == [(200, 0), (200, 0), (429, 99991400)]
    assert answers[2].headers["x-ogw-ratelimit-reset"] == "1"


@pytest.mark.parametrize(
    ("data", "code"), [(b"", 234010), (b"no picture", 234011), (painted("fox") + bytes(10 * MIB), 234006)]
)
async def test_what_is_no_picture_of_10_mb_is_refused(app: DemoApp, data: bytes, code: int) -> None:
    assert (await app.upload(data)).code == code


async def test_own_pictures_come_back_and_others_do_not(fake: FakeFeishu, app: DemoApp) -> None:
    mine = (await app.upload(painted("fox"))).data["image_key"]
    theirs = (await fake.person("Ann").sends_picture(painted("owl"), wait=False)).picture_keys[0]

    back = await app.call("GET", f"/im/v1/images/{mine}")
    refused = await app.call("GET", f"/im/v1/images/{theirs}")

    assert (back.content, back.headers["Content-Type"], refused.code) == (painted("fox"), "image/png", 234002)


async def test_a_resource_belongs_to_its_message(fake: FakeFeishu, app: DemoApp) -> None:
    ann = fake.person("Ann")
    picture = await ann.posts("look", painted("fox"), wait=False)
    file = await ann.sends_file(painted("owl"), "owl.png", wait=False)
    forwarded = await ann.forwards(picture, wait=False)
    key = picture.picture_keys[0]

    async def fetch(message: str, key: str, kind: str = "image") -> tuple[int, bytes]:
        answer = await app.call("GET", f"/im/v1/messages/{message}/resources/{key}?type={kind}")
        return answer.body.get("code", 0), answer.content

    assert await fetch(picture.id, key) == (0, painted("fox"))
    assert await fetch(file.id, file.files[0].key, "file") == (0, painted("owl"))
    assert (await fetch(file.id, key))[0] == 234003
    assert (await fetch(picture.id, key, "file"))[0] == 234001
    assert (await fetch(forwarded.id, key))[0] == 234043


async def test_a_card_gives_its_pictures_to_nobody(fake: FakeFeishu, app: DemoApp) -> None:
    key = (await app.upload(painted("fox"))).data["image_key"]
    picture = {"tag": "img", "img_key": key, "alt": {"tag": "plain_text", "content": ""}}
    shown = {"schema": "2.0", "body": {"elements": [picture]}}
    sent = await app.send(fake.person("Ann").direct.id, "interactive", shown)

    answer = await app.call("GET", f"/im/v1/messages/{sent.data['message_id']}/resources/{key}?type=image")

    assert answer.code == 234043


async def test_a_file_is_taken_with_its_name(fake: FakeFeishu, app: DemoApp) -> None:
    form = aiohttp.FormData({"file_type": "stream", "file_name": "fox.png"})
    form.add_field("file", painted("fox"), filename="file")
    key = (await app.call("POST", "/im/v1/files", form=form)).data["file_key"]

    sent = await app.send(fake.person("Ann").direct.id, "file", {"file_key": key})

    (file,) = fake.all_messages[sent.data["message_id"]].files
    assert (file.filename, file.data) == ("fox.png", painted("fox"))


async def test_names_are_told_where_range_and_scope_allow(fake: FakeFeishu, app: DemoApp) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob", in_range=False)

    named = await app.call("GET", f"/contact/v3/users/{ann.open_id}?user_id_type=open_id")
    outside = await app.call("GET", f"/contact/v3/users/{bob.open_id}")
    both = await app.call("GET", f"/contact/v3/users/batch?user_ids={ann.open_id}&user_ids={bob.open_id}")
    fake.scopes -= {"contact:user.base:readonly"}
    nameless = await app.call("GET", f"/contact/v3/users/{ann.open_id}")

    assert (named.data["user"]["name"], outside.code) == ("Ann", 41050)
    assert [one["name"] for one in both.data["items"]] == ["Ann"]
    assert "name" not in nameless.data["user"]


async def test_members_come_in_pages_and_the_owner_is_told(fake: FakeFeishu, app: DemoApp) -> None:
    people = [fake.person(f"P{number}") for number in range(3)]
    chat = fake.group("studio", *people, owner=people[1])
    path = f"/im/v1/chats/{chat.id}"

    first = await app.call("GET", f"{path}/members?member_id_type=open_id&page_size=2")
    rest = await app.call("GET", f"{path}/members?page_size=2&page_token={first.data['page_token']}")
    about = await app.call("GET", path)

    names = [one["name"] for page in (first, rest) for one in page.data["items"]]
    assert (names, rest.data["has_more"]) == (["P0", "P1", "P2"], False)
    assert (about.data["owner_id"], about.data["chat_mode"]) == (people[1].open_id, "group")


async def test_slash_commands_are_made_changed_and_taken_away(fake: FakeFeishu, app: DemoApp) -> None:
    made = await app.call("POST", COMMANDS, IMAGINE)
    twice = await app.call("POST", COMMANDS, IMAGINE)
    path = f"{COMMANDS}/{made.data['command_id']}"
    described = await app.call("PATCH", path, {"description": {"default_value": "Paint"}})
    renamed = await app.call("PATCH", path, {"command": "paint"})
    (listed,) = (await app.call("GET", COMMANDS)).data["items"]
    await app.call("DELETE", path)

    assert (twice.code, described.code, renamed.code) == (40000000, 0, 99992402)
    assert (listed["command"], listed["description"]) == ("imagine", {"default_value": "Paint"})
    assert fake.commands == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({**IMAGINE, "command": "/imagine"}, 99992402),
        ({**IMAGINE, "description": {"i18n": {}}}, 99992402),
        ({**IMAGINE, "description": {"default_value": "Draw", "i18n": {"zh-CN": "画"}}}, 99992402),
        ({**IMAGINE, "options": []}, 99992402),
        ({**IMAGINE, "icon": {"icon_key": "Image"}}, 40000031),
    ],
)
async def test_a_slash_command_of_a_wrong_shape_is_refused(app: DemoApp, wrong: dict[str, object], code: int) -> None:
    assert (await app.call("POST", COMMANDS, wrong)).code == code


async def test_what_is_granted_and_subscribed_can_be_read(fake: FakeFeishu, app: DemoApp) -> None:
    fake.scopes = {"im:resource", "application:application:self_manage"}
    fake.subscribed.discard("application.bot.menu_v6")

    scopes = await app.call("GET", "/application/v6/scopes")
    about = (await app.call("GET", "/application/v6/applications/me?lang=zh_cn")).data["app"]

    granted = [one["scope_name"] for one in scopes.data["scopes"] if one["grant_status"] == 1]
    assert granted == ["application:application:self_manage", "im:resource"]
    assert about["event"] == {"subscription_type": "websocket", "subscribed_events": ["im.message.receive_v1"]}
    assert about["callback"]["subscribed_callbacks"] == ["card.action.trigger"]


async def test_a_call_that_does_not_exist_is_complained_about(fake: FakeFeishu, app: DemoApp) -> None:
    answer = await app.call("GET", "/im/v2/messages")

    assert (answer.status, fake.complaints) == (404, ["there is no GET /open-apis/im/v2/messages"])

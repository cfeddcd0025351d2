"""What strangers, careless people and a platform at its worst send, and what must not come of it."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from adapters.feishu import intake
from adapters.feishu import webhook as webhooks
from adapters.feishu.adapter import FeishuAdapter, OwnId
from adapters.feishu.connection import Connection
from adapters.feishu.endpoint import Orders
from adapters.feishu.event import Where
from adapters.feishu.inbound import read
from adapters.feishu.people import People
from adapters.feishu.ports import Complete
from adapters.feishu.rest import Rest
from adapters.feishu.webhook import MOST_UNPROVEN, Webhook
from bot.chat import Attachment, Invocation, Post, Quoted, Reply
from bot.errors import BotError
from bot.generation import inbox
from bot.i18n import text
from bot.ops.listener import Listener
from bot.platforms import Feishu
from bot.storage.database import Database
from tests.adapters.feishu.parsing import SAMPLES, sample, us
from tests.adapters.feishu.stage import FakeDoor, Stage, set_up
from tests.adapters.feishu.test_intake import pushed
from tests.adapters.feishu.test_webhook import CHALLENGE, KEY, encrypted, signed
from tests.bot.generation.core import Core, working
from tests.fakes import painted
from tests.simulators.feishu.fake import FakeFeishu
from tests.simulators.feishu.people import Person

Json = dict[str, Any]
ID = "k3f9w2ab"
ALONE = Reply(text=text("For you alone."), private=True, language="en")


@pytest_asyncio.fixture
async def stage(fake: FakeFeishu, door: FakeDoor, tmp_path: Path) -> AsyncIterator[Stage]:
    async with set_up(fake, door, tmp_path) as stage:
        yield stage


@pytest_asyncio.fixture
async def running(database: Database, tmp_path: Path) -> AsyncIterator[Core]:
    core = Core(database=database, folder=tmp_path)
    async with working(core):
        yield core


@pytest.fixture
def ann(fake: FakeFeishu) -> Person:
    return fake.person("Ann")


def press(fake: FakeFeishu, ann: Person, number: int = 0, *, carries: str = f"again:{ID}:0", chat: str = "") -> Json:
    """The event of a button, as its presser may have made it up."""
    event = sample("press_in_place")
    event["header"] |= {"event_id": f"press-{number}", "tenant_key": fake.tenant}
    event["event"]["operator"]["open_id"] = ann.open_id
    event["event"]["action"]["value"] = {"press": carries}
    event["event"]["context"]["open_chat_id"] = chat or ann.direct.id
    return event


# --- events


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every field of an event, however deep."""
    fields = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(deeper for name, inner in fields for deeper in places(inner, (*at, name)))]


def changed(event: Json, at: tuple[Any, ...], value: object) -> Json:
    """The event with another value in one place; without it for Ellipsis."""
    event = deepcopy(event)
    holder: Any = event
    for name in at[:-1]:
        holder = holder[name]
    if value is ...:
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    return event


@pytest.mark.parametrize("odd", [..., None, -1, 10**400, "", "\0\ud800\u202e", "x" * 10_000, [None], {"a": [{}]}, "{"])
def test_whatever_stands_in_any_field_it_can_be_stored_or_is_left_alone(odd: object) -> None:
    for file in SAMPLES.glob("*.json"):
        event = sample(file.stem)
        for at in places(event)[1:]:
            heard = read(changed(event, at, odd), us())
            if heard is not None:
                assert heard.event.where.user
                json.dumps(heard.event.model_dump(mode="json"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/imagine {bob} in the snow", "/imagine @Bob in the snow"),
        ("/quota {bob}", "/quota <@{id}>"),
        ("/额度{bob}", "/额度<@{id}>"),
    ],
)
async def test_nobodys_id_goes_into_a_picture(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person, line: str, told: str
) -> None:
    event = sample("group_words_about_a_person")
    message = event["event"]["message"]
    mentions = {each["name"]: each for each in message["mentions"]}
    mentions["Seedream"]["id"]["open_id"] = fake.bot.open_id
    words = f"{mentions['Seedream']['key']} {line.format(bob=mentions['Bob']['key'])}"
    message |= {"content": json.dumps({"text": words}), "create_time": fake.milliseconds()}
    await stage.intake.take(event)

    assert door.last.line == told.format(id=mentions["Bob"]["id"]["open_id"])


async def test_a_button_that_carries_half_a_character_is_refused_in_words(
    fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person
) -> None:
    await stage.intake.take(press(fake, ann, carries="again:\ud800\0:0"))

    assert door.last.press == "again:?:0"


async def test_the_head_of_another_chat_is_shown_to_nobody(fake: FakeFeishu, stage: Stage, ann: Person) -> None:
    theirs = await fake.person("Bob").sends_picture(painted("theirs"), wait=False)
    mine = await ann.sends_picture(painted("mine"), wait=False)
    where = Where(tenant=fake.tenant, user=ann.open_id, chat=ann.direct.id, kind="p2p", at=1)

    with pytest.raises(BotError) as refused:
        await stage.files.look(where, theirs.id)
    assert "no longer there" in str(refused.value.text)
    assert len(await stage.files.look(where, mine.id)) == 1


# --- presses


class SlowDoor(FakeDoor):
    """A database that takes its time."""

    async def accept(self, invocation: Invocation, raw: Mapping[str, Any], complete: Complete | None = None) -> bool:
        await asyncio.sleep(0.1)
        return await super().accept(invocation, raw, complete)


async def test_an_answer_that_comes_after_the_callbacks_time_is_a_message(
    fake: FakeFeishu, ann: Person, tmp_path: Path
) -> None:
    door = SlowDoor(answers=lambda invocation: ALONE)
    async with set_up(fake, door, tmp_path, toast_wait=0.05) as stage:
        toast = await stage.intake.take(press(fake, ann))
        await door.answered()

    assert toast is not None
    assert toast["toast"]["content"] == "On it."
    assert [post.reply for post in stage.posts] == [ALONE]


async def test_many_presses_at_once_hold_up_nothing(
    fake: FakeFeishu, door: FakeDoor, ann: Person, tmp_path: Path
) -> None:
    door.waits = asyncio.Event()
    async with set_up(fake, door, tmp_path, toast_wait=60) as stage:
        waiting = [
            asyncio.create_task(stage.intake.take(press(fake, ann, number))) for number in range(intake.MOST_WAITING)
        ]
        await fake.until(lambda: stage.toasts.waiting == len(waiting))
        async with asyncio.timeout(2):
            toast = await stage.intake.take(press(fake, ann, 99))
        door.waits.set()
        await asyncio.gather(*waiting)

    assert toast is not None
    assert len(door.accepted) == intake.MOST_WAITING + 1


async def test_fifty_people_who_press_the_same_button_at_once_are_fifty_and_their_repeats_nobody(
    fake: FakeFeishu, stage: Stage, door: FakeDoor
) -> None:
    people = [fake.person(str(number)) for number in range(50)]
    presses = [press(fake, each, number) for number, each in enumerate(people)]
    await asyncio.gather(*(stage.intake.take(each) for each in [*presses, *presses]))

    assert sorted(asked.actor.user for asked, _ in door.accepted) == sorted(each.open_id for each in people)


async def test_a_flood_of_what_nobody_can_use_makes_no_endless_work(
    fake: FakeFeishu, door: FakeDoor, ann: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_TO_SAY", 3)
    free, posts = asyncio.Event(), []

    async def post(one: Post) -> str:
        posts.append(one.key)
        await free.wait()
        return "om_1"

    async with set_up(fake, door, tmp_path, post=post) as stage:
        for number in range(9):
            sticker = sample("p2p_sticker")
            sticker["event"]["message"] |= {"message_id": f"om_{number}", "create_time": fake.milliseconds()}
            await stage.intake.take(sticker)
        await fake.until(lambda: len(posts) == 2)  # and the one that is just being taken
        free.set()
        await stage.intake.finish()

    assert len(posts) == 2


async def test_a_press_that_names_no_card_says_nothing_about_its_chat(
    fake: FakeFeishu, stage: Stage, ann: Person
) -> None:
    pressing = press(fake, ann)
    del pressing["event"]["context"]["open_message_id"]
    await stage.intake.take(pressing)

    assert await stage.people.kind_at_hand(ann.direct.id) != "group"


# --- people


async def test_a_note_of_chats_that_a_crash_has_spoilt_keeps_no_button_from_working(
    fake: FakeFeishu, door: FakeDoor, ann: Person, tmp_path: Path
) -> None:
    (tmp_path / "direct.txt").write_bytes(b"\noc_one\n\0\0\0\xff\xfe\n" + ann.direct.id.encode())
    async with set_up(fake, door, tmp_path) as stage:
        await stage.intake.take(press(fake, ann))

        assert door.last.place.private


@dataclass
class Telling:
    """Calls of the platform that answer with anything."""

    name: object = ""
    info: Json = field(default_factory=dict)

    async def user(self, open_id: str) -> Json:
        return {"name": self.name}

    async def chat(self, chat: str) -> Json:
        return self.info


def told(rest: Telling, folder: Path) -> People:
    return People(rest=cast(Any, rest), folder=folder, clock=lambda: datetime.now(UTC), group_owners=True)


@pytest.mark.parametrize(
    ("name", "kept"), [("\ud800Ann\0", "?Ann"), ("A" * 5_000, "A" * 100), (None, ""), (["Ann"], "")]
)
async def test_a_name_is_something_that_can_be_stored(tmp_path: Path, name: object, kept: str) -> None:
    where = Where(tenant="t", user="ou_ann", at=1)

    assert (await told(Telling(name), tmp_path).find(where)).name == kept


@pytest.mark.parametrize(
    ("info", "admin"), [({"chat_mode": "group"}, True), ({"chat_mode": "p2p"}, False), ({}, False)]
)
async def test_only_what_is_surely_a_group_has_an_owner_who_rules(tmp_path: Path, info: Json, admin: bool) -> None:
    where = Where(tenant="t", user="ou_ann", chat="oc_1", kind="group", at=1)
    people = told(Telling("Ann", {"owner_id": "ou_ann", **info}), tmp_path)

    assert (await people.find(where)).admin is admin


async def test_who_has_no_id_is_nobody(fake: FakeFeishu, stage: Stage, door: FakeDoor, ann: Person) -> None:
    nobody = pushed(fake, await ann.says("a fox", wait=False))
    nobody["event"]["sender"]["sender_id"]["open_id"] = ""
    await stage.intake.take(nobody)

    assert door.accepted == []


# --- the core's door


async def test_nobodys_message_is_opened_for_a_command_that_needs_no_picture(running: Core) -> None:
    async def look() -> tuple[Attachment, ...]:
        raise BotError(text("I may not look at that."))

    reply = await running.answer("/quota", quoted=Quoted(message_id="a person's", look=look))

    assert reply.accounts
    assert str((await running.answer("make it night", quoted=Quoted(message_id="theirs", look=look))).text) == (
        "I may not look at that."
    )


async def test_nobodys_message_is_opened_for_who_may_not_ask(running: Core) -> None:
    looked = []

    async def look() -> tuple[Attachment, ...]:
        looked.append("theirs")
        return ()

    root = await running.person("root", admin=True)
    await running.spaces.change(root.space, lambda rules: replace(rules, blocked={"eve": "Eve"}), by=root, at=1)
    reply = await running.answer("make it night", by="eve", quoted=Quoted(message_id="a person's", look=look))

    assert "admin" in str(reply.text)
    assert looked == []


async def test_who_gives_up_while_the_event_is_noted_leaves_it_answered(
    running: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = running.invocation("/quota")
    stalled = asyncio.Event()
    let_go = asyncio.Event()
    transaction = running.database.transaction

    async def slow(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        done = await transaction(function, *arguments, **named)
        if function is inbox.receive_all:
            stalled.set()
            await let_go.wait()
        return done

    monkeypatch.setattr(running.database, "transaction", slow)
    accepting = asyncio.create_task(running.dispatcher.accept(asked, {"event": asked.id}))
    await stalled.wait()
    accepting.cancel()
    await asyncio.wait([accepting])
    let_go.set()
    await running.adapter.until(lambda: running.adapter.shown)

    assert running.adapter.shown[-1].key == asked.id


# --- the webhook


class Taker:
    """Takes events and never ends."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    async def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.events.append(event)
        await asyncio.Event().wait()
        return None


def webhook() -> Webhook:
    return Webhook(encrypt_key=KEY, verification_token="", take=Taker(), clock=lambda: datetime.now(UTC))


async def test_what_is_unsigned_and_no_mere_challenge_is_not_even_decrypted() -> None:
    small, large = (encrypted({**CHALLENGE, "more": " " * length}) for length in (0, MOST_UNPROVEN))

    assert await webhook()({}, small) == (200, {"challenge": "c-1"})
    assert await webhook()({}, large) == (401, {})


async def test_an_event_that_is_never_taken_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "GIVE_UP", 0.05)
    body = encrypted({"schema": "2.0", "header": {}, "event": {}})
    async with asyncio.timeout(2):
        assert await webhook()(signed(body, at=datetime.now(UTC)), body) == (500, {})


@asynccontextmanager
async def listener(hook: Webhook) -> AsyncIterator[Listener]:
    async def ready() -> list[str]:
        return []

    async def scrape() -> bytes:
        return b""

    async with Listener(
        host="127.0.0.1",
        port=0,
        token="a-token",
        actions={},
        ready=ready,
        read=lambda key: None,
        scrape=scrape,
        receive={},
        hooks={"feishu": hook},
        call_in=0.1,
    ) as listening:
        yield listening


async def test_a_bomb_is_not_blown_up_in_memory() -> None:
    bomb = gzip.compress(bytes(64 * 2**20))
    tracemalloc.start()
    try:
        async with (
            listener(webhook()) as there,
            aiohttp.ClientSession(there.url) as session,
            session.post("/hooks/feishu", data=bomb, headers={"Content-Encoding": "gzip"}) as answer,
        ):
            assert answer.status == 413
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


async def test_who_begins_a_call_and_never_ends_it_is_hung_up_on() -> None:
    async with listener(webhook()) as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(b"POST /hooks/feishu HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
        async with asyncio.timeout(2):
            assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        await writer.wait_closed()


# --- the connection


@pytest.mark.parametrize("domain", ["http://open.feishu.cn", "http://10.0.0.7:8000", "http://localhost.example.com"])
def test_the_secret_goes_nowhere_in_the_clear(domain: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Feishu(domain=domain)
    assert Feishu(domain="http://127.0.0.1:8000").domain == "http://127.0.0.1:8000"


def test_an_age_at_which_nothing_would_be_answered_is_none() -> None:
    with pytest.raises(ValueError, match="at least"):
        Feishu.model_validate({"oldest": "0"})


def test_no_order_of_the_platform_makes_it_deaf_for_hours() -> None:
    for far in (1e12, float("inf"), 10**400):
        orders = Orders().after({"PingInterval": far, "ReconnectInterval": far, "ReconnectNonce": far})

        assert max(orders.ping, orders.interval, orders.nonce) <= 600


async def test_connections_that_are_lost_before_a_word_is_said_are_told_of() -> None:
    made = 0
    often = asyncio.Event()

    async def address(request: web.Request) -> web.Response:
        url = f"ws://{request.host}/ws?device_id=d&service_id=1"
        return web.json_response({"code": 0, "data": {"URL": url, "ClientConfig": {"ReconnectInterval": 0.01}}})

    async def socket(request: web.Request) -> web.WebSocketResponse:
        nonlocal made
        made += 1
        if made > 5:
            often.set()
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.close()
        return response

    application = web.Application()
    application.router.add_post("/callback/ws/endpoint", address)
    application.router.add_get("/ws", socket)
    async with TestServer(application) as server:
        connection = Connection(
            domain=str(server.make_url("")), app_id="cli_a", app_secret="s", take=Taker(), jitter=lambda: 0.0
        )
        task = asyncio.create_task(connection.run())
        async with asyncio.timeout(3):
            await often.wait()
            problem = connection.problem
            await connection.close()
            await task

    assert "cannot be reached" in problem


# --- the adapter


@dataclass
class OneLine:
    """A long connection. problems: raised by those that are made first."""

    problems: list[Exception] = field(default_factory=list)
    made: int = 0
    problem: str = ""
    runs: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self) -> "OneLine":
        self.made += 1
        return self

    async def run(self) -> None:
        if self.problems:
            raise self.problems.pop(0)
        self.runs = True
        try:
            await self.closed.wait()
        finally:
            self.runs = False

    async def close(self) -> None:
        self.closed.set()


@asynccontextmanager
async def adapter(stage: Stage, line: OneLine, *, domain: str = "") -> AsyncIterator[FeishuAdapter]:
    rest = Rest(domain=domain or stage.fake.url, app_id=stage.fake.app_id, app_secret=stage.fake.app_secret, pauses=())
    made = FeishuAdapter(
        rest=rest,
        door=stage.door,
        intake=stage.intake,
        ladder=stage,
        line=line,
        webhook=None,
        own_id=OwnId(),
        pauses=(0.01,),
    )
    async with made:
        yield made


@pytest.mark.parametrize("stands", [{"command": "imagine"}, {"command": "imagine", "description": "words"}])
async def test_odd_slash_commands_keep_nobody_from_listening(stage: Stage, stands: Json) -> None:
    stage.fake.commands.append(stands)
    line = OneLine()
    with capture_logs() as logs:
        async with adapter(stage, line) as feishu, feishu.listening():
            await stage.fake.until(lambda: any("slash commands" in entry["event"] for entry in logs))
            await stage.rest.bot()  # by now what else would have ended has ended
            assert line.runs


async def test_a_line_that_breaks_is_told_of_and_another_one_tried(stage: Stage) -> None:
    line = OneLine(problems=[ImportError("lark_oapi"), ZeroDivisionError()])
    async with adapter(stage, line) as feishu, feishu.listening():
        await stage.fake.until(lambda: line.runs)
        assert (line.made, feishu.trouble()) == (3, "")


async def test_a_platform_that_is_not_to_be_reached_is_told_of_from_the_start(
    stage: Stage, unused_tcp_port: int
) -> None:
    line = OneLine()
    async with adapter(stage, line, domain=f"http://127.0.0.1:{unused_tcp_port}") as feishu:
        assert "cannot be reached" in feishu.trouble()

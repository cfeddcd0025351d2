"""The long connection: events acknowledged in time, connections made anew, and no silence that nobody hears of."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.feishu import connection as connections
from adapters.feishu.connection import Connection
from adapters.feishu.frames import Arrived
from adapters.feishu.parts import Parts
from tests.simulators.feishu.fake import FakeFeishu

pytestmark = pytest.mark.wire
PRESSED = "card.action.trigger"


class Taker:
    """Notes the ids of the events; `answer` is what it returns, `fails` how often it raises first.

    While `door` is closed it goes on with nothing.
    """

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.begun = 0
        self.answer: Mapping[str, Any] | None = None
        self.fails = 0
        self.seconds = 0.0
        self.door = asyncio.Event()
        self.door.set()

    async def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.begun += 1
        await self.door.wait()
        await asyncio.sleep(self.seconds)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the disk is full")
        self.taken.append(event["header"]["event_id"])
        return self.answer


@pytest.fixture
async def feishu() -> AsyncIterator[FakeFeishu]:
    async with FakeFeishu() as feishu:
        feishu.repush = ()
        yield feishu
        assert feishu.complaints == []


@pytest.fixture
def take() -> Taker:
    return Taker()


@asynccontextmanager
async def connected(
    feishu: FakeFeishu, take: Callable[..., Any], *, ready: bool = True, **options: Any
) -> AsyncIterator[Connection]:
    options.setdefault("app_secret", feishu.app_secret)
    connection = Connection(domain=feishu.url, app_id=feishu.app_id, take=take, **options)
    task = asyncio.create_task(connection.run())
    try:
        if ready:
            await feishu.until(lambda: connection.connected)
        yield connection
    finally:
        async with asyncio.timeout(10):
            await connection.close()
            await task


async def acked(feishu: FakeFeishu, count: int = 1) -> None:
    await feishu.until(lambda: len(feishu.acks) >= count, what=f"{count} acks")


async def test_an_event_is_acknowledged_once_it_is_taken(feishu: FakeFeishu, take: Taker) -> None:
    take.door.clear()
    async with connected(feishu, take):
        message = await feishu.person("Ann").says("a fox", wait=False)
        await feishu.until(lambda: take.begun)
        before = list(feishu.acks)
        take.door.set()
        await acked(feishu)

    (ack,) = feishu.acks
    assert before == []
    assert (ack.code, ack.data) == (200, None)
    assert [push.event_id for push in feishu.pushes if push.message_id == message.id] == take.taken


@pytest.mark.parametrize("as_card_frames", [False, True])
async def test_a_press_is_answered_in_both_kinds_of_frames(
    feishu: FakeFeishu, take: Taker, *, as_card_frames: bool
) -> None:
    feishu.as_card_frames = as_card_frames
    take.answer = {"toast": {"type": "info", "content": "好"}}
    async with connected(feishu, take):
        feishu.push(PRESSED, {"action": {"value": {}}})
        await acked(feishu)

    assert [(ack.code, ack.data) for ack in feishu.acks] == [(200, take.answer)]


async def test_an_event_that_nobody_heard_of_is_acknowledged(feishu: FakeFeishu, take: Taker) -> None:
    async with connected(feishu, take):
        feishu.push_unknown()
        await acked(feishu)

    assert [ack.code for ack in feishu.acks] == [200]


async def test_what_could_not_be_taken_is_pushed_again(feishu: FakeFeishu, take: Taker) -> None:
    feishu.repush = (0.05,)
    take.fails = 1
    async with connected(feishu, take):
        push = feishu.push_unknown()
        await acked(feishu, 2)

    assert [ack.code for ack in push.acks] == [500, 200]
    assert take.taken == [push.event_id]


async def test_what_takes_too_long_is_answered_in_time_and_not_stopped(feishu: FakeFeishu, take: Taker) -> None:
    take.door.clear()
    async with connected(feishu, take, ack_in=0.05):
        push = feishu.push_unknown()
        await acked(feishu)
        take.door.set()
        await feishu.until(lambda: take.taken)

    assert [ack.code for ack in push.acks] == [500]
    assert take.taken == [push.event_id]


async def test_what_is_never_taken_is_let_go(feishu: FakeFeishu, take: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "GIVE_UP", 0.1)
    take.door.clear()
    with capture_logs() as logs:
        async with connected(feishu, take, ack_in=0.05) as connection:
            push = feishu.push_unknown()
            await feishu.until(lambda: any(entry["event"] == "an event could not be taken" for entry in logs))
            await feishu.until(lambda: not connection._taking)

    assert [ack.code for ack in push.acks] == [500]
    assert take.taken == []


async def test_two_hundred_events_at_once_are_acknowledged_in_time(feishu: FakeFeishu, take: Taker) -> None:
    take.seconds = 0.02  # one after the other they would take 4 s
    async with connected(feishu, take):
        for _ in range(200):
            feishu.push_unknown()
        await acked(feishu, 200)

    assert {ack.code for ack in feishu.acks} == {200}
    assert max(ack.after for ack in feishu.acks) < 3
    assert len(set(take.taken)) == 200


async def test_no_more_is_taken_at_once_than_can_be_dealt_with(feishu: FakeFeishu, take: Taker) -> None:
    take.door.clear()
    async with connected(feishu, take, at_once=3):
        for _ in range(5):
            feishu.push_unknown()
        await feishu.until(lambda: take.begun == 3)
        await feishu.until(lambda: len(feishu.pings) > 2)  # and still it is alive
        assert take.begun == 3
        take.door.set()
        await acked(feishu, 5)


async def test_what_finds_no_room_is_answered_in_time_and_taken_when_it_comes_again(
    feishu: FakeFeishu, take: Taker
) -> None:
    take.door.clear()
    async with connected(feishu, take, at_once=2, ack_in=0.2) as connection:
        pushes = [feishu.push_unknown() for _ in range(200)]
        await acked(feishu, 200)  # if each had 0.2 s of its own only once there is room, it would last 20
        assert take.begun == 2
        take.door.set()
        await feishu.until(lambda: not connection._taking)
        feishu.pushing.send(pushes[-1])
        await feishu.until(lambda: len(take.taken) == 3)

    assert [push.acks[0].code for push in pushes] == [500] * 200
    assert take.taken[2] == pushes[-1].event_id


async def test_an_events_time_runs_also_while_it_waits_for_room(feishu: FakeFeishu) -> None:
    begun: list[str] = []
    doors = first, others = asyncio.Event(), asyncio.Event()

    async def take(event: Mapping[str, Any]) -> None:
        begun.append(event["header"]["event_id"])
        await doors[len(begun) > 1].wait()

    async with connected(feishu, take, at_once=1, ack_in=1.0) as connection:
        pushes = [feishu.push_unknown() for _ in range(3)]
        await feishu.until(lambda: len(connection._taking) == 3)
        first.set()
        await acked(feishu, 3)
        others.set()

    # The second is begun after the third was read, and is due before it all the same.
    assert [ack.event_id for ack in feishu.acks] == [push.event_id for push in pushes]
    assert begun[:1] == [pushes[0].event_id]


async def test_reading_stops_while_too_much_waits_for_an_answer(
    feishu: FakeFeishu, take: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_UNANSWERED", 5)
    take.door.clear()
    async with connected(feishu, take, at_once=2, ack_in=60.0) as connection:
        for _ in range(20):
            feishu.push_unknown()
        await feishu.until(lambda: len(connection._taking) > 5)
        pings = len(feishu.pings)
        await feishu.until(lambda: len(feishu.pings) > pings + 2)
        assert (take.begun, len(connection._taking)) == (2, 6)
        take.door.set()
        await acked(feishu, 20)

    assert {ack.code for ack in feishu.acks} == {200}


def test_feishu_is_answered_before_it_stops_waiting(feishu: FakeFeishu, take: Taker) -> None:
    connection = Connection(domain=feishu.url, app_id=feishu.app_id, app_secret=feishu.app_secret, take=take)

    assert connection._ack_in <= 2.5  # it waits 3 s


@pytest.mark.parametrize("backwards", [False, True])
async def test_an_event_in_several_frames_is_one_event(feishu: FakeFeishu, take: Taker, *, backwards: bool) -> None:
    feishu.split, feishu.split_reversed = 4, backwards
    async with connected(feishu, take):
        await feishu.person("Ann").says("画一只狐狸" * 50)

    assert len(take.taken) == len(feishu.acks) == 1


async def test_a_lost_connection_is_made_anew_again_and_again(feishu: FakeFeishu, take: Taker) -> None:
    ann = feishu.person("Ann")
    async with connected(feishu, take) as connection:
        for number in range(1, 4):
            await ann.says(f"fox {number}")
            feishu.connections.cut()
            await feishu.until(lambda: feishu.connections.made == number + 1 and connection.connected)  # noqa: B023
        await ann.says("the last fox")
        assert len(take.taken) == 4
        assert connection.problem == ""


async def test_a_connection_that_falls_silent_is_made_anew(feishu: FakeFeishu, take: Taker) -> None:
    feishu.config["PingInterval"] = 0.05
    async with connected(feishu, take, silence=0.1):
        await feishu.until(lambda: len(feishu.pings) > 3)
        made = feishu.connections.made
        feishu.connections.freeze()
        await feishu.until(lambda: feishu.connections.made > made)
        await feishu.person("Ann").says("a fox")

    assert made == 1  # while it speaks, it is kept
    assert take.taken


async def test_a_pong_may_bring_new_orders(feishu: FakeFeishu, take: Taker) -> None:
    feishu.config["PingInterval"] = 0.3
    async with connected(feishu, take):
        feishu.config["PingInterval"] = 0.01
        await feishu.until(lambda: len(feishu.pings) > 20, within=2)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (514, "BOT_FEISHU__APP_SECRET"),
        (403, "custom app"),
        (1000040344, "BOT_FEISHU__APP_SECRET"),
        (1000040350, "another process"),
        (1000040351, "BOT_FEISHU__DOMAIN"),
    ],
)
async def test_what_only_the_operator_can_mend_is_told_once_and_tried_again(
    feishu: FakeFeishu, take: Taker, code: int, words: str
) -> None:
    feishu.connections.refuse(code, 3)
    with capture_logs() as logs:
        async with connected(feishu, take, ready=False, again=0.02) as connection:
            await feishu.until(lambda: connection.problem)
            problem = connection.problem
            await feishu.until(lambda: connection.connected)
            assert connection.problem == ""

    assert words in problem
    assert [entry["code"] for entry in logs if entry["log_level"] == "error"] == [code]


async def test_a_secret_that_was_made_anew_is_told_while_connected_before(feishu: FakeFeishu, take: Taker) -> None:
    async with connected(feishu, take, again=0.02) as connection:
        right, feishu.app_secret = feishu.app_secret, "rotated"
        feishu.connections.cut()
        await feishu.until(lambda: "BOT_FEISHU__APP_SECRET" in connection.problem)
        feishu.app_secret = right
        await feishu.until(lambda: connection.connected)


async def test_too_many_connections_may_be_told_by_the_socket_too(feishu: FakeFeishu, take: Taker) -> None:
    feishu.connections.refuse(1000040350, handshake=True)
    async with connected(feishu, take, ready=False, again=0.05) as connection:
        await feishu.until(lambda: "another process" in connection.problem)
        await feishu.until(lambda: connection.connected)


@pytest.mark.parametrize("code", [1, 1000040343])
async def test_a_busy_platform_is_asked_again_soon(feishu: FakeFeishu, take: Taker, code: int) -> None:
    feishu.connections.refuse(code)
    begun = time.monotonic()
    async with connected(feishu, take, ready=False, jitter=lambda: 0.0) as connection:
        await feishu.until(lambda: connection.problem)
        await feishu.until(lambda: connection.connected)

    assert time.monotonic() - begun < 3  # the SDK waits up to 30 s, and then every 120


async def test_what_nobody_thought_of_ends_no_listening(feishu: FakeFeishu, take: Taker) -> None:
    chances = iter([ZeroDivisionError()])

    def jitter() -> float:
        if error := next(chances, None):
            raise error
        return 0.0

    async with connected(feishu, take, jitter=jitter) as connection:
        feishu.connections.cut()
        await feishu.until(lambda: "ZeroDivisionError" in connection.problem)
        await feishu.until(lambda: connection.connected)
        assert connection.problem == ""


async def test_an_address_that_is_no_longer_good_is_replaced(feishu: FakeFeishu, take: Taker) -> None:
    feishu.connections.refuse(514, handshake=True)
    async with connected(feishu, take):
        assert feishu.connections.asked == 2


async def test_a_slow_endpoint_holds_neither_the_loop_nor_the_end(feishu: FakeFeishu, take: Taker) -> None:
    feishu.faults.add("ws.endpoint", delay=30)
    async with connected(feishu, take, ready=False) as connection:
        await feishu.until(lambda: feishu.called("ws.endpoint"))
        beats = 0
        async with asyncio.timeout(1):
            while beats < 10:
                await asyncio.sleep(0.01)
                beats += 1
        begun = time.monotonic()
        await connection.close()
        assert time.monotonic() - begun < 2


async def test_the_end_waits_for_what_is_being_taken_and_leaves_nothing(feishu: FakeFeishu, take: Taker) -> None:
    take.seconds = 0.2
    before = asyncio.all_tasks()
    async with connected(feishu, take) as connection:
        push = feishu.push_unknown()
        await feishu.until(lambda: take.begun)
        await connection.close()
        assert not connection.connected
    await feishu.until(lambda: not feishu.connections)

    assert [ack.code for ack in push.acks] == [200]
    assert {task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("feishu ")} == set()


async def test_who_stops_running_it_stops_all_of_it(feishu: FakeFeishu, take: Taker) -> None:
    take.door.clear()
    connection = Connection(domain=feishu.url, app_id=feishu.app_id, app_secret=feishu.app_secret, take=take)
    task = asyncio.create_task(connection.run())
    await feishu.ready()
    feishu.push_unknown()
    await feishu.until(lambda: take.begun)
    task.cancel()
    await asyncio.wait([task])
    await feishu.until(lambda: not feishu.connections)

    assert task.cancelled()
    assert [one for one in asyncio.all_tasks() if one.get_name().startswith("feishu ")] == []


async def test_no_address_and_no_secret_is_in_a_log(
    feishu: FakeFeishu, take: Taker, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    feishu.connections.refuse(514, handshake=True)
    feishu.connections.refuse(1)
    with capture_logs() as logs:
        async with connected(feishu, take, jitter=lambda: 0.0):
            await feishu.person("Ann").says("a secret plan")
            feishu.connections.cut()
            await feishu.until(lambda: feishu.connections.made == 2)
    told = " ".join([*map(str, logs), caplog.text, *capsys.readouterr()])

    assert "the long connection to feishu stands" in told
    assert not [word for word in ("access_key", "ticket", feishu.app_secret, "secret plan") if word in told]


def part(place: int, of: int, words: bytes, event: str = "m1") -> Arrived:
    headers = {"type": "event", "message_id": event, "sum": str(of), "seq": str(place)}
    return Arrived(1, headers, words, None)


def test_what_is_not_whole_in_time_is_dropped() -> None:
    now = 0.0
    parts = Parts(lambda: now)
    assert parts.whole(part(0, 2, b"old ")) is None
    now = 6.0

    assert parts.whole(part(1, 2, b"world")) is None
    assert parts.whole(part(0, 2, b"new ")) == b"new world"


def test_parts_of_different_events_do_not_mix() -> None:
    parts = Parts(lambda: 0.0)
    first = [parts.whole(part(0, 2, b"a", "m1")), parts.whole(part(0, 2, b"x", "m2"))]

    assert first == [None, None]
    assert parts.whole(part(1, 2, b"y", "m2")) == b"xy"
    assert parts.whole(part(1, 2, b"b", "m1")) == b"ab"


def test_events_that_never_become_whole_fill_no_memory() -> None:
    parts = Parts(lambda: 0.0)
    for number in range(1000):
        assert parts.whole(part(0, 2, b"x", f"m{number}")) is None
    assert parts.whole(part(0, 10**9, b"x")) is None
    assert parts.whole(part(7, 2, b"x")) is None

    assert len(parts._waiting) <= 64

"""The frames of the long connection, against an implementation of their own."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feishu.frames import DATA, Codec, NotAFrame, _codec, load
from tests.simulators.feishu import frames
from tests.simulators.feishu.frames import Frame


@pytest.fixture
async def codec() -> Codec:
    return await load()


def test_a_frame_is_read_as_another_implementation_writes_it(codec: Codec) -> None:
    headers = {"type": "event", "message_id": "m1", "sum": "1", "seq": "0", "trace_id": "t1"}
    arrived = codec.read(
        frames.encode(Frame(method=1, service=42, headers=headers, payload="画".encode(), seq=7, log=9))
    )

    assert (arrived.method, arrived.headers, arrived.payload) == (DATA, headers, "画".encode())


def test_a_ping_is_written_as_another_implementation_reads_it(codec: Codec) -> None:
    assert frames.decode(codec.ping(42)) == Frame(method=0, service=42, headers={"type": "ping"})


def test_an_answer_is_the_same_frame_with_a_code_and_what_is_shown(codec: Codec) -> None:
    pushed = Frame(method=1, service=42, headers={"type": "card", "message_id": "m1"}, payload=b"{}", seq=7, log=2**63)
    data = {"toast": {"type": "info", "content": "好"}}
    answer = frames.decode(codec.answer(codec.read(frames.encode(pushed)), 200, data, took=0.25))
    said = json.loads(answer.payload)

    assert answer.headers == {**pushed.headers, "biz_rt": "250"}
    assert (answer.service, answer.seq, answer.log) == (42, 7, 2**63)
    assert said["code"] == 200
    assert json.loads(base64.b64decode(said["data"])) == data


def test_an_answer_without_anything_to_show_has_only_a_code(codec: Codec) -> None:
    arrived = codec.read(frames.encode(Frame(method=1, service=1, headers={"type": "event"}, payload=b"{}")))

    assert json.loads(frames.decode(codec.answer(arrived, 500, None, took=0)).payload) == {"code": 500}


WHOLE = frames.encode(Frame(method=1, service=1, headers={"type": "event"}, payload=b"{}"))


@pytest.mark.parametrize(
    "raw",
    [b"", WHOLE[2:], WHOLE[:-1], WHOLE.replace(b"event", b"ev\xffnt"), WHOLE.replace(b"type", b"t\xffpe")],
    ids=["nothing", "without a required field", "broken off", "a value not UTF-8", "a name not UTF-8"],
)
def test_what_is_not_whole_is_no_frame(codec: Codec, raw: bytes) -> None:
    with pytest.raises(NotAFrame):
        codec.read(raw)


@given(raw=st.binary(max_size=200))
def test_whatever_comes_is_a_frame_that_can_be_answered_or_none(raw: bytes) -> None:
    codec = _codec()
    try:
        arrived = codec.read(raw)
    except NotAFrame:
        return
    assert isinstance(arrived.payload, bytes)
    assert codec.answer(arrived, 200, None, took=0)

"""What we lean on inside of lark-oapi. An upgrade that moves any of it fails here."""

import base64
import hashlib
import json
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from adapters.feishu import endpoint, sdk
from tests.simulators.feishu import frames
from tests.simulators.feishu.frames import Frame

TREE = Path(__file__).parents[3]


@pytest.fixture
async def codec() -> sdk.Codec:
    return await sdk.load()


def test_the_version_is_exactly_the_one_whose_insides_are_known() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]

    assert version("lark-oapi") == sdk.VERSION
    assert [need for need in project["dependencies"] if need.startswith("lark-oapi")] == [f"lark-oapi=={sdk.VERSION}"]


ALONE = """
import asyncio, json, logging, sys
import adapters.feishu.connection, adapters.feishu.rest, adapters.feishu.webhook
from adapters.feishu import sdk
told = {"before": [name for name in sys.modules if name.startswith(("lark", "Crypto"))]}
asyncio.run(sdk.load())
told["added"] = [name for name in sys.modules if name.startswith(("lark", "pkg_resources", "requests", "websockets"))]
codec = asyncio.run(sdk.load())
told["works"] = codec.read(codec.ping(7)).headers
told["after use"] = [name for name in sys.modules if name.startswith("lark")]
told["loggers"] = [name for name in logging.root.manager.loggerDict if "lark" in name.lower()]
print(json.dumps(told))
"""


def alone(program: str) -> Any:
    """What it prints as JSON, in a process of its own; anything else that is printed would be an error."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=TREE, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_it_is_not_imported_before_it_is_needed_and_never_as_a_whole() -> None:
    told = alone(ALONE)

    assert told == {"before": [], "added": [], "works": {"type": "ping"}, "after use": [], "loggers": []}


WHOLE = """
import asyncio, json, sys
from adapters.feishu import sdk
early = asyncio.run(sdk.load())
import lark_oapi
sdk._codec.cache_clear()
late = asyncio.run(sdk.load())
from lark_oapi.ws.pb.pbbp2_pb2 import Frame
print(json.dumps([hasattr(lark_oapi.ws, "Client"), late.read(early.ping(3)).headers, late._new is Frame]))
"""


@pytest.mark.slow
def test_who_imports_all_of_it_gets_all_of_it_before_us_and_after() -> None:
    program = "import warnings; warnings.simplefilter('ignore')\n" + WHOLE  # the SDK's own imports warn

    assert alone(program) == [True, {"type": "ping"}, True]


def test_the_words_of_the_long_connection_are_those_of_the_sdk() -> None:
    with sdk._hollow() as module:
        const, enum = module("ws.const"), module("ws.enum")

    assert const.GEN_ENDPOINT_URI == endpoint.PATH
    assert (const.FORBIDDEN, const.AUTH_FAILED) == (endpoint.FORBIDDEN, endpoint.AUTH_FAILED)
    assert (const.NO_CREDENTIAL, const.EXCEED_CONN_LIMIT) == (endpoint.NO_CREDENTIAL, endpoint.TOO_MANY)
    assert (const.HEADER_TYPE, const.HEADER_BIZ_RT, const.HEADER_MESSAGE_ID) == ("type", "biz_rt", "message_id")
    assert (const.HEADER_SUM, const.HEADER_SEQ) == ("sum", "seq")
    assert (const.DEVICE_ID, const.SERVICE_ID) == ("device_id", "service_id")
    assert const.HEADER_HANDSHAKE_STATUS == "handshake-status"
    assert const.HEADER_HANDSHAKE_AUTH_ERRCODE == "handshake-autherrcode"
    assert (enum.FrameType.CONTROL.value, enum.FrameType.DATA.value) == (sdk.CONTROL, sdk.DATA)
    assert (enum.MessageType.PING.value, enum.MessageType.PONG.value) == ("ping", "pong")


def test_a_frame_is_read_as_another_implementation_writes_it(codec: sdk.Codec) -> None:
    headers = {"type": "event", "message_id": "m1", "sum": "1", "seq": "0", "trace_id": "t1"}
    arrived = codec.read(
        frames.encode(Frame(method=1, service=42, headers=headers, payload="画".encode(), seq=7, log=9))
    )

    assert (arrived.method, arrived.headers, arrived.payload) == (sdk.DATA, headers, "画".encode())


def test_a_ping_is_written_as_another_implementation_reads_it(codec: sdk.Codec) -> None:
    assert frames.decode(codec.ping(42)) == Frame(method=0, service=42, headers={"type": "ping"})


def test_an_answer_is_the_same_frame_with_a_code_and_what_is_shown(codec: sdk.Codec) -> None:
    pushed = Frame(method=1, service=42, headers={"type": "card", "message_id": "m1"}, payload=b"{}", seq=7, log=2**63)
    data = {"toast": {"type": "info", "content": "好"}}
    answer = frames.decode(codec.answer(codec.read(frames.encode(pushed)), 200, data, took=0.25))
    said = json.loads(answer.payload)

    assert answer.headers == {**pushed.headers, "biz_rt": "250"}
    assert (answer.service, answer.seq, answer.log) == (42, 7, 2**63)
    assert said["code"] == 200
    assert json.loads(base64.b64decode(said["data"])) == data


def test_an_answer_without_anything_to_show_has_only_a_code(codec: sdk.Codec) -> None:
    arrived = codec.read(frames.encode(Frame(method=1, service=1, headers={"type": "event"}, payload=b"{}")))

    assert json.loads(frames.decode(codec.answer(arrived, 500, None, took=0)).payload) == {"code": 500}


@given(raw=st.binary(max_size=200))
def test_whatever_comes_is_a_frame_or_none(raw: bytes) -> None:
    codec = sdk._codec()
    try:
        arrived = codec.read(raw)
    except sdk.NotAFrame:
        return
    assert isinstance(arrived.payload, bytes)


def encrypted(key: str, words: str) -> str:
    """As Feishu does it: AES-256-CBC under the key's SHA-256, the vector first, PKCS#7 at the end."""
    data = words.encode()
    fill = 16 - len(data) % 16
    vector = bytes(range(16))
    cipher = AES.new(hashlib.sha256(key.encode()).digest(), AES.MODE_CBC, vector)
    return base64.b64encode(vector + cipher.encrypt(data + bytes([fill]) * fill)).decode()


def test_what_feishu_encrypted_is_read() -> None:
    assert sdk.decrypt("a key", encrypted("a key", '{"challenge": "画"}')) == '{"challenge": "画"}'


@pytest.mark.parametrize("ciphertext", ["", "AAAA", "not base64!", encrypted("another key", "words " * 9)])
def test_what_cannot_be_decrypted_is_a_value_error(ciphertext: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as many different words as ways to fail
        sdk.decrypt("a key", ciphertext)

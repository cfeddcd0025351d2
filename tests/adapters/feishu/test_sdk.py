"""What we lean on inside of lark-oapi. An upgrade that moves any of it fails here."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from adapters.feishu import endpoint, frames, sdk

TREE = Path(__file__).parents[3]


def test_the_version_is_exactly_the_one_whose_insides_are_known() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]

    assert version("lark-oapi") == sdk.VERSION
    assert [need for need in project["dependencies"] if need.startswith("lark-oapi")] == [f"lark-oapi=={sdk.VERSION}"]


ALONE = """
import asyncio, json, logging, sys
import adapters.feishu.connection, adapters.feishu.rest, adapters.feishu.webhook
from adapters.feishu import frames, sdk
told = {"before": [name for name in sys.modules if name.startswith(("lark", "Crypto", "google"))]}
codec = asyncio.run(frames.load())
told["works"] = codec.read(codec.ping(7)).headers
told["registers"] = callable(sdk._registration().aregister_app)
told["added"] = [name for name in sys.modules if name.startswith(("lark", "pkg_resources", "websockets"))]
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

    assert told == {"before": [], "works": {"type": "ping"}, "registers": True, "added": [], "loggers": []}


WHOLE = """
import json, sys
from adapters.feishu import sdk
sdk._registration()
import lark_oapi
sdk._registration.cache_clear()
late = sdk._registration()
from lark_oapi.scene import registration
print(json.dumps([hasattr(lark_oapi.ws, "Client"), late is registration]))
"""


@pytest.mark.slow
def test_who_imports_all_of_it_gets_all_of_it_before_us_and_after() -> None:
    program = "import warnings; warnings.simplefilter('ignore')\n" + WHOLE  # the SDK's own imports warn

    assert alone(program) == [True, True]


def test_the_words_of_the_long_connection_are_those_of_the_sdk() -> None:
    with sdk._hollow() as module:
        sdk._enter(f"{sdk.PACKAGE}.ws")
        const, enum = module("ws.const"), module("ws.enum")

    assert const.GEN_ENDPOINT_URI == endpoint.PATH
    assert (const.FORBIDDEN, const.AUTH_FAILED) == (endpoint.FORBIDDEN, endpoint.AUTH_FAILED)
    assert (const.NO_CREDENTIAL, const.EXCEED_CONN_LIMIT) == (endpoint.NO_CREDENTIAL, endpoint.TOO_MANY)
    assert (const.HEADER_TYPE, const.HEADER_BIZ_RT, const.HEADER_MESSAGE_ID) == ("type", "biz_rt", "message_id")
    assert (const.HEADER_SUM, const.HEADER_SEQ) == ("sum", "seq")
    assert (const.DEVICE_ID, const.SERVICE_ID) == ("device_id", "service_id")
    assert const.HEADER_HANDSHAKE_STATUS == "handshake-status"
    assert const.HEADER_HANDSHAKE_AUTH_ERRCODE == "handshake-autherrcode"
    assert (enum.FrameType.CONTROL.value, enum.FrameType.DATA.value) == (frames.CONTROL, frames.DATA)
    assert (enum.MessageType.PING.value, enum.MessageType.PONG.value) == ("ping", "pong")


def test_what_stands_in_a_frame_is_what_the_sdk_was_generated_from() -> None:
    with sdk._hollow() as module:
        for name in ("ws", "ws.pb.google"):
            sdk._enter(f"{sdk.PACKAGE}.{name}")
        theirs = FileDescriptorProto.FromString(module("ws.pb.pbbp2_pb2").DESCRIPTOR.serialized_pb)
    ours = [frames._described("Header", frames.HEADER), frames._described("Frame", frames.FRAME)]

    assert [*map(fields, theirs.message_type)] == [fields(DescriptorProto(**each)) for each in ours]


def fields(message: Any) -> list[tuple[int, str, int, int]]:
    return [(field.number, field.name, field.type, field.label) for field in message.field]

"""Events in the shape in which Feishu pushes them, one file for each case, and what is read from them."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from adapters.feishu.inbound import Heard, Us, read
from adapters.feishu.presses import asking
from tests.adapters.feishu.stage import drawing_table

Json = dict[str, Any]
SAMPLES = Path(__file__).parent / "samples"


@cache
def _loaded(name: str) -> Json:
    loaded: Json = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return loaded


def sample(name: str) -> Json:
    """The event of this name, which may be changed."""
    return deepcopy(_loaded(name))


@cache
def us() -> Us:
    """The bot that the samples mention."""
    mentions = _loaded("group_mention")["event"]["message"]["mentions"]
    return Us(bot=mentions[0]["id"]["open_id"], asking=asking(drawing_table()), naming={"admin"})


def heard(name: str) -> Heard | None:
    return read(sample(name), us())


def heard_of(name: str) -> Heard:
    found = heard(name)
    assert found is not None
    return found


def named(name: str) -> str:
    """The open_id of somebody whom the samples mention."""
    for one in SAMPLES.glob("*.json"):
        event = _loaded(one.stem)["event"]
        for mention in event.get("message", {}).get("mentions", ()):
            if mention["name"] == name:
                return str(mention["id"]["open_id"])
    raise LookupError(name)

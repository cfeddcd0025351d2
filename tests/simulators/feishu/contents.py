"""What a message may hold, kind by kind; refuses with the platform's codes and complains where that tells more."""

import json
from typing import TYPE_CHECKING, Any

from tests.simulators.feishu import cards, reading
from tests.simulators.feishu.wire import Json, Refused

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu

MOST_TEXT = 150 * 1024
_POST_TAGS = frozenset(("text", "a", "at", "img", "media", "emotion", "hr", "code_block", "md"))


def judged(fake: "FakeFeishu", kind: str, raw: str) -> Json:
    """The content of a message of the bot, read and allowed."""
    if len(raw.encode()) > (MOST_TEXT if kind == "text" else cards.MOST_BYTES):
        fake.complaints.append(f"a message of kind {kind} has {len(raw.encode())} bytes")
        raise Refused(230025, "The length of the message content reaches its limit.")
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _invalid(fake, "content is not a string of a json object")
    match kind:
        case "text":
            _text(fake, content)
        case "post":
            _post(fake, content)
        case "image" | "file":
            _only(fake, content, f"{kind}_key")
            _owned(fake, [content[f"{kind}_key"]])
        case "interactive":
            judge_card(fake, content)
        case _:
            raise _invalid(fake, "invalid msg_type")
    shown = json.dumps(content, ensure_ascii=False)
    if any(word in shown for word in fake.sensitive):
        raise Refused(230022, "The content of the message contains sensitive information.")
    return content


def judge_card(fake: "FakeFeishu", card: Json) -> None:
    refused = cards.refusals(card)
    fake.complaints.extend([*refused, *cards.unwanted(card)])
    if refused:
        words = "; ".join(refused)
        raise Refused(230099, f"Failed to create card content, ext=ErrCode: 11310; ErrMsg: cards: {words}")
    _owned(fake, cards.picture_keys(card))


def _text(fake: "FakeFeishu", content: Json) -> None:
    _only(fake, content, "text")
    if not content["text"]:
        raise _invalid(fake, "text is empty")
    if "<at" in content["text"]:
        # A text is where <at user_id="..."> does mention people, so somebody's words must never bring it in.
        fake.complaints.append(f"a mention in the text {content['text'][:60]!r}")


def _post(fake: "FakeFeishu", content: Json) -> None:
    for language in content.values():
        match language:
            case {"content": list() as lines} if all(isinstance(line, list) for line in lines):
                tags = {part.get("tag") for line in lines for part in line}
            case _:
                raise _invalid(fake, "a post is languages with lists of lines")
        if not tags <= _POST_TAGS:
            raise _invalid(fake, f"post with {sorted(map(str, tags - _POST_TAGS))}")
        if "at" in tags:
            fake.complaints.append("a mention in a post")
    _owned(fake, reading.picture_keys("post", content))


def _only(fake: "FakeFeishu", content: Json, name: str) -> None:
    if content.keys() != {name} or not isinstance(content[name], str):
        raise _invalid(fake, f"content holds {name} and nothing else")


def _owned(fake: "FakeFeishu", keys: list[str]) -> None:
    for key in keys:
        media = fake.media.get(key)
        if media is None or not media.mine:
            fake.complaints.append(f"{key} was not uploaded by this app")
            raise Refused(230017, "Bot is NOT the owner of the resource.")


def _invalid(fake: "FakeFeishu", why: Any) -> Refused:
    fake.complaints.append(f"a message: {why}")
    return Refused(230001, f"Your request contains an invalid request parameter, ext={why}")

"""What a person reads in a message: words, pictures, labels. Works on the wire's JSON, judges nothing."""

import re
from collections.abc import Iterator
from typing import Any

from tests.simulators.feishu.wire import Json

_INSIDE = ("elements", "columns", "actions", "extra", "fields", "buttons")


def walk(node: Any) -> Iterator[Json]:
    """Every component of a card, in the order shown: the header and the body's elements, however deep."""
    match node:
        case list():
            for one in node:
                yield from walk(one)
        case {"schema": _}:
            yield from walk(node.get("header"))
            yield from walk(node.get("body", {}).get("elements", []))
        case dict():
            yield node
            yield from walk(node.get("header") if node.get("tag") == "collapsible_panel" else None)
            for name in _INSIDE:
                yield from walk(node.get(name))


def words(text: Any) -> str:
    """The words of a text object, or a text itself."""
    match text:
        case str():
            return text
        case {"content": str() as content}:
            return content
    return ""


def label(button: Json) -> str:
    return words(button.get("text"))


def texts(kind: str, content: Json) -> list[str]:
    match kind:
        case "text":
            return [content["text"]]
        case "post":
            lines = ["".join(words(part.get("text")) or _at(part) for part in line) for line in post_lines(content)]
            return [one for one in (post_title(content), *lines) if one]
        case "interactive":
            return [one for part in walk(content) for one in _shown(part) if one]
    return []


def picture_keys(kind: str, content: Json) -> list[str]:
    match kind:
        case "image":
            return [content["image_key"]]
        case "post":
            parts = [part for line in post_lines(content) for part in line]
            return [part["image_key"] for part in parts if part.get("tag") == "img"]
        case "interactive":
            return [key for part in walk(content) for key in image_keys(part)]
    return []


def image_keys(part: Json) -> list[str]:
    """The pictures of one component."""
    match part:
        case {"tag": "markdown", "content": str() as content}:
            return re.findall(r"!\[[^\]]*\]\((img_[^)]+)\)", content)
        case {"tag": "img", "img_key": str() as key}:
            return [key]
        case {"tag": "img_combination", "img_list": list() as items}:
            return [item["img_key"] for item in items if isinstance(item, dict) and "img_key" in item]
    return []


def post_lines(content: Json) -> list[list[Json]]:
    lines: list[list[Json]] = _post(content).get("content", [])
    return lines


def post_title(content: Json) -> str:
    return str(_post(content).get("title", ""))


def _post(content: Json) -> Json:
    """Sent posts have a level of languages, received ones have not."""
    languages = [one for one in content.values() if isinstance(one, dict)]
    return content if "content" in content or not languages else languages[0]


def _at(part: Json) -> str:
    return f"@{part.get('user_name', '')}" if part.get("tag") == "at" else ""


def _shown(part: Json) -> list[str]:
    match part:
        case {"tag": "markdown" | "plain_text" | "lark_md"}:
            return [words(part)]
        case {"tag": "div"}:
            return [words(part.get("text"))]
        case {"tag": "button" | "select_static" | "multi_select_static" | "input" | "checker" | "overflow"}:
            return [words(part.get("label"))]
        case {"title": title}:  # the header of the card or of a panel
            tags = [words(tag.get("text")) for tag in part.get("text_tag_list", [])]
            return [words(title), words(part.get("subtitle")), *tags]
    return []

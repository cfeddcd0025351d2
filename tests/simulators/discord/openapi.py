"""Holds requests and answers to Discord's own OpenAPI document, where a copy is at hand.

The document is not ours to pass on (github.com/discord/discord-api-spec, MIT): BOT_TEST_DISCORD_OPENAPI names the place
of one. It is taken a little looser than it is written, as the real API is: ids may be numbers. It is taken a little
stricter too: a field of a request that it does not know is a complaint, but for a few that Discord takes all the same.
"""

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from tests.simulators.discord.faults import shape
from tests.simulators.discord.wire import Json

if TYPE_CHECKING:
    from tests.simulators.discord.rest import Call

_ID = {"anyOf": [{"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}, {"type": "integer", "minimum": 0}]}
# Codes of single fields are words, in Discord's pages and in its answers; the document has numbers.
_FIELD_ERROR = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["code", "message"],
}
# Discord's pages and its answers have a string, discord.py sends a number; the document knows the number only.
_PERMISSIONS = {"type": ["string", "integer", "null"]}
# What discord.py sends, Discord takes, and the document leaves out: by the field that tells which object it is.
_TAKEN = {
    "tts": ("allowed_mentions",),  # in edits and in the data of a callback
    "nsfw": ("default_member_permissions",),  # in commands
    "dm_permission": ("default_member_permissions",),
}
_KEPT_FILE = ("size", "url", "proxy_url", "content_type", "width", "height", "ephemeral", "spoiler", "flags")


def at_hand() -> Path | None:
    """Discord's document, where this machine has a copy and says so."""
    place = os.environ.get("BOT_TEST_DISCORD_OPENAPI")
    return Path(place) if place else None


class OpenApi:
    """complaints: where what does not fit is written down. file: None switches the check off."""

    def __init__(self, file: Path | None, complaints: list[str]) -> None:
        self.complaints = complaints
        self._document = Document.load(file) if file else None

    @property
    def on(self) -> bool:
        return self._document is not None

    def request(self, call: "Call") -> None:
        """Judge a request that this fake took: one that it refused has been complained about to the bot itself."""
        if self._document:
            problems = self._document.request(call.method, call.template, call.query, call.body)
            self._complain(call, "asks", problems)

    def answer(self, call: "Call", body: Any) -> None:
        if self._document and call.status < 500:
            self._complain(call, "gets", self._document.answer(call.method, call.template, call.status, body))

    def _complain(self, call: "Call", does: str, problems: Iterable[str]) -> None:
        self.complaints.extend(f"{call.method} {call.template} {does}: {problem}" for problem in problems)


class Document:
    """The document, with its operations found by method and shape of the path."""

    def __init__(self, loose: Json, strict: Json) -> None:
        self._loose, self._strict = (jsonschema_rs.Registry([("urn:discord", one)]) for one in (loose, strict))
        self._operations: dict[tuple[str, str], tuple[str, Json]] = {}
        for path, item in loose["paths"].items():
            shared = item.get("parameters", [])
            for method in item.keys() & {"get", "put", "post", "patch", "delete"}:
                operation = {**item[method], "parameters": [*shared, *item[method].get("parameters", [])]}
                self._operations[method.upper(), shape(path)] = path, operation
        self._validators: dict[tuple[str, str], jsonschema_rs.Draft202012Validator] = {}

    @staticmethod
    @cache
    def load(file: Path) -> "Document":
        text = file.read_text("utf-8")
        loose, strict = json.loads(text), json.loads(text)
        for one in (loose, strict):
            one["components"]["schemas"]["SnowflakeType"] = _ID
            one["components"]["schemas"]["MessageReferenceType"] = {"enum": [0, 1]}  # it leaves forwards out
            one["components"]["schemas"]["InnerErrors"]["properties"]["_errors"]["items"] = _FIELD_ERROR
        _close_requests(strict)
        return Document(loose, strict)

    def request(self, method: str, template: str, query: Iterable[str], body: Any) -> list[str]:
        if (method, shape(template)) not in self._operations:
            return ["the document has no such operation"]
        path, operation = self._operations[method, shape(template)]
        known = {one["name"] for one in operation["parameters"] if one.get("in") == "query"}
        problems = [f"the query's {name!r} is unknown" for name in query if name not in known]
        if body is None:
            return problems
        if "requestBody" not in operation:
            return [*problems, "a body where the document has none"]
        # What payload_json holds in a form is judged as the JSON body: the document lists no such field.
        pointer = f"{_pointer(path, method)}/requestBody/content/application~1json/schema"
        return problems + self._problems("strict", pointer, body)

    def answer(self, method: str, template: str, status: int, body: Any) -> list[str]:
        if (method, shape(template)) not in self._operations:
            return []  # said about the request
        path, operation = self._operations[method, shape(template)]
        name = str(status) if str(status) in operation["responses"] else "4XX" if status >= 400 else ""
        if not name:
            return [f"the document has no answer {status}"]
        if body is None:
            return []
        said = self._resolved(operation["responses"][name])
        if "content" not in said[1]:
            return [f"a body where the document has none for {status}"]
        start = said[0] or f"{_pointer(path, method)}/responses/{name}"
        return self._problems("loose", f"{start}/content/application~1json/schema", body)

    def _resolved(self, response: Json) -> tuple[str, Json]:
        """Pointer of a shared answer, or "", and the answer itself."""
        if "$ref" not in response:
            return "", response
        pointer = response["$ref"].removeprefix("#")
        return pointer, {"content": True}

    def _problems(self, how: str, pointer: str, body: Any) -> list[str]:
        if (how, pointer) not in self._validators:
            registry = self._strict if how == "strict" else self._loose
            schema = {"$ref": f"urn:discord#{pointer}"}
            self._validators[how, pointer] = jsonschema_rs.Draft202012Validator(schema, registry=registry)
        validator = self._validators[how, pointer]
        return (
            [] if validator.is_valid(body) else [one for error in validator.iter_errors(body) for one in explain(error)]
        )


def explain(error: jsonschema_rs.ValidationError) -> list[str]:
    """The problems of the branch that was meant, so that the field itself is named and not "none of these fits"."""
    branches = getattr(error.kind, "context", None)
    if not branches:
        return [f"{'/'.join(map(str, error.instance_path)) or 'the body'}: {error.message[:200]}"]
    best = min(branches, key=lambda branch: (any(map(_other_type, branch)), len(branch)))
    return [problem for inner in best for problem in explain(inner)]


def _other_type(error: jsonschema_rs.ValidationError) -> bool:
    """Whether this says that the branch is for another kind of thing."""
    if error.kind.name == "type" and "null" in error.message:
        return True
    return [*error.instance_path[-1:]] == ["type"] and error.kind.name in ("enum", "const", "oneOf", "anyOf")


def _pointer(path: str, method: str) -> str:
    escaped = path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"/paths/{escaped}/{method.lower()}"


def _close_requests(document: Json) -> None:
    """Let no request have a field that its schema does not know."""
    schemas = document["components"]["schemas"]
    closed: set[str] = set()

    def close(schema: Any) -> None:
        if not isinstance(schema, dict):
            return
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            if name not in closed:
                closed.add(name)
                close(schemas[name])
        if "properties" in schema and "additionalProperties" not in schema:
            schema["properties"] |= _also_taken(schema["properties"])
            if "default_member_permissions" in schema["properties"]:
                schema["properties"]["default_member_permissions"] = _PERMISSIONS
            schema["additionalProperties"] = False
        inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
        for one in [*inner, *schema.get("anyOf", []), *schema.get("oneOf", [])]:
            close(one)

    for item in document["paths"].values():
        for operation in item.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            close(body.get("content", {}).get("application/json", {}).get("schema"))


def _also_taken(properties: Json) -> Json:
    taken = {name: True for name, marks in _TAKEN.items() if any(mark in properties for mark in marks)}
    if {"filename", "description", "id"} <= properties.keys():
        taken |= dict.fromkeys(_KEPT_FILE, True)  # a file that an edit keeps comes as it was told
    if {"footer", "author", "fields"} <= properties.keys():
        taken["flags"] = True  # an embed
    if {"url", "width", "height", "placeholder"} <= properties.keys():
        taken |= dict.fromkeys(("proxy_url", "content_type"), True)  # its picture, sent back as it was told
    return {name: value for name, value in taken.items() if name not in properties}

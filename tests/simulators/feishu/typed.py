"""Holds requests to lark-oapi's typed models: each knows its method, path, query and the types of its body's fields.

The models are the SDK's own description of the platform, so a field that none of them has is a field that the platform
does not know. Importing them takes two seconds; that is done once, and only where a test asks for it.
"""

import asyncio
import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.simulators.feishu.model import Call

PACKAGES = ("im.v1", "contact.v3", "application.v6", "tenant.v2")
_COMMAND = "app_slash_command"


@dataclass(slots=True)
class Model:
    """One request: names of its query, and types of the fields of its body, None where it has no body."""

    query: set[str] = field(default_factory=set)
    body: dict[str, Any] | None = None


class Typed:
    """`load` before use."""

    def load(self) -> None:
        """To be called in a thread. The SDK takes a loop at import and keeps it; this one is closed with the import."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            models()
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def problems(self, call: Call, path: str, body: dict[str, Any]) -> list[str]:
        """What in this request the SDK's models do not have."""
        if _COMMAND in path:
            return _unknown("body", body, command_types()) if body else []
        model = models().get((call.method, _shape(path)))
        if model is None:
            return []  # the SDK has no model of it
        found = [f"the query's {name!r} is unknown" for name in call.query if name not in model.query]
        if body and model.body is None:
            return [*found, "a body where the model has none"]
        return found + _unknown("body", body, model.body or {})


def _unknown(where: str, value: dict[str, Any], types: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, one in value.items():
        kind = types.get(name)
        if kind is None:
            found.append(f"{where}.{name} is unknown")
        elif hasattr(kind, "_types"):
            inner = _unknown(f"{where}.{name}", one, kind._types) if isinstance(one, dict) else None
            found.extend([f"{where}.{name} is no object"] if inner is None else inner)
        elif kind in (str, int, bool) and type(one) is not kind:
            found.append(f"{where}.{name} is {type(one).__name__}, not {kind.__name__}")
    return found


@cache
def models() -> dict[tuple[str, str], Model]:
    """By method and shape of the path."""
    found: dict[tuple[str, str], Model] = {}
    for package in PACKAGES:
        root = importlib.import_module(f"lark_oapi.api.{package}.model")
        for module in pkgutil.iter_modules(root.__path__):
            if module.name.endswith("_request"):
                request = importlib.import_module(f"{root.__name__}.{module.name}")
                found.update(_model(request))
    return found


@cache
def command_types() -> dict[str, Any]:
    """1.7.5 has the models of slash commands, but no requests for them."""
    module = importlib.import_module("lark_oapi.api.application.v7.model.app_slash_command")
    types: dict[str, Any] = module.AppSlashCommand._types
    return types


def _model(module: Any) -> dict[tuple[str, str], Model]:
    found: dict[tuple[str, str], Model] = {}
    builder: Any
    for _, builder in inspect.getmembers(module, inspect.isclass):
        if builder.__module__ != module.__name__ or not hasattr(builder, "build"):
            continue
        request = builder().build()
        source = inspect.getsource(builder)
        query = set(re.findall(r'add_query\(\s*"([^"]+)"', source))
        body = getattr(module, f"{builder.__name__.removesuffix('Builder')}Body", None)
        types = getattr(body, "_types", None)
        if types is None and "request_body" in source:
            types = _annotated_body(module)
        found[request.http_method.name, _shape(request.uri)] = Model(query, types)
    return found


def _annotated_body(module: Any) -> dict[str, Any] | None:
    """Where the body is one of the shared models, it is the class that the module imports."""
    shared = [one for _, one in inspect.getmembers(module, inspect.isclass) if hasattr(one, "_types")]
    return shared[0]._types if len(shared) == 1 else None


def _shape(path: str) -> str:
    """A path without the names of its parameters: both `:message_id` and `{message_id}` stand for anything."""
    return re.sub(r":\w+|\{\w+\}", "{}", path.removeprefix("/open-apis"))

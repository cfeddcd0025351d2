"""The only file that imports lark-oapi, and knows its insides.

`import lark_oapi` brings 10,624 modules (2 to 4 s, 146 MiB), nearly all of them models of APIs that nobody calls here.
Of all that we need the making of an app by a link, imported without what its packages would bring along. The SDK's own
client of the long connection stays unused: it keeps a loop at module level and blocks it, cannot be stopped, and dies
without a word. What we say and hear there (`endpoint.py`, `frames.py`, `cipher.py`) is held to what the SDK says.

The version is pinned in pyproject.toml; tests/adapters/feishu/test_sdk.py fails where an upgrade moves any of this.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

Json = Mapping[str, Any]

VERSION = "1.7.5"
PACKAGE = "lark_oapi"
# Packages that are entered without running their `__init__`, which would import everything.
HOLLOW = (PACKAGE, f"{PACKAGE}.scene")
_IMPORTING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new app. brand: "feishu" or "lark"."""

    app_id: str
    app_secret: str
    brand: str


class NotRegistered(Exception):
    """No app was made; the text says why in one word of Feishu's, such as access_denied."""


async def register_app(
    show: Callable[[str, float], object],
    *,
    name: str,
    description: str,
    addons: Json,
    domains: Mapping[str, str] | None = None,
) -> Registered:
    """A new app, made by whoever opens the link that `show` gets, with the seconds for which it is good.

    domains: the addresses of accounts, `domain` and `lark_domain`, if others than the platform's.
    Raises `NotRegistered`.
    """
    registration = await asyncio.to_thread(_registration)
    try:
        made = await registration.aregister_app(
            lambda link: show(str(link["url"]), float(link["expire_in"])),
            app_preset={"name": name, "desc": description},
            addons=addons,
            source="seedream-bot",
            create_only=True,
            **(domains or {}),
        )
        brand = (made.get("user_info") or {}).get("tenant_brand") or "feishu"
        return Registered(app_id=made["client_id"], app_secret=made["client_secret"], brand=str(brand))
    except registration.RegisterAppError as error:
        raise NotRegistered(error.code or "refused") from error
    except (registration.httpx.HTTPError, KeyError, ValueError) as error:
        raise NotRegistered(type(error).__name__) from error


@cache
def _registration() -> ModuleType:
    with _hollow() as module:
        return module("scene.registration")


@contextmanager
def _hollow() -> Iterator[Callable[[str], ModuleType]]:
    """Imports single modules of lark-oapi, with what they import themselves.

    Where nobody imported the whole of it before, nothing of it stays in `sys.modules`: whoever imports it afterwards
    must not get the hollow packages.
    """
    with _IMPORTING:
        ours = PACKAGE not in sys.modules
        try:
            for name in HOLLOW if ours else ():
                _enter(name)
            yield lambda name: import_module(f"{PACKAGE}.{name}")
        finally:
            # A list first, in one step: other threads may be importing, and so change what is gone through.
            for name in [name for name in list(sys.modules) if ours and name.partition(".")[0] == PACKAGE]:
                del sys.modules[name]


def _enter(name: str) -> None:
    """Put a package there without running it; its modules can then be imported."""
    spec = find_spec(name)
    if spec is None:
        raise ImportError(f"{name} is not there; Feishu needs lark-oapi {VERSION}")
    sys.modules[name] = module_from_spec(spec)

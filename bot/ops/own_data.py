"""A person's own data as a file, behind a link that is good once and for a few minutes.

The link shows a page with one button: what only looks at links, to draw a preview of them, takes nothing away.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.asking import Asking
from bot.clock import micros
from bot.i18n import say, text
from bot.people import persons_of
from bot.storage.connection import Connection
from bot.storage.database import Database

PATH = "/p/data/"
GOOD = 10 * 60 * 1_000_000
KEY = "data "
HEADERS = {"X-Robots-Tag": "noindex", "Cache-Control": "no-store"}
_PAGE = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="robots" content="noindex"><title>{title}</title><main><h1>{title}</h1><form method="post">'
    '<button type="submit">{button}</button></form></main></html>'
)


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """base: the address at which this server is reached from a platform; "" where it is not. mine: what is kept."""

    database: Database
    clock: Callable[[], datetime]
    base: Callable[[str], str]
    mine: Callable[[Connection, tuple[str, ...]], Mapping[str, Any]]

    async def link(self, asking: Asking) -> str:
        base = self.base(asking.invocation.actor.adapter)
        if not base:
            return ""
        token = secrets.token_urlsafe(32)
        await self.database.transaction(_keep, token, asking.person.id, asking.language, micros(self.clock()))
        return f"{base.rstrip('/')}{PATH}{token}"

    def mount(self, application: web.Application) -> None:
        application.router.add_get(PATH + "{token}", self._ask)
        application.router.add_post(PATH + "{token}", self._give)

    async def _ask(self, request: web.Request) -> web.Response:
        kept = await self.database.read(_kept, request.match_info["token"], micros(self.clock()))
        if kept is None:
            raise _gone()
        words = {"title": text("Everything that is kept of you"), "button": text("Download")}
        said = {name: say(each, kept["language"]) for name, each in words.items()}
        page = _PAGE.format(language=kept["language"], **said)
        return web.Response(text=page, content_type="text/html", headers=HEADERS)

    async def _give(self, request: web.Request) -> web.Response:
        data = await self.database.transaction(self._take, request.match_info["token"], micros(self.clock()))
        if data is None:
            raise _gone()
        headers = {**HEADERS, "Content-Disposition": 'attachment; filename="mydata.json"'}
        return web.Response(body=as_file(data), content_type="application/json", headers=headers)

    def _take(self, connection: Connection, token: str, at: int) -> Mapping[str, Any] | None:
        kept = _kept(connection, token, at)
        if kept is None or not connection.execute("DELETE FROM meta WHERE name=:name", name=_name(token)):
            return None
        return self.mine(connection, persons_of(connection, kept["person"]))


def as_file(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=2, default=str).encode()


def _keep(connection: Connection, token: str, person: str, language: str, at: int) -> None:
    """Of one person only the newest link is good."""
    for row in connection.rows("SELECT name, value FROM meta WHERE name LIKE 'data %'"):
        kept = json.loads(row["value"])
        if kept["person"] == person or kept["until"] <= at:
            connection.execute("DELETE FROM meta WHERE name=:name", name=row["name"])
    value = json.dumps({"person": person, "until": at + GOOD, "language": language})
    connection.execute("INSERT INTO meta (name, value) VALUES (:name, :value)", name=_name(token), value=value)


def _kept(connection: Connection, token: str, at: int) -> dict[str, Any] | None:
    row = connection.row("SELECT value FROM meta WHERE name=:name", name=_name(token))
    kept: dict[str, Any] = json.loads(row["value"]) if row else {}
    return kept if kept and kept["until"] > at else None


def _name(token: str) -> str:
    return KEY + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _gone() -> web.HTTPException:
    return web.HTTPGone(text="This link has been used, or has expired. /mydata gives a new one.\n", headers=HEADERS)

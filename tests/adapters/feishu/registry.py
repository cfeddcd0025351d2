"""Feishu's accounts on a socket, as far as apps are made there by a link."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

LINK = "https://open.feishu.cn/page/launcher?user_code=4LLH-3FGX"
MADE = {"client_id": "cli_a1", "client_secret": "s3cret", "user_info": {"open_id": "ou_1", "tenant_brand": "feishu"}}
PATH = "/oauth/v1/app/registration"
PENDING = {"error": "authorization_pending"}


class Accounts:
    """Feishu's accounts, as far as apps are made there. polls: what it answers, one after the other; the last stays."""

    def __init__(self) -> None:
        self.begun: dict[str, Any] = {
            "device_code": "d-1",
            "verification_uri_complete": LINK,
            "interval": 0.01,  # the real one says 5
            "expires_in": 600,
        }
        self.methods = ["client_secret"]
        self.polls: list[Any] = [MADE]
        self.asked: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if form["action"] == "init":
            return web.json_response({"supported_auth_methods": self.methods})
        if form["action"] == "begin":
            return web.json_response(self.begun)
        assert form["device_code"] == "d-1"
        said = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return web.Response(status=502, text=said) if isinstance(said, str) else web.json_response(said, status=400)


@asynccontextmanager
async def running(there: Accounts) -> AsyncIterator[None]:
    application = web.Application()
    application.router.add_post(PATH, there.answer)
    async with TestServer(application) as server:
        there.url = str(server.make_url("")).rstrip("/")
        yield

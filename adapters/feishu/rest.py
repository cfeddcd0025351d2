"""The calls of the open platform that we need.

Each raises `Refused` or `Unreachable` (`codes.py`). Repeated by themselves, a few times and shortly, are those that can
do no harm: what reads, what sets, and what carries a `uuid`, by which Feishu knows it again.
"""

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal, Self
from urllib.parse import quote

import aiohttp

from adapters.feishu import wire
from adapters.feishu.codes import Refused, Unreachable
from adapters.feishu.wire import Json, Request, Wire, a_word, an_object, written

__all__ = ["Bot", "Json", "Refused", "Rest", "Sent", "Unreachable"]

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    open_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that stands, and the chat in which it does. made: when; a known uuid brings back an older one."""

    message: str
    chat: str
    made: datetime


class Rest:
    """domain: where the open platform is. connector: makes the pool of connections, when it is entered.

    pauses: seconds between the attempts of one call. longest_wait: seconds; what Feishu wants to wait longer for is
    raised at once. patience: seconds for an answer.
    """

    def __init__(
        self,
        *,
        domain: str,
        app_id: str,
        app_secret: str,
        connector: Callable[[], aiohttp.BaseConnector] = aiohttp.TCPConnector,
        clock: Callable[[], float] = time.monotonic,
        pauses: Sequence[float] = wire.PAUSES,
        longest_wait: float = wire.LONGEST_WAIT,
        patience: float = wire.PATIENCE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._wire = Wire(
            domain=domain,
            app_id=app_id,
            app_secret=app_secret,
            connector=connector,
            clock=clock,
            pauses=pauses,
            longest_wait=longest_wait,
            patience=patience,
            jitter=jitter,
        )

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._wire.__aexit__(*exception)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
        top: bool = False,
    ) -> Json:
        """The answer's `data`; the whole answer with `top`. path: what stands behind `/open-apis`."""
        request = Request(
            method=method,
            path=path,
            query={name: str(value) for name, value in (query or {}).items()},
            body=body,
            repeatable=method != "POST" or "uuid" in (body or {}),
        )
        answer = await self._wire.ask(request, wire.answer)
        return answer if top else an_object(answer.get("data") or {})

    async def bot(self) -> Bot:
        """Who we are here."""
        bot = an_object((await self.call("GET", "/bot/v3/info", top=True)).get("bot"))
        return Bot(open_id=a_word(bot, "open_id"), name=str(bot.get("app_name", "")))

    async def send(
        self, to: str, kind: str, content: Json, *, uuid: str, by: Literal["open_id", "chat_id"] = "chat_id"
    ) -> Sent:
        """With the same uuid there is at most one message in an hour; the answer is then that of the first."""
        body = {"receive_id": to, "msg_type": kind, "content": written(content), "uuid": uuid}
        return _sent(await self.call("POST", "/im/v1/messages", query={"receive_id_type": by}, body=body))

    async def reply(self, message: str, kind: str, content: Json, *, uuid: str, thread: bool = False) -> Sent:
        """thread: in the topic of the message; where there is none yet, one begins."""
        body: Json = {"msg_type": kind, "content": written(content), "uuid": uuid}
        if thread:
            body["reply_in_thread"] = True
        return _sent(await self.call("POST", f"/im/v1/messages/{_id(message)}/reply", body=body))

    async def change(self, message: str, content: Json) -> None:
        """Put another card in place of the one that stands; of our own, not older than 14 days."""
        await self.call("PATCH", f"/im/v1/messages/{_id(message)}", body={"content": written(content)})

    async def recall(self, message: str) -> None:
        await self.call("DELETE", f"/im/v1/messages/{_id(message)}")

    async def message(self, message: str) -> Json:
        found = await self.call("GET", f"/im/v1/messages/{_id(message)}", query={"user_id_type": "open_id"})
        return next(iter(_objects(found)), {})

    async def upload_image(self, file: Path) -> str:
        """The key by which cards show it; at most 10 MB (contract section 3)."""

        def form(opened: IO[bytes]) -> aiohttp.FormData:
            parts = aiohttp.FormData({"image_type": "message"})
            parts.add_field("image", opened, filename="image", content_type="application/octet-stream")
            return parts

        return a_word(await self._uploaded("/im/v1/images", file, form), "image_key")

    async def upload_file(self, file: Path, name: str) -> str:
        """The key with which a file is sent; at most 30 MB (contract section 3)."""

        def form(opened: IO[bytes]) -> aiohttp.FormData:
            parts = aiohttp.FormData({"file_type": "stream", "file_name": name})
            parts.add_field("file", opened, filename="file", content_type="application/octet-stream")
            return parts

        return a_word(await self._uploaded("/im/v1/files", file, form), "file_key")

    async def resource(
        self, message: str, key: str, kind: Literal["image", "file"], *, most: int
    ) -> AsyncIterator[bytes]:
        """What somebody sent, in pieces; `Refused` as TOO_LARGE once it is more than `most` bytes."""
        path = f"/im/v1/messages/{_id(message)}/resources/{_id(key)}"
        request = Request(method="GET", path=path, query={"type": kind}, brings=True)
        response = await self._wire.ask(request, wire.content)
        taken = 0
        async with response:
            try:
                async for piece in response.content.iter_chunked(PIECE):
                    taken += len(piece)
                    if taken > most:
                        raise Refused(status=413, code=0, log_id=wire.log_id(response))
                    yield piece
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unreachable(type(error).__name__) from error

    async def user(self, open_id: str) -> Json:
        """Without a name, or departments, where these are outside of what the app may read."""
        path = f"/contact/v3/users/{_id(open_id)}"
        query = {"user_id_type": "open_id", "department_id_type": "open_department_id"}
        found = await self.call("GET", path, query=query)
        return an_object(found.get("user") or {})

    async def chat(self, chat: str) -> Json:
        return await self.call("GET", f"/im/v1/chats/{_id(chat)}", query={"user_id_type": "open_id"})

    async def members(self, chat: str) -> AsyncIterator[Json]:
        """Bots are not among them."""
        async for member in self._pages(
            f"/im/v1/chats/{_id(chat)}/members", {"member_id_type": "open_id", "page_size": 100}
        ):
            yield member

    async def commands(self) -> list[Json]:
        """The slash commands that are registered for this app, whoever did it."""
        return [each async for each in self._pages("/application/v7/app_slash_commands", {})]

    async def add_command(self, body: Json) -> str:
        return str((await self.call("POST", "/application/v7/app_slash_commands", body=body)).get("command_id", ""))

    async def change_command(self, command: str, body: Json) -> None:
        await self.call("PATCH", f"/application/v7/app_slash_commands/{_id(command)}", body=body)

    async def _pages(self, path: str, query: Mapping[str, object]) -> AsyncIterator[Json]:
        more: dict[str, object] = {}
        while True:
            page = await self.call("GET", path, query={**query, **more})
            for item in _objects(page):
                yield item
            token = page.get("page_token")
            if not (page.get("has_more") and token) or token == more.get("page_token"):
                return
            more = {"page_token": token}

    async def _uploaded(self, path: str, file: Path, form: Callable[[IO[bytes]], aiohttp.FormData]) -> Json:
        # Repeatable: a picture that was uploaded twice is a key that nobody uses.
        answer = await self._wire.ask(Request(method="POST", path=path, file=file, form=form), wire.answer)
        return an_object(answer.get("data"))


def _id(value: str) -> str:
    return quote(value, safe="")


def _objects(found: Json) -> list[Json]:
    return [item for item in found.get("items") or () if isinstance(item, dict)]


def _sent(found: Json) -> Sent:
    made = str(found.get("create_time", ""))  # milliseconds; where it is missing nobody knows, which is long ago
    at = datetime.fromtimestamp(int(made) / 1000 if made.isdecimal() and len(made) < 15 else 0, UTC)
    return Sent(message=a_word(found, "message_id"), chat=str(found.get("chat_id", "")), made=at)

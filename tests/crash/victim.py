"""A `seedream-bot` that kills itself at one point, which is set from outside: the product knows nothing of it.

    python victim.py POINT [--answer-within SECONDS] COMMAND ...

POINT is `before NAME` or `after NAME`, with `@2` behind it for the second time; `fill NAME`, after which it lives on
and finds the disk full; or `hang NAME`, where it stops for ever each time. NAME is a transaction's
function (`accepting.accept`: before or after its COMMIT), a post to the page (`post:progress`, `post:end` of a
generation, `post:answer` to anything else), `blobs.put`, `blobs.delete`, `dispatch`, or `create_table` of a migration.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.web.adapter import WebAdapter
from bot import cli
from bot.chat import Post
from bot.dispatch import Dispatcher
from bot.generation.states import ENDED
from bot.media.store import Blobs
from bot.providers.transport import Transport
from bot.storage.database import Database, SQLiteDatabase
from bot.storage.postgres import PostgresDatabase


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill() -> None:
    """No file takes another byte, until somebody lifts this soft limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


@dataclass
class Point:
    when: str
    name: str
    left: int

    @classmethod
    def read(cls, written: str) -> "Point":
        when, _, name = written.partition(" ")
        name, _, time = name.partition("@")
        return cls(when, name, int(time or 1))

    def reached(self, when: str, name: str) -> bool:
        if (when, name) != (self.when, self.name):
            return False
        self.left -= 1
        return self.left == 0 or (self.left < 0 and when == "hang")


def watch_transactions(engine: Any, point: Point) -> None:
    original = engine.transaction

    async def transaction(self: Database, function: Callable[..., Any], *values: Any, **named: Any) -> Any:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        name = name.replace("engine._hand_out", "queue.admit")  # as it is done where the database is shared
        name = name.replace("inbox.receive_all", "inbox.receive")  # of one, mostly

        def watched(connection: Any, *values: Any, **named: Any) -> Any:
            result = function(connection, *values, **named)
            # One that decided to do nothing (an empty line, a repeat) is not meant.
            if (result or result is None) and point.reached("before", name):
                die()
            return result

        if point.reached("hang", name):
            await asyncio.Event().wait()
        result = await original(self, watched, *values, **named)
        if result or result is None:
            if point.reached("after", name):
                die()
            if point.reached("fill", name):
                fill()
        return result

    engine.transaction = transaction


def watch(owner: Any, method: str, point: Point, name: Callable[..., str]) -> None:
    original = getattr(owner, method)

    async def watched(self: Any, *values: Any, **named: Any) -> Any:
        called = name(*values, **named)
        if point.reached("hang", called):
            await asyncio.Event().wait()
        if point.reached("before", called):
            die()
        result = await original(self, *values, **named)
        if point.reached("after", called):
            die()
        return result

    setattr(owner, method, watched)


def watch_migrations(point: Point) -> None:
    from alembic import op  # a quarter of a second that an ordinary start does without

    original = op.create_table

    def create_table(*values: Any, **named: Any) -> Any:
        made = original(*values, **named)
        if point.reached("after", "create_table"):
            die()
        return made

    op.create_table = create_table


def answer_within(seconds: float) -> None:
    """Wait for a provider's answer so long and no longer; the models' own times are minutes."""
    original = Transport.post

    def post(self: Transport, url: str, **named: Any) -> Any:
        return original(self, url, **{**named, "seconds": seconds})

    Transport.post = post  # type: ignore[method-assign]


def _kind(post: Post) -> str:
    if not post.reply.generation:
        return "post:answer"
    return "post:end" if post.reply.state in ENDED else "post:progress"


def main() -> None:
    point = Point.read(sys.argv[1])
    rest = sys.argv[2:]
    watch_transactions(SQLiteDatabase, point)
    watch_transactions(PostgresDatabase, point)
    watch(WebAdapter, "post", point, _kind)
    watch(Blobs, "put", point, lambda file: "blobs.put")
    watch(Blobs, "delete", point, lambda key: "blobs.delete")
    watch(Dispatcher, "dispatch", point, lambda invocation, complete=None: "dispatch")
    if point.name == "create_table":
        watch_migrations(point)
    if rest and rest[0] == "--answer-within":
        answer_within(float(rest[1]))
        rest = rest[2:]
    sys.argv = ["seedream-bot", *rest]
    cli.main()


if __name__ == "__main__":
    main()

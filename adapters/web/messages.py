"""The page's messages: what one is, and how it goes into the table and out of it.

`born` orders a room; it is the revision under which the message came. `revision` grows with every change of any
message, so that whoever has seen everything up to a number can ask for what is newer.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.web.ports import Connection, Database, Row
from adapters.web.rooms import rooms_of
from adapters.web.stored import reply_from_json, reply_to_json
from bot.chat import Reply
from bot.i18n import Text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = 40  # messages that a room shows at first, and adds when earlier ones are asked for

SELECT = """
    SELECT m.*, q.author AS q_author, q.bot AS q_bot, q.words AS q_words, q.press AS q_press, q.reply AS q_reply,
           q.uploads AS q_uploads, q.private_to AS q_private_to, q.removed AS q_removed
    FROM chat_messages m LEFT JOIN chat_messages q ON q.id = m.reply_to AND m.reply_to <> ''
"""
SEEN = "m.private_to IN ('', :person)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture that a person sent, kept as it came."""

    name: str
    blob: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A pressed button: its id as the core reads it, what it said, and the values that its form asked for."""

    id: str
    label: Text
    values: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        return self.id.partition(":")[0]

    @property
    def prompt(self) -> str:
        return self.values.get("prompt", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a message answers, as far as it is shown above it."""

    author: str
    bot: bool
    words: str
    press: Press | None
    reply: Reply | None
    uploads: tuple[Upload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`removed` ones are kept, for what they asked may have to be asked again after a crash, but not shown."""

    id: str
    room: str
    author: str
    at: datetime
    bot: bool = False
    words: str = ""
    language: str = ""
    uploads: tuple[Upload, ...] = ()
    reply_to: str = ""
    press: Press | None = None
    key: str | None = None
    reply: Reply | None = None
    private_to: str = ""
    born: int = 0
    revision: int = 0
    removed: bool = False
    quote: Quote | None = None


def message_id(key: str) -> str:
    """The id of the message under a posting's key, the same in every process."""
    return "b" + hashlib.sha256(key.encode()).hexdigest()[:20]


def add(connection: Connection, message: Message) -> bool:
    """Keep a message unless its id is known; False says that it was."""
    revision = _next_revision(connection)
    return bool(
        connection.execute(
            """
            INSERT INTO chat_messages (id, room, author, bot, at, words, language, uploads, reply_to, press, key, reply,
                                       private_to, born, revision, removed)
            VALUES (:id, :room, :author, :bot, :at, :words, :language, :uploads, :reply_to, :press, :key, :reply,
                    :private_to, :revision, :revision, :removed)
            ON CONFLICT DO NOTHING
            """,
            revision=revision,
            **_columns(message),
        )
    )


def put_reply(connection: Connection, message: Message) -> bool:
    """Show the reply under its key: a new message, or the changed one; False if it stands there already."""
    if add(connection, message):
        return True
    columns = _columns(message)
    changed = connection.execute(
        """
        UPDATE chat_messages SET reply = :reply, private_to = :private_to, revision = :revision, removed = 0
        WHERE key = :key AND reply <> :reply
        """,
        revision=_next_revision(connection),
        **{name: columns[name] for name in ("key", "reply", "private_to")},
    )
    return bool(changed)


def dismiss(connection: Connection, message: str, person: str) -> bool:
    """Take away a message that only this person sees."""
    changed = connection.execute(
        "UPDATE chat_messages SET removed = 1, revision = :revision WHERE id = :message AND private_to = :person",
        revision=_next_revision(connection),
        message=message,
        person=person,
    )
    return bool(changed)


async def find(database: Database, message: str) -> Message | None:
    rows = await database.fetch(f"{SELECT} WHERE m.id = :message", message=message)
    return from_row(rows[0]) if rows else None


async def answers(database: Database, message: str) -> list[Message]:
    """What the bot said to this message, oldest first."""
    rows = await database.fetch(f"{SELECT} WHERE m.reply_to = :message AND m.bot = 1 ORDER BY m.born", message=message)
    return [from_row(row) for row in rows]


async def page(database: Database, room: str, person: str, *, before: int | None = None) -> tuple[list[Message], bool]:
    """The latest messages of a room (before a `born`), oldest first, and whether there are earlier ones."""
    rows = await database.fetch(
        f"""{SELECT} WHERE m.room = :room AND m.removed = 0 AND {SEEN} AND m.born < :before
        ORDER BY m.born DESC LIMIT :most""",
        room=room,
        person=person,
        before=2**62 if before is None else before,
        most=PAGE + 1,
    )
    return [from_row(row) for row in reversed(rows[:PAGE])], len(rows) > PAGE


async def newer(database: Database, person: str, after: int) -> list[Message]:
    """What this person may see in any room and that changed after a revision, in the order of the changes."""
    names = {f"room{position}": room for position, room in enumerate(rooms_of(person))}
    rows = await database.fetch(
        f"""{SELECT} WHERE m.revision > :after AND {SEEN} AND m.room IN ({", ".join(f":{name}" for name in names)})
        ORDER BY m.revision LIMIT 200""",
        after=after,
        person=person,
        **names,
    )
    return [from_row(row) for row in rows]


async def last_revision(database: Database) -> int:
    rows = await database.fetch("SELECT last FROM chat_revisions")
    return int(rows[0]["last"])


def _next_revision(connection: Connection) -> int:
    connection.execute("UPDATE chat_revisions SET last = last + 1")  # locks the row: revisions are committed in order
    row = connection.row("SELECT last FROM chat_revisions")
    return int(row["last"]) if row else 0


def _columns(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "room": message.room,
        "author": message.author,
        "bot": int(message.bot),
        "at": (message.at - EPOCH) // timedelta(microseconds=1),
        "words": message.words,
        "language": message.language,
        "uploads": _json([{name: getattr(each, name) for name in each.__slots__} for each in message.uploads]),
        "reply_to": message.reply_to,
        "press": None if message.press is None else _json(_press_to_json(message.press)),
        "key": message.key,
        "reply": None if message.reply is None else _json(reply_to_json(message.reply)),
        "private_to": message.private_to,
        "removed": int(message.removed),
    }


def from_row(row: Row) -> Message:
    return Message(
        id=row["id"],
        room=row["room"],
        author=row["author"],
        at=EPOCH + timedelta(microseconds=row["at"]),
        bot=bool(row["bot"]),
        words=row["words"],
        language=row["language"],
        uploads=_uploads(row["uploads"]),
        reply_to=row["reply_to"],
        press=_press(row["press"]),
        key=row["key"],
        reply=_reply(row["reply"]),
        private_to=row["private_to"],
        born=row["born"],
        revision=row["revision"],
        removed=bool(row["removed"]),
        quote=_quote(row),
    )


def _quote(row: Row) -> Quote | None:
    # What only one person may see is quoted only where only that person sees it.
    private = row["q_private_to"] not in ("", None) and row["q_private_to"] != row["private_to"]
    if row["q_author"] is None or row["q_removed"] or private:
        return None
    return Quote(
        author=row["q_author"],
        bot=bool(row["q_bot"]),
        words=row["q_words"],
        press=_press(row["q_press"]),
        reply=_reply(row["q_reply"]),
        uploads=_uploads(row["q_uploads"]),
    )


def _uploads(stored: str) -> tuple[Upload, ...]:
    return tuple(Upload(**upload) for upload in json.loads(stored))


def _press(stored: str | None) -> Press | None:
    if stored is None:
        return None
    data = json.loads(stored)
    return Press(id=data["id"], label=Text.from_json(data["label"]), values=data["values"])


def _press_to_json(press: Press) -> dict[str, Any]:
    return {"id": press.id, "label": press.label.to_json(), "values": press.values}


def _reply(stored: str | None) -> Reply | None:
    return None if stored is None else reply_from_json(json.loads(stored))


def _json(data: dict[str, Any] | Sequence[Any]) -> str:
    return json.dumps(data, ensure_ascii=False)

"""The chat page as the core sees it, and as whoever speaks on a person's behalf uses it.

A person's message is stored first and then handed to the door by its id, so the id is all that is needed to hand it
over again after a crash.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.web import messages, ports
from adapters.web.changes import Changes
from adapters.web.dashboard.routes import Dashboard
from adapters.web.guard import Guard
from adapters.web.messages import Message, Press, Upload, message_id
from adapters.web.people import Persona, persona
from adapters.web.rooms import DIRECT, SHARED, rooms_of, stored_room
from adapters.web.site import Site
from adapters.web.words import WELCOME
from bot.chat import Actor, Attachment, CannotPost, Invocation, Place, Post, Quoted, Reply, Tone
from bot.errors import BotError
from bot.i18n import text, verbatim
from bot.media.sniff import HEAD, sniff

BOT = "Seedream"
SPACE = "local"
WELCOME_STATE = "welcome"


class WebAdapter:
    """The port `bot.chat.Adapter`, and the routes of the page."""

    name = "web"
    pace = 0.3

    def __init__(
        self,
        *,
        database: ports.Database,
        door: ports.Door,
        blobs: ports.Blobs,
        thumbnails: ports.Thumbnails,
        people: Sequence[Persona],
        accounts: ports.Accounts,
        happened: ports.Happened,
        clock: Callable[[], datetime],
        host: str,
        port: int,
        controls: ports.Controls | None = None,
        line: ports.Line | None = None,
        token: str | None = None,
        language: str = "",
        hosts: Collection[str] = (),
        strangers: bool = False,
        placeholders: bool = False,
        tell_others: Callable[[], object] = lambda: None,
        board: ports.Board | None = None,
        keys: ports.Keys | None = None,
        zone: str = "UTC",
    ) -> None:
        self.database = database
        self.door = door
        self.blobs = blobs
        self.thumbnails = thumbnails
        self.people = tuple(people)
        self.accounts = accounts
        self.happened = happened
        self.clock = clock
        self.controls = controls
        self.line = line
        self.language = language
        self.strangers = strangers
        self.placeholders = placeholders
        self.changes = Changes(tell_others)
        self.dashboard = (
            Dashboard(
                board=board,
                keys=keys,
                blobs=blobs,
                thumbnails=thumbnails,
                clock=clock,
                port=port,
                zone=zone,
                language=language,
            )
            if board and keys
            else None
        )
        self._guard = Guard(token=token, host=host, port=port, hosts=hosts)

    def guard(self, application: web.Application) -> None:
        """Let in to the whole application only who may see the page."""
        self._guard.mount(application)

    def routes(self, application: web.Application) -> None:
        """Mount the page and everything it asks for, and guard the whole application."""
        self.guard(application)
        Site(self).mount(application)
        if self.dashboard:
            self.dashboard.mount(application)

    async def post(self, post: Post) -> str:
        data = post.place.data
        hidden = post.reply.private or post.place.private
        elsewhere = post.place.room not in ("", data["room"])
        if elsewhere and not any(post.place.room == room.id for room in SHARED):
            raise CannotPost("there is no such room", final=True)
        message = Message(
            id=message_id(post.key),
            room=post.place.room or data["room"],
            author=BOT,
            bot=True,
            at=self.clock(),
            reply_to="" if elsewhere else data.get("reply_to", ""),
            key=post.key,
            reply=post.reply,
            private_to=data["person"] if hidden else "",
        )
        if await self.database.transaction(messages.put_reply, message):
            self.changes.tell()
        return message.id

    async def replay(self, raw: Mapping[str, Any]) -> Invocation | None:
        message = await messages.find(self.database, raw["message"])
        return None if message is None else await self._invocation(message)

    @property
    def shared_room(self) -> str:
        """The first room that everybody sees."""
        return SHARED[0].id

    def meet(self, name: str) -> None:
        """Let somebody speak whom the page did not know; raises `LookupError` where the people are given."""
        if persona(self.people, name) is None:
            if not self.strangers or not name.isprintable() or len(name) > 40:
                raise LookupError(name)
            self.people = (*self.people, Persona(name=name, note=text("member")))

    async def say(
        self,
        person: str,
        room: str,
        words: str,
        *,
        files: Sequence[Path | Upload | str] = (),
        reply_to: str = "",
        press: str = "",
        values: Mapping[str, str] | None = None,
        id: str = "",
        language: str = "",
    ) -> str:
        """Store the person's message and hand it to the core; returns its id, which is the invocation's.

        files: paths, blobs that are stored already, or uploads. id: said again with the same one, it is said once.
        Raises `LookupError` for an unknown person or room.
        """
        if persona(self.people, person) is None:
            raise LookupError(person)
        quoted = await messages.find(self.database, reply_to) if reply_to else None
        if quoted is not None and not visible(quoted, person):
            raise LookupError(reply_to)
        message = Message(
            id=id or "m" + secrets.token_hex(10),
            room=stored_room(room, person),
            author=person,
            at=self.clock(),
            words=_storable(words),
            language=language or self.language,
            uploads=tuple([await self._upload(file) for file in files]),
            reply_to=reply_to,
            press=_press(press, quoted, values or {}) if press else None,
            private_to=person if quoted is not None and quoted.private_to else "",
            removed=bool(press) and quoted is not None and _answers_itself(quoted),
        )
        if await self.database.transaction(messages.add, message):
            self.changes.tell()
        return await self._hand_over(message.id, person)

    async def answers(self, message: str) -> list[tuple[str, Reply]]:
        """What was said to a person's message so far: message ids and replies, oldest first."""
        found = await messages.answers(self.database, message)
        return [(each.id, each.reply) for each in found if each.reply is not None]

    async def seed(self, picture: Path) -> None:
        """Put a welcome with a picture to edit at the beginning of every room that has none yet."""
        uploads = (await self._upload(picture),)
        for room in [room.id for room in SHARED] + [stored_room(DIRECT, one.name) for one in self.people]:
            await self.welcome(room, uploads)

    async def welcome(self, stored_room: str, uploads: tuple[Upload, ...] = ()) -> None:
        """The first words of a room, so that nobody meets an empty one; said once."""
        key = f"welcome:{stored_room}"
        message = Message(
            id=message_id(key),
            room=stored_room,
            author=BOT,
            bot=True,
            at=self.clock(),
            uploads=uploads,
            key=key,
            reply=Reply(text=WELCOME, state=WELCOME_STATE),
        )
        await self.database.transaction(messages.add, message)

    def actor(self, name: str, language: str) -> Actor:
        known = persona(self.people, name)
        return Actor(
            adapter=self.name,
            user=name,
            name=name,
            space=SPACE,
            language=language,
            admin=known is not None and known.admin,
        )

    async def _hand_over(self, id: str, person: str) -> str:
        """Give the stored message to the core; what stands in the table counts, whoever sent it again."""
        message = await messages.find(self.database, id)
        if message is None or message.bot or message.author != person:
            raise LookupError(id)
        invocation = await self._invocation(message)
        try:
            await self.door.accept(invocation, {"message": id})
        except BotError as error:
            refusal = Reply(text=error.text, tone=Tone.REFUSAL, private=True)
            await self.post(Post(key=f"refused:{id}", place=invocation.place, reply=refusal))
        return id

    async def _invocation(self, message: Message) -> Invocation:
        direct = message.room.startswith(f"{DIRECT}:")
        place = {"room": message.room, "person": message.author, "reply_to": message.id}
        pressed = message.press
        return Invocation(
            id=message.id,
            actor=self.actor(message.author, message.language),
            place=Place(adapter=self.name, data=place, private=direct, room=message.room),
            received=message.at,
            line="" if pressed else message.words,
            press=pressed.id if pressed else "",
            values=pressed.values if pressed else {},
            attachments=self._attachments(message.uploads),
            quoted=await self._quoted(message),
            rooms=tuple(room.id for room in SHARED),
        )

    async def _quoted(self, message: Message) -> Quoted | None:
        if not message.reply_to or message.press:
            return None
        uploads = message.quote.uploads if message.quote else ()
        return Quoted(message_id=message.reply_to, attachments=self._attachments(uploads))

    def _attachments(self, uploads: Sequence[Upload]) -> tuple[Attachment, ...]:
        return tuple(
            Attachment(name=upload.name, read=partial(self.blobs.read, upload.blob), size=upload.size)
            for upload in uploads
        )

    async def _upload(self, file: Path | Upload | str) -> Upload:
        if isinstance(file, Upload):
            return replace(file, name=_storable(file.name))
        if isinstance(file, Path):
            head, size = await asyncio.to_thread(_head_and_size, file)
            return Upload(name=file.name, blob=await self.blobs.put(file), media_type=sniff(head), size=size)
        head, size = b"", 0
        async for chunk in self.blobs.read(file):
            head += chunk[: HEAD - len(head)]
            size += len(chunk)
        return Upload(name="picture", blob=file, media_type=sniff(head), size=size)


def _head_and_size(file: Path) -> tuple[bytes, int]:
    with file.open("rb") as opened:
        return opened.read(HEAD), file.stat().st_size


def visible(message: Message, person: str) -> bool:
    return message.room in rooms_of(person) and message.private_to in ("", person)


def _answers_itself(message: Message) -> bool:
    """Its buttons change the message itself (go, cancel), so nobody needs to be told that they were pressed."""
    return message.reply is not None and message.reply.tone in (Tone.PROGRESS, Tone.QUESTION)


def _press(press: str, pressed: Message | None, values: Mapping[str, str]) -> Press:
    """The press with the words that stood on its button."""
    command = press.partition(":")[0]
    buttons = pressed.reply.buttons if pressed and pressed.reply else ()
    label = next((button.label for button in buttons if button.command == command), verbatim(command))
    return Press(id=press, label=label, values={name: _storable(value) for name, value in values.items()})


def _storable(words: str) -> str:
    """Without what a database cannot hold: NUL, and halves of characters, which JSON can carry."""
    return words.replace("\0", "").encode("utf-8", "replace").decode()

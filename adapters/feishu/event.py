"""One thing that a person did on Feishu, as it is stored until it is answered.

It holds what an Invocation needs and no more: no token, no words of anybody else. An Event that was read from the
database makes the same Invocation as the one that came over the wire.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.chat import Actor, Attachment, Invocation, Place, Quoted

NAME = "feishu"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def storable(words: object) -> object:
    """Without what a database cannot hold: NUL, and halves of characters, which JSON can carry."""
    return words.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(words, str) else words


Words = Annotated[str, BeforeValidator(storable)]
Value = Annotated[str | int | float | bool, BeforeValidator(storable)]
Id = Annotated[str, Field(max_length=128, pattern=r"\A[A-Za-z0-9_@=+/-]*\z")]
ChatKind = Literal["p2p", "group", "topic_group", ""]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Stored):
    """A picture in somebody's message: only both keys together open it."""

    message: Id
    key: Id
    kind: Literal["image", "file"] = "image"
    name: Words = ""


class Where(_Stored):
    """The `data` of a Place.

    tenant: the tenant's key. user: the open_id of who asked. chat: "" where nobody said it, as in the bot's menu; then
    kind is "" too. message: the one to reply to, "" for none. thread: it stands in a topic, and so shall the answer.
    card: the message whose button was pressed. at: milliseconds since 1970 at which it was asked.
    """

    tenant: Id
    user: Id
    chat: Id = ""
    kind: ChatKind = ""
    message: Id = ""
    thread: bool = False
    card: Id = ""
    at: int

    @property
    def direct(self) -> bool:
        """A conversation of one person with the bot: whatever stands there is private."""
        return self.kind in ("p2p", "")


class Meant(_Stored):
    """A message that is replied to, of which only the id is known; or one of our pictures, by its generation."""

    message: Id = ""
    generation: Id = ""
    index: int | None = None


class Event(_Stored):
    """id: the message's, or for presses and menus the event's, which stay the same when the event is sent again.

    names: of the people who are named in a command, by their open_ids.
    """

    id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"\A[A-Za-z0-9_:-]+\z")]
    where: Where
    line: Words = ""
    command: str = ""
    press: str = ""
    values: dict[str, Value] = Field(default_factory=dict)
    files: tuple[File, ...] = ()
    meant: Meant | None = None
    names: dict[Id, Words] = Field(default_factory=dict)

    @property
    def invocation_id(self) -> str:
        return f"{NAME}:{self.id}"

    @property
    def received(self) -> datetime:
        return _EPOCH + timedelta(milliseconds=self.where.at)

    @property
    def place(self) -> Place:
        where = self.where
        return Place(adapter=NAME, data=dict(where), private=where.direct, room="" if where.direct else where.chat)

    def actor(self, name: str = "", language: str = "", *, admin: bool = False, roles: tuple[str, ...] = ()) -> Actor:
        """Feishu's events say neither names nor languages nor who belongs where; who knows them puts them in."""
        return Actor(
            adapter=NAME,
            user=self.where.user,
            name=name or self.where.user,
            space=self.where.tenant,
            language=language,
            admin=admin,
            roles=roles,
        )

    def invocation(
        self,
        actor: Actor,
        attach: Callable[[File], Attachment],
        look: Callable[[str], Awaitable[tuple[Attachment, ...]]],
    ) -> Invocation:
        """look: the pictures in a message that is not ours, when they are wanted."""
        return Invocation(
            id=self.invocation_id,
            actor=actor,
            place=self.place,
            received=self.received,
            line=self.line,
            command=self.command,
            press=self.press,
            values=self.values,
            attachments=tuple(attach(file) for file in self.files),
            quoted=self._quoted(look),
            names=self.names,
        )

    def _quoted(self, look: Callable[[str], Awaitable[tuple[Attachment, ...]]]) -> Quoted | None:
        meant = self.meant
        if meant is None:
            return None

        async def pictures() -> tuple[Attachment, ...]:
            return await look(meant.message)

        return Quoted(
            message_id=meant.message,
            generation=meant.generation,
            index=meant.index,
            look=pictures if meant.message and not meant.generation else None,
        )

"""One thing that a person did on Discord, as it is stored until it is answered.

It holds what an Invocation needs and no more: no token but that of the interaction, no words of anybody else. An Event
that was read from the database makes the same Invocation as the one that came over the gateway.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.chat import ALONE, Actor, Attachment, Invocation, Place, Quoted

NAME = "discord"
TOKEN_LIFE = timedelta(minutes=15)
TOKEN_MARGIN = timedelta(seconds=60)  # a large answer that begins too late would end too late
SNOWFLAKE = r"\A[0-9]{1,20}\z"
_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


def storable(words: object) -> object:
    """Without what a database cannot hold: NUL, and halves of characters, which JSON can carry."""
    return words.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(words, str) else words


Words = Annotated[str, BeforeValidator(storable)]
Value = Annotated[str | int | float | bool, BeforeValidator(storable)]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Stored):
    """A picture where Discord or somebody's link has it.

    fleeting: an upload, which Discord soon takes away. spoiler: hidden until somebody wants to see it.
    """

    id: str
    name: Words
    url: Words
    size: int | None = None
    fleeting: bool = False
    spoiler: bool = False


class Where(_Stored):
    """The `data` of a Place.

    token, expires: of the interaction, and the microseconds since 1970 from which it is of no use; "" and 0 for a
    message. channel, parent, guild, user, reply_to: ids; parent is the channel of a thread, "" elsewhere; guild is ""
    in direct messages, reply_to where there is no message to reply to. deferred, ephemeral: a deferred answer waits to
    be changed, and it is one that only this person sees. update: the press belongs to its own message, so that whatever
    else is said is a message more. limit: bytes that one file may have, 0 where nobody knows. member: the bot itself is
    in the server or the conversation. nsfw: the channel is age-restricted. spoiler: what is pressed belongs to pictures
    that are hidden.
    """

    application: str
    token: str = ""
    expires: int = 0
    channel: str
    parent: str = ""
    guild: str = ""
    user: str
    reply_to: str = ""
    ephemeral: bool = False
    deferred: bool = False
    limit: int = 0
    member: bool = False
    update: bool = False
    nsfw: bool = False
    spoiler: bool = False


class Meant(_Stored):
    """The message that is meant: one of ours with the generation that it shows, or somebody's pictures."""

    message: str = ""
    files: tuple[File, ...] = ()
    generation: str = ""
    index: int | None = None


class Event(_Stored):
    """id: the snowflake of the interaction or message. pictures: by the name of the option that they were given for.

    roles: the ids of those that the person has in the server; everybody has the one that has the server's own id.
    names: of the people and roles that are named in it, by their ids.
    """

    id: str = Field(pattern=SNOWFLAKE)
    name: Words
    language: str = ""
    admin: bool = False
    roles: tuple[str, ...] = ()
    where: Where
    line: Words = ""
    command: str = ""
    press: str = ""
    values: dict[str, Value] = {}
    pictures: dict[str, File] = {}
    files: tuple[File, ...] = ()
    meant: Meant | None = None
    names: dict[str, Words] = {}

    @property
    def invocation_id(self) -> str:
        return f"{NAME}:{self.id}"

    @property
    def place(self) -> Place:
        """What holds in a channel holds in its threads: a forum has nothing else."""
        where = self.where
        data = {**where.model_dump(), "spoiler": where.spoiler or self._made_from_spoiler}
        return Place(adapter=NAME, data=data, private=where.ephemeral, room=where.parent or where.channel)

    @property
    def _made_from_spoiler(self) -> bool:
        """What is made from a hidden picture is as hidden."""
        meant = self.meant.files if self.meant else ()
        return any(file.spoiler for file in (*self.pictures.values(), *self.files, *meant))

    @property
    def actor(self) -> Actor:
        where = self.where
        return Actor(
            adapter=NAME,
            user=where.user,
            name=self.name,
            space=where.guild or ALONE + where.user,
            language=self.language,
            admin=self.admin,
            roles=self.roles,
        )

    @property
    def fleeting(self) -> tuple[File, ...]:
        """Its files that vanish after a while."""
        return tuple(file for file in (*self.pictures.values(), *self.files) if file.fleeting)

    def acknowledged(self, *, deferred: bool, ephemeral: bool = False) -> "Event":
        """The same after its first answer; `deferred` is False where that came too late for Discord."""
        where = self.where.model_copy(update={"deferred": deferred, "ephemeral": ephemeral})
        return self.model_copy(update={"where": where})

    def invocation(self, attach: Callable[[File], Attachment]) -> Invocation:
        pictures = {name: attach(file) for name, file in self.pictures.items()}
        return Invocation(
            id=self.invocation_id,
            actor=self.actor,
            place=self.place,
            received=made_at(self.id),
            line=self.line,
            command=self.command,
            press=self.press,
            values={**self.values, **pictures},
            attachments=tuple(attach(file) for file in self.files),
            quoted=self._quoted(attach),
            names=self.names,
        )

    def _quoted(self, attach: Callable[[File], Attachment]) -> Quoted | None:
        if self.meant is None:
            return None
        return Quoted(
            message_id=self.meant.message,
            attachments=tuple(attach(file) for file in self.meant.files),
            generation=self.meant.generation,
            index=self.meant.index,
        )


def made_at(snowflake: str) -> datetime:
    """The moment that Discord wrote into an id."""
    return _EPOCH + timedelta(milliseconds=int(snowflake) >> 22)


def useless_from(snowflake: str) -> int:
    """Microseconds since 1970 at which an interaction's token stops being of use."""
    end = made_at(snowflake) + TOKEN_LIFE - TOKEN_MARGIN
    return (end - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

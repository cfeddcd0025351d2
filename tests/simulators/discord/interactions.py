"""What becomes of an interaction: its two deadlines, the ways to answer it, and what the person sees of that.

The rules stand in Discord's "Receiving and Responding to Interactions": the first answer within 3 s, everything else
within 15 min.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import IntEnum

from tests.simulators.discord.clock import Signal
from tests.simulators.discord.commands import check_choices
from tests.simulators.discord.components import check_modal, numbered
from tests.simulators.discord.messages import Part, edit, post
from tests.simulators.discord.model import NO_FLAGS, Channel, Flag, Message, User
from tests.simulators.discord.wire import Code, Json, Refused, wrong
from tests.simulators.discord.world import World

ACK, LIFE = timedelta(seconds=3), timedelta(minutes=15)
MOST_FOLLOW_UPS = 5  # where the app came with a person and is no member


class Asking(IntEnum):
    """Types of an interaction."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class Ack(IntEnum):
    """Types of the first answer."""

    MESSAGE = 4
    DEFERRED = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


_ALLOWED = {
    Asking.COMMAND: {Ack.MESSAGE, Ack.DEFERRED, Ack.MODAL},
    Asking.COMPONENT: {Ack.MESSAGE, Ack.DEFERRED, Ack.DEFERRED_UPDATE, Ack.UPDATE, Ack.MODAL},
    Asking.AUTOCOMPLETE: {Ack.CHOICES},
}


class Asked:
    """One interaction as the person who caused it sees it.

    acknowledged_after: seconds until the first answer; None while there is none. messages: what was written or changed
    for it, in order. source: the message whose component was used. opened_by: what opened the modal that
    was submitted here. modal, choices: what opened, what was offered.
    """

    def __init__(
        self,
        world: World,
        payload: Json,
        person: User,
        channel: Channel,
        *,
        source: Message | None = None,
        opened_by: "Asked | None" = None,
    ) -> None:
        self.world, self.payload = world, payload
        self.id: str = payload["id"]
        self.token: str = payload["token"]
        self.type = Asking(payload["type"])
        self.person, self.channel, self.source = person, channel, source
        self.created_at = world.clock()
        self.opened_by = opened_by
        self.signal = Signal()
        self.ack: Ack | None = None
        self.acknowledged_after: float | None = None
        self.ephemeral = False
        self.original: Message | None = None
        self.messages: list[Message] = []
        self.follow_ups = 0
        self.modal: Json | None = None
        self.choices: list[Json] = []

    @property
    def failed(self) -> bool:
        """Whether Discord shows "The application did not respond" or "This interaction failed"."""
        return self.ack is None and self.age > ACK

    @property
    def age(self) -> timedelta:
        return self.world.clock() - self.created_at

    @property
    def member(self) -> bool:
        """Whether the bot itself is where this happens: in the server, or the other half of the conversation."""
        if self.channel.guild:
            return self.world.bot.id in self.channel.guild.members
        return len(self.channel.recipients) == 1

    async def acknowledged(self, within: float = 10.0) -> "Asked":
        await self.until(lambda: self.ack is not None, within=within, what="the first answer")
        return self

    async def answered(self, count: int = 1, within: float = 10.0) -> Message:
        """The message in which the person reads the answer: the `count`th that is no longer loading."""
        await self.until(lambda: len(self.shown) >= count, within=within, what=f"message {count}")
        return self.shown[count - 1]

    async def until(self, condition: Callable[[], object], *, within: float = 10.0, what: str = "it") -> None:
        """Wait for something that an answer of the bot to this interaction makes true."""
        await self.signal.until(condition, within=within, what=what)

    @property
    def shown(self) -> list[Message]:
        return [one for one in self.messages if not one.loading]

    def acknowledge(self, body: Json, parts: Sequence[Part]) -> None:
        """The first answer; Refused where it comes too late, twice, or does not fit."""
        if self.ack is not None:
            raise Refused(Code.ALREADY_ACKNOWLEDGED)
        if self.age > ACK:
            raise Refused(Code.UNKNOWN_INTERACTION)
        ack = self._fitting(body.get("type"))
        self._carry_out(ack, body.get("data") or {}, parts)
        self.ack, self.acknowledged_after = ack, self.age.total_seconds()
        self.signal.touch()

    def follow_up(self, body: Json, parts: Sequence[Part]) -> Message:
        """A further message; the first after a deferred answer completes the loading one and keeps its privacy."""
        if not self.member and self.follow_ups >= MOST_FOLLOW_UPS:
            raise Refused(Code.TOO_MANY_FOLLOW_UPS)
        if self.original and self.original.loading:
            message = self.change(self.original, body, parts)
        else:
            message = self._write(body, parts, {"kind": 19, "replies_to": self.original} if self.original else {})
        self.follow_ups += 1
        self.signal.touch()
        return message

    def change(self, message: Message, body: Json, parts: Sequence[Part]) -> Message:
        edit(self.world, message, body, parts, limit=self.limit)
        if message not in self.messages:
            self.messages.append(message)
        self.signal.touch()
        return message

    def message(self, id: str) -> Message:
        """One that this interaction may change, by id or "@original"."""
        mine = [*self.messages, *([self.source] if self.source and self.original is self.source else [])]
        found = self.original if id == "@original" else next((one for one in mine if one.id == id), None)
        if found is None or found.id not in found.channel.posts:
            raise Refused(Code.UNKNOWN_MESSAGE)
        return found

    @property
    def limit(self) -> int:
        return int(self.payload["attachment_size_limit"])

    def _fitting(self, given: object) -> Ack:
        allowed = _ALLOWED.get(self.type) or {Ack.MESSAGE, Ack.DEFERRED}
        if self.type is Asking.MODAL and self.source:
            allowed = allowed | {Ack.DEFERRED_UPDATE, Ack.UPDATE}
        if given not in allowed:
            raise wrong("type", "INTERACTION_RESPONSE_TYPE_INVALID", "This interaction cannot be answered so")
        return Ack(int(str(given)))

    def _carry_out(self, ack: Ack, data: Json, parts: Sequence[Part]) -> None:
        match ack:
            case Ack.MESSAGE:
                self.original = self._write(data, parts, self._first())
            case Ack.DEFERRED:
                self.original = self._write({"flags": data.get("flags", 0)}, (), self._first(), Flag.LOADING)
            case Ack.DEFERRED_UPDATE:
                self.original = self.source
            case Ack.UPDATE if self.source:
                self.original = self.change(self.source, data, parts)
            case Ack.CHOICES:
                check_choices(data.get("choices") or [], "data.choices")
                self.choices = data.get("choices") or []
            case Ack.MODAL:
                check_modal(data)
                self.modal = {**data, "components": numbered(data["components"])}
        self.ephemeral = bool(ack in (Ack.MESSAGE, Ack.DEFERRED) and self.original and self.original.ephemeral)

    def _first(self) -> Json:
        """Kind of the message that answers at once: of a slash command, of a context menu, of a component."""
        if self.type is Asking.COMMAND:
            return {"kind": 20 if self.payload["data"]["type"] == 1 else 23}
        return {"kind": 19, "replies_to": self.source} if self.source else {}

    def _write(self, body: Json, parts: Sequence[Part], fields: Json, flags: Flag = NO_FLAGS) -> Message:
        private = Flag(int(body.get("flags") or 0)) & Flag.EPHEMERAL
        if not self.member and not self._may_bring_apps():
            private = Flag.EPHEMERAL  # Discord forces that on apps that a person may not bring along
        message = post(
            self.world,
            self.channel,
            self.world.bot,
            body,
            parts,
            limit=self.limit,
            flags=flags | private,
            interaction=self._metadata(),
            only_for=self.person if private else None,
            through_webhook=True,
            **fields,
        )
        self.messages.append(message)
        return message

    def _may_bring_apps(self) -> bool:
        member = self.payload.get("member")
        return member is None or bool(int(member["permissions"]) & (1 << 50))

    def _metadata(self) -> Json:
        user = self.payload["member"]["user"] if "member" in self.payload else self.payload["user"]
        owners = self.payload["authorizing_integration_owners"]
        metadata: Json = {"id": self.id, "type": int(self.type), "user": user, "authorizing_integration_owners": owners}
        if self.type is Asking.COMPONENT and self.source:
            metadata["interacted_message_id"] = self.source.id
        if self.type is Asking.MODAL:
            metadata["triggering_interaction_metadata"] = self.opened_by._metadata() if self.opened_by else {}
        return metadata


class Interactions:
    """All that ever were. `asked`: in the order in which people caused them."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._by_id: dict[str, Asked] = {}
        self._by_token: dict[str, Asked] = {}

    def add(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._by_id[asked.id] = self._by_token[asked.token] = asked

    def to_acknowledge(self, id: str, token: str) -> Asked:
        asked = self._by_id.get(id)
        if asked is None or asked.token != token:
            raise Refused(Code.UNKNOWN_INTERACTION)
        return asked

    def alive(self, token: str) -> Asked:
        """The one behind a webhook's token: known once it was acknowledged, and for 15 min."""
        asked = self._by_token.get(token)
        if asked is None or asked.ack is None:
            raise Refused(Code.UNKNOWN_WEBHOOK)
        if asked.age > LIFE:
            raise Refused(Code.INVALID_TOKEN)
        return asked

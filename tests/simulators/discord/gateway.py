"""The gateway: HELLO, IDENTIFY, RESUME, heartbeats, and events to those sessions that asked for their kind."""

import json
import secrets
from asyncio import TaskGroup
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from tests.simulators.discord.model import Kind
from tests.simulators.discord.render import joined_guild_json, own_json, without_content
from tests.simulators.discord.rest_places import GATEWAY
from tests.simulators.discord.session import Connection, Session
from tests.simulators.discord.wire import Json
from tests.simulators.discord.world import Event

if TYPE_CHECKING:
    from tests.simulators.discord.fake import FakeDiscord

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, MEMBERS, INVALID, HELLO, ACK = (
    *(0, 1, 2, 3, 4, 6),
    *(7, 8, 9, 10, 11),
)
MOST_PAYLOAD = 4096
GUILDS, GUILD_MEMBERS, PRESENCES, GUILD_MESSAGES, DIRECT_MESSAGES, CONTENT = (1 << n for n in (0, 1, 8, 9, 12, 15))
KNOWN_INTENTS = sum(1 << n for n in (*range(17), 20, 21, 24, 25))
PRIVILEGED = {"members": GUILD_MEMBERS, "presences": PRESENCES, "message_content": CONTENT}
APPLICATION_FLAGS = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}


class Gateway:
    """heartbeat_interval: seconds. answers_heartbeats: False leaves them without an ACK, as a dead connection does.

    identified, resumed: what each IDENTIFY and RESUME said. accepting: False refuses every new connection with 503.
    presences: what the bot showed of itself, in order.
    """

    def __init__(self, fake: "FakeDiscord") -> None:
        self.fake = fake
        self.heartbeat_interval = 41.25
        self.answers_heartbeats = True
        self.accepting = True
        self.heartbeats = 0
        self.connections: list[Connection] = []
        self.sessions: dict[str, Session] = {}
        self.identified: list[Json] = []
        self.resumed: list[Json] = []
        self.presences: list[Json] = []

    @property
    def connected(self) -> list[Session]:
        return [one for one in self.sessions.values() if one.connection]

    def application_flags(self) -> int:
        return sum(APPLICATION_FLAGS[name] for name in self.fake.privileged)

    def tell(self, event: Event) -> None:
        """To every session of the event's shard that wants it; those without a connection get it at their RESUME."""
        for session in self.sessions.values():
            number, count = session.shard
            own = (int(event.guild.id) >> 22) % count if event.guild else 0
            if number == own and _wanted(event, session.intents):
                session.tell(event.name, self._readable(event, session.intents))

    def reconnect(self) -> None:
        """Ask every session to come back (op 7)."""
        for session in self.connected:
            if session.connection:
                session.connection.send(RECONNECT)

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9. Not resumable: the session is forgotten."""
        for session in self.connected:
            if session.connection:
                session.connection.send(INVALID, resumable)
            if not resumable:
                del self.sessions[session.id]

    def close(self, code: int) -> None:
        """End every connection with this code; 0 cuts them. Sessions stay, to be resumed."""
        for session in self.connected:
            if session.connection:
                session.connection.close(code)

    def forget(self) -> None:
        """No session can be resumed any more."""
        for id in [one.id for one in self.sessions.values() if not one.connection]:
            del self.sessions[id]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if not self.accepting:
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=2**20, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request, request.query.get("compress", ""))
        self.connections.append(connection)
        if request.query.get("v") != "10" or request.query.get("encoding") != "json":
            await socket.close(code=4012)
            return socket
        connection.send(HELLO, {"heartbeat_interval": int(self.heartbeat_interval * 1000), "_trace": []})
        try:
            async with TaskGroup() as tasks:
                writer = tasks.create_task(connection.write())
                await self._listen(connection)
                writer.cancel()
        except* ConnectionError:
            pass  # the other side is gone
        finally:
            self._lost(connection)
        return socket

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is not WSMsgType.TEXT or len(message.data) > MOST_PAYLOAD:
                connection.close(4002)
                continue
            try:
                payload = json.loads(message.data)
            except ValueError:
                connection.close(4002)
                continue
            if connection.too_many():
                connection.close(4008)
                continue
            self._receive(connection, payload.get("op"), payload.get("d"))

    def _receive(self, connection: Connection, op: object, data: Json) -> None:
        match op:
            case 1:
                self.heartbeats += 1
                if self.answers_heartbeats:
                    connection.send(ACK)
            case 2 if connection.session:
                connection.close(4005)
            case 2:
                self._identify(connection, data)
            case 6:
                self._resume(connection, data)
            case 3 | 4 | 8 if connection.session is None:
                connection.close(4003)
            case 3:
                self.presences.append(data)
            case 4:
                pass
            case 8 if connection.session:
                self._members(connection.session, data)
            case _:
                connection.close(4001)
        self.fake.signal.touch()

    def _identify(self, connection: Connection, data: Json) -> None:
        self.identified.append(data)
        number, count = data.get("shard", (0, 1))
        intents = data["intents"]
        if data["token"] != self.fake.token:
            return connection.close(4004)
        if not 0 <= number < count:
            return connection.close(4010)
        if intents & ~KNOWN_INTENTS:
            return connection.close(4013)
        if any(intents & bit and name not in self.fake.privileged for name, bit in PRIVILEGED.items()):
            return connection.close(4014)
        session = Session(secrets.token_hex(16), intents, (number, count), connection=connection)
        connection.session = self.sessions[session.id] = session
        if presence := data.get("presence"):
            self.presences.append(presence)
        self._welcome(session)
        return None

    def _welcome(self, session: Session) -> None:
        number, count = session.shard
        fake = self.fake
        here = [one for one in fake.guilds.values() if fake.bot.id in one.members]
        here = [one for one in here if (int(one.id) >> 22) % count == number]
        ready = {
            "v": 10,
            "user": own_json(fake.bot),
            "guilds": [{"id": one.id, "unavailable": True} for one in here],
            "session_id": session.id,
            "resume_gateway_url": GATEWAY,
            "shard": [number, count],
            "application": {"id": fake.bot.id, "flags": self.application_flags()},
            **{name: [] for name in ("private_channels", "relationships", "presences")},
            "session_type": "normal",
        }
        session.tell("READY", ready)
        for guild in here if session.intents & GUILDS else []:
            seen = bool(session.intents & GUILD_MEMBERS)
            session.tell("GUILD_CREATE", joined_guild_json(guild, fake.bot, all_members=seen))

    def _resume(self, connection: Connection, data: Json) -> None:
        self.resumed.append(data)
        session = self.sessions.get(data["session_id"])
        if data["token"] != self.fake.token:
            return connection.close(4004)
        if session is None:
            return connection.send(INVALID, False)
        if data["seq"] > session.sequence:
            return connection.close(4007)
        if session.connection:
            session.connection.close(4000)
        session.connection, connection.session = connection, session
        session.replay(data["seq"])
        session.tell("RESUMED", {"_trace": []})
        return None

    def _members(self, session: Session, data: Json) -> None:
        guild = self.fake.guilds[str(data["guild_id"])]
        chunk = {"members": joined_guild_json(guild, self.fake.bot, all_members=True)["members"], "not_found": []}
        nonce = {"nonce": data["nonce"]} if "nonce" in data else {}
        told = {"guild_id": guild.id, "chunk_index": 0, "chunk_count": 1, **chunk, **nonce}
        session.tell("GUILD_MEMBERS_CHUNK", told)

    def _lost(self, connection: Connection) -> None:
        """Keep the session, unless the bot itself said goodbye (1000 or 1001), which ends it."""
        session = connection.session
        if session and session.connection is connection:
            session.connection = None
            if connection.socket.close_code in (1000, 1001) and not connection.closed_by_us:
                self.sessions.pop(session.id, None)
        self.fake.signal.touch()

    def _readable(self, event: Event, intents: int) -> Json:
        """Without the content intent others' messages come empty, unless they name the bot or are written to it."""
        message = event.message
        if message is None or event.name == "MESSAGE_DELETE" or intents & CONTENT:
            return event.data
        direct = message.channel.kind is Kind.DM
        if direct or message.author is self.fake.bot or self.fake.bot in message.mentions:
            return event.data
        return without_content(event.data)


def _wanted(event: Event, intents: int) -> bool:
    if event.name == "INTERACTION_CREATE":
        return True
    if event.message:
        return bool(intents & (GUILD_MESSAGES if event.guild else DIRECT_MESSAGES))
    return bool(intents & GUILDS)

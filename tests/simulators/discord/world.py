"""Everything that exists in this Discord, and the hands that change it for a test. No sockets here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.simulators.discord.cdn import Cdn
from tests.simulators.discord.clock import Clock, Signal
from tests.simulators.discord.model import Channel, Guild, Kind, Member, Message, Overwrite, Role, User
from tests.simulators.discord.permissions import EVERYONE, bits
from tests.simulators.discord.render import channel_json, joined_guild_json
from tests.simulators.discord.wire import Code, Json, Refused

EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
MIB = 2**20
TIERS = {0: 10 * MIB, 1: 10 * MIB, 2: 50 * MIB, 3: 100 * MIB}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the gateway tells the bot. guild: None in direct messages; message: what it is about."""

    name: str
    data: Json
    guild: Guild | None = None
    message: Message | None = None


class World:
    """People, servers, channels and files.

    privileged: the intents that the bot's owner switched on in the portal. default_limit: bytes for one file where no
    boost raises it. complaints: what the bot, or this fake itself, did against Discord's rules without being refused.
    """

    def __init__(self, *, token: str) -> None:
        self.token = token
        self.clock = Clock()
        self.signal = Signal()
        self.cdn = Cdn(self.clock)
        self.complaints: list[str] = []
        self.privileged = {"members", "presences", "message_content"}
        self.default_limit: int | None = None
        self.old_edits_allowed = 30  # in an hour, of messages older than one; Discord's own number is not public
        self.tell: Callable[[Event], None] = lambda event: None
        self._last_id = 0
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.bot = self.new_user("seedream", bot=True)

    def snowflake(self) -> str:
        """An id that grows, and holds the time at which it was made."""
        since = int((self.clock() - EPOCH) / timedelta(milliseconds=1))
        self._last_id = max(self._last_id + 1, since << 22)
        return str(self._last_id)

    def new_user(self, name: str, *, bot: bool = False) -> User:
        user = User(self.snowflake(), name, bot)
        self.users[user.id] = user
        return user

    def new_guild(self, name: str, owner: User, *, tier: int = 0, bot: bool = True) -> Guild:
        """A server with one channel. bot: False where the bot is no member and only its users bring it along."""
        guild = Guild(self.snowflake(), name, owner, tier)
        guild.roles.append(Role(guild.id, "@everyone", EVERYONE))
        self.guilds[guild.id] = guild
        self.join(guild, owner)
        guild.system_channel = self.new_channel(guild, "general")
        if bot:
            self.join(guild, self.bot)
        return guild

    def join(self, guild: Guild, user: User) -> Member:
        """Make somebody a member; the bot gets its server told."""
        member = guild.members.setdefault(user.id, Member(user))
        if user is self.bot:
            # The gateway leaves other members out for a session that did not ask for them.
            self.tell(Event("GUILD_CREATE", joined_guild_json(guild, self.bot, all_members=False), guild))
        return member

    def leave(self, guild: Guild, user: User) -> None:
        del guild.members[user.id]
        if user is self.bot:
            self.tell(Event("GUILD_DELETE", {"id": guild.id}, guild))

    def new_role(self, guild: Guild, name: str, *permissions: str) -> Role:
        role = Role(self.snowflake(), name, bits(*permissions), len(guild.roles))
        guild.roles.append(role)
        return role

    def new_channel(self, guild: Guild, name: str, *, nsfw: bool = False) -> Channel:
        channel = Channel(self.snowflake(), Kind.TEXT, name, guild, nsfw=nsfw)
        guild.channels.append(channel)
        self.channels[channel.id] = channel
        if self.bot.id in guild.members:
            self.tell(Event("CHANNEL_CREATE", channel_json(channel), guild))
        return channel

    def new_thread(self, parent: Channel, owner: User, name: str, *, id: str = "", private: bool = False) -> Channel:
        kind = Kind.PRIVATE_THREAD if private else Kind.PUBLIC_THREAD
        thread = Channel(id or self.snowflake(), kind, name, parent.guild, parent, owner=owner)
        self.channels[thread.id] = thread
        if parent.guild:
            parent.guild.channels.append(thread)
        self.tell(Event("THREAD_CREATE", {**channel_json(thread), "newly_created": True}, parent.guild))
        return thread

    def direct_channel(self, *people: User) -> Channel:
        """The one direct channel between the bot and somebody, or, of several people without the bot, a group's."""
        for channel in self.channels.values():
            if channel.guild is None and channel.recipients == [*people]:
                return channel
        kind = Kind.DM if len(people) == 1 else Kind.GROUP_DM
        channel = Channel(self.snowflake(), kind, recipients=[*people])
        self.channels[channel.id] = channel
        return channel

    def permit(self, channel: Channel, *names: str, to: User | Role | None = None) -> None:
        """Let somebody, the bot if nobody is named, do this in the channel, whatever the roles say."""
        self._overwrite(channel, to or self.bot, allow=bits(*names))

    def forbid(self, channel: Channel, *names: str, to: User | Role | None = None) -> None:
        self._overwrite(channel, to or self.bot, deny=bits(*names))

    def remove_channel(self, channel: Channel) -> None:
        del self.channels[channel.id]
        if channel.guild:
            shown = channel_json(channel)
            channel.guild.channels.remove(channel)
            self.tell(Event("THREAD_DELETE" if channel.thread else "CHANNEL_DELETE", shown, channel.guild))

    def vanish(self, message: Message) -> None:
        """The message is deleted, by whoever that was."""
        message.channel.posts.pop(message.id, None)
        guild = message.channel.guild
        data = {"id": message.id, "channel_id": message.channel.id} | ({"guild_id": guild.id} if guild else {})
        if not message.ephemeral:
            self.tell(Event("MESSAGE_DELETE", data, guild, message))
        self.signal.touch()

    def find_channel(self, id: str) -> Channel:
        if id not in self.channels:
            raise Refused(Code.UNKNOWN_CHANNEL)
        return self.channels[id]

    def guild_of_bot(self, id: str) -> Guild:
        guild = self.guilds.get(id)
        if guild is None:
            raise Refused(Code.UNKNOWN_GUILD)
        if self.bot.id not in guild.members:
            raise Refused(Code.MISSING_ACCESS)
        return guild

    def file_limit(self, guild: Guild | None) -> int:
        """Bytes that one file may have here."""
        boosted = TIERS[guild.tier if guild else 0]
        return boosted if self.default_limit is None or (guild and guild.tier > 1) else self.default_limit

    def _overwrite(self, channel: Channel, to: User | Role, *, allow: int = 0, deny: int = 0) -> None:
        one = channel.overwrites.setdefault(to.id, Overwrite(member=isinstance(to, User)))
        one.allow, one.deny = (one.allow & ~deny) | allow, (one.deny & ~allow) | deny
        self.tell(Event("CHANNEL_UPDATE", channel_json(channel), channel.guild))

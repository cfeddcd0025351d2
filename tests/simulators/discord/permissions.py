"""Who may do what where: Discord's bits, and its rule of roles first, then what the channel says."""

from tests.simulators.discord.model import Channel, Guild, Member, Overwrite, User

BITS = {
    "administrator": 1 << 3,
    "manage_channels": 1 << 4,
    "manage_guild": 1 << 5,
    "add_reactions": 1 << 6,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "mention_everyone": 1 << 17,
    "use_external_emojis": 1 << 18,
    "use_application_commands": 1 << 31,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "create_private_threads": 1 << 36,
    "send_messages_in_threads": 1 << 38,
    "use_external_apps": 1 << 50,
}
ALL = (1 << 53) - 1


def bits(*names: str) -> int:
    return sum(BITS[name] for name in names)


# What a new server gives everybody, as far as a picture bot meets it.
EVERYONE = bits(*(BITS.keys() - {"administrator", "manage_channels", "manage_guild", "manage_messages"}))
EVERYONE &= ~bits("mention_everyone", "manage_threads")
# In a direct message there are no roles; everything that makes sense there is allowed.
DIRECT = EVERYONE & ~bits("create_public_threads", "create_private_threads", "send_messages_in_threads")


def permissions(user: User, channel: Channel) -> int:
    """What this user may do in this channel, as bits; 0 for somebody who is no member."""
    if channel.guild is None:
        return DIRECT
    member = channel.guild.members.get(user.id)
    return member_permissions(channel.guild, member, channel) if member else 0


def may(user: User, channel: Channel, *names: str) -> bool:
    return permissions(user, channel) & bits(*names) == bits(*names)


def member_permissions(guild: Guild, member: Member, channel: Channel | None = None) -> int:
    everyone = next(role for role in guild.roles if role.id == guild.id)
    granted = everyone.permissions
    for role in member.roles:
        granted |= role.permissions
    if member.user is guild.owner or granted & BITS["administrator"]:
        return ALL
    if channel is None:
        return granted
    overwrites = (channel.parent or channel).overwrites if channel.thread else channel.overwrites
    granted = _applied(granted, [overwrites[guild.id]] if guild.id in overwrites else [])
    granted = _applied(granted, [overwrites[role.id] for role in member.roles if role.id in overwrites])
    granted = _applied(granted, [overwrites[member.user.id]] if member.user.id in overwrites else [])
    return granted if granted & BITS["view_channel"] else 0


def _applied(granted: int, overwrites: list[Overwrite]) -> int:
    for one in overwrites:
        granted &= ~one.deny
    for one in overwrites:
        granted |= one.allow
    return granted

"""Where a post goes: the Place that `inbound` stored, as the ladder reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.chat import Place

TOKEN_LIFE = 14 * 60 * 1_000_000  # micros for which a token is used: Discord's 15 min without the margin
EPOCH = 1_420_070_400_000  # milliseconds: the beginning of Discord's snowflakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """expires: micros after which the token is not used. limit: bytes of one file, 0 where Discord did not say.

    log: another channel than the one where it was asked, so there is nothing to answer there and nobody to write to.
    """

    application: str = ""
    token: str = ""
    expires: int = 0
    channel: str
    guild: str = ""
    user: str = ""
    reply_to: str = ""
    ephemeral: bool = False
    deferred: bool = False
    limit: int = 0
    member: bool = True
    update: bool = False
    spoiler: bool = False
    nsfw: bool = False
    log: bool = False

    @property
    def direct(self) -> bool:
        """A conversation of one person with the bot: whatever stands there is private."""
        return not self.guild and self.member and not self.log

    @property
    def waiting(self) -> bool:
        """A deferred answer waits to be filled in."""
        return self.deferred and not self.update

    def keeps(self, *, private: bool) -> bool:
        """Whether the deferred answer is as private as it has to be, or as public."""
        return self.direct or self.ephemeral == private

    @property
    def scope(self) -> str:
        """Where the same size of files is allowed: a server, or what one person may upload."""
        return self.guild or f"user {self.user}"

    def inside(self, thread: str) -> "Target":
        """A thread of the same channel, where only the bot itself writes."""
        return replace(self, channel=thread, token="", expires=0, reply_to="", user="")

    def alive(self, now: int) -> bool:
        return bool(self.token) and now < self.expires

    @property
    def asked(self) -> int:
        """When it was asked, in micros; 0 where that cannot be told."""
        if self.token:
            return self.expires - TOKEN_LIFE
        return ((int(self.reply_to) >> 22) + EPOCH) * 1000 if self.reply_to else 0


def target(place: Place) -> Target:
    """`room` names the channel where the core itself chose one; everything else holds for the channel of the asking."""
    data: Mapping[str, Any] = place.data
    asked_in = str(data.get("channel", ""))
    if place.room and place.room not in (asked_in, data.get("parent")):
        return Target(channel=place.room, guild=str(data.get("guild", "")), spoiler=bool(data.get("spoiler")), log=True)
    known = {name: data[name] for name in Target.__dataclass_fields__ if name in data}
    return Target(**{**known, "channel": asked_in})

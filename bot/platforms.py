"""What can be set of each chat platform. Nothing else in the core names one: settings are the operator's words.

A platform is on as soon as it has what it cannot do without. Its adapter is found by the name of its section, and gets
what is set there under the same names.
"""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from bot.vendors import Section, field
from bot.written import Address, Hours, Key, Words

TYPED = {"discord.shards": "--shards"}
"""What the command line takes of them, by the names that it has there."""


class Discord(Section):
    token: Key = field(None, "The bot's token; Discord is on when it is set.")
    proxy: Address | None = field(
        None,
        "An HTTP proxy through which Discord's own hosts are reached, and no others.",
        repr=False,  # it may hold a password
    )
    guilds: Words = field("[]", "Ids of servers that alone get the commands, at once: for development.")
    message_content: bool = field(
        False,
        "Whether the bot may read messages that do not mention it, for replies to its pictures; switch the intent on "
        "in Discord's developer portal, too.",
    )

    threads: bool = field(
        False,
        "Whether a series of more than 4 pictures goes on in a thread of its message; it needs the permission Create "
        "Public Threads.",
    )
    shards: str = field(
        "",
        "Which of Discord's shards this process has, and of how many: `0-3/8`, or `2/8` for one alone. Empty: as many "
        "as Discord recommends, all in this process.",
    )

    @property
    def is_on(self) -> bool:
        return self.token is not None

    @property
    def lacks(self) -> str:
        """The setting that is forgotten where another one is there."""
        return ""

    @field_validator("guilds")
    @classmethod
    def _are_ids(cls, guilds: tuple[str, ...]) -> tuple[str, ...]:
        for guild in guilds:
            if not (guild.isascii() and guild.isdecimal() and len(guild) <= 20):
                raise ValueError(f"names {guild[:40]}, which is no server's id")
        return guilds

    @field_validator("shards")
    @classmethod
    def _are_of_all(cls, shards: str) -> str:
        shards = shards.strip()
        found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?/([1-9][0-9]{0,4})", shards)
        if found is None and shards:
            raise ValueError('must be shards and of how many they are, such as "0-3/8" or "2/8"')
        if found and not int(found[1]) <= int(found[2] or found[1]) < int(found[3]):
            last = int(found[3]) - 1
            raise ValueError(f"names {shards}: the last of {found[3]} is {last}, and the first comes first")
        return shards


class Feishu(Section):
    app_id: str = field("", "The app's id; Feishu or Lark is on when this and the secret are set.")
    app_secret: Key = field(None, "The app's secret.")
    domain: Address = field("https://open.feishu.cn", "The platform's address; `https://open.larksuite.com` for Lark.")
    encrypt_key: Key = field(
        None,
        "The app's encrypt key. When it is set, events are taken at `/hooks/feishu` of `BOT_WEB__PUBLIC_URL` instead "
        "of over a long connection.",
    )
    verification_token: Key = field(None, "The app's verification token, which every event to that address must hold.")
    oldest: Hours = field("1h", "What was written longer ago than this is not answered any more.")
    group_owners: bool = field(
        False,
        "Whether the owner of a group may use `/admin` in it. What is set there holds for the whole tenant, and "
        "everybody who makes a group is its owner.",
    )

    @property
    def is_on(self) -> bool:
        return bool(self.app_id) and self.app_secret is not None

    @property
    def lacks(self) -> str:
        if self.is_on or not (self.app_id or self.app_secret):
            return ""
        return "APP_SECRET" if self.app_id else "APP_ID"

    @field_validator("domain")
    @classmethod
    def _is_safe(cls, domain: str) -> str:
        """The secret goes there: in the clear only to this machine, as for tests."""
        parts = urlsplit(domain)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("must begin with https://, or the app's secret could be read on its way")
        return domain

    @field_validator("oldest")
    @classmethod
    def _lets_something_in(cls, oldest: timedelta) -> timedelta:
        if oldest < timedelta(minutes=1):
            raise ValueError('must be at least "1m", or nothing would be answered')
        return oldest

    @field_validator("app_id")
    @classmethod
    def _is_an_id(cls, app_id: str) -> str:
        app_id = app_id.strip()
        if app_id and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", app_id):
            raise ValueError("must be an app's id, such as cli_a1b2c3d4e5f6a7b8")
        return app_id


class Platforms(Section):
    discord: Discord = Discord()
    feishu: Feishu = Feishu()

    @property
    def platforms(self) -> dict[str, dict[str, Any]]:
        """The settings of each platform that is on, by its name, with secrets in plain."""
        sections = {name: getattr(self, name) for name in Platforms.model_fields}
        return {name: _plain(section) for name, section in sections.items() if section.is_on}

    @property
    def half_set(self) -> dict[str, str]:
        """Platforms that are off because one setting is forgotten, with its name."""
        lacks = {name: getattr(self, name).lacks for name in Platforms.model_fields}
        return {name: f"BOT_{name}__{lacking}".upper() for name, lacking in lacks.items() if lacking}


def sharded(shards: str | None) -> dict[str, Any]:
    """As arguments of `bot.settings.load`, where they are given."""
    return {} if shards is None else {"discord": {"shards": shards}}


def unheard(settings: Platforms, *, hears: bool) -> str:
    """Why shards that were typed would mean nothing to a process, "" where they do. hears: whether it does."""
    if not hears:
        return "--shards is for a process that hears the platforms: a gateway, or one that does everything"
    return "" if settings.discord.is_on else "--shards is about Discord, which is off: BOT_DISCORD__TOKEN is not set"


def _plain(section: Section) -> dict[str, Any]:
    values = {name: getattr(section, name) for name in type(section).model_fields}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}

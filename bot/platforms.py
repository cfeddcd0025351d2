"""What can be set of each chat platform. Nothing else in the core names one: settings are the operator's words.

A platform is on as soon as it has what it cannot do without. Its adapter is found by the name of its section, and gets
what is set there under the same names.
"""

from typing import Any

from pydantic import SecretStr, field_validator

from bot.vendors import Section, field
from bot.written import Address, Key, Words


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

    @property
    def is_on(self) -> bool:
        return self.token is not None

    @field_validator("guilds")
    @classmethod
    def _are_ids(cls, guilds: tuple[str, ...]) -> tuple[str, ...]:
        for guild in guilds:
            if not (guild.isascii() and guild.isdecimal() and len(guild) <= 20):
                raise ValueError(f"names {guild[:40]}, which is no server's id")
        return guilds


class Platforms(Section):
    discord: Discord = Discord()

    @property
    def platforms(self) -> dict[str, dict[str, Any]]:
        """The settings of each platform that is on, by its name, with secrets in plain."""
        sections = {name: getattr(self, name) for name in Platforms.model_fields}
        return {name: _plain(section) for name, section in sections.items() if section.is_on}


def _plain(section: Section) -> dict[str, Any]:
    values = {name: getattr(section, name) for name in type(section).model_fields}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}

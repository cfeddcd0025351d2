"""What one process of a bot does. What processes share is in the database, so of each role there can be many."""

from enum import StrEnum


class Role(StrEnum):
    ALL = "all"
    GATEWAY = "gateway"  # hears the platforms, accepts, and answers what needs no picture
    WORKER = "worker"  # makes pictures and posts them
    WEB = "web"  # the page, and whatever calls the bot's own address

    @property
    def hears(self) -> bool:
        return self in (Role.ALL, Role.GATEWAY)

    @property
    def works(self) -> bool:
        return self in (Role.ALL, Role.WORKER)

    @property
    def serves(self) -> bool:
        return self in (Role.ALL, Role.WEB)

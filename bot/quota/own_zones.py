"""The bot's own time zones: what the settings said at each start, so that no change of them brings a period back.

They are a row of `meta`, and what stands there holds for all who use this database: while processes are restarted one
after the other with another setting, those that still have the former one go by the same periods.
"""

import json

from bot.clock import recent
from bot.quota.windows import Zones
from bot.storage.connection import Connection

NAME = "zones"
"""Of their row in `meta`."""


def note(connection: Connection, zone: str, at: int) -> Zones:
    """A process starts with this zone: where it is another one than the last, the bot moves now."""
    connection.lock("zones of the bot")  # the first finds no row
    known = kept(connection, zone)
    # Of two machines the clock of one may be behind: what was noted later is later.
    at = max(at, known[-1][1])
    zones = recent(known if known[-1][0] == zone else (*known, (zone, at)), at)
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value=:value",
        name=NAME,
        value=json.dumps(zones),
    )
    return zones


def kept(connection: Connection, zone: str) -> Zones:
    """zone: the one of the settings, which holds where nothing was ever noted."""
    row = connection.row("SELECT value FROM meta WHERE name=:name", name=NAME)
    return read(row["value"] if row else "", zone)


def read(stored: str, zone: str) -> Zones:
    """As `kept`, of the row's value, "" where there is none."""
    return tuple((str(was), int(at)) for was, at in json.loads(stored)) if stored else ((zone, 0),)

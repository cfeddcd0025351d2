"""Two accounts linked without the question between: what a test needs that is about something else."""

from bot import linking
from bot.audit import By
from bot.storage.connection import Connection


def link(connection: Connection, code: str, person: str, at: int, by: By) -> tuple[str, ...]:
    """Type a code and say yes; returns who belongs together now. Raises the refusal."""
    typed = linking.type_code(connection, code, person, at, by)
    if typed.refused:
        raise typed.refused
    return linking.join(connection, person, typed.seal, at, by)

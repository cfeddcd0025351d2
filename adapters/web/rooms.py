"""The rooms of the page: two that everybody shares, and a direct message that each person has alone."""

from dataclasses import dataclass

DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Room:
    id: str
    title: str


SHARED = (Room("design-team", "design-team"), Room("marketing", "marketing 市场"))


def stored_room(room: str, person: str) -> str:
    """The name under which messages are kept: a direct message belongs to one person. Raises `LookupError`."""
    if room == DIRECT:
        return f"{DIRECT}:{person}"
    if any(room == shared.id for shared in SHARED):
        return room
    raise LookupError(room)


def shown_room(stored: str) -> str:
    """The name in addresses, from the stored one."""
    return DIRECT if stored.startswith(f"{DIRECT}:") else stored


def rooms_of(person: str) -> tuple[str, ...]:
    """Every stored room that this person can see."""
    return (*(room.id for room in SHARED), stored_room(DIRECT, person))

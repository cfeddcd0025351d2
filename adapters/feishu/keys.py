"""The uuids under which Feishu makes a message at most once: for an hour the same one brings back the same message."""

import hashlib
from datetime import timedelta
from typing import Literal

LENGTH = 40  # Feishu takes 50 characters (contract section 3)
SURE = timedelta(minutes=55)  # Feishu knows a uuid for an hour; the rest is for clocks that differ

What = Literal["card", "card for the person", "original", "word"]


def uuid(key: str, what: What, number: int = 0, replaced: str = "") -> str:
    """The same for the same message of the same key, whatever it shows by now.

    number: of the card or file, from 0. replaced: the message that is gone, whose uuid is used up.
    """
    return hashlib.sha256(f"{key}\n{what}\n{number}\n{replaced}".encode()).hexdigest()[:LENGTH]

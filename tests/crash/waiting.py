"""Waiting for a condition, with an end to it."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
LOOK_EVERY = 0.02


async def until(condition: Callable[[], T], what: str | Callable[[], str], *, seconds: float = PATIENCE) -> T:
    """What the condition came to once it is true; fails with `what` it was where it never is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(LOOK_EVERY)
    return found

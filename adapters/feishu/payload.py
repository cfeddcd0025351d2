"""JSON as the platform sends it."""

import json
from typing import Any

from pydantic_core import from_json


def parsed(raw: str | bytes) -> Any:
    """Raises `ValueError`, and `RecursionError` where it is nested without end."""
    try:
        return from_json(raw)
    except (ValueError, TypeError):  # TypeError: it takes no text with half a character in it
        return json.loads(raw)  # half as fast, and takes halves of characters, which people's words can hold

"""The product's statements as they were recorded, for those who run the same ones. Standard library only."""

import json
from pathlib import Path
from typing import Any

Action = list[list[tuple[str, str, Any]]]
"""One person's transactions, each a list of (how, SQL, values)."""


def recorded(folder: str) -> dict[str, list[Action]]:
    phases: dict[str, list[Action]] = {"accept": [], "admit": [], "settle": []}
    with (Path(folder) / "actions.jsonl").open() as file:
        for line in file:
            phase, action = json.loads(line)
            phases[phase].append(action)
    return phases

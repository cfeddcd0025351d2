"""What Apiframe keeps: an account, its jobs and its uploads."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulators.base import Fault


@dataclass(kw_only=True)
class SimJob:
    """ends: its last status and the text of its error. over: ended before its time."""

    id: str
    key: str
    body: bytes
    taken: datetime
    cost: int
    ends: tuple[str, str | None]
    fault: Fault | None
    over: bool = False
    link: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(self.body)
        return asked


@dataclass(frozen=True, slots=True)
class Uploaded:
    size: tuple[int, int]
    expires: datetime


@dataclass(kw_only=True)
class Account:
    """key_state: "good", "wrong" (401) or "inactive" (403) whatever key comes."""

    credits: int = 1000
    team: bool = True
    key_state: str = "good"
    spent: list[SimJob] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Failed and cancelled jobs are refunded."""
        return self.credits - sum(job.cost for job in self.spent if job.ends[0] == "COMPLETED")

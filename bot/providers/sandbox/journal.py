"""What the server was asked, for tests: every paid request, and a line on disk for each one that it took."""

import asyncio
import json
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One paid request without its words and pictures. `outcome` is "accepted" or the code of the refusal."""

    time: str
    request_id: str
    model: str
    size: str
    images: int
    references: int
    words: str
    outcome: str

    @property
    def accepted(self) -> bool:
        return self.outcome == "accepted"


class Journal:
    """The last requests in memory; accepted ones also as lines of a file, which outlives whoever asked."""

    def __init__(self, file: Path | None = None, *, keep: int = 10_000) -> None:
        self._file = file
        self._waiting: list[asyncio.Future[Received]] = []
        self.received: deque[Received] = deque(maxlen=keep)

    @property
    def accepted(self) -> list[Received]:
        return [one for one in self.received if one.accepted]

    def note(
        self,
        now: datetime,
        request_id: str,
        outcome: str,
        *,
        model: str = "",
        size: str = "",
        images: int = 0,
        references: int = 0,
        prompt: str = "",
    ) -> None:
        one = Received(
            time=now.isoformat(),
            request_id=request_id,
            model=model,
            size=size,
            images=images,
            references=references,
            words=sha256(prompt.encode()).hexdigest()[:8],
            outcome=outcome,
        )
        self.received.append(one)
        if not one.accepted:
            return
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(one)) + "\n")
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(one)
        self._waiting.clear()

    async def next_accepted(self) -> Received:
        """Wait until a further request is taken: then the paid request is out, and nothing has been answered."""
        waiting: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return await waiting

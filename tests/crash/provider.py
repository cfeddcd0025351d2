"""The sandbox as a process of its own, which outlives every bot that asks it: its journal is the provider's bill."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.crash.waiting import until

ROOT = Path(__file__).parents[2]


def clean_environment() -> dict[str, str]:
    """Without settings of whoever runs the tests, and without what makes each start compile everything anew."""
    astray = ("BOT_", "COV_", "COVERAGE_", "PYTHONDONTWRITEBYTECODE")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(astray)},
        "PYTHONPATH": str(ROOT),
    }


@dataclass(frozen=True)
class Provider:
    url: str
    journal: Path

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://").partition("/")[0]

    def paid(self, prompt: str) -> int:
        """How many paid requests with these words it has taken."""
        return self.bill()[digest(prompt)]

    def bill(self) -> Counter[str]:
        """Paid requests by the digest of their words."""
        if not self.journal.exists():
            return Counter()
        lines = self.journal.read_text().split("\n")[:-1]  # behind the last one there is nothing, or half a line
        return Counter(json.loads(line)["words"] for line in lines)

    async def took(self, prompt: str) -> None:
        """The request is out, and nothing has been answered."""
        await until(lambda: self.paid(prompt), "the provider took the request")


def digest(prompt: str) -> str:
    return sha256(prompt.encode()).hexdigest()[:8]


@contextmanager
def provider(folder: Path, *, seconds: float) -> Iterator[Provider]:
    """seconds: how long a picture takes at least."""
    journal = folder / "journal"
    command = [sys.executable, "-m", "bot.providers.sandbox", "--journal", str(journal), "--seconds", str(seconds)]
    with subprocess.Popen(
        command,
        env=clean_environment(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it has a lot to say about those who go away without a word
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Provider(url=process.stdout.readline().strip(), journal=journal)
        finally:
            process.terminate()

"""How a benchmark is run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """runs: fresh processes for each side. quick: as little as shows that it works; its figures mean nothing.

    peers: the interpreter of the peers' environment, None to leave them out.
    """

    runs: int = 5
    quick: bool = False
    peers: Path | None = None

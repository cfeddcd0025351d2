"""How large files may be, as far as Discord says so or has shown by refusing.

Its figures have moved three times and differ by person and server, so none of them is taken for granted: what an
interaction or a server says counts, and what was refused counts more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1024 * 1024
FLOOR = 10 * MIB  # where Discord says nothing: what every server and person had when this was written
REQUEST = 25 * MIB  # one request with all its files, say Discord's documents
ENVELOPE = 256 * 1024  # of a request: the words, and what separates the files
SMALLEST = 128 * 1024  # where not even this is taken, it is not the size that is wrong
STEPS = (100 * MIB, 50 * MIB, 25 * MIB, 20 * MIB, 10 * MIB, 8 * MIB)  # limits that Discord has or had


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Bytes of one file, and of all files of one message."""

    file: int
    message: int


class Limits:
    """What each scope was found to take, for as long as this process runs."""

    def __init__(self) -> None:
        self._refused: dict[str, Limit] = {}

    def of(self, scope: str, told: int) -> Limit:
        """told: what Discord says here about one file, 0 where it says nothing."""
        file = told or FLOOR
        # Where one file may be larger than a request's documented size, a request with it must be possible.
        said = Limit(file=file, message=max(REQUEST - ENVELOPE, file))
        learnt = self._refused.get(scope)
        if learnt is None:
            return said
        return Limit(file=min(said.file, learnt.file), message=min(said.message, learnt.message))

    def refused(self, scope: str, sizes: Sequence[int], before: Limit) -> bool:
        """A message with files of these sizes was too large; False where making them smaller makes no sense."""
        largest, whole = max(sizes), sum(sizes)
        if largest <= SMALLEST and len(sizes) == 1:
            return False
        if largest * 2 <= whole:
            self._refused[scope] = Limit(file=before.file, message=whole * 2 // 3)
        else:
            smaller = next((each for each in STEPS if each < largest), largest // 2)
            self._refused[scope] = Limit(file=max(smaller, SMALLEST), message=before.message)
        return True

"""One thing that `doctor` looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`cure` says what to do where it is not well; a warning lets the bot run all the same."""

    name: str
    told: str
    well: bool = True
    warning: bool = False
    cure: str = ""

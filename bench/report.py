"""What a benchmark found: rows for people, an object for programs, and whether each target was met."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise: the figure may be `most` at most, or must be `least` at least."""

    what: str
    found: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        return (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)

    def __str__(self) -> str:
        wanted = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        return f"{'met   ' if self.met else 'MISSED'}  {self.what}: {shown(self.found)} (target: {wanted})"


@dataclass(kw_only=True)
class Report:
    """rows: one for each side of each case, every value under its column's name, units in the name."""

    name: str
    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        targets = [{**asdict(target), "met": target.met} for target in self.targets]
        return {"name": self.name, "title": self.title, "rows": self.rows, "targets": targets, "notes": self.notes}

    def __str__(self) -> str:
        parts = [f"{self.name}  {self.title}", "", *table(self.rows), "", *map(str, self.targets)]
        return "\n".join([*parts, *(f"  {note}" for note in self.notes)])


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as lines of aligned columns: words to the left, figures to the right."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[shown(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(name), *(len(line[place]) for line in cells)) for place, name in enumerate(columns)]
    words = [any(isinstance(row.get(name), str) for row in rows) for name in columns]
    lines = []
    for line in (columns, ["-" * width for width in widths], *cells):
        aligned = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    return lines


def shown(value: object) -> str:
    """Three figures that count, and no more decimals than those."""
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def machine() -> Mapping[str, Any]:
    """What the figures were measured on, and how busy it was with other things."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }

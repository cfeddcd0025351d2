"""dashboard: how soon every page has what it shows, with a million generations kept, on each engine that is at hand.

Through the product's own reads, for the operator, an admin of the busiest space, an owner of the busiest team, and
whoever drew the most. What a page looks like is drawn in milliseconds, and is not measured here.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.fresh import fresh, median
from bench.options import Options
from bench.report import Report, Target
from bench.runs.scale_server import NAMES, address, new_database
from bot.storage.database import SQLITE

KEPT, FEW = 1_000_000, 2_000
TIMES = 5
MOST = 300.0  # ms
SLOWEST = 8  # are listed


def run(options: Options) -> Report:
    kept = FEW if options.quick else KEPT
    report = Report(name="dashboard", title=f"ms until a page has what it shows, {kept:,} generations kept")
    with ExitStack() as stack:
        for engine, url in _engines(stack, report):
            filled = fresh("dashboard_fill", url=url, count=kept)
            found = fresh("dashboard_pages", url=url, times=1 if options.quick else TIMES)
            report.rows += _rows(engine, found["pages"])
            slowest = max(median(_as_runs(page), "wall") for page in found["pages"].values())
            report.targets.append(Target(what=f"{engine}: ms of the slowest page", found=slowest, most=MOST))
            report.notes += [
                f"{engine}: {filled['mb']:,.0f} MB, filled in {filled['seconds']:.0f} s.",
                f"{engine}: a week of the ledger is exported as {found['rows']:,} rows in {found['seconds']:.1f} s,"
                f" with {found['mib']:.1f} MiB more memory.",
            ]
    return report


def fill(url: str, count: int) -> str:
    """The same data for whoever wants to look at it, as `demo --data-dir` can; where it is, in a sentence."""
    if url.startswith(SQLITE):
        url = SQLITE + str(Path(url.removeprefix(SQLITE)).absolute())
    found = fresh("dashboard_fill", url=url, count=count)
    return f"{count:,} generations in {url.rpartition('@')[2]}: {found['mb']:,.0f} MB, {found['seconds']:.0f} s."


def _engines(stack: ExitStack, report: Report) -> Iterator[tuple[str, str]]:
    with _folder() as folder:
        yield "SQLite", f"{SQLITE}{folder}/bot.db"
    if server := address():
        yield "PostgreSQL", stack.enter_context(new_database(server))
    else:
        report.notes.append(f"Without PostgreSQL: neither {' nor '.join(NAMES)} names a server.")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as folder:
        yield Path(folder)


def _rows(engine: str, pages: Mapping[str, Mapping[str, list[float]]]) -> list[dict[str, Any]]:
    """The slowest, and the half of all that is quicker."""
    rows = [
        {"side": f"{engine}, {name}", "p50 ms": median(_as_runs(page), "wall"), "max ms": max(page["wall"])}
        for name, page in pages.items()
    ]
    rows.sort(key=lambda row: float(str(row["p50 ms"])), reverse=True)
    middle = rows[len(rows) // 2]
    return [*rows[:SLOWEST], {**middle, "side": f"{engine}, the middle one of {len(rows)}"}]


def _as_runs(page: Mapping[str, list[float]]) -> list[dict[str, float]]:
    return [{"wall": wall} for wall in page["wall"]]

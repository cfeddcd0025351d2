"""The benchmarks' own parts, and that each benchmark runs: what it finds is not asserted here, only that it looks."""

import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bench import (
    acks,
    books,
    budget,
    dashboard,
    feishu_events,
    feishu_start,
    memory,
    paid,
    peers,
    posting,
    power,
    scale,
    start,
)
from bench.__main__ import BENCHMARKS, main
from bench.fresh import RunFailed, alternating, environment, fresh, median, served
from bench.options import Options
from bench.report import Report, Target, shown, table
from bench.runs.meter import percentiles
from bench.runs.replay import recorded
from bench.runs.scale_server import NAMES
from bot.quota import audit
from bot.storage.connection import Connection
from bot.storage.database import SQLiteConnection, read_only
from bot.storage.postgres import PostgresConnection, connected
from tests.postgres import BOTH, needs_postgres, new_database

pytestmark = pytest.mark.slow  # real processes, one after the other

TREE = Path(__file__).resolve().parents[1]
QUICK = Options(runs=1, quick=True)


def sides(report: Report) -> set[str]:
    return {row["side"] for row in report.rows}


def wheel(folder: Path) -> Path:
    """The smallest package that there is, so that nothing has to be fetched."""
    file = folder / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        archive.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.dist-info/RECORD", "")
    return file


def imports(python: Path, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(what="x", found=1.0, most=1.0), True),
        (Target(what="x", found=1.01, most=1.0), False),
        (Target(what="x", found=10.0, least=10.0), True),
        (Target(what="x", found=9.9, least=10.0), False),
        (Target(what="x", found=0.9, most=1.0, least=1.0), False),
    ],
)
def test_a_target_is_met_at_its_bound_and_missed_beyond(target: Target, met: bool) -> None:
    assert target.met is met
    assert str(target).startswith("met" if met else "MISSED")


def test_a_table_has_every_column_once_and_an_empty_cell_where_a_side_has_no_figure() -> None:
    lines = table([{"side": "a", "s": 1.5}, {"side": "bb", "MiB": 12.0}])

    assert lines[0].split() == ["side", "s", "MiB"]
    assert lines[2].split() == ["a", "1.50"]
    assert lines[3].split() == ["bb", "12.0"]


def test_figures_are_shown_with_three_digits_that_count() -> None:
    assert [shown(value) for value in (0.1234, 1.234, 12.34, 1234.5, 7, "x")] == [
        "0.123",
        "1.23",
        "12.3",
        "1,234",
        "7",
        "x",
    ]


def test_a_report_says_the_same_to_programs() -> None:
    report = Report(name="B0", title="nothing", rows=[{"side": "a"}], targets=[Target(what="x", found=2.0, most=1.0)])

    found = json.loads(json.dumps(report.to_json()))

    assert found["rows"] == [{"side": "a"}]
    assert found["targets"][0]["met"] is False


def test_sides_are_measured_in_turns() -> None:
    order: list[str] = []

    def side(name: str) -> dict[str, Any]:
        order.append(name)
        return {"wall": len(order)}

    found = alternating({"a": lambda: side("a"), "b": lambda: side("b")}, 3)

    assert order == ["a", "b"] * 3
    assert median(found["b"], "wall") == 4


def test_percentiles_are_of_what_was_measured() -> None:
    found = percentiles([number / 1000 for number in range(1, 101)])

    assert (round(found["p50"]), round(found["p99"]), round(found["max"])) == (51, 100, 100)


def test_memory_that_was_given_back_still_counts_as_the_peak() -> None:
    lines = (
        "import json",
        "from bench.runs.meter import measured",
        "with measured() as found:",
        "    block = bytearray(b'x') * (64 * 2**20)",
        "    del block",
        "print(json.dumps(found))",
    )
    # In a process of its own, as it is used: a large one may have so much to spare that nothing grows.
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, check=True, timeout=60)
    found = json.loads(done.stdout)

    assert found["above_mib"] > 60
    assert found["cpu"] > 0


def test_a_measured_process_inherits_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_PROVIDERS", '["modelark"]')
    monkeypatch.setenv("BOT_BENCH_ENV", "somewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    found = environment()

    assert not [name for name in found if name.startswith("BOT_")]
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPATH"] == str(TREE)


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(RunFailed, match="No module named"):
        fresh("nothing_of_this_name")


def test_peers_are_pinned_and_no_dependency_of_the_product_is_made_of_them() -> None:
    wanted = [line for line in peers.WANTED.read_text().splitlines() if line and not line.startswith("#")]

    assert all("==" in line for line in wanted)
    assert {line.partition("==")[0] for line in wanted} >= {"openai", "lark-oapi", "discord.py", "aiosqlite"}


def test_the_peers_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(peers.FOLDER, str(tmp_path))
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"tiny @ {wheel(tmp_path).as_uri()}\n")
    monkeypatch.setattr(peers, "WANTED", wanted)
    first = peers.python()
    made = first.lstat().st_mtime_ns

    assert peers.python() == first
    assert first.lstat().st_mtime_ns == made
    assert imports(first, "tiny")
    assert not imports(first, "pydantic")


def test_peers_that_cannot_be_installed_end_it_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(peers.FOLDER, str(tmp_path / "env"))
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("seedream-bot @ file:///nowhere/at/all\n")
    monkeypatch.setattr(peers, "WANTED", wrong)

    assert main(["B2"]) == 2
    assert "the peers cannot be installed" in capsys.readouterr().err


@pytest.mark.slow
def test_answers_hold_the_picture_and_wait_for_all(tmp_path: Path) -> None:
    from bench.runs.pictures import noise

    noise(30_000, tmp_path / "picture.png")
    with served("answers", picture=str(tmp_path / "picture.png"), together=3) as base_url:
        found = fresh("memory_ours", base_url=base_url, count=3)

    assert found["settled"] == 3
    assert math.isclose(found["posted_mb"] * 1e6, 3 * (tmp_path / "picture.png").stat().st_size, rel_tol=0.05)


def test_recorded_statements_are_the_products_and_run_elsewhere(tmp_path: Path) -> None:
    from bot.storage.database import PRAGMAS

    fresh("books_recording", folder=str(tmp_path), persons=4)
    phases = recorded(str(tmp_path))
    replayed = fresh("books_aiosqlite", folder=str(tmp_path), pragmas=PRAGMAS)
    limit = fresh("books_limit", folder=str(tmp_path), pragmas=PRAGMAS, batch=2)

    assert [len(phases[name]) for name in ("accept", "settle")] == [4, 4]
    assert any("INSERT INTO holds" in sql for _, sql, _ in phases["accept"][0][1])
    assert replayed["settled"] == limit["settled"] == 4


@pytest.mark.slow
def test_one_action_is_paid_for_once_whatever_goes_wrong() -> None:
    report = paid.run(QUICK)

    assert len(sides(report)) == len(paid.SIMULATORS)
    assert {(row["fault"], row["side"]) for row in report.rows} == set(product(paid.FAULTS, sides(report)))
    assert {row["submissions/action"] for row in report.rows} == {1.0}
    assert {row["ended as"] for row in report.rows} == {"unknown"}
    assert all(target.met for target in report.targets)


def test_what_is_submitted_too_often_or_never_misses_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    submitted = iter((3, 0))

    def counted(*_: Any, **__: Any) -> Callable[[], dict[str, Any]]:
        return lambda: {"posts": 2, "paid": next(submitted, 2), "ended": {"unknown": 2}, "cpu": 1, "wall": 1}

    monkeypatch.setattr(paid, "_counted", counted)
    report = paid.run(QUICK)

    assert [(target.found, target.met) for target in report.targets] == [(1.5, False), (0.0, False)]


@pytest.mark.slow
def test_the_way_to_a_postable_file_runs_beside_its_limit() -> None:
    report = posting.run(QUICK)

    assert sides(report) == {"seedream-bot", "bare pyvips"}
    assert "fit" in report.notes[0]


@pytest.mark.slow
def test_many_answers_at_once_are_all_posted() -> None:
    report = memory.run(QUICK)

    assert [row["answers posted"] for row in report.rows] == [3]


@pytest.mark.slow
def test_books_are_kept_and_balance_on_every_side() -> None:
    report = books.run(QUICK)

    assert sides(report) == {"seedream-bot", books.PEER, books.LIMIT}


def test_a_run_that_lost_something_has_measured_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(*_: Any, **__: Any) -> dict[str, Any]:
        return {"settled": 19, "actions": 20, "wrong": 0, "transactions": 4, "statements": 1}

    monkeypatch.setattr(books, "fresh", losing)

    with pytest.raises(RuntimeError, match="19 of 20 settled"):
        books.run(QUICK)


@pytest.mark.slow
def test_nothing_is_lost_by_a_crash_and_much_with_normal() -> None:
    report = power.run(QUICK)

    assert {(row["case"], row["side"]) for row in report.rows} == {
        (power.FAILS, power.OURS),
        (power.FAILS, power.PEER),
        (power.KILLED, power.OURS),
    }
    assert len(report.targets) == 5
    assert all(target.met for target in report.targets)


def test_a_crash_that_lost_or_broke_something_misses_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "find_spec", lambda _: None)
    figures = {"crashes": 3, "losing": 1, "most_lost": 2, "broken": ["all"], "acknowledged": 9, "seconds": 1, "cpu": 1}
    monkeypatch.setattr(power, "fresh", lambda *_, **__: figures)

    report = power.run(QUICK)

    assert [target.met for target in report.targets] == [False, False]
    assert "apsw is not installed" in report.notes[0]


@pytest.mark.slow
def test_everybody_who_asks_at_once_is_answered_in_time_on_both_sides() -> None:
    report = acks.run(QUICK)

    assert sides(report) == {acks.OURS, acks.BARE}
    assert all(target.met for target in report.targets)
    assert all(row["pictures fitted"] > 0 for row in report.rows)


def test_commands_that_were_answered_too_late_miss_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = dict.fromkeys(("p50", "p99", "max", "answered", "lag_p99", "lag_max", "cpu", "fitted"), 1.0)
    monkeypatch.setattr(acks, "fresh", lambda *_, **__: {**figures, "late": 1})

    assert [target.met for target in acks.run(QUICK).targets] == [False]


@pytest.mark.slow
def test_the_first_page_comes_and_the_process_comes_to_rest() -> None:
    report = start.run(QUICK)

    assert sides(report) == {"seedream-bot"}
    assert report.rows[0]["idle MiB"] > 0


@pytest.mark.slow
def test_feishu_events_are_noted_once_and_forged_ones_never() -> None:
    report = feishu_events.run(QUICK)

    assert sides(report) == {feishu_events.OURS, feishu_events.SDK}
    assert {row["way"] for row in report.rows} == {feishu_events.WEBHOOK, feishu_events.CONNECTION}
    assert len(report.targets) == 3
    assert all(target.met for target in report.targets)


@pytest.mark.parametrize(("repeated", "forged", "met"), [(1, 0, True), (2, 0, False), (0, 0, False), (1, 1, False)])
def test_what_runs_twice_or_never_or_was_forged_misses_the_target(
    repeated: int, forged: int, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = dict.fromkeys(("cpu_ms", "wire_ms", "p50", "p99", "mib"), 1.0)
    monkeypatch.setattr(feishu_events, "fresh", lambda *_, **__: {**figures, "repeated": repeated, "forged": forged})

    assert all(target.met for target in feishu_events.run(QUICK).targets) is met


@pytest.mark.slow
def test_feishu_connects_beside_a_loop_that_ticks() -> None:
    report = feishu_start.run(QUICK)

    assert sides(report) == {feishu_start.OURS, feishu_start.SDK}
    assert all(row["connected after s"] > 0 for row in report.rows)


@needs_postgres
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.long
def test_several_processes_over_one_database_bring_everything_to_its_end() -> None:
    report = scale.run(QUICK)

    assert sides(report) == {
        f"{scale.OURS}, 1 working",
        f"{scale.PEER}, 1 working",
        f"{scale.OURS}, {scale.KEPT[0]:,} kept",
    }
    assert all(row["accepted/s"] > 0 and row["finished/s"] > 0 and row["CPU ms"] > 0 for row in report.rows)


def test_without_a_server_that_is_left_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    report = scale.run(QUICK)

    assert not report.rows
    assert str(report).count(NAMES[1]) == 1


def test_processes_that_lost_something_have_measured_nothing() -> None:
    with pytest.raises(RuntimeError, match="9 of 10"):
        scale._check([{"asked": 10, "settled": 10}, {"asked": 10, "settled": 9}])


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_budget_is_met_exactly_over_a_kill() -> None:
    report = budget.run(QUICK)

    assert sides(report) == {budget.OURS}
    assert (report.rows[0]["generated"], report.rows[0]["charged"]) == ("10", "10")
    assert all(target.met for target in report.targets)


@pytest.mark.parametrize(("generated", "held", "problems"), [(11, 0, []), (9, 0, []), (10, 1, []), (10, 0, ["all"])])
def test_a_budget_that_is_missed_misses_the_target(
    generated: int, held: int, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {
        "asked": 24,
        "generated": generated,
        "spent": {"team": 10},
        "held": held,
        "problems": problems,
        "wall": 1,
    }
    monkeypatch.setattr(budget, "fresh", lambda *_, **__: figures)

    assert not all(target.met for target in budget.run(QUICK).targets)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_every_page_of_the_dashboard_is_measured_over_books_that_balance() -> None:
    report = dashboard.run(QUICK)

    assert any("SQLite" in side for side in sides(report))
    assert all(row["max ms"] > 0 for row in report.rows)


@pytest.mark.parametrize("engine", BOTH)
def test_what_is_filled_is_as_the_product_would_have_left_it(engine: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/bot.db" if engine == "sqlite" else stack.enter_context(new_database())
        assert main(["fill", "600", url]) == 0
        if engine == "sqlite":
            connection: Connection = SQLiteConnection(stack.enter_context(closing(read_only(tmp_path / "bot.db"))))
        else:
            connection = PostgresConnection(stack.enter_context(connected(url)))
        made = connection.row("SELECT count(*) AS n FROM generations")

        assert made is not None
        assert made["n"] == 600
        assert audit.verify(connection).problems == ()
        with pytest.raises(RunFailed, match="in use"):
            main(["fill", "600", url])


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5"])
def test_a_fill_of_nothing_is_refused(count: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["fill", count, f"sqlite:///{tmp_path}/bot.db"])


def test_a_demonstration_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"], cwd=tmp_path)

    with pytest.raises(RuntimeError, match="ended with 3"):
        start._first_page(process, 1)


def test_a_missed_target_is_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missed(_: Options) -> Report:
        return Report(name="B8", title="x", rows=[{"side": "a"}], targets=[Target(what="x", found=2.0, most=1.0)])

    monkeypatch.setitem(BENCHMARKS, "B8", missed)

    assert main(["b8", "--no-peers", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["benchmarks"][0]["name"] == "B8"


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["B99"])
    assert "B99" in capsys.readouterr().err

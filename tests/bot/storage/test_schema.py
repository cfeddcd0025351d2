"""The schema: made once, never taken from the future, and every table with what the statements need."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from bot.storage import postgres, schema
from tests.postgres import Emptied, needs_postgres, new_schema


def test_a_new_file_is_brought_to_the_newest_version_once(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bot.db"

    assert schema.current(file) == ""
    assert schema.migrate(file)
    assert schema.current(file) == schema.head()
    assert not schema.migrate(file)


def test_a_database_of_a_newer_program_is_refused_and_left_alone(database_file: Path) -> None:
    with sqlite3.connect(database_file) as raw:
        raw.execute("UPDATE alembic_version SET version_num='9999'")
    raw.close()

    with pytest.raises(schema.SchemaError, match=f"9999.*{schema.head()}"):
        schema.migrate(database_file)
    assert schema.current(database_file) == "9999"


def test_versions_follow_each_other(database_file: Path) -> None:
    numbers = sorted(int(file.name[:4]) for file in schema.VERSIONS.glob("[0-9]*.py"))

    assert numbers == list(range(1, len(numbers) + 1))
    assert schema.head() == f"{len(numbers):04}"


def test_messages_that_stood_before_are_still_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bot.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSIONS", _versions_until(4, tmp_path))
        schema.migrate(file)
    with sqlite3.connect(file) as raw:
        for key, message in (("a:0", "m1"), ("b:0", "m2"), ("c:0", "")):
            raw.execute(
                "INSERT INTO postings (key, generation, adapter, place, state, wanted, message)"
                " VALUES (?, ?, 'web', '{}', 'posted', 1, ?)",
                (key, key[0], message),
            )
    schema.migrate(file)
    known = raw.execute("SELECT message, key FROM posted_messages ORDER BY message").fetchall()
    raw.close()

    assert known == [("m1", "a:0"), ("m2", "b:0")]


def _names(url: str) -> set[str]:
    with postgres.connected(url) as raw:
        rows = raw.execute("SELECT relname AS name FROM pg_class WHERE relnamespace=current_schema()::regnamespace")
        return {row["name"] for row in rows.fetchall() if row["name"].startswith("procrastinate_")}


def _run(url: str, sql: str) -> None:
    with postgres.connected(url) as raw:
        raw.execute(sql.encode())


BEFORE_TEAMS = """
INSERT INTO generations (id, invocation, person, person_name, space, adapter, language, request, provider, model, count,
  price, state, charged, created_at, started_at, finished_at) VALUES
  ('one', 'i1', 'ann', 'Ann', 'web/a', 'web', 'en', '{}', 'sandbox', 'seedream-4', 2, 80000, 'settled', 2, 1, 1000000, 3000000),
  ('two', 'i2', 'ann', 'Ann', 'web/a', 'web', 'en', '{}', 'sandbox', 'seedream-4', 1, 40000, 'settled', 1, 1, 1000000, 900000000),
  ('bad', 'i3', 'ann', 'Ann', 'web/a', 'web', 'en', '{}', 'sandbox', 'seedream-4', 1, 40000, 'failed', 0, 1, 1000000, 2000000),
  ('not', 'i4', 'ann', 'Ann', 'web/a', 'web', 'en', '{}', 'sandbox', 'seedream-4', 1, 40000, 'cancelled', 0, 1, 0, 2000000),
  ('now', 'i5', 'ann', 'Ann', 'web/a', 'web', 'en', '{}', 'sandbox', 'seedream-4', 1, 40000, 'queued', 0, 1, 0, 0);
INSERT INTO jobs (generation, number, state, error) VALUES ('bad', 0, 'failed', 'busy'), ('bad', 1, 'failed', 'content');
INSERT INTO entries (generation, kind, account, unit, held, spent, at) VALUES
  ('one', 'hold', 'all', 'usd', 80000, 0, 1), ('one', 'settle', 'all', 'usd', -80000, 80000, 3000000),
  ('two', 'hold', 'all', 'usd', 40000, 0, 1), ('two', 'settle', 'all', 'usd', -40000, 40000, 9000000);
"""  # noqa: E501 - one row a line
COUNTED = (
    "SELECT day, person, requests, failed, images, usd FROM usage_days",
    "SELECT day, bucket, n FROM latency_days ORDER BY bucket",
    "SELECT day, cause, n FROM failure_days",
    "SELECT month, model, requests, failed, images, usd FROM usage_months",
    "SELECT month, person, seen, requests, failed, images, usd FROM person_months",
)


def test_what_was_made_before_there_were_teams_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bot.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSIONS", _versions_until(7, tmp_path))
        schema.migrate(file)
    with sqlite3.connect(file) as raw:
        raw.executescript(BEFORE_TEAMS)
    schema.migrate(file)
    used, took, failed, *months = (raw.execute(sql).fetchall() for sql in COUNTED)
    raw.close()

    assert used == [("1970-01-01", "ann", 3, 1, 3, 120_000)]
    assert took == [("1970-01-01", 1, 1), ("1970-01-01", 14, 1)]
    assert failed == [("1970-01-01", "busy", 1)]
    assert months == [
        [("1970-01", "seedream-4", 3, 1, 3, 120_000)],
        [("1970-01", "ann", "1970-01-01", 3, 1, 3, 120_000)],
    ]


@needs_postgres
def test_it_is_counted_on_postgres_alike(emptied: Emptied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_schema(emptied.url) as url:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "VERSIONS", _versions_until(7, tmp_path))
            schema.migrate(url)
        with postgres.connected(url) as raw:
            raw.execute(BEFORE_TEAMS.encode())
        schema.migrate(url)
        with postgres.connected(url) as raw:
            used, took, failed, *months = (
                [tuple(row.values()) for row in raw.execute(sql.encode())] for sql in COUNTED
            )

    assert used == [("1970-01-01", "ann", 3, 1, 3, 120_000)]
    assert took == [("1970-01-01", 1, 1), ("1970-01-01", 14, 1)]
    assert failed == [("1970-01-01", "busy", 1)]
    assert months == [
        [("1970-01", "seedream-4", 3, 1, 3, 120_000)],
        [("1970-01", "ann", "1970-01-01", 3, 1, 3, 120_000)],
    ]


def _versions_until(last: int, folder: Path) -> Path:
    """The migrations as an earlier version had them."""
    earlier = folder / "migrations"
    shutil.copytree(schema.VERSIONS.parent, earlier)
    for later in sorted((earlier / "versions").glob("[0-9]*.py"))[last:]:
        later.unlink()
    return earlier / "versions"


@needs_postgres
def test_what_hands_out_work_is_installed_once_beside_ours(emptied: Emptied) -> None:
    with new_schema(emptied.url) as url, new_schema(emptied.url) as other:
        assert schema.migrate(url)
        assert {"procrastinate_jobs", "procrastinate_workers"} <= _names(url)
        assert not schema.migrate(url)
        assert _names(other) == set()


@needs_postgres
def test_what_hands_out_work_is_made_anew_by_another_version_of_it(emptied: Emptied) -> None:
    with new_schema(emptied.url) as url:
        schema.migrate(url)
        before = _names(url)
        _run(url, "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't')")
        _run(url, "INSERT INTO meta (name, value) VALUES ('ours', 'kept')")
        _run(url, "COMMENT ON TABLE procrastinate_jobs IS 'of seedream-bot, an earlier one'")
        _run(url, "ALTER TABLE procrastinate_workers ADD COLUMN odd TEXT")

        assert schema.migrate(url)
        assert _names(url) == before
        with postgres.connected(url) as raw:
            assert raw.execute("SELECT * FROM procrastinate_jobs").fetchall() == []
            assert raw.execute("SELECT 1 FROM meta WHERE name='ours'").fetchall() != []
        assert not schema.migrate(url)


@needs_postgres
def test_tables_of_somebody_elses_procrastinate_are_left_alone(emptied: Emptied) -> None:
    with new_schema(emptied.url) as url:
        _run(url, "CREATE TABLE procrastinate_jobs (theirs TEXT)")
        with pytest.raises(schema.SchemaError, match="not the bot's"):
            schema.migrate(url)

        assert _names(url) == {"procrastinate_jobs"}
        assert schema.current(url) == ""


@needs_postgres
def test_a_database_that_lacks_only_what_hands_out_work_gets_it(emptied: Emptied) -> None:
    with new_schema(emptied.url) as url:
        schema.migrate(url)
        _run(url, "DROP TABLE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers CASCADE")

        assert schema.migrate(url)
        assert "procrastinate_jobs" in _names(url)

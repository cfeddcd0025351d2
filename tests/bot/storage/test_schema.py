"""The schema: made once, never taken from the future, and every table with what the statements need."""

import sqlite3
from pathlib import Path

import pytest

from bot.storage import schema


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

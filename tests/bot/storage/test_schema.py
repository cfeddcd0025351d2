"""The schema: made once, never taken from the future, and every table with what the statements need."""

import shutil
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


def test_messages_that_stood_before_are_still_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier, file = tmp_path / "migrations", tmp_path / "bot.db"
    shutil.copytree(schema.VERSIONS.parent, earlier)
    for later in sorted((earlier / "versions").glob("[0-9]*.py"))[4:]:
        later.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSIONS", earlier / "versions")
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

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.quota.books import Books, PostgresBooks


@pytest.fixture
def books(engine: str, migrated: Path, request: pytest.FixtureRequest) -> Iterator[Books]:
    books = Books(migrated) if engine == "sqlite" else PostgresBooks(request.getfixturevalue("database_url"))
    yield books
    books.close()
